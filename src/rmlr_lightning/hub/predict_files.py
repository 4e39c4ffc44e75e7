"""What rmlr-predict does: interactions of image files, as JSON and drawn on the image."""

import argparse
import io
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from rich.console import Console
from rich.progress import track

from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.drawing.triplets import draw_triplets
from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.files import check_outputs, check_writable, write_atomic
from rmlr_lightning.hub.detector import load_detector
from rmlr_lightning.images.image_file import open_image
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.ops.selection_counts import GROUPS, selection_counts
from rmlr_lightning.runs.config import short_name
from rmlr_lightning.runs.device import device_of
from rmlr_lightning.types import Detections, Entities
from rmlr_lightning.vocabulary import Vocabulary

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The given files, and the images inside the given folders, sorted.

    Raises:
        UserError: a path does not exist, a folder has no images, or two images have one name.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(item for item in path.iterdir() if item.suffix.lower() in SUFFIXES)
            if not inside:
                raise UserError(
                    f"{path}: no images in this folder (looked for {' '.join(SUFFIXES)})"
                )
            found += inside
        elif path.suffix == ".ckpt":
            raise UserError(f"{path}: not an image; give a checkpoint as --checkpoint {path}")
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"{path}: no such image or folder")

    # Results are named by the stem: a.jpg and a.png would both write a.json.
    stems: set[str] = set()
    for path in found:
        if path.stem in stems:
            raise UserError(
                f"two images are called {path.stem}: their results would overwrite each other; "
                "predict them into two folders"
            )
        stems.add(path.stem)
    return found


def as_json(path: Path, image: Image.Image, found: Detections, vocabulary: Vocabulary) -> dict:
    """The triplets of an image, best first. Boxes are xyxy in pixels."""
    triplets = []
    for box_h, box_o, object_index, verb, score in zip(
        *(field.tolist() for field in found), strict=True
    ):
        triplets.append(
            {
                "box_h": [round(value, 2) for value in box_h],
                "verb": vocabulary.verbs[verb],
                "object": vocabulary.objects[object_index],
                "box_o": [round(value, 2) for value in box_o],
                "score": round(score, 6),
            }
        )
    return {
        "image": path.name,
        "height": image.height,
        "width": image.width,
        "triplets": triplets,
    }


def predict(args: argparse.Namespace) -> None:
    """Predict all images and write the results.

    Raises:
        UserError: a wrong option, or a file that cannot be read or written.
    """
    for option in ("min_pairs", "max_triplets"):
        value = getattr(args, option)
        if value < 0:
            name = option.replace("_", "-")
            raise UserError(f"--{name} {value}: expected a whole number from 0")

    # Before the model is loaded, and before the first result: a run is not to stop in the middle.
    paths = find_images(args.images)
    check_output(args.out, paths, args.overwrite)
    detector = load_detector(args.checkpoint, args.dilation).to(device_of(args.device, "--device"))
    external = None
    if args.boxes:
        external = read_external_detections(args.boxes, paths, detector.vocabulary)

    # The progress bar goes to standard error; standard output lists the files.
    console = Console(stderr=True)
    for path in track(paths, "predicting", console=console, transient=True):
        image = open_image(path)
        entities = None
        if external is not None:
            entities = external[path].entities(image.width, image.height)
            note = unused_boxes(entities, detector.model)
            if note is not None:
                console.print(f"note: {printable(str(path))}: {note}", markup=False, soft_wrap=True)
        found, boxes = detector.predict(image, entities, args.max_triplets, str(path))
        drawn = draw_triplets(
            image,
            found,
            detector.vocabulary,
            args.score_threshold,
            min_pairs=args.min_pairs,
            caption=args.caption,
            entities=boxes,
        )
        record = as_json(path, image, found, detector.vocabulary)
        print(printable(str(_write(args.out, path, record, drawn))))


def unused_boxes(entities: Entities, model: HOIModel) -> str | None:
    """How many of the external detections of an image the model leaves out, and why; None: none.

    Args:
        entities: without a batch dimension.
    """
    batch = Entities(*(field[None] for field in entities))
    counts = selection_counts(batch, model.selection, model.subject)
    if torch.equal(counts.selected, counts.detected):
        return None
    of_groups = torch.stack(counts, -1)[0].tolist()
    groups = GROUPS if model.subject is not None else ("boxes",)
    used = " and ".join(
        f"{row[-1]} of {row[0]} {name}" for name, row in zip(groups, of_groups, strict=True)
    )
    limits = model.selection
    reasons = (
        f"overlap a better one of their class by more than {limits.nms_iou:g}",
        f"have a score below {limits.score_threshold:g}",
        f"are beyond the best {limits.max_instances}",
    )
    totals = [sum(column) for column in zip(*of_groups, strict=True)][1:-1]
    why = [f"{count} {reason}" for count, reason in zip(totals, reasons, strict=True) if count]
    return f"{used} are used; {', '.join(why)}"


def check_output(folder: Path, images: Sequence[Path], overwrite: bool) -> None:
    """No file is overwritten unless it is asked for, and an input never.

    Raises:
        UserError: a result would overwrite a file.
    """
    # A drawing NAME.png in the folder of the inputs would replace a photograph NAME.png.
    inputs = {path.resolve() for path in images}
    results = [folder / name for path in images for name in result_names(path)]
    for result in results:
        if result.resolve() in inputs:
            raise UserError(
                f"--out {folder}: {result.name} would overwrite an input; name another folder"
            )
    outputs = {f"--out {folder}, {result.name}": result for result in results}
    check_outputs(outputs, None if overwrite else "--overwrite", folders=False)


def result_names(image: Path) -> tuple[str, str]:
    """Names of the two results of an image; a name that is too long for both is shortened."""
    stem = short_name(image.stem)
    return f"{stem}.json", f"{stem}.png"


def _write(folder: Path, image: Path, record: dict, drawn: Image.Image) -> Path:
    """Write both results of an image into the folder; returns the path of the drawing."""
    text, drawing = (folder / name for name in result_names(image))
    encoded = io.BytesIO()
    drawn.save(encoded, format="png")
    way_out = "name another folder with --out"
    check_writable(text, way_out)  # makes the folder
    write_atomic(text, json.dumps(record, indent=1).encode(), way_out)
    write_atomic(drawing, encoded.getvalue(), way_out)
    return drawing
