"""Writing an `ExportableHead`: torch.export or ONNX, and a JSON file about its tensors."""

import json
import logging
import warnings
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from rmlr_lightning.errors import UserError
from rmlr_lightning.export.head import (
    MAP,
    OUTPUTS,
    Capacity,
    ExportableHead,
    head_inputs,
    maps_of,
)
from rmlr_lightning.files import write_atomic
from rmlr_lightning.models.checkpoint import plain_vocabulary
from rmlr_lightning.models.hoi import HOIModel
from rmlr_lightning.types import Entities, Images, Pairs, Scene
from rmlr_lightning.vocabulary import Vocabulary

SUFFIXES = {"torch": ".pt2", "onnx": ".onnx"}
ROWS, COLUMNS = 9, 13  # of the coarsest map that the graph is traced with, if it is variable


def export_head(
    model: HOIModel, capacity: Capacity, canvas: tuple[int, int]
) -> tuple[ExportedProgram, dict[str, Tensor]]:
    """The head as one graph with a variable batch size, and the inputs it was traced with.

    Args:
        canvas: (height, width) of the padded images. Fixed where the extractor reads pixels; the
            detector's maps may have any size.

    Raises:
        UserError: a part of the model has no fixed shapes.
    """
    # torch fixes a size that an `if` of the model compares, and refuses it as variable then.
    head = ExportableHead(model)
    inputs = example_inputs(model, capacity, canvas)
    axes = variable_axes(list(inputs))
    # torch cannot trace the sampling of a map at the size of another for one or two cells
    sizes = {
        name: Dim(name, min=3 if MAP in name else None)
        for names in axes.values()
        for name in names.values()
    }
    shapes = tuple({axis: sizes[name] for axis, name in axes[key].items()} for key in inputs)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own code
            program = torch.export.export(head, tuple(inputs.values()), dynamic_shapes=(shapes,))
    except (RuntimeError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"this head cannot be exported ({reason})") from error
    return program, inputs


def variable_axes(inputs: Sequence[str]) -> dict[str, dict[int, str]]:
    """The dimensions that stay variable, by input; every other size is fixed.

    The sizes of maps are variable unless the extractor reads pixels, whose canvas is fixed.
    """
    axes: dict[str, dict[int, str]] = {name: {0: "batch"} for name in inputs}
    if "pixels" in axes:
        return axes
    axes["memory"] |= {2: "rows", 3: "columns"}
    axes["memory_mask"] |= {1: "rows", 2: "columns"}
    for name in axes:
        if name.startswith(MAP):
            axes[name] |= {2: f"rows_{name}", 3: f"columns_{name}"}
    return axes


def example_inputs(
    model: HOIModel, capacity: Capacity, canvas: tuple[int, int], batch: int = 2
) -> dict[str, Tensor]:
    """Inputs of the right shapes, with two entities and one pair per image."""
    # Values do not matter, but torch specialises sizes of 0 and 1: two images, larger maps.
    count = min(2, capacity.entities)
    real = torch.ones(batch, count, dtype=torch.bool)
    boxes = torch.tensor([[0.1, 0.1, 0.5, 0.9], [0.4, 0.3, 0.8, 0.8]])[:count]
    entities = Entities(
        boxes.expand(batch, count, 4),
        torch.full((batch, count), 0.9),
        torch.zeros(batch, count, dtype=torch.long),
        torch.randn(batch, count, model.detector.token_dim),
        real,
    )
    names = maps_of(model.remine)
    cells, *map_cells = _example_cells(model, names)
    if model.remine.needs_pixels:
        cells = tuple(-(-side // model.detector.stride) for side in canvas)
    memory = torch.randn(batch, model.detector.memory_dim, *cells)
    mask = torch.ones(batch, *cells, dtype=torch.bool)
    sizes = torch.tensor([canvas]).repeat(batch, 1)
    first = torch.zeros(batch, 1, dtype=torch.long)
    pairs = Pairs(first, first + (count - 1), first, real[:, :1])

    pixels_mask = torch.ones(batch, *canvas, dtype=torch.bool)
    images = Images(torch.rand(batch, 3, *canvas), pixels_mask, sizes)
    maps = {
        name: torch.randn(batch, model.detector.map_dims[name], *size)
        for name, size in zip(names, map_cells, strict=True)
    }
    scene = Scene(entities, memory, mask, sizes, maps)
    return head_inputs(model, scene, pairs, capacity, images)


def _example_cells(model: HOIModel, names: Sequence[str]) -> list[tuple[int, int]]:
    """Rows and columns of the memory, then of the maps of these names.

    No two are equal, because torch makes equal sizes one variable. Those of a finer map are larger:
    extractors work at the resolution of the finest.
    """
    strides = [model.detector.stride, *(model.detector.map_strides[name] for name in names)]
    order = sorted(range(len(strides)), key=lambda index: -strides[index])
    ranks = [order.index(index) for index in range(len(strides))]
    return [(ROWS + 2 * rank, COLUMNS + 2 * rank) for rank in ranks]


def write_torch(program: ExportedProgram, path: Path) -> None:
    """Write a .pt2 file, to be read by torch.export.load."""
    torch.export.save(program, path)


def check_onnx() -> None:
    """Before a model is loaded and traced: can it be written?

    Raises:
        UserError: onnx and onnxscript are not installed.
    """
    # torch names only the first that it misses, and not how to get it.
    if find_spec("onnx") is None or find_spec("onnxscript") is None:
        raise UserError(
            "--format onnx needs onnx and onnxscript: pip install 'rmlr-lightning[export]'"
        )


def write_onnx(program: ExportedProgram, inputs: dict[str, Tensor], path: Path) -> None:
    """Write one .onnx file with its weights inside; see `check_onnx`."""
    # It warns of a part of the graph that it leaves as it is.
    logging.getLogger("onnxscript").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # One file: weights of some ten MB need no second one, and are not lost beside it.
        torch.onnx.export(
            program,
            f=path,
            dynamo=True,
            input_names=list(inputs),
            output_names=list(OUTPUTS),
            external_data=False,
            verbose=False,
        )


def sidecar(path: Path) -> Path:
    """The JSON file beside a program."""
    return path.with_name(f"{path.name}.json")


def write_sidecar(path: Path, description: dict[str, Any]) -> Path:
    """Write the JSON file beside a program; returns its path."""
    write_atomic(sidecar(path), json.dumps(description, indent=1).encode())
    return sidecar(path)


def describe(
    model: HOIModel, vocabulary: Vocabulary, inputs: dict[str, Tensor], capacity: Capacity
) -> dict[str, Any]:
    """All that a program needs which runs the head without this package."""
    # The head works with the tokens of this detector only: the reader compares the hash.
    detector = model.detector.fingerprint()["weights"]
    axes = variable_axes(list(inputs))
    pairs = ["batch", capacity.pairs, len(vocabulary.verbs)]
    return {
        "inputs": [
            {
                "name": name,
                "dtype": str(value.dtype).removeprefix("torch."),
                "shape": [axes[name].get(axis, size) for axis, size in enumerate(value.shape)],
            }
            for name, value in inputs.items()
        ],
        "outputs": [{"name": name, "dtype": "float32", "shape": pairs} for name in OUTPUTS],
        "capacity": capacity._asdict(),
        "selection": model.selection._asdict(),
        "power": model.power,
        "detector": detector,
        "vocabulary": plain_vocabulary(vocabulary),
    }
