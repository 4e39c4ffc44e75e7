"""Damaged and hostile files, made at random: `make test-fuzz` has twenty times as many."""

import gzip
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
import torch

from rmlr_lightning import files
from rmlr_lightning.annotations.file import AnnotationError
from rmlr_lightning.annotations.hicodet import read_hicodet
from rmlr_lightning.detectors import bounded
from rmlr_lightning.detectors.bounded import bounded_construction
from rmlr_lightning.detectors.checkpoint_file import read_weights
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import load_checkpoint, read_file
from rmlr_lightning.ops.finite import check_weights
from rmlr_lightning.scoring.detection_columns import read_content
from rmlr_lightning.synthetic.mat_structs import HEADER
from tests.faults.fuzz.__main__ import all_readers
from tests.faults.fuzz.harness import damaged_file, distinct, fuzz

pytestmark = pytest.mark.fault
SEED = 20261127
PARTS = ("detr.pth", "weights.safetensors")  # a whole DETR has 160 MB


@pytest.fixture(scope="module")
def readers(tmp_path_factory):
    return all_readers(tmp_path_factory.mktemp("valid"))


def test_every_valid_file_is_read(readers, tmp_path):
    (tmp_path / "run").mkdir()
    for reader in readers:
        if reader.name in PARTS:
            continue
        path = tmp_path / reader.file
        path.write_bytes(reader.encode(reader.document, _NotRandom()))
        reader.read(path)


@pytest.mark.slow
def test_damaged_files_are_read_with_sense_or_refused_in_one_line(readers, tmp_path):
    print(f"seed {SEED}")
    (tmp_path / "run").mkdir()
    findings = [found for found in fuzz(readers, 5_000, SEED, tmp_path) if found]
    assert not findings, "\n".join(distinct(findings))


def test_an_input_can_be_made_again(readers):
    first = [damaged_file(reader, SEED, 3) for reader in readers]
    assert first == [damaged_file(reader, SEED, 3) for reader in readers]


class _NotRandom:
    def random(self) -> float:
        return 0.5

    def choice(self, values):
        return values[0]

    def randrange(self, stop: int) -> int:
        return 2


@pytest.fixture
def small_limit(monkeypatch):
    """The limit as if memory were small."""
    monkeypatch.setattr(files, "LARGEST_UNPACKED", 10_000)


def test_an_archive_that_unpacks_to_very_much_is_refused(small_limit, tmp_path):
    bomb = b"[" + b" " * 10_000_000 + b"]"
    path = tmp_path / "a.json"
    path.write_bytes(gzip.compress(bomb))
    for read in (read_hicodet, read_content):
        with pytest.raises(UserError, match=r"a\.json: unpacks to more than .* bytes"):
            read(path)


def test_an_archive_below_the_limit_is_read_whatever_its_ratio(tmp_path):
    path = tmp_path / "a.json"
    path.write_bytes(gzip.compress(b"[" + b" " * 1_000_000 + b"]"))
    assert read_content(path) == []


def test_a_matlab_variable_that_unpacks_to_very_much_is_refused(small_limit, tmp_path):
    name = b"bbox_test"
    head = struct.pack("<IIIIIIIIII", 14, 0, 6, 8, 6, 0, 5, 8, 1, 1)
    head += struct.pack("<II", 1, len(name)) + name.ljust(16, b"\0")
    packed = zlib.compress(head + bytes(10_000_000))
    path = tmp_path / "anno_bbox.mat"
    path.write_bytes(HEADER + struct.pack("<II", 15, len(packed)) + packed)
    with pytest.raises(AnnotationError, match="unpacks to more than"):
        read_hicodet(path)


def test_an_npz_that_unpacks_to_very_much_is_refused(small_limit, tmp_path):
    np.savez_compressed(tmp_path / "a.npz", scores=np.zeros(10_000_000))
    with pytest.raises(UserError, match="unpacks to more than"):
        read_content(tmp_path / "a.npz")


def test_an_npz_of_python_objects_is_not_unpickled(tmp_path):
    np.savez(tmp_path / "a.npz", scores=np.array([{"a": 1}], dtype=object))
    with pytest.raises(UserError, match="holds Python objects"):
        read_content(tmp_path / "a.npz")


def test_a_compressed_checkpoint_is_refused(tmp_path):
    with io.BytesIO() as file:
        torch.save({"state_dict": {"a": torch.zeros(1000)}}, file)
        with zipfile.ZipFile(file) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(tmp_path / "a.ckpt", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(UserError, match="a compressed archive"):
        read_file(tmp_path / "a.ckpt")


def test_a_configuration_larger_than_its_weights_makes_no_network(monkeypatch):
    monkeypatch.setattr(bounded, "MAX_MODULES", 1_000)
    with pytest.raises(UserError, match="larger network"), bounded_construction("a.json", 10):
        torch.nn.Linear(2**15, 2**15, device="meta")
    with pytest.raises(UserError, match="larger network"), bounded_construction("a.json", 10):
        torch.nn.Sequential(*(torch.nn.Identity() for _ in range(1_001)))


def test_limits_of_a_network_end_with_their_block():
    with bounded_construction("a.json", 10):
        pass
    torch.nn.Linear(2**15, 2**15, device="meta")


@pytest.mark.parametrize("version", [torch.zeros(1000), "1\n2", None, True])
def test_a_format_that_is_no_number_is_named_in_few_words(version, tmp_path):
    torch.save({"state_dict": {}, "format": version}, tmp_path / "a.ckpt")
    with pytest.raises(UserError, match="not of this version") as caught:
        load_checkpoint(tmp_path / "a.ckpt")
    assert len(str(caught.value)) < 300 and "\n" not in str(caught.value)


@pytest.mark.parametrize("stated", ["expanded", "overlapping"])
def test_weights_that_state_a_huge_shape_take_no_time(stated):
    few = torch.zeros(2_000_000)
    huge = (
        few[:1].expand(10**12) if stated == "expanded" else few.as_strided((10**6, 10**6), (1, 1))
    )
    if stated == "expanded":
        check_weights({"a": huge}, "a.ckpt")
    else:
        with pytest.raises(UserError, match=r"a\.ckpt: 1 of 1 weights"):
            check_weights({"a": huge}, "a.ckpt")


def test_repeated_values_that_are_not_finite_are_found():
    with pytest.raises(UserError, match=r"a\.ckpt: 1 of 1 weights"):
        check_weights({"a": torch.tensor([[1.0], [torch.nan]]).expand(2, 10**9)}, "a.ckpt")


def test_the_options_of_a_detector_file_have_types(tmp_path):
    torch.save({"model": {"a": torch.zeros(1)}, "args": {"nheads": torch.zeros(2)}}, tmp_path / "a")
    with pytest.raises(UserError, match="nheads of its args is not of type int"):
        read_weights(tmp_path / "a")


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a\nb", r"a\nb"), ("\x1b[31m", r"\x1b[31m"), ("\u202egnp", r"\u202egnp"), ("ä 中", "ä 中")],
)
def test_messages_are_one_line_that_controls_no_terminal(text, shown):
    assert str(UserError(f"{text}: no such file")) == f"{shown}: no such file"
