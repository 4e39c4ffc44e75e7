"""rmlr-predict: human-object interactions of any image, as JSON and drawn on the image."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from rich.console import Console
from rich.progress import track

from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.drawing.triplets import draw_triplets
from rmlr_lightning.errors import UserError, printable
from rmlr_lightning.hub.detector import SHIPPED, load_detector
from rmlr_lightning.images.image_file import open_image
from rmlr_lightning.runs.device import device_of
from rmlr_lightning.runs.user_errors import one_line_errors
from rmlr_lightning.types import Detections
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
        found, boxes = detector.predict(image, entities, args.max_triplets)
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
        print(printable(str(_write(args.out, path.stem, record, drawn))))


def check_output(folder: Path, images: Sequence[Path], overwrite: bool) -> None:
    """No file is overwritten unless it is asked for, and an input never.

    Raises:
        UserError: a result would overwrite a file.
    """
    # A drawing NAME.png in the folder of the inputs would replace a photograph NAME.png.
    inputs = {path.resolve() for path in images}
    for path in images:
        for result in (folder / f"{path.stem}.json", folder / f"{path.stem}.png"):
            if result.resolve() in inputs:
                raise UserError(
                    f"--out {folder}: {result.name} would overwrite an input; name another folder"
                )
            if result.exists() and not overwrite:
                raise UserError(f"{result} exists; name another --out, or add --overwrite")


def _write(folder: Path, stem: str, record: dict, drawn: Image.Image) -> Path:
    """Write STEM.json and STEM.png into the folder; returns the path of the latter."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{stem}.json").write_text(json.dumps(record, indent=1), encoding="utf-8")
        drawn.save(folder / f"{stem}.png")
    except OSError as error:
        raise UserError(
            f"--out {folder}: cannot be written ({error.strerror}); name another folder"
        ) from None
    return folder / f"{stem}.png"


def parser() -> argparse.ArgumentParser:
    """The command line."""
    command_line = argparse.ArgumentParser(
        prog="rmlr-predict",
        description="Detects human-object interactions: <human, verb, object> triplets.",
    )
    add = command_line.add_argument
    add("images", type=Path, nargs="+", metavar="IMAGE|FOLDER", help="images, or folders of images")
    add(
        "--checkpoint",
        default=SHIPPED,
        metavar="CKPT|FOLDER|ID",
        help="a checkpoint of rmlr-train, UPT or PViC, a folder with a saved model, or a hub id "
        f"(default: {SHIPPED}, which ships with the package)",
    )
    add(
        "--dilation",
        action=argparse.BooleanOptionalAction,
        help="of UPT's released models with R101: whether the detector is dilated (DC5)",
    )
    add(
        "--out",
        type=Path,
        default=Path("predictions"),
        metavar="DIR",
        help="folder for NAME.json and NAME.png of each image (default: predictions)",
    )
    add("--overwrite", action="store_true", help="replace results that exist")
    add(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="external detections in COCO results format, in place of the model's detector",
    )
    add(
        "--score-threshold",
        type=float,
        default=0.1,
        metavar="SCORE",
        help="verbs with a lower score are not drawn (default 0.1)",
    )
    add(
        "--min-pairs",
        type=int,
        default=3,
        metavar="N",
        help="pairs to draw even below the threshold (default 3)",
    )
    add(
        "--max-triplets",
        type=int,
        default=100,
        metavar="N",
        help="triplets per image in the JSON, best first (default 100)",
    )
    add("--caption", default="", help="a line below each drawn image")
    add("--device", default="cpu", help="torch device (default cpu)")
    return command_line


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(argv)
    with one_line_errors():
        predict(args)


if __name__ == "__main__":
    main()
