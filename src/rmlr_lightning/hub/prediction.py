"""From images to results: opened one by one, processed in batches of one size."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat, zip_longest
from typing import Any, NamedTuple

import torch
from PIL import Image
from torch import Tensor

from rmlr_lightning.annotations.external_detections import ExternalDetections
from rmlr_lightning.data.collate import collate_entities, collate_images
from rmlr_lightning.data.transforms import transform
from rmlr_lightning.errors import UserError
from rmlr_lightning.hub.image_inputs import ImageLike, external_entities, name_of, opened
from rmlr_lightning.hub.named_detections import interactions
from rmlr_lightning.hub.result import Result
from rmlr_lightning.hub.saved_model import SavedModel
from rmlr_lightning.ops.finite import finite_logits, finite_scenes
from rmlr_lightning.types import Entities, Images, Inputs, Prediction

OfImage = Mapping[str, Any] | ExternalDetections | None  # external detections of an image
MISSING = object()


class LoadedImage(NamedTuple):
    """An image with what the model reads of it."""

    image: Image.Image  # RGB
    name: str
    pixels: Tensor  # 3 H W, resized
    external: Entities | None


def results(
    saved: SavedModel,
    images: Iterable[ImageLike],
    boxes: Iterable[OfImage] | None,
    threshold: float,
    max_triplets: int | None,
    batch_size: int,
) -> Iterator[Result]:
    """The result of each image, in their order; see `HOIDetector.predict`.

    A batch holds adjacent images of one size on the canvas. It has no padding, which some
    detectors read, so that no image changes the result of another.

    Raises:
        UserError: see `HOIDetector.predict`.
    """
    if not isinstance(batch_size, int) or batch_size < 1:
        raise UserError(f"batch_size={batch_size}: expected a whole number from 1")
    waiting: list[LoadedImage] = []
    for loaded in _opened(saved, images, boxes):
        if len(waiting) == batch_size or (waiting and not _fit(waiting[0], loaded)):
            yield from _batch(saved, waiting, threshold, max_triplets)
            waiting = []
        waiting.append(loaded)
    if waiting:
        yield from _batch(saved, waiting, threshold, max_triplets)


def _opened(
    saved: SavedModel, images: Iterable[ImageLike], boxes: Iterable[OfImage] | None
) -> Iterator[LoadedImage]:
    if isinstance(boxes, Mapping):  # going through it would give its keys
        raise UserError("boxes: one dict for a list of images; give a list with one dict per image")
    # not by length: both may be generators
    if boxes is None:
        pairs = zip(images, repeat(None))
    else:
        pairs = zip_longest(images, boxes, fillvalue=MISSING)
    for number, (image, of_image) in enumerate(pairs):
        if image is MISSING or of_image is MISSING:
            raise UserError("boxes: not as many external detections as images; give one for each")
        rgb = opened(image)
        external = None
        if isinstance(of_image, ExternalDetections):
            external = of_image.entities(rgb.width, rgb.height)
        elif of_image is not None:
            external = external_entities(of_image, rgb, saved.vocabulary)
        pixels = transform(rgb, [], saved.resize).pixels
        yield LoadedImage(rgb, name_of(image, number), pixels, external)


def _fit(first: LoadedImage, other: LoadedImage) -> bool:
    has_same_source = (first.external is None) == (other.external is None)
    return has_same_source and first.pixels.shape == other.pixels.shape


def _batch(
    saved: SavedModel, loaded: Sequence[LoadedImage], threshold: float, max_triplets: int | None
) -> Iterator[Result]:
    model = saved.model
    device = model.valid_pairs.device
    sizes = torch.tensor([[one.image.height, one.image.width] for one in loaded])
    # Masks are all true: the images are of one size.
    collated = collate_images([one.pixels for one in loaded], list(sizes))
    images = Images(*(field.to(device) for field in collated))
    external = None
    if loaded[0].external is not None:
        together = collate_entities([one.external for one in loaded])
        external = Entities(*(field.to(device) for field in together))
    with torch.inference_mode():
        prediction = model(Inputs(images, external=external))
        _check_finite(prediction, loaded)
        found = model.detect(prediction, max_triplets)

    for one, detections in zip(loaded, found, strict=True):
        triplets = interactions(detections, saved.vocabulary, saved.calibration, threshold)
        yield Result(one.image, one.name, triplets, saved.vocabulary)


def _check_finite(prediction: Prediction, loaded: Sequence[LoadedImage]) -> None:
    """NaN and infinite scores would be no detections, without a word."""
    scene = prediction.scene._replace(entities=prediction.detected)
    for what, finite in (
        ("the detector's outputs", finite_scenes(scene)),
        ("the model's logits", finite_logits(prediction)),
    ):
        for one, is_finite in zip(loaded, finite.tolist(), strict=True):
            if not is_finite:
                raise UserError(f"{one.name}: {what} for this image are NaN or infinite")
