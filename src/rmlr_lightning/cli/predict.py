"""rmlr-predict: triplets of any picture, as JSON and as a picture."""

import argparse
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from hydra.utils import instantiate
from PIL import Image
from rich.console import Console
from rich.progress import track

from rmlr_lightning.annotations.external_detections import read_external_detections
from rmlr_lightning.data.collate import collate_entities, collate_images
from rmlr_lightning.data.image_file import open_image
from rmlr_lightning.data.transforms import transform
from rmlr_lightning.drawing import triplets_picture
from rmlr_lightning.errors import UserError
from rmlr_lightning.runs.config import one_line_errors
from rmlr_lightning.runs.device import device_of
from rmlr_lightning.runs.restore import restore
from rmlr_lightning.types import Detections, Inputs
from rmlr_lightning.vocabulary import COCO_OBJECTS, Vocabulary

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")


def pictures_of(paths: Sequence[Path]) -> list[Path]:
    """Files as they are, folders as the pictures in them, sorted."""
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(item for item in path.iterdir() if item.suffix.lower() in SUFFIXES)
            if not inside:
                raise UserError(
                    f"{path}: no pictures in this folder (looked for {' '.join(SUFFIXES)})"
                )
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise UserError(f"{path}: no such picture or folder")
    stems = [path.stem for path in found]
    double = next((stem for stem in stems if stems.count(stem) > 1), None)
    if double is not None:
        raise UserError(
            f"two pictures are called {double}: their results would overwrite each other; predict them into two folders"
        )
    return found


def as_json(path: Path, size: tuple[int, int], found: Detections, vocabulary: Vocabulary) -> dict:
    """One picture's triplets; boxes are xyxy in pixels."""
    rows = zip(*(field.tolist() for field in found), strict=True)
    return {
        "image": path.name,
        "height": size[0],
        "width": size[1],
        "triplets": [
            {
                "box_h": [round(value, 2) for value in box_h],
                "verb": vocabulary.verbs[verb],
                "object": COCO_OBJECTS[thing],
                "box_o": [round(value, 2) for value in box_o],
                "score": round(score, 6),
            }
            for box_h, box_o, thing, verb, score in rows
        ],
    }


def predict(
    args: argparse.Namespace,
) -> Iterator[tuple[Path, Image.Image, Detections, list, Vocabulary]]:
    """Triplets of all pictures, one by one, with the boxes that were paired."""
    task, cfg = restore(args.checkpoint, scoring=False)
    task = task.to(device_of(args.device, "--device"))
    resize = instantiate(cfg.data.test.resize)
    paths = pictures_of(args.images)
    given = read_external_detections(args.boxes, paths) if args.boxes else {}
    for path in track(paths, "predicting", console=Console(stderr=True), transient=True):
        image = open_image(path)
        size = torch.tensor([image.height, image.width])
        pixels, _ = transform(image, [], resize)
        images = collate_images([pixels], [size])
        entities = (
            collate_entities([given[path].entities(image.width, image.height)])
            if args.boxes
            else None
        )
        inputs = task.transfer_batch_to_device(
            Inputs(images, None, entities), torch.device(args.device), 0
        )
        with torch.inference_mode():
            prediction = task(inputs)
            (found,) = task.detect(prediction, args.most)
        seen = prediction.scene.entities
        scale = torch.tensor([image.width, image.height] * 2)
        boxes = [
            (box.tolist(), int(label))
            for box, label in zip(seen.boxes[0].cpu() * scale, seen.labels[0], strict=True)
        ]
        real = seen.mask[0] & (seen.scores[0] >= task.model.selection.score_threshold)
        yield (
            path,
            image,
            found,
            [box for box, keep in zip(boxes, real, strict=True) if keep],
            task.vocabulary,
        )


def parser() -> argparse.ArgumentParser:
    """The command line."""
    what = argparse.ArgumentParser(
        prog="rmlr-predict", description="Find <human, verb, object> triplets in pictures."
    )
    what.add_argument("checkpoint", type=Path, help="a checkpoint of rmlr-train")
    what.add_argument(
        "images",
        type=Path,
        nargs="+",
        metavar="IMAGE|FOLDER",
        help="pictures, or folders of pictures",
    )
    what.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="where NAME.json and NAME.png of each picture go",
    )
    what.add_argument(
        "--boxes",
        type=Path,
        metavar="FILE",
        help="detections of any detector in COCO results format, in place of the model's own",
    )
    what.add_argument(
        "--threshold",
        type=float,
        default=0.1,
        help="least score of a verb in the picture (default 0.1)",
    )
    what.add_argument(
        "--least", type=int, default=3, help="pairs to show even below the threshold (default 3)"
    )
    what.add_argument(
        "--most", type=int, default=100, help="most triplets an image in the JSON (default 100)"
    )
    what.add_argument("--caption", default="", help="a line below each picture")
    what.add_argument("--device", default="cpu", help="torch device (default cpu)")
    return what


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    args = parser().parse_args(argv)
    with one_line_errors():
        for option in ("least", "most"):
            if getattr(args, option) < 0:
                raise UserError(f"--{option} {getattr(args, option)}: expected a number from 0")
        for path, image, found, boxes, vocabulary in predict(args):
            try:
                args.out.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UserError(
                    f"--out {args.out}: cannot be made a folder ({error.strerror}); name another"
                ) from None
            record = as_json(path, (image.height, image.width), found, vocabulary)
            (args.out / f"{path.stem}.json").write_text(
                json.dumps(record, indent=1), encoding="utf-8"
            )
            picture = triplets_picture(
                image,
                found,
                vocabulary.verbs,
                args.threshold,
                caption=args.caption,
                least=args.least,
                entities=boxes,
            )
            picture.save(args.out / f"{path.stem}.png")
            print(args.out / f"{path.stem}.png")


if __name__ == "__main__":
    main()
