"""What rmlr-export does: write a trained head, or a whole model as a folder for the hub."""

import argparse

from rmlr_lightning.errors import UserError
from rmlr_lightning.export.head import Capacity, full_capacity
from rmlr_lightning.export.program import (
    SUFFIXES,
    check_onnx,
    describe,
    export_head,
    sidecar,
    write_onnx,
    write_sidecar,
    write_torch,
)
from rmlr_lightning.files import check_outputs, written_atomically
from rmlr_lightning.hub.detector import WRITTEN, HOIDetector, load_detector
from rmlr_lightning.hub.saved_model import rounded
from rmlr_lightning.models.hoi import HOIModel

FOLDER = "folder"


def export(args: argparse.Namespace) -> None:
    """Write what `--format` names.

    Raises:
        UserError: a wrong option, or a file that exists or cannot be read or written.
    """
    # Before the model is loaded and traced, which takes a minute.
    if args.format == FOLDER:
        for option in ("entities", "pairs"):
            if getattr(args, option) is not None:
                raise UserError(f"--{option}: only with --format torch or onnx")
        files = [args.out / name for name in WRITTEN]
    else:
        if args.half or args.shipped_detector:
            raise UserError("--half, --shipped-detector: only with --format folder")
        suffix = SUFFIXES[args.format]
        if args.out.suffix != suffix:
            raise UserError(f"--out {args.out}: the file must end in {suffix}")
        files = [args.out, sidecar(args.out)]
    named = {f"--out {file}": file for file in files}
    check_outputs(named, None if args.overwrite else "--overwrite", folders=False)
    if args.format == "onnx":
        check_onnx()

    detector = load_detector(args.model, args.dilation)
    if args.format == FOLDER:
        _write_folder(detector, args)
    else:
        _write_program(detector, args)


def _write_folder(detector: HOIDetector, args: argparse.Namespace) -> None:
    saved = rounded(detector.saved) if args.half else detector.saved
    detector.saved = saved._replace(shipped_detector=args.shipped_detector)
    detector.save_pretrained(args.out, overwrite=args.overwrite)
    print(args.out)


def _write_program(detector: HOIDetector, args: argparse.Namespace) -> None:
    capacity = _capacity(detector.model, args)
    program, inputs = export_head(detector.model, capacity, detector.resize.largest)
    description = describe(detector.model, detector.vocabulary, inputs, capacity)
    description |= {"model": str(args.model), "resize": detector.saved.resize_parts}
    with written_atomically(args.out) as path:
        if args.format == "onnx":
            write_onnx(program, inputs, path)
        else:
            write_torch(program, path)
    print(args.out)
    print(write_sidecar(args.out, description))


def _capacity(model: HOIModel, args: argparse.Namespace) -> Capacity:
    """Of the options, or the largest numbers that the model's selection can give."""
    full = full_capacity(model)
    values = []
    for option, limit in zip(("entities", "pairs"), full, strict=True):
        value = getattr(args, option)
        value = limit if value is None else value
        if not 1 <= value <= limit:
            raise UserError(f"--{option} {value}: expected a number from 1 to {limit}")
        values.append(value)
    return Capacity(*values)
