"""What the benchmarks of speed share: tasks composed as a user's run would be, Scenes of chosen size, clocks.

Nothing is downloaded: Scenes are drawn from a generator, and only their sizes matter.
"""

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import clip_grad_norm_
from torch.utils.flop_counter import FlopCounterMode

from rmlr_lightning.detectors.transformers import TransformersDetector
from rmlr_lightning.detectors.weights import network_from_config
from rmlr_lightning.ops.matching import match_pairs
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import verb_scores
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.types import Entities, Images, Prediction, Scene, Target
from rmlr_lightning.vocabulary import COCO_INDEX, Vocabulary, hicodet

PICTURE = (800, 1066)  # height, width as DETR sees a photograph
MEMORY = (25, 34)  # cells of its memory at stride 32
WIDTH = 256  # of its tokens and its memory
PEOPLE, THINGS = 8, 10  # in a picture, for FindsAGrid
TRUE_ROWS = 5  # interactions an image; HICO-DET's training images have 4 on average

# Heads as a user's run has them; Scenes come ready, so none has a detector.
HEADS = {
    "upt": ["experiment=upt"],
    "rmlr": [],
    "visual": ["experiment=visual"],  # rmlr without language
    "large": ["experiment=large"],
}


class Sizes(nn.Module):
    """Stands where a DETR R50 would: the head only asks for its widths."""

    token_dim = memory_dim = WIDTH
    hash = "sizes"


def composed(overrides: Sequence[str], output: Path | str = "outputs/benchmark") -> DictConfig:
    """The configuration of `rmlr-train OVERRIDES`."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("train", [f"paths.output={output}", *overrides])


def head(name: str, more: Sequence[str] = (), vocabulary: Vocabulary | None = None) -> HOITask:
    """A task of HEADS over DETR R50's sizes and HICO-DET's vocabulary: model, losses, optimiser, everything."""
    cfg = composed([*HEADS[name], *more])
    OmegaConf.set_struct(cfg, False)
    cfg.model.detector = {"_target_": "setting.Sizes"}
    cfg.task.module.twins = None
    torch.manual_seed(0)
    return instantiate(cfg.task.module, vocabulary=vocabulary or hicodet())


def detr() -> TransformersDetector:
    """A network of the shape of facebook/detr-resnet-50, with random weights."""
    network = network_from_config("detr", num_labels=91, use_pretrained_backbone=False)
    return TransformersDetector(network, list(range(80)) + [-1] * 11, softmax=True, stride=32)


class FindsAGrid(TransformersDetector):
    """DETR R50's time and sizes with random weights; what it finds is 8 people and 10 things of the world in a grid."""

    @classmethod
    def fresh_detr(cls) -> "FindsAGrid":
        """The same weights every time, so that a cache of it is found again."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            plain = detr()
        return cls(plain.network, plain.class_to_coco.tolist(), softmax=True, stride=32)

    def to_scene(self, outputs: object, images: Images) -> Scene:
        """The network's tokens and memory; boxes, classes and scores of a grid, the other queries unsure."""
        scene = super().to_scene(outputs, images)
        things = sorted(COCO_INDEX[kind] for kind in KINDS if kind != "person")
        labels = [0] * PEOPLE + things[:THINGS]
        row, column = torch.arange(len(labels)) // 6, torch.arange(len(labels)) % 6
        corner = torch.stack([column / 6, row / 3], -1)
        boxes, scores = scene.entities.boxes.clone(), torch.full_like(scene.entities.scores, 0.01)
        boxes[:, : len(labels)] = torch.cat([corner, corner + torch.tensor([1 / 6, 1 / 3])], -1)
        scores[:, : len(labels)] = 0.9
        classes = scene.entities.labels.clone()
        classes[:, : len(labels)] = torch.tensor(labels)
        return scene._replace(
            entities=scene.entities._replace(boxes=boxes, scores=scores, labels=classes)
        )


def scenes(batch: int, humans: int, objects: int, memory: tuple[int, int] = MEMORY) -> Scene:
    """Scenes of so many sure people and other things each, of DETR's widths; boxes and classes are random."""
    torch.manual_seed(0)
    count = humans + objects
    corner = torch.rand(batch, count, 2) * 0.6
    boxes = torch.cat([corner, corner + 0.1 + 0.3 * torch.rand(batch, count, 2)], -1)
    people = torch.zeros(batch, humans, dtype=torch.long)
    labels = torch.cat([people, torch.randint(1, 80, (batch, objects))], 1)
    real = torch.ones(batch, count, dtype=torch.bool)
    entities = Entities(
        boxes, 0.3 + 0.7 * torch.rand(batch, count), labels, torch.randn(batch, count, WIDTH), real
    )
    cells = torch.ones(batch, *memory, dtype=torch.bool)
    sizes = torch.tensor([PICTURE]).expand(batch, 2)
    return Scene(entities, torch.randn(batch, WIDTH, *memory), cells, sizes)


def truth(scene: Scene, humans: int, vocabulary: Vocabulary) -> list[Target]:
    """Interactions between entities of the Scenes, each with a verb that goes with its object."""
    by_object: dict[int, list[tuple[int, int]]] = {}
    for hoi, (verb, thing) in enumerate(vocabulary.hois):
        by_object.setdefault(thing, []).append((hoi, verb))
    targets = []
    for image in range(len(scene.sizes)):
        boxes, labels, size = (
            scene.entities.boxes[image],
            scene.entities.labels[image],
            scene.sizes[image],
        )
        things = [humans + place % (len(labels) - humans) for place in range(TRUE_ROWS)]
        hois, verbs = zip(*(by_object[int(labels[thing])][0] for thing in things), strict=True)
        scale = size.flip(0).repeat(2)
        people = [place % humans for place in range(TRUE_ROWS)]
        rows = (
            boxes[people] * scale,
            boxes[things] * scale,
            labels[things],
            torch.tensor(verbs),
            torch.tensor(hois),
        )
        targets.append(Target("", image, size, *rows))
    return targets


class Head:
    """One row: a task over Scenes of one size."""

    def __init__(self, row: str, task: HOITask) -> None:
        self.task, self.remined = task, row.endswith("+ neck")
        learning = [task.model.ire, task.model.irm, task.losses] + [
            task.model.remine
        ] * self.remined
        self.optimizer = task.optim(torch.nn.ModuleList(learning), 1000)["optimizer"]
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]

    def map_of(self, scene: Scene) -> Tensor:
        """The map that the IRE reads: there already, or made now."""
        if self.remined:
            return self.task.model.remine(scene, None)
        channels = self.task.model.remine.dim
        return torch.randn(len(scene.sizes), channels, *scene.memory.shape[2:])

    def predict(self, scene: Scene, features: Tensor) -> Prediction:
        model = self.task.model
        pairs = pair(scene.entities, model.allowed)
        return Prediction(scene, pairs, *model.reason(scene, pairs, features))

    def forward(self, scene: Scene, features: Tensor | None) -> None:
        with torch.inference_mode():
            prediction = self.predict(scene, self.map_of(scene) if features is None else features)
            verb_scores(prediction.logits, self.task.model.prior(prediction))

    def loss(self, scene: Scene, features: Tensor | None, targets: list) -> Tensor:
        prediction = self.predict(scene, self.map_of(scene) if features is None else features)
        verbs = len(self.task.vocabulary.verbs)
        labels = match_pairs(
            scene.entities, prediction.pairs, targets, verbs, same_object=self.task.same_object
        )
        prior = self.task.model.prior(prediction)
        return torch.stack(
            [loss(prediction, labels, prior) for loss in self.task.losses.values()]
        ).sum()

    def learn(self, scene: Scene, features: Tensor | None, targets: list) -> None:
        self.loss(scene, features, targets).backward()

    def step(self, scene: Scene, features: Tensor | None, targets: list) -> None:
        self.learn(scene, features, targets)
        clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def operations(run: Callable[[], object]) -> int:
    """Floating-point operations of matrix products and convolutions; attention counts as the products it is made of."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(
        False
    )  # torch's own encoder layer, one kernel in inference, is not counted
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops()


def cpu_seconds(run: Callable[[], object]) -> float:
    """Of all threads of this process."""
    start = time.process_time()
    run()
    return time.process_time() - start


def matmul_seconds(size: int = 1536) -> float:
    """CPU seconds of a floating-point operation in a large float32 product: one sample, take the least of several."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return cpu_seconds(lambda: a @ b) / (2 * size**3)


def best(times: Sequence[float]) -> dict[str, float]:
    """What disturbs a time on a shared machine only adds to it: the best is the cost, the median says how disturbed."""
    return {"best": min(times), "median": statistics.median(times)}


def machine() -> str:
    """Processor, threads and version of torch, for the report."""
    names = [
        line.split(":")[1].strip()
        for line in _lines("/proc/cpuinfo")
        if line.startswith("model name")
    ]
    capability = torch.backends.cpu.get_cpu_capability()
    name = names[0] if names else platform.processor() or platform.machine()
    return f"{len(names) or '?'} x {name} ({capability}), {torch.get_num_threads()} thread(s), torch {torch.__version__}"


def _lines(path: str) -> list[str]:
    file = Path(path)
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def parser(about: str, threads: int = 1) -> argparse.ArgumentParser:
    """The options that all of these scripts have."""
    options = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--quick", action="store_true", help="the smallest size, to see that it runs"
    )
    options.add_argument("--threads", type=int, default=threads)
    options.add_argument("--json-out", type=Path, help="write the JSON here, too")
    return options


def report(numbers: dict, file: Path | None) -> None:
    """One line of JSON on standard output."""
    line = json.dumps(numbers)
    print(line)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(line + "\n", encoding="utf-8")
