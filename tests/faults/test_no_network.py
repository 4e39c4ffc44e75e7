"""No command opens a connection unless it is asked to: no telemetry, no look-up, no download."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.fault, pytest.mark.slow]

# Refuses and records every connection but those inside the machine by a file (AF_UNIX).
BLOCKED = """
import socket, sys

def refused(*args, **_):
    if isinstance(args[0], socket.socket) and args[0].family == socket.AF_UNIX:
        return
    with open(sys.argv[0], "a") as log:
        log.write(f"{args}\\n")
    raise OSError("this test has no network")

socket.getaddrinfo = socket.gethostbyname = socket.create_connection = refused
for name in ("connect", "connect_ex", "sendto"):
    setattr(socket.socket, name, refused)
"""


def run(code: str, log: Path, home: Path) -> None:
    """Run code without a network, in a home of its own without any cache."""
    names = ("WANDB", "HF_", "TRANSFORMERS", "HUGGINGFACE")
    env = {key: value for key, value in os.environ.items() if not key.startswith(names)}
    env |= {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache")}
    code = f"{BLOCKED}\nsys.argv[0] = {str(log)!r}\n{code}"
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not log.exists(), log.read_text()[:1000]


def test_the_block_finds_connections(tmp_path):
    code = """
import urllib.request
try:
    urllib.request.urlopen("http://127.0.0.1:9")
except OSError:
    pass
"""
    with pytest.raises(AssertionError, match=r"127\.0\.0\.1"):
        run(code, tmp_path / "log", tmp_path)


def test_training_evaluation_prediction_and_reports_open_no_connection(world, tmp_path):
    image = min((world / "hico_20160224_det" / "images" / "test2015").glob("*.jpg"))
    truth = world / "hico_20160224_det" / "instances_test2015.json"
    code = f"""
import os
os.chdir({str(tmp_path)!r})
from rmlr_lightning import HOIDetector
from rmlr_lightning.cli import evaluate, export, predict, report, score, train

def call(main, *argv):
    log, sys.argv[1:] = sys.argv[0], list(argv)
    main()
    assert sys.argv[0] == log

quick = ["data.prepare.config.train=60", "+data.prepare.config.val=24",
         "+data.prepare.config.test=48", "data.prepare.config.seed=3", "data.num_workers=0"]
call(train.main, "paths.data={world.parent}", "hydra.run.dir=run", "trainer.max_epochs=1", *quick)
best = "run/checkpoints/best.ckpt"
call(evaluate.main, f"checkpoint={{best}}", "paths.data={world.parent}", "export=found.npz")
predict.main([{str(image)!r}, "--checkpoint", best, "--out", "drawn"])
score.main(["hicodet", "--ground-truth", {str(truth)!r}, "--detections", "found.npz"])
assert "wandb" not in sys.modules  # a report imports it, to make the dashboard
report.main(["run", "--out", "report"])
export.main([best, "--format", "folder", "--out", "saved"])
HOIDetector.from_pretrained("saved")({str(image)!r})
HOIDetector.from_pretrained()({str(image)!r})
"""
    run(code, tmp_path / "log", tmp_path)
    assert (tmp_path / "report" / "report.md").is_file()
