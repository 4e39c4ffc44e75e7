"""Every change of CONTRIBUTING's table "Where would I ...", made as that page describes it.

A change is one Python file and one config, both outside the package, and is used through the
console scripts. Rows 3, 6 and 7 change a function inside the package: its options are set, and the
function is replaced, which must be enough.
"""

import csv
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
import yaml
from PIL import Image, ImageDraw

from rmlr_lightning.cli import evaluate, extract, report, train
from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.models.checkpoint import read_checkpoint
from rmlr_lightning.ops.matching import match_pairs
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.runs.config import PACKAGE, conf_dir
from rmlr_lightning.synthetic import WorldConfig, write_world
from rmlr_lightning.synthetic.camera import photograph
from tests.test_layers import MAY, ONLY_IN, imported

CONF = Path(conf_dir())
PAGE = CONF.parent / "docs" / "CONTRIBUTING.md"
SHIPPED = PACKAGE / "weights" / "detector_synthetic.safetensors"
SIZES = {"train": 16, "val": 8, "test": 8}
QUIET = [
    "data.num_workers=0",
    "data.prepare.workers=1",
    "data.batch_size=8",
    "+trainer.enable_progress_bar=false",
    "+trainer.enable_model_summary=false",
    "callbacks.progress=null",
    "callbacks.curves=null",
    "trainer.accelerator=cpu",
]
FAST = "debug=fast"  # one batch of each split, no checkpoint
FEW_STEPS = ["trainer.max_epochs=1", "trainer.log_every_n_steps=1"]
NO_TEXT = "loss=focal"


class Change(NamedTuple):
    """A Python file and a config, as somebody outside would write them."""

    row: int  # of the page's table
    name: str  # of both files
    group: str  # the config's folder
    code: str
    config: str

    @property
    def choice(self) -> str:
        return f"{self.group}={self.name}"


REMINE = Change(
    1,
    "colours",
    "model/remine",
    """
    import torch
    from torch import nn
    from torch.nn import functional as F

    SEEN = []  # sizes of the pixels


    class Colours(nn.Module):
        needs_pixels = True

        def __init__(self, memory_dim, map_dims, dim=16):
            super().__init__()
            self.dim = dim
            self.mix = nn.Conv2d(memory_dim + 3, dim, 1)

        def forward(self, scene, images):
            SEEN.append(tuple(images.pixels.shape))
            pixels = images.pixels * images.mask[:, None]
            colours = F.adaptive_avg_pool2d(pixels, scene.memory.shape[-2:])
            return self.mix(torch.cat([scene.memory, colours], 1))
    """,
    """
    _target_: strangers.colours.Colours
    _partial_: true
    dim: 24
    """,
)

DATA = Change(
    2,
    "discs",
    "data",
    """
    import json
    from pathlib import Path
    from types import SimpleNamespace

    import torch

    from rmlr_lightning.data.hoi_dataset import HOIDataset
    from rmlr_lightning.types import Target
    from rmlr_lightning.vocabulary import COCO_INDEX, Vocabulary

    VOCABULARY = Vocabulary(
        verbs=("roll", "ignore"),
        hois=tuple((verb, COCO_INDEX[obj]) for verb in (0, 1) for obj in ("sports ball", "donut")),
        rare=frozenset(),
    )


    def discs_dataset(annotations: str, images: str, **options) -> HOIDataset:
        return HOIDataset(read(annotations), images, **options)


    def read(path):
        rows = json.loads(Path(path).read_text())
        return SimpleNamespace(vocabulary=VOCABULARY, targets=[target(row) for row in rows])


    def target(row):
        verb, obj = VOCABULARY.verbs.index(row["verb"]), COCO_INDEX[row["object"]]
        return Target(
            file_name=row["file"],
            image_id=row["id"],
            size=torch.tensor(row["size"]),
            boxes_h=torch.tensor([row["human"]], dtype=torch.float64),
            boxes_o=torch.tensor([row["disc"]], dtype=torch.float64),
            objects=torch.tensor([obj]),
            verbs=torch.tensor([verb]),
            hois=torch.tensor([VOCABULARY.hoi_of[verb, obj]]),
        )
    """,
    "",  # from conf/data/hicodet.yaml, see `discs_config`
)

LOSS = Change(
    4,
    "matched",
    "loss",
    """
    from torch import nn


    class Matched(nn.Module):
        \"\"\"The number of true verbs, times a weight.\"\"\"

        def __init__(self, dim, vocabulary, bank, weight=1.0):
            super().__init__()
            self.dim, self.vocabulary, self.bank, self.weight = dim, vocabulary, bank, weight

        def forward(self, prediction, labels):
            assert prediction.irm_tokens.shape[-1] == self.dim
            assert labels.verbs.shape[-1] == len(self.vocabulary.verbs)
            return self.weight * labels.verbs.sum().float()
    """,
    """
    defaults: [focal]
    matched:
      _target_: strangers.matched.Matched
      _partial_: true
      weight: 2.0
    """,
)

TEXT_LOSS = Change(
    4,
    "spread",
    "loss",
    """
    from torch import nn


    class Spread(nn.Module):
        def __init__(self, dim, vocabulary, bank, weight=1.0):
            super().__init__()
            self.weight = weight
            self.register_buffer("spread", bank().sentences.std(0).mean(), persistent=False)
            assert len(bank().sentences) == len(vocabulary.hois)

        def forward(self, prediction, labels):
            return self.weight * self.spread * prediction.irm_tokens.square().mean()
    """,
    """
    defaults: [both]
    spread:
      _target_: strangers.spread.Spread
      _partial_: true
      weight: 0.5
    """,
)

PHRASE = Change(
    5,
    "backwards",
    "text",
    """
    from rmlr_lightning.text.prompts import Phrase, split_words

    SEEN = []


    def backwards(verb: str, obj: str) -> Phrase:
        SEEN.append((verb, obj))
        text = f"with the {obj}, which they {verb.replace('_', ' ')}"
        return split_words(text, frozenset(["with", "the", "which", "they"]))
    """,
    """
    defaults: [minilm, _self_]
    phrase:
      _target_: strangers.backwards.backwards
    """,
)

CALLBACK = Change(
    8,
    "outlines",
    "callbacks",
    """
    from pathlib import Path

    from PIL import ImageDraw
    from pytorch_lightning import Callback

    FOUND = {}  # detections of each image


    class Outlines(Callback):
        def __init__(self, folder: str) -> None:
            self.folder = Path(folder)

        def on_test_batch_end(
            self, trainer, pl_module, outputs, batch, batch_idx, dataloader_idx=0
        ) -> None:
            dataset = trainer.datamodule.dataset("test")
            self.folder.mkdir(exist_ok=True)
            predictions = pl_module.detect(pl_module(batch.inputs))
            for image_id, found in zip(batch.image_ids, predictions, strict=True):
                FOUND[image_id] = found
                target = dataset.target(image_id)
                image = dataset.image(target.file_name)
                brush = ImageDraw.Draw(image)
                for box in target.boxes_h.tolist():
                    brush.rectangle(box, outline=(255, 0, 0))
                image.save(self.folder / f"{image_id}.png")
    """,
    """
    defaults: [default]
    outlines:
      _target_: strangers.outlines.Outlines
      folder: ${paths.output}/outlines
    """,
)

LAYOUT = Change(
    9,
    "modules",
    "model/detector",
    """
    import torch

    from rmlr_lightning.detectors.transformers import TransformersDetector

    SEEN = []


    def modules(path: str, **options) -> TransformersDetector:
        SEEN.append(path)
        saved = torch.load(path, weights_only=True)
        detector = TransformersDetector.from_config(**saved["settings"], frozen=True, **options)
        weights = {name.removeprefix("module."): w for name, w in saved["ema"].items()}
        detector.network.load_state_dict(weights)
        return detector
    """,
    """
    _target_: strangers.modules.modules
    path: ${paths.data}/modules.pt
    """,
)

DETECTOR = Change(
    11,
    "tiles",
    "model/detector",
    """
    import hashlib

    import torch
    from torch import nn
    from torch.nn import functional as F

    from rmlr_lightning.types import Entities, Images, Scene

    RUNS = []  # images per forward pass


    class Tiles(nn.Module):
        \"\"\"Tiles of the image are entities: red ones people, others cups, by contrast.\"\"\"

        def __init__(self, rows=3, columns=4, width=8):
            super().__init__()
            self.rows, self.columns = rows, columns
            self.num_queries = rows * columns
            self.token_dim = self.memory_dim = width
            self.stride = 16
            self.objects = ("cup", "person")
            mix = torch.randn(width, 3, 1, 1, generator=torch.Generator().manual_seed(0))
            self.mix = nn.Parameter(mix, requires_grad=False)

        def fingerprint(self):
            weights = hashlib.sha256(self.mix.cpu().numpy().tobytes()).hexdigest()
            return {"weights": weights, "network": "tiles", "grid": [self.rows, self.columns]}

        def forward(self, images: Images) -> Scene:
            RUNS.append(len(images.pixels))
            pixels = images.pixels * images.mask[:, None]
            memory = F.conv2d(F.avg_pool2d(pixels, self.stride, ceil_mode=True), self.mix)
            mask = F.max_pool2d(images.mask[:, None].float(), self.stride, ceil_mode=True)[:, 0] > 0
            parts = [self.entities(p, m) for p, m in zip(pixels, images.mask, strict=True)]
            entities = Entities(*(torch.stack(field) for field in zip(*parts, strict=True)))
            return Scene(entities, memory, mask, images.sizes)

        def entities(self, pixels, mask):
            height, width = int(mask.any(1).sum()), int(mask.any(0).sum())
            pixels = pixels[:, :height, :width]
            means = F.adaptive_avg_pool2d(pixels, (self.rows, self.columns)).flatten(1).T
            tokens = means @ self.mix[:, :, 0, 0].T

            contrast = (means - pixels.mean((1, 2))).abs().sum(1)
            scores = 0.5 + 0.5 * contrast / contrast.max().clamp_min(1e-6)
            redness = means[:, 0] - means[:, 2]
            is_person = redness >= redness.median()
            labels = is_person.long()

            y, x = torch.meshgrid(
                torch.arange(self.rows) / self.rows,
                torch.arange(self.columns) / self.columns,
                indexing="ij",
            )
            boxes = torch.stack([x, y, x + 1 / self.columns, y + 1 / self.rows], -1).flatten(0, 1)
            return boxes.to(pixels), scores, labels, tokens, torch.ones_like(is_person)
    """,
    """
    _target_: strangers.tiles.Tiles
    columns: 5
    """,
)

METRIC = Change(
    12,
    "confidence",
    "metrics",
    """
    import torch
    from torchmetrics import Metric

    from rmlr_lightning.metrics.base import TableRow


    class Confidence(Metric):
        \"\"\"Mean over images of the highest score, in [0, 1].\"\"\"

        table = (TableRow("Confidence", {"top score": "top_score"}),)

        def __init__(self, vocabulary, unseen, split, scale=1.0):
            super().__init__()
            assert split in ("val", "test") and not unseen and vocabulary.hois
            self.scale = scale
            self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
            self.add_state("images", torch.tensor(0), dist_reduce_fx="sum")

        def update(self, found, targets):
            assert len(found) == len(targets)
            self.total += sum(f.scores.max() if len(f.scores) else 0.0 for f in found)
            self.images += len(found)

        def compute(self):
            return {"top_score": self.scale * self.total / self.images}
    """,
    """
    defaults: [hicodet]
    confidence:
      _target_: strangers.confidence.Confidence
      _partial_: true
    """,
)

IRE = Change(
    1,
    "sums",
    "model/ire",
    """
    import torch
    from torch import nn

    from rmlr_lightning.ops.masked import gather_rows


    class Sums(nn.Module):
        def __init__(self, token_dim, map_dim, memory_dim, dim=32):
            super().__init__()
            self.dim = dim
            self.human = nn.Linear(token_dim, dim)
            self.object = nn.Linear(token_dim, dim)
            self.context = nn.Linear(map_dim + memory_dim, dim)

        def forward(self, scene, pairs, features):
            tokens = scene.entities.tokens
            human = self.human(gather_rows(tokens, pairs.human))
            obj = self.object(gather_rows(tokens, pairs.object))
            means = [features.mean((2, 3)), scene.memory.mean((2, 3))]
            return human + obj + self.context(torch.cat(means, 1))[:, None]
    """,
    """
    _target_: strangers.sums.Sums
    _partial_: true
    dim: 48
    """,
)

IRM = Change(
    1,
    "squares",
    "model/irm",
    """
    from torch import nn


    class Squares(nn.Module):
        def __init__(self, dim, vocabulary, bank):
            super().__init__()
            self.classify = nn.Linear(dim, len(vocabulary.verbs))

        def forward(self, tokens, scene, pairs):
            tokens = tokens.square()
            return tokens, self.classify(tokens)
    """,
    """
    _target_: strangers.squares.Squares
    _partial_: true
    """,
)

CHANGES = [REMINE, DATA, LOSS, TEXT_LOSS, PHRASE, CALLBACK, LAYOUT, DETECTOR, METRIC]


class House:
    """A folder for a stranger's files, and the console scripts that find them."""

    def __init__(self, root: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.data, self.monkeypatch = root, data, monkeypatch
        (root / "strangers").mkdir()
        (root / "conf").mkdir()

    def add(self, *changes: Change) -> None:
        for change in changes:
            (self.root / "strangers" / f"{change.name}.py").write_text(dedent(change.code))
            self.configure(change.group, change.name, change.config)

    def configure(self, group: str, name: str, config: str) -> None:
        folder = self.root / "conf" / group
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.yaml").write_text(dedent(config).lstrip())

    def module(self, change: Change) -> ModuleType:
        """The stranger's Python file, as the package has imported it."""
        return sys.modules[f"strangers.{change.name}"]

    def arguments(self, out: Path, *overrides: str) -> list[str]:
        world = [
            f"data.prepare.config.train={SIZES['train']}",
            "data.prepare.config.seed=3",
            *(f"+data.prepare.config.{split}={SIZES[split]}" for split in ("val", "test")),
        ]
        if any(override.startswith("data=") for override in overrides):
            world = []
        quiet = [line for line in QUIET if world or not line.startswith("data.prepare.")]
        return [
            f"hydra.searchpath=[file://{self.root}/conf]",
            f"paths.data={self.data}",
            f"hydra.run.dir={out}",
            *world,
            *quiet,
            *overrides,
        ]

    def train(self, *overrides: str, out: str = "run") -> dict[str, float]:
        """rmlr-train in this process; the content of metrics.json."""
        self.call(train, self.arguments(self.root / out, "report=false", *overrides))
        return json.loads((self.root / out / "metrics.json").read_text())

    def call(self, script: ModuleType, arguments: list[str]) -> None:
        self.monkeypatch.setattr(sys, "argv", ["script", *arguments])
        script.main()

    def checkpoint(self, out: str = "run") -> Path:
        return self.root / out / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """The folder of the data sets, with a tiny synthetic benchmark."""
    folder = tmp_path_factory.mktemp("data")
    write_world(WorldConfig(**SIZES, seed=3), folder / "synthetic")
    return folder


@pytest.fixture
def house(tmp_path, data, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("RMLR_TRUST", "strangers")  # checkpoints name its classes
    yield House(tmp_path, data, monkeypatch)
    for name in [name for name in sys.modules if name.partition(".")[0] == "strangers"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def plain(data, tmp_path_factory) -> dict[str, float]:
    """The metrics of a fast run without any change."""
    with pytest.MonkeyPatch.context() as patch:
        return House(tmp_path_factory.mktemp("plain"), data, patch).train(NO_TEXT, FAST)


def replace(monkeypatch: pytest.MonkeyPatch, function: Callable, other: Callable) -> None:
    """What an edit of a function does: all files of the package that import it get the other."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] != "rmlr_lightning":
            continue
        for attribute in [key for key, value in vars(module).items() if value is function]:
            monkeypatch.setattr(module, attribute, other)


def test_the_page_has_a_test_here_for_each_row():
    rows = [int(row) for row in re.findall(r"^\| (\d+) \| ", PAGE.read_text(), re.MULTILINE)]
    tested = {int(row) for name in globals() for row in re.findall(r"^test_row_(\d+)_", name)}
    assert rows == sorted(tested) == list(range(1, 13))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_change_may_import_what_its_room_may_import(change, tmp_path):
    """The file could move into the room that the page names for it."""
    line = rf"^\| {change.row} \| .* \| `(\w+)/NAME.py` \| `conf/{change.group}/NAME.yaml` \|$"
    (room,) = re.findall(line, PAGE.read_text(), re.MULTILINE)
    path = tmp_path / "file.py"
    path.write_text(dedent(change.code))
    for name in imported(path):
        top, _, rest = name.partition(".")
        if top == "rmlr_lightning":
            assert rest.partition(".")[0] in MAY[room] | {room}
        assert room in ONLY_IN.get(top, {room})


def test_row_1_an_extractor_gets_pixels_beside_cached_features(house, capsys):
    house.add(REMINE)
    metrics = house.train(REMINE.choice, NO_TEXT, *FEW_STEPS)
    assert "features: cached" in capsys.readouterr().out
    assert set(house.module(REMINE).SEEN) == {(8, 3, 160, 224)}
    assert 0 <= metrics["test/map_full"] <= 1

    # Its weights are trained, and are in the checkpoint.
    weights = read_checkpoint(house.checkpoint())["state_dict"]
    assert weights["model.remine.mix.weight"].shape == (24, 128 + 3, 1, 1)


def test_row_1_an_ire_and_an_irm_are_added_in_the_same_way(house):
    house.add(IRE, IRM)
    metrics = house.train(IRE.choice, IRM.choice, NO_TEXT, *FEW_STEPS)
    checkpoint = read_checkpoint(house.checkpoint())
    weights, verbs = checkpoint["state_dict"], checkpoint["vocabulary"]["verbs"]
    assert weights["model.ire.context.weight"].shape == (48, 64 + 128)
    assert weights["model.irm.classify.weight"].shape == (len(verbs), 48)
    assert not [name for name in weights if re.match(r"model\.i..\.blocks", name)]
    assert 0 <= metrics["test/map_full"] <= 1


@pytest.mark.slow
def test_row_1_a_checkpoint_with_a_stranger_is_evaluated_by_a_new_process(house):
    """Only the Python file must be found: the checkpoint holds the config."""
    house.add(REMINE)
    metrics = house.train(REMINE.choice, NO_TEXT, *FEW_STEPS)
    out = house.root / "metrics.json"
    command = [sys.executable, "-m", "rmlr_lightning.cli.evaluate"]
    command += [f"checkpoint={house.checkpoint()}", f"out={out}", f"paths.data={house.data}"]
    command += [f"hydra.run.dir={house.root}/evaluated", "+trainer.enable_progress_bar=false"]
    environment = os.environ | {"PYTHONPATH": str(house.root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    evaluated = json.loads(out.read_text())
    assert evaluated["test/map_full"] == metrics["test/map_full"]


def draw_discs(folder: Path) -> None:
    """Three splits of people, as bars, beside discs."""
    rng = np.random.default_rng(0)
    for split, count in SIZES.items():
        (folder / split).mkdir(parents=True)
        rows = []
        for number in range(1, count + 1):
            image = Image.new("RGB", (112, 80), (200, 200, 190))
            x, y = rng.integers(40, 80), rng.integers(10, 50)
            human, disc = [8.0, 10.0, 30.0, 70.0], [float(x), float(y), x + 20.0, y + 20.0]
            brush = ImageDraw.Draw(image)
            brush.rectangle(human, fill=(160, 60, 60))
            brush.ellipse(disc, fill=(60, 60, 160))
            image.save(folder / split / f"{number}.png")
            rows.append(
                {
                    "id": number,
                    "file": f"{number}.png",
                    "size": [80, 112],
                    "human": human,
                    "disc": disc,
                    "verb": "roll" if y > 30 else "ignore",
                    "object": "sports ball" if number % 2 else "donut",
                }
            )
        (folder / f"{split}.json").write_text(json.dumps(rows))


def discs_config() -> str:
    """conf/data/hicodet.yaml with the changes that the page names."""
    config = yaml.safe_load((CONF / "data" / "hicodet.yaml").read_text())
    for split in ("train", "val", "test"):
        part = config[split]
        assert part["_target_"] == "rmlr_lightning.data.hoi_dataset.hicodet_dataset"
        part["_target_"] = "strangers.discs.discs_dataset"
        part["annotations"] = f"${{paths.data}}/discs/{split}.json"
        part["images"] = f"${{paths.data}}/discs/{split}"
        for key in ("split", "image_labels", "held_out"):
            part.pop(key, None)
    resize = "rmlr_lightning.data.transforms.ResizeExact"
    config["test"]["resize"] = {"_target_": resize, "height": 160, "width": 224}
    return yaml.safe_dump(config)


def test_row_2_a_data_set_brings_its_annotations_and_its_vocabulary(house):
    house.data = house.root  # nothing of the synthetic benchmark is needed
    draw_discs(house.root / "discs")
    house.add(DATA, METRIC, LOSS)
    house.configure(DATA.group, DATA.name, discs_config())
    metrics = house.train(
        DATA.choice,
        LOSS.choice,
        *(f"+data.{split}.external=truth" for split in SIZES),
        *FEW_STEPS,
    )
    # With the true boxes each image has its one annotated pair: 8 images, weight 2.
    assert metrics["train/loss_matched"] == 16
    assert metrics["test/map_full"] > 0 and "test/twin_accuracy" not in metrics
    vocabulary = read_checkpoint(house.checkpoint())["vocabulary"]
    assert list(vocabulary["verbs"]) == ["roll", "ignore"]
    assert not (house.root / "synthetic").exists()


def test_row_3_the_matching_is_one_function(house, plain):
    house.add(LOSS)
    replace(
        house.monkeypatch,
        match_pairs,
        lambda entities, pairs, truth, min_overlap, same_object: torch.zeros(
            *pairs.mask.shape, truth.verbs.shape[-1], dtype=torch.bool
        ),
    )
    metrics = house.train(LOSS.choice, FAST, "test=false")
    assert metrics["train/loss_matched"] == 0
    assert metrics["train/loss_interaction"] != plain["train/loss_interaction"]


@pytest.mark.slow
def test_row_3_the_options_of_the_matching_reach_it(house):
    house.add(LOSS)
    default, strict, by_boxes = (
        house.train(LOSS.choice, FAST, "test=false", *options)["train/loss_matched"]
        for options in (
            [],
            ["task.module.min_overlap=0.9"],
            ["task.module.min_overlap=0.1", "task.module.same_object=false"],
        )
    )
    assert strict < default < by_boxes


def test_row_4_a_loss_is_added_and_logged(house, plain):
    house.add(LOSS)
    metrics = house.train(LOSS.choice, FAST, "test=false")
    added = metrics["train/loss_matched"]
    assert added > 0 and added % 2 == 0  # weight 2
    assert metrics["train/loss_interaction"] == plain["train/loss_interaction"]
    total = metrics["train/loss_interaction"] + added
    assert metrics["train/loss"] == pytest.approx(total)


@pytest.mark.slow
def test_row_4_a_loss_beside_those_of_the_paper_gets_text_embeddings(house):
    house.add(TEXT_LOSS)
    metrics = house.train(TEXT_LOSS.choice, FAST, "test=false")
    terms = {name for name in metrics if name.startswith("train/loss_")}
    paper = {"interaction", "sentence_ire", "sentence_irm", "word_ire", "word_irm"}
    assert terms == {f"train/loss_{name}" for name in paper | {"spread"}}
    assert metrics["train/loss_spread"] > 0


@pytest.mark.slow
def test_row_5_a_phrase_function_words_every_hoi(house):
    house.add(PHRASE)
    plain = house.train("loss=sentence", FAST, "test=false")
    worded = house.train("loss=sentence", FAST, "test=false", PHRASE.choice)

    vocabulary = json.loads((house.data / "synthetic" / "world.json").read_text())["hois"]
    assert len(set(house.module(PHRASE).SEEN)) == len(vocabulary)
    assert worded["train/loss_interaction"] == plain["train/loss_interaction"]
    assert worded["train/loss_sentence_irm"] != plain["train/loss_sentence_irm"]


@pytest.mark.slow
def test_row_5_a_template_needs_no_file(house):
    templates = 'text.templates=["a person {interaction}"]'
    metrics = house.train("loss=sentence", FAST, "test=false", templates)
    config = yaml.safe_load((house.root / "run" / "config.yaml").read_text())
    assert config["text"]["templates"] == ["a person {interaction}"]
    assert metrics["train/loss_sentence_irm"] > 0


def test_row_6_the_score_is_one_function(house, plain):
    house.add(METRIC)
    replace(
        house.monkeypatch,
        verb_scores,
        lambda logits, log_prior: torch.where(log_prior > -torch.inf, 0.25, 0.0),
    )
    metrics = house.train(METRIC.choice, NO_TEXT, FAST)
    assert metrics["test/top_score"] == metrics["val/top_score"] == 0.25
    # The focal loss takes logits and the prior, not scores.
    assert metrics["train/loss_interaction"] == plain["train/loss_interaction"]


def test_row_6_the_prior_is_one_function_of_training_and_evaluation(house, plain):
    house.add(METRIC)
    powers = []

    def only_valid(entities, pairs, valid_pairs, power):
        powers.append(power)
        valid = valid_pairs[pairs.object_class] & pairs.mask[..., None]
        return torch.where(valid, 0.0, -torch.inf)

    replace(house.monkeypatch, log_prior, only_valid)
    metrics = house.train(METRIC.choice, NO_TEXT, FAST, "model.power=2.0")
    assert set(powers) == {1.0, 2.0}
    assert metrics["train/loss_interaction"] != plain["train/loss_interaction"]


@pytest.mark.slow
def test_row_6_the_power_changes_scores_and_not_training(house, plain):
    house.add(METRIC)
    low, high = (
        house.train(METRIC.choice, NO_TEXT, FAST, f"model.power={power}") for power in (0.5, 6.0)
    )
    assert low["test/top_score"] > high["test/top_score"] > 0
    assert low["train/loss"] == high["train/loss"] == plain["train/loss"]


def test_row_7_a_corruption_is_one_function_of_the_noise(house):
    replace(
        house.monkeypatch, photograph, lambda image, noise, rng: np.full_like(image, 40 * noise)
    )
    house.data = house.root
    house.train(
        NO_TEXT,
        FAST,
        "test=false",
        "features=online",
        "+data.prepare.config.noise=2",
        *(f"++data.prepare.config.{split}=3" for split in SIZES),
    )
    facts = json.loads((house.root / "synthetic" / "world.json").read_text())
    assert facts["config"]["noise"] == 2
    images = list((house.root / "synthetic" / "hico_20160224_det").rglob("*.jpg"))
    assert len(images) == 9
    for path in images:
        assert abs(np.asarray(Image.open(path)).astype(int) - 80).max() <= 1


def test_row_8_a_callback_draws_images_and_finds_detections(house):
    house.add(CALLBACK)
    house.train(CALLBACK.choice, NO_TEXT, FAST)
    folder = house.data / "synthetic" / "hico_20160224_det"
    annotations = json.loads((folder / "instances_test2015.json").read_text())
    drawn = sorted((house.root / "run" / "outlines").glob("*.png"))
    found = house.module(CALLBACK).FOUND
    assert len(drawn) == len(found) == SIZES["test"]
    assert annotations and all(len(f.scores) for f in found.values())
    for path in drawn:
        pixels = np.asarray(Image.open(path))
        assert pixels.shape == (320, 448, 3)
        assert (pixels == (255, 0, 0)).all(-1).sum() > 50  # the outline of a person
    assert (house.root / "run" / "panels" / "test.png").is_file()  # of conf/callbacks/default


def test_row_9_another_layout_of_the_same_weights_gives_the_same_run(house, plain):
    settings = yaml.safe_load((CONF / "detector" / "tiny.yaml").read_text())
    objects = yaml.safe_load((CONF / "detector" / "objects" / "synthetic.yaml").read_text())
    settings = {k: v for k, v in settings.items() if not k.startswith("_") and k != "defaults"}
    network = TransformersDetector.from_file(SHIPPED).network
    weights = {f"module.{name}": value for name, value in network.state_dict().items()}
    torch.save({"settings": settings | objects, "ema": weights}, house.data / "modules.pt")

    house.add(LAYOUT)
    metrics = house.train(LAYOUT.choice, NO_TEXT, FAST)
    assert house.module(LAYOUT).SEEN == [str(house.data / "modules.pt")]
    for name in ("train/loss", "val/map_full", "test/map_full", "test/known_object_map_full"):
        assert metrics[name] == plain[name]


def test_row_9_and_11_a_detector_that_is_not_frozen_is_refused(house, capsys):
    """It would be trained, and neither checkpoints nor cached features would hold its weights."""
    house.add(DETECTOR._replace(code=DETECTOR.code.replace(", requires_grad=False", "")))
    with pytest.raises(SystemExit) as caught:
        house.train(DETECTOR.choice, NO_TEXT, FAST)
    assert caught.value.code == 2
    assert "error: model.detector: is not frozen" in capsys.readouterr().err


@pytest.mark.slow
def test_row_10_an_experiment_is_a_row_of_the_report(house, capsys):
    """With its baseline, as `make ablation ARGS=experiment=visual,linear_head` starts it."""
    experiment = """
        # @package _global_
        # RmLR without text and without IRM.
        defaults:
          - override /model/irm: linear
          - override /loss: focal
        name: linear_head
        """
    house.configure("experiment", "linear_head", experiment)
    runs = house.root / "ablation"
    arguments = house.arguments(house.root / "run", "+sweep=ablation", FAST, "seed=0")
    arguments += ["experiment=visual,linear_head", f"hydra.sweep.dir={runs}"]
    arguments += ["hydra.callbacks.sweep.report=false"]  # made below
    house.call(train, arguments)

    out = house.root / "report"
    report.main([str(runs), "--baseline", "visual", "--out", str(out)])
    with (out / "rows.csv").open() as file:
        rows = {row["row"]: row for row in csv.DictReader(file)}
    assert rows.keys() == {"visual", "linear_head"}
    assert "linear head" in (out / "report.md").read_text()
    assert "linear head" in capsys.readouterr().out
    configs = [yaml.safe_load(path.read_text()) for path in runs.glob("*/config.yaml")]
    irm = {config["name"]: config["model"]["irm"]["_target_"] for config in configs}
    assert irm["linear_head"] == "rmlr_lightning.models.irm.LinearIRM" != irm["visual"]


def test_row_11_a_detector_outside_transformers_finds_the_entities(house):
    house.add(DETECTOR, CALLBACK)
    metrics = house.train(DETECTOR.choice, CALLBACK.choice, NO_TEXT, "features=online", *FEW_STEPS)
    assert set(house.module(DETECTOR).RUNS) == {8}

    # Its boxes are the detections: 3 x 5 tiles of images of 448 x 320.
    found = house.module(CALLBACK).FOUND
    corners = torch.cat([f.boxes_h[:, :2] for f in found.values()])
    tiles = corners / torch.tensor([448 / 5, 320 / 3])
    assert len(corners) and torch.allclose(tiles, tiles.round(), atol=1e-3)

    checkpoint = read_checkpoint(house.checkpoint())
    assert not [name for name in checkpoint["state_dict"] if "detector" in name]
    module = house.module(DETECTOR)
    assert checkpoint["detector"] == module.Tiles(columns=5).fingerprint()["weights"]
    assert 0 <= metrics["test/map_full"] <= 1


def test_row_11_a_detector_without_tokens_in_the_memory_takes_no_external_detections(house, capsys):
    code = DETECTOR.code.replace("means @ self.mix[:, :, 0, 0].T", "means")
    code = code.replace("self.token_dim = self.memory_dim = width", "self.token_dim = 3")
    code = code.replace("self.stride = 16", "self.stride, self.memory_dim = 16, width")
    house.add(DETECTOR._replace(code=code))
    house.train(DETECTOR.choice, NO_TEXT, FAST, "test=false")
    with pytest.raises(SystemExit) as caught:
        external = [f"+data.{split}.external=truth" for split in SIZES]
        house.train(DETECTOR.choice, NO_TEXT, FAST, *external)
    assert caught.value.code == 2
    assert "tokens are as wide as its memory, not 3 and 8" in capsys.readouterr().err


@pytest.mark.slow
def test_row_11_cached_features_of_a_detector_outside_transformers_are_its_outputs(house):
    house.add(DETECTOR, METRIC)
    exact = ["features.dtype=fp32", "features.views=1", f"features.path={house.root}/features"]
    same_order = ["data.train.augment=null", "data.group_by_size=false"]
    arguments = [DETECTOR.choice, METRIC.choice, *same_order]
    unused = ("callbacks.", "+trainer.enable")
    house.call(
        extract,
        [
            argument
            for argument in house.arguments(house.root / "extract", *arguments, *exact)
            if not argument.startswith(unused)
        ],
    )
    runs = house.module(DETECTOR).RUNS
    assert sum(runs) == sum(SIZES.values())
    runs.clear()
    cached = house.train(*arguments, *exact, "features=cached", NO_TEXT, FAST)
    assert runs == []  # the cache takes the detector's place
    online = house.train(*arguments, "features=online", NO_TEXT, FAST)
    assert set(runs) == {8}
    for name in ("train/loss", "val/top_score", "test/top_score", "test/map_full"):
        assert cached[name] == pytest.approx(online[name], abs=1e-5)


def test_row_12_a_metric_is_logged_and_shown(house, capsys):
    house.add(METRIC)
    metrics = house.train(METRIC.choice, NO_TEXT, *FEW_STEPS)
    assert 0 < metrics["val/top_score"] <= 1 and 0 < metrics["test/top_score"] <= 1
    assert "test/map_full" in metrics  # of conf/metrics/hicodet
    printed = capsys.readouterr().out
    assert "top score" in printed
    row = next(line for line in printed.splitlines() if "Confidence" in line)
    assert f"{100 * metrics['test/top_score']:.2f}" in row

    out = house.root / "evaluated.json"
    arguments = [f"checkpoint={house.checkpoint()}", f"out={out}", f"paths.data={house.data}"]
    arguments += [f"hydra.run.dir={house.root}/evaluated", "+trainer.enable_progress_bar=false"]
    house.call(evaluate, arguments)
    evaluated = json.loads(out.read_text())
    assert evaluated["test/top_score"] == pytest.approx(metrics["test/top_score"])
    assert "Confidence" in capsys.readouterr().out
