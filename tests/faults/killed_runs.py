"""Kills trainings at random moments, resumes them, and compares them with one that ran through.

    python -m tests.faults.killed_runs FOLDER --kills 20           # about 10 minutes of one core

FOLDER is new, or holds `synthetic`, a small synthetic benchmark (see `world` in tests/conftest.py).
It gets the runs. Every run is a fork of this process, which has imported everything already. Kills
take turns in the phases of a run (`moments`). Prints one line for each kill and exits with status 1
if a run ended otherwise than it should, or a signal did not end it.
"""

import argparse
import json
import os
import random
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

import torch

from rmlr_lightning.cli import train
from rmlr_lightning.synthetic import WorldConfig, write_world
from tests.faults.moments import PHASES, Moment, Watch, draw

COUNTS = "calls.json"  # of a run, by phase
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT)
# With everything that a checkpoint must bring back: moving average, accumulation, dropout, two
# views of each image, checkpoints within an epoch.
OPTIONS = (
    "data.prepare.config.train=60",
    "+data.prepare.config.val=24",
    "+data.prepare.config.test=48",
    "data.prepare.config.seed=3",
    "+data.train.limit=24",
    "+data.val.limit=8",
    "+data.test.limit=8",
    "data.batch_size=4",
    # a small head: checkpoints of 3 MB
    "model.ire.dim=32",
    "model.ire.head_dim=16",
    "model.ire.hidden=32",
    "model.irm.head_dim=16",
    "model.irm.hidden=32",
    "model.ire.pair_features.reduced=16",
    "model.ire.pair_features.union_reduced=8",
    "model.ire.pair_features.hidden=32",
    "callbacks=ema",
    "callbacks.ema.decay=0.9",
    "callbacks.progress=null",
    "+trainer.enable_progress_bar=false",
    "callbacks.panel.max_images=1",
    "trainer.max_epochs=3",
    "trainer.accumulate_grad_batches=2",
    "trainer.log_every_n_steps=1",
    "trainer.accelerator=cpu",
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments and signals")
    options = parser.parse_args()

    # Shells ignore Ctrl-C in the jobs that they start in the background, nohup ignores SIGHUP.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

    world = options.folder / "synthetic"
    if not world.exists():  # else the first run would make it, and have other calls than the rest
        write_world(WorldConfig(train=60, val=24, test=48, seed=3), world)
    whole = options.folder / "whole"
    status = run(options.folder, whole, 0, Watch())
    print(f"whole run: status {status}; seed {options.seed}", flush=True)
    if status != 0:
        return 1
    counts = json.loads((whole / COUNTS).read_text())

    drawn = random.Random(options.seed)
    phases = list(PHASES)
    drawn.shuffle(phases)
    bad = False
    for number in range(options.kills):
        signum = drawn.choice(SIGNALS)
        moment = draw(drawn, phases[number % len(phases)], counts)
        entries = len(counts[moment.phase])
        line = killed(options.folder, number, signum, moment, whole)
        bad |= "WRONG" in line
        print(f"{signum.name} {moment.phase} ({moment.entry + 1} of {entries}), {line}", flush=True)
    return int(bad)


def killed(folder: Path, number: int, signum: signal.Signals, moment: Moment, whole: Path) -> str:
    """Kill a run at a moment, resume it, and describe how it differs from the whole one."""
    out = folder / f"killed_{number}"
    workers = number % 3
    status = run(folder, out, workers, Watch(signum, moment))
    reached = sorted(path.name for path in out.glob("checkpoints/*")) or "no checkpoint"
    first = f"call {moment.call}, {workers} workers: status {status}, {reached}"
    if status != (-signum if signum == signal.SIGKILL else 128 + signum):
        return f"{first}: WRONG status"

    status = run(folder, out, workers, resume="auto")
    if status != 0:
        return f"{first}: WRONG, resuming ended with status {status}"
    differing = differences(whole, out)
    return f"{first}: " + (f"WRONG, {', '.join(differing)} differ" if differing else "equal")


def run(
    folder: Path, out: Path, workers: int, watch: Watch | None = None, resume: str = "null"
) -> int:
    """The exit status of rmlr-train in a process of its own; negative if a signal ended it."""
    places = [f"paths.data={folder}", f"hydra.run.dir={out}", f"features.path={out}/features"]
    child = os.fork()
    if child == 0:
        sys.argv = ["rmlr-train", *places, *OPTIONS, f"data.num_workers={workers}"]
        sys.argv.append(f"resume={resume}")
        os._exit(_status_of_train(out, watch))
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _status_of_train(out: Path, watch: Watch | None) -> int:
    out.mkdir(parents=True, exist_ok=True)
    printed = os.open(out / "printed.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    if watch is not None:
        watch.start()
    try:
        train.main()
        if watch is not None:
            (out / COUNTS).write_text(json.dumps(watch.counts))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def differences(one: Path, other: Path) -> list[str]:
    """What two runs do not have in common, to the bit: weights, states, metrics."""
    found = []
    for name in ("last.ckpt", "best.ckpt"):
        first, second = (
            torch.load(run / "checkpoints" / name, weights_only=True) for run in (one, other)
        )
        for key in ("state_dict", "current_model_state", "averaging_state", "optimizer_states"):
            if not equal(first.get(key), second.get(key)):
                found.append(f"{name} {key}")
        for key in ("lr_schedulers", "epoch", "global_step"):
            if first[key] != second[key]:
                found.append(f"{name} {key}")
        if histories(first) != histories(second):
            found.append(f"{name} curves")
    first, second = (metrics(run) for run in (one, other))
    found += [
        key for key in sorted(first.keys() | second.keys()) if first.get(key) != second.get(key)
    ]
    return found


def histories(checkpoint: dict[str, Any]) -> list[Any]:
    """Logged values, and the score of the best checkpoint."""
    states = checkpoint["callbacks"].values()
    kept = [state[key] for state in states for key in ("history", "values") if key in state]
    scores = [float(s["best_model_score"]) for s in states if s.get("best_model_score") is not None]
    return [kept, scores]


def metrics(run: Path) -> dict[str, str]:
    """As text: NaN equals NaN. Without seconds."""
    read = json.loads((run / "metrics.json").read_text())
    return {key: repr(value) for key, value in read.items() if not key.endswith("_seconds")}


def equal(one: Any, other: Any) -> bool:
    """Whether nested containers of tensors are equal to the bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other


if __name__ == "__main__":
    sys.exit(main())
