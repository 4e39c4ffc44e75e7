"""Runs the frozen detector over images in a view, and packs its outputs."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.utils._pytree import tree_map_only

from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.pack import pack
from rmlr_lightning.data.collate import collate_images, single_scenes
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.views import View
from rmlr_lightning.detectors.half_backbone import half_backbone
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.finite import finite_scenes
from rmlr_lightning.types import Entities, Scene

DETECTOR = "the detector's outputs are NaN or infinite; use other weights of the detector"
TOO_LARGE = "the detector's outputs are too large for it; choose features.dtype=fp32 or bf16"


class Loaded(NamedTuple):
    """An image that has been read."""

    index: int
    pixels: Float[Tensor, "3 H W"]
    size: Int[Tensor, "2"]  # (height, width) of the file


def detect(
    data: HOIDataset,
    view: View,
    images: range,
    detector: nn.Module,
    options: CacheOptions,
    device: torch.device,
    pool: ThreadPoolExecutor,
) -> list[Scene]:
    """Packed Scenes of these images, on the CPU, without batch dimension.

    All images of a batch have the same canvas, so nothing is padded, and the Scene of an image does
    not depend on the sizes of the others.

    Args:
        detector: on `device`, in evaluation mode.
        pool: threads that read image files, and pack Scenes.
    """

    def load(index: int) -> Loaded:
        return Loaded(index, *data.pixels(index, view))

    @torch.inference_mode()
    def finish(batch: list[Loaded], batched: Scene) -> list[tuple[int, Scene]]:
        _check_finite(finite_scenes(batched), data, batch, DETECTOR)
        packed = [pack(scene, options, detector.objects) for scene in single_scenes(batched)]
        finite = torch.cat([finite_scenes(scene) for scene in packed])
        _check_finite(finite, data, batch, f"features.dtype={options.dtype}: {TOO_LARGE}")
        indices = (item.index for item in batch)
        return list(zip(indices, map(_without_batch, packed), strict=True))

    precision = half_backbone(detector) if options.precision == "bf16" else nullcontext()
    finished: list[Future] = []
    with precision:
        for batch in _batches(_load_ahead(load, images, pool, 2 * options.batch_size), options):
            inputs = collate_images([item.pixels for item in batch], [item.size for item in batch])
            inputs = _moved(inputs, device)
            # Always float32: bfloat16 would leave boxes three digits.
            with torch.inference_mode(), torch.autocast(device.type, enabled=False):
                batched = _moved(detector(inputs), torch.device("cpu"))
            # packed in threads: a GPU has the next batch meanwhile
            finished.append(pool.submit(finish, batch, batched))
            if len(finished) > 1:  # unpacked Scenes are large: two batches at most
                finished[-2].result()
    # Batches finish in another order than the images have.
    scenes = dict(pair for future in finished for pair in future.result())
    return [scenes[index] for index in images]


def _moved(record: Any, device: torch.device) -> Any:
    """A record whose tensors are on a device."""
    return tree_map_only(Tensor, lambda tensor: tensor.to(device), record)


def _check_finite(
    finite: Bool[Tensor, " B"], data: HOIDataset, batch: list[Loaded], reason: str
) -> None:
    """Training and evaluation would read such Scenes as images without detections."""
    wrong = [item for item, ok in zip(batch, finite.tolist(), strict=True) if not ok]
    if wrong:
        name = data.images / data.targets[wrong[0].index].file_name
        raise UserError(f"{name}: {reason}")


def _load_ahead(
    load: Callable[[int], Loaded], images: range, pool: ThreadPoolExecutor, waiting_max: int
) -> Iterator[Loaded]:
    """Read images in threads; yields them in order. At most `waiting_max` wait in memory."""
    # The limit bounds the memory: images are read faster than a detector on a CPU takes them.
    waiting: deque[Future] = deque()
    for index in images:
        waiting.append(pool.submit(load, index))
        if len(waiting) > waiting_max:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _batches(loaded: Iterator[Loaded], options: CacheOptions) -> Iterator[list[Loaded]]:
    """Batches of one canvas each; those that are not full come last."""
    by_canvas: dict[tuple[int, ...], list[Loaded]] = {}
    for item in loaded:
        canvas = tuple(item.pixels.shape[1:])
        by_canvas.setdefault(canvas, []).append(item)
        if len(by_canvas[canvas]) == options.batch_size:
            yield by_canvas.pop(canvas)
    yield from by_canvas.values()


def _without_batch(scene: Scene) -> Scene:
    """The only image of a batch."""
    entities = Entities(*(field[0] for field in scene.entities))
    maps = {name: features[0] for name, features in scene.maps.items()}
    return Scene(entities, *(field[0] for field in scene[1:4]), maps)
