"""Shared by the speed benchmarks: tasks composed as by rmlr-train, random Scenes, clocks.

Nothing is downloaded: only the sizes of the Scenes matter.
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
from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.synthetic.objects import KINDS
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.tasks.step import loss_terms
from rmlr_lightning.types import Entities, Images, Prediction, Scene, Truth
from rmlr_lightning.vocabulary import COCO_INDEX, COCO_OBJECTS, Vocabulary, hicodet

IMAGE_SIZE = (800, 1066)  # height, width of a photograph as DETR processes it
MEMORY_SIZE = (25, 34)  # cells of its memory at stride 32
WIDTH = 256  # of its tokens and its memory
MAP_DIMS = {"c5": 2048}  # of its backbone's last map, which has the memory's cells
HUMANS, OBJECTS = 8, 10  # per image, for GridDetector
TRUE_PAIRS = 5  # per image; training images of HICO-DET have 4 interactions on average

# heads as in a user's run; their Scenes are given, so they need no detector
HEADS = {
    "upt": ["experiment=upt"],
    "pvic": ["experiment=pvic"],
    "rmlr": [],
    "visual": ["experiment=visual"],  # rmlr without language
    "large": ["experiment=large"],
}


class DetectorSizes(nn.Module):
    """In place of DETR R50 where Scenes are given: the head only needs its widths."""

    token_dim = memory_dim = WIDTH
    stride = 32
    num_queries = 100
    map_dims = MAP_DIMS
    objects = COCO_OBJECTS

    def fingerprint(self) -> dict[str, str]:
        return {"weights": "none"}


def compose_train(overrides: Sequence[str], output: Path | str = "outputs/benchmark") -> DictConfig:
    """The config of `rmlr-train OVERRIDES`."""
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        return compose("train", [f"paths.output={output}", *overrides])


def make_task(
    name: str, overrides: Sequence[str] = (), vocabulary: Vocabulary | None = None
) -> HOITask:
    """A task of HEADS with the widths of DETR R50 and the vocabulary of HICO-DET."""
    cfg = compose_train([*HEADS[name], *overrides])
    OmegaConf.set_struct(cfg, False)
    cfg.model.detector = {"_target_": "setting.DetectorSizes"}
    cfg.task.module.metrics = {}
    torch.manual_seed(0)
    return instantiate(cfg.task.module, vocabulary=vocabulary or hicodet())


def random_detr() -> TransformersDetector:
    """A network of the shape of facebook/detr-resnet-50, with random weights."""
    network = network_from_config("detr", num_labels=91, use_pretrained_backbone=False)
    return TransformersDetector(network, [*COCO_OBJECTS, *[None] * 11])


class GridDetector(TransformersDetector):
    """DETR R50's time and sizes, random weights; detects 8 people and 10 objects in a grid."""

    @classmethod
    def with_fixed_weights(cls) -> "GridDetector":
        """The same weights in every call, so that its cached features are found again."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            plain = random_detr()
        return cls(plain.network, plain.classes)

    def to_scene(self, outputs: object, images: Images) -> Scene:
        """Tokens and memory of the network; boxes, classes and scores of a grid of 6 x 3 cells."""
        scene = super().to_scene(outputs, images)
        objects = sorted(COCO_INDEX[kind] for kind in KINDS if kind != "person")
        labels = [0] * HUMANS + objects[:OBJECTS]
        count = len(labels)
        row, column = torch.arange(count) // 6, torch.arange(count) % 6
        corner = torch.stack([column / 6, row / 3], -1)

        # the other queries keep their boxes and get a low score
        boxes = scene.entities.boxes.clone()
        boxes[:, :count] = torch.cat([corner, corner + torch.tensor([1 / 6, 1 / 3])], -1)
        scores = torch.full_like(scene.entities.scores, 0.01)
        scores[:, :count] = 0.9
        classes = scene.entities.labels.clone()
        classes[:, :count] = torch.tensor(labels)
        entities = scene.entities._replace(boxes=boxes, scores=scores, labels=classes)
        return scene._replace(entities=entities)


def random_scenes(
    batch: int, humans: int, objects: int, memory_size: tuple[int, int] = MEMORY_SIZE
) -> Scene:
    """Scenes of DETR's widths with confident people and objects; boxes and classes are random."""
    torch.manual_seed(0)
    count = humans + objects
    corner = torch.rand(batch, count, 2) * 0.6
    boxes = torch.cat([corner, corner + 0.1 + 0.3 * torch.rand(batch, count, 2)], -1)
    people = torch.zeros(batch, humans, dtype=torch.long)
    entities = Entities(
        boxes,
        labels=torch.cat([people, torch.randint(1, 80, (batch, objects))], 1),
        scores=0.3 + 0.7 * torch.rand(batch, count),
        tokens=torch.randn(batch, count, WIDTH),
        mask=torch.ones(batch, count, dtype=torch.bool),
    )
    memory_mask = torch.ones(batch, *memory_size, dtype=torch.bool)
    sizes = torch.tensor([IMAGE_SIZE]).expand(batch, 2)
    memory = torch.randn(batch, WIDTH, *memory_size)
    # one for all images: only its size matters, and 64 of them would take 0.4 GB
    maps = {
        name: torch.rand(1, dim, *memory_size).expand(batch, -1, -1, -1)
        for name, dim in MAP_DIMS.items()
    }
    return Scene(entities, memory, memory_mask, sizes, maps)


def true_pairs(scene: Scene, humans: int, vocabulary: Vocabulary) -> Truth:
    """Annotated pairs between entities of the Scenes, each with one valid verb of its object.

    Args:
        scene: from `random_scenes`.
        humans: the first so many entities are people.
        vocabulary: of the verbs.
    """
    batch, count = scene.entities.mask.shape
    pairs = torch.arange(TRUE_PAIRS)
    human = (pairs % humans).expand(batch, TRUE_PAIRS)
    object_ = (humans + pairs % (count - humans)).expand(batch, TRUE_PAIRS)
    objects = gather_rows(scene.entities.labels, object_)

    first_verb = vocabulary.valid_pairs().int().argmax(1)  # of each object class
    verbs = nn.functional.one_hot(first_verb[objects], len(vocabulary.verbs)).bool()
    return Truth(
        gather_rows(scene.entities.boxes, human),
        gather_rows(scene.entities.boxes, object_),
        objects,
        verbs,
        torch.ones(batch, TRUE_PAIRS, dtype=torch.bool),
    )


class Head:
    """One row: IRE, IRM and losses of a task, on Scenes of one size."""

    def __init__(self, row: str, task: HOITask) -> None:
        self.task = task
        self.with_neck = row.endswith("+ neck")
        trained = [task.model.ire, task.model.irm, task.losses]
        if self.with_neck:
            trained.append(task.model.remine)
        self.optimizer = task.optim(nn.ModuleList(trained), 1000)["optimizer"]
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]

    def features(self, scene: Scene) -> Tensor:
        """The map that the IRE reads: random, or of the neck in a row with it.

        A map of the frozen detector is read as it is, and needs no gradient.
        """
        remine = self.task.model.remine
        trained = any(True for _ in remine.parameters())
        if self.with_neck or not trained:
            return remine(scene, None)
        features = torch.randn(len(scene.sizes), remine.dim, *scene.memory.shape[2:])
        return features.requires_grad_()

    def predict(self, scene: Scene, features: Tensor | None) -> Prediction:
        """Pairing, IRE and IRM. Without `features` the map is made first."""
        model = self.task.model
        features = self.features(scene) if features is None else features
        pairs = pair(scene.entities, model.valid_pairs)
        return Prediction(scene, pairs, *model.reason(scene, pairs, features))

    def forward(self, scene: Scene, features: Tensor | None) -> None:
        """Inference, up to the scores."""
        model = self.task.model
        with torch.inference_mode():
            prediction = self.predict(scene, features)
            prior = log_prior(scene.entities, prediction.pairs, model.valid_pairs, model.power)
            verb_scores(prediction.logits, prior)

    def loss(self, scene: Scene, features: Tensor | None, truth: Truth) -> Tensor:
        """The sum of the task's losses."""
        prediction = self.predict(scene, features)
        labels = self.task.label(prediction, truth)
        return loss_terms(self.task.losses, prediction, labels, {}).sum()

    def backward(self, scene: Scene, features: Tensor | None, truth: Truth) -> None:
        """Losses and gradients."""
        self.loss(scene, features, truth).backward()

    def step(self, scene: Scene, features: Tensor | None, truth: Truth) -> None:
        """A training step."""
        self.backward(scene, features, truth)
        clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def operations(run: Callable[[], object]) -> int:
    """Floating-point operations of matrix products and convolutions; attention as its products."""
    fast = torch.backends.mha.get_fastpath_enabled()
    # torch's encoder layer is one kernel in inference, which is not counted
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            run()
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops()


def cpu_seconds(run: Callable[[], object]) -> float:
    """CPU time of all threads of this process."""
    start = time.process_time()
    run()
    return time.process_time() - start


def matmul_seconds(size: int = 1536) -> float:
    """CPU seconds per floating-point operation of a large float32 product; one sample."""
    a, b = torch.randn(size, size), torch.randn(size, size)
    return cpu_seconds(lambda: a @ b) / (2 * size**3)


def best(times: Sequence[float]) -> dict[str, float]:
    """Minimum and median. Other processes only add to a time: the minimum is the cost."""
    return {"best": min(times), "median": statistics.median(times)}


def machine() -> str:
    """Processor, threads and version of torch, for the report."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    name = names[0] if names else platform.processor() or platform.machine()
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"{len(names) or '?'} x {name} ({capability}), {torch.get_num_threads()} thread(s), "
        f"torch {torch.__version__}"
    )


def parser(about: str, threads: int = 1) -> argparse.ArgumentParser:
    """The options of all speed benchmarks."""
    options = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--quick", action="store_true", help="smallest size, as a test")
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
