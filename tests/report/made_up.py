"""Folders of runs as rmlr-train leaves them, with a record of a small random test."""

import io
import json
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from rmlr_lightning.scoring.matched import mean_of
from rmlr_lightning.scoring.record import LOGGED, TestRecord, make_record
from rmlr_lightning.scoring.record_file import FILE, write_record
from rmlr_lightning.vocabulary import Vocabulary
from tests.metrics import tiny_worlds as worlds

HOSTILE = "<script>alert(1)</script>\"'&"
# names of classes are anybody's
VOCABULARY = worlds.VOCABULARY._replace(verbs=(HOSTILE, "b_b", "c"))
LOG = """epoch,step,train/loss,val/map_full,test/map_full
0,1,2.5,,
0,1,,0.1,
1,2,1.5,,
1,2,,0.3,
1,2,,,0.2
broken,,x,,
"""


def results(worse: bool = False, images: int = 16):
    """The annotations of one test, with detections; `worse` ranks those of true pairs last."""
    out = []
    for i, (truths, rows, labels) in enumerate(worlds.random_world(9, images)):
        if worse:  # the detections of the annotated pairs come first
            last = [(*row[:4], 0.01) for row in rows[: len(truths)]]
            rows = last + rows[len(truths) :]
        target = worlds.target(i, truths, labels)._replace(file_name=f"{HOSTILE}{i}.jpg")
        out.append((target, worlds.detections(rows)))
    return out


def record_of(found, vocabulary: Vocabulary = VOCABULARY) -> TestRecord:
    twins = [[image, 1.0, 1.0, float(image % 3 > 0)] for image in range(8)]
    attention = [
        {
            "image": found[0][0].file_name,
            "hois": [0],
            "box_h": [0.1, 0.1, 0.5, 0.9],
            "box_o": [0.4, 0.4, 0.8, 0.8],
            "phrases": [f"a person holding a {HOSTILE}"],
            "words": {"word_ire": [(HOSTILE, 0.75), ("cup", 0.25)]},
        }
    ]
    bins = [[0.0, 0.0, 0.0]] * 15
    bins[0], bins[3] = [40.0, 1.2, 2.0], [10.0, 2.5, 1.0]
    facts = {"twins": twins, "attention": attention, "reliability": {"ece_score": bins}}
    return make_record(found, vocabulary, facts=facts)


def make_run(
    folder: Path, name: str = "rmlr", seed: int = 0, record: TestRecord | None = None
) -> Path:
    (folder / ".hydra").mkdir(parents=True)
    config = {"name": name, "seed": seed}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "overrides.yaml").write_text(
        yaml.safe_dump([f"experiment={name}", "trainer.max_epochs=2"])
    )
    log = folder / "log" / "version_0"
    log.mkdir(parents=True)
    (log / "metrics.csv").write_text(LOG)
    environment = {
        "command": f"/bin/rmlr-train experiment={name} '{HOSTILE}'",
        "python": "3.12",
        "packages": {"torch": "2.9"},
        "git": {"commit": "abc1234def", "changes": "0" * 64},
        "files": {f"/data/{HOSTILE}.json": "f" * 64},
        "detector": "d" * 64,
        "text_encoder": "e" * 64,
        "features": {"train": ["1" * 32, "2" * 32], "test": [f"{HOSTILE}3"]},
    }
    (folder / "environment.json").write_text(json.dumps(environment))
    metrics = {"fit_seconds": 75.0, "cpu_seconds": 4000.0, "test/map_full": 0.25}
    if record is not None:
        for (setting, mean), key in LOGGED.items():
            matched = record.matched.get(setting)
            if matched is not None and mean in matched.means:
                metrics[f"test/{key}"] = mean_of(matched.ap()[matched.means[mean]])
        metrics |= {"val/ece_score": 0.021, "test/ece_score": 0.046, "test/ece": 0.012}
        if record.facts["twins"]:
            rows = np.array(record.facts["twins"])
            metrics["test/twin_accuracy"] = rows[:, 3].sum() / rows[:, 2].sum()
        jpeg = io.BytesIO()
        Image.new("RGB", (40, 30), "teal").save(jpeg, "jpeg")
        write_record(folder / FILE, record, {record.file_names[0]: jpeg.getvalue()})
    (folder / "metrics.json").write_text(json.dumps(metrics))
    return folder
