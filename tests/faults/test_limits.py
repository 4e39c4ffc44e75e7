"""A limit of the machine is not taken for damage of the file that was being read."""

import errno
import os
import tempfile
import zipfile
from pathlib import Path

import pytest
import torch
from PIL import Image

from rmlr_lightning.detectors import checkpoint_file
from rmlr_lightning.detectors.bounded import bounded_construction
from rmlr_lightning.images.image_check import Annotated, check_images
from rmlr_lightning.images.image_file import open_image
from rmlr_lightning.models import checkpoint, network_weights
from rmlr_lightning.runs.user_errors import user_message

pytestmark = pytest.mark.fault


def check_image(path: Path) -> None:
    check_images(lambda name: path, [Annotated(path.name, (4, 4), (0, 0))])


def construct(path: Path) -> None:
    with bounded_construction(str(path), 1):
        torch.load(path)


READERS = {
    "image": (open_image, Image, "open"),
    "check of images": (check_image, Image, "open"),
    "checkpoint": (checkpoint.read_file, torch, "load"),
    "archive": (checkpoint.read_file, zipfile, "ZipFile"),
    "detector": (checkpoint_file.read_weights, torch, "load"),
    "detector, safetensors": (checkpoint_file.read_weights, checkpoint_file, "load_file"),
    "extractor": (network_weights.read_weights, torch, "load"),
    "model": (construct, torch, "load"),
}


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "the GPU's memory"),
        (MemoryError(), "the memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "the memory"),
    ],
)
def test_memory_that_runs_out_is_one_line_with_the_options(error, line):
    message = user_message(error)
    assert message.startswith(f"{line} ran out; use a smaller data.batch_size")
    assert "\n" not in message


@pytest.mark.parametrize(
    "error",
    [
        BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)),  # of os.fork
        RuntimeError("can't start new thread"),
    ],
)
def test_a_limit_of_processes_is_one_line_with_the_option(error):
    """As in a container with `--pids-limit`."""
    assert user_message(error).startswith("no further process can be started")
    assert "data.num_workers=0" in user_message(error)


def test_a_machine_without_temporary_files_is_one_line(tmp_path, monkeypatch):
    """As in a container with `--read-only`; Matplotlib and torch ask for such a folder."""
    missing = [str(tmp_path / "missing")]
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: missing)
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(OSError) as caught:
        try:
            tempfile.mkdtemp()
        except OSError as error:
            raise OSError("Matplotlib requires access to a writable cache directory") from error
    assert user_message(caught.value).startswith("no folder for temporary files can be written")


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("number", "line"),
    [
        (errno.EMFILE, "too many open files"),
        (errno.ENOMEM, "memory ran out"),
        (errno.ESTALE, "the network disk has lost the file"),
    ],
)
def test_the_limit_is_named_and_the_file_is_not_blamed(reader, number, line, tmp_path, monkeypatch):
    read, module, function = READERS[reader]
    path = tmp_path / ("a.safetensors" if "safetensors" in reader else "a.pt")
    torch.save({"weight": torch.zeros(1)}, path)

    def refuse(*arguments, **options):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(module, function, refuse)
    with pytest.raises(OSError) as caught:
        read(path)
    assert caught.value.errno == number
    assert user_message(caught.value).startswith(f"{path}: {line}")
