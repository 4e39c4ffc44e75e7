"""What rmlr-predict does: predicts all images and writes the results."""

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from itertools import tee
from pathlib import Path
from typing import IO, Any

from rich.console import Console
from rich.progress import Progress

from rmlr_lightning.annotations.external_detections import (
    ExternalDetections,
    read_external_detections,
)
from rmlr_lightning.errors import UserError, counted, printable
from rmlr_lightning.files import write_atomic, written_atomically
from rmlr_lightning.hub.detector import HOIDetector, load_detector
from rmlr_lightning.hub.result import Result
from rmlr_lightning.predictions.gallery import Card, card_of, page
from rmlr_lightning.predictions.inputs import Frame, count_frames, frames
from rmlr_lightning.predictions.outputs import (
    LINES,
    PAGE,
    WAY_OUT,
    check_results,
    claimed,
    result_paths,
    write_result,
)
from rmlr_lightning.predictions.unused_boxes import unused_boxes
from rmlr_lightning.runs.device import device_of
from rmlr_lightning.runs.stop_signals import Stopped

OF_DRAWINGS = (
    "this model was trained on the drawings of the synthetic benchmark; what it finds in "
    "photographs means nothing"
)


def predict(args: argparse.Namespace, files: list[Path]) -> None:
    """Predict all images and write the results, in a folder that no other process writes to.

    See `_predict`.
    """
    with claimed(args.out):
        # another process may have written results since `checked_files`
        check_results(args.out, files, args.overwrite)
        _predict(args, files)


def _predict(args: argparse.Namespace, files: list[Path]) -> None:
    """Predict all images and write the results.

    Images and videos that cannot be read are named and skipped.

    Args:
        args: of the command line.
        files: those of `checked_files`.

    Raises:
        UserError: a file that cannot be written, or, when all else is written, that files were
            skipped.
    """
    total = count_frames(files, args.every)
    detector = load_detector(args.checkpoint, args.dilation).to(device_of(args.device, "--device"))
    external = None
    if args.boxes:
        external = read_external_detections(args.boxes, files, detector.vocabulary)

    # The progress bar goes to standard error, where there is a terminal.
    console = Console(stderr=True)
    skipped = Skipped(console, len(files))
    cards: list[Card] = []
    images = likely = 0
    # of triplets, also of an image that a signal interrupts
    places: list[Path] = []
    read_files: set[Path] = set()
    start = time.perf_counter()
    bar = Progress(console=console, transient=True)
    with (
        written_atomically(args.out / LINES, WAY_OUT) as lines,
        # not `disable`: rich 14.1 and older write an empty line then
        bar if console.is_terminal else nullcontext(),
        lines.open("w") as file,
    ):
        bar_of_images = bar.add_task("predicting", total=total)
        read = frames(files, args.every, skipped.add, skipped.note)
        try:
            for frame, result in _results(detector, read, external, args):
                place, drawing = result_paths(args.out, frame.path, frame.number)
                places.append(place)
                record = write_result(args.out, frame, result, args.min_probability, args.caption)
                _write_line(file, record)
                if external is not None:
                    _note_unused(skipped, frame, result, external, detector)
                if images < args.gallery:
                    cards.append(card_of(result, _title(frame), drawing.relative_to(args.out)))
                images += 1
                read_files.add(frame.path)
                likely += len(result.from_probability(args.min_probability))
                bar.update(bar_of_images, completed=images + skipped.count)
        except Stopped as stopped:
            # not `images`: the signal may come just after the last file of a result
            written = sum(place.is_file() for place in places)
            stopped.way_out = (
                f"results of {counted(written, 'image')}, without {LINES} and {PAGE}; start again "
                "with --overwrite"
            )
            raise
        if not images:
            raise UserError("none of the files can be read")
    seconds = time.perf_counter() - start

    # which ones the drawings have
    kind = "likely triplet" if args.min_probability is None else "drawn triplet"
    print(
        f"{counted(images, 'image')}, {counted(likely, kind)}, {seconds:.1f} s "
        f"({images / seconds:.1f} images/s)"
    )
    if empty := sum(not found.boxes for found in (external or {}).values()):
        print(f"note: {args.boxes} has no row for {empty} of {counted(len(files), 'image')}")
    note = OF_DRAWINGS if detector.saved.knows_drawings_only else ""
    if note:
        print(f"note: {note}")
    # last: a page without all of its drawings would have dead links
    if args.gallery:
        is_calibrated = detector.saved.calibration is not None
        heading = _heading([path for path in files if path in read_files])
        unread = [printable(path.name) for path in files if path not in read_files]
        html = page(cards, heading, images - len(cards), is_calibrated, note, unread)
        write_atomic(args.out / PAGE, html.encode(), WAY_OUT)
        print(f"gallery: {printable(str(args.out / PAGE))}")
    print(f"triplets: {printable(str(args.out / LINES))}, and one .json and .png per image")
    if skipped.count:
        raise UserError(
            f"{skipped.count} of {counted(len(files), 'file')} skipped, see above; the others have "
            "results"
        )


class Skipped:
    """Files that cannot be read: one line each, and their number.

    Args:
        console: for the lines; it may show a progress bar.
        files: how many are given. If it is one, its error is raised.
    """

    def __init__(self, console: Console, files: int) -> None:
        self.console = console
        self.files = files
        self.count = 0

    def add(self, error: UserError) -> None:
        """Skip the file that the error names."""
        if self.files == 1:
            raise error
        self.count += 1
        self._print("skipped", str(error))

    def note(self, line: str) -> None:
        """Print a line on a file that is not skipped."""
        self._print("note", line)

    def _print(self, what: str, line: str) -> None:
        self.console.print(f"{what}: {printable(line)}", markup=False, soft_wrap=True)


def _results(
    detector: HOIDetector,
    read: Iterator[Frame],
    external: Mapping[Path, ExternalDetections] | None,
    args: argparse.Namespace,
) -> Iterator[tuple[Frame, Result]]:
    """Each image with its result, in order."""
    # The stream reads ahead by a batch: `tee` keeps these frames for their results.
    of_results, of_images = tee(read)
    boxes = None
    if external is not None:
        of_images, of_boxes = tee(of_images)
        boxes = (external[frame.path] for frame in of_boxes)
    images = (frame.image for frame in of_images)
    stream = detector.stream(images, boxes, max_triplets=args.max_triplets, batch_size=args.batch)
    return zip(of_results, stream, strict=True)


def _write_line(file: IO[str], record: dict[str, Any]) -> None:
    try:
        file.write(json.dumps(record) + "\n")
    except OSError as error:
        raise UserError(f"{file.name}: cannot be written ({error.strerror})") from error


def _note_unused(
    skipped: Skipped,
    frame: Frame,
    result: Result,
    external: Mapping[Path, ExternalDetections],
    detector: HOIDetector,
) -> None:
    entities = external[frame.path].entities(result.image.width, result.image.height)
    note = unused_boxes(entities, detector.model)
    if note is not None:
        skipped.note(f"{frame.path}: {note}")


def _title(frame: Frame) -> str:
    if frame.number is None:
        return printable(frame.path.name)
    moment = f"frame {frame.number}" if frame.seconds is None else f"{frame.seconds:.2f} s"
    return f"{printable(frame.path.name)}, {moment}"


def _heading(files: list[Path]) -> str:
    if len(files) == 1:
        return f"Interactions in {printable(files[0].name)}"
    return f"Interactions in {counted(len(files), 'file')}"
