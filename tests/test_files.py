"""Files appear whole, from one writer, or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

import rmlr_lightning
from rmlr_lightning import HOIDetector
from rmlr_lightning.detectors.weights import network_from_hub
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import (
    ask_hub,
    remove_leftovers,
    sha256_file,
    write_atomic,
    write_once,
    written_atomically,
)
from rmlr_lightning.models.clip_vision import clip_network
from rmlr_lightning.text.language_model import load_language_model

SHA256_OF_ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def only_file(folder: Path) -> Path:
    (path,) = folder.iterdir()
    return path


def test_the_hash_is_that_of_the_standard(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert sha256_file(tmp_path / "a") == SHA256_OF_ABC


def test_an_atomic_write_replaces_and_leaves_nothing_else(tmp_path):
    for content in (b"first", b"second"):
        write_atomic(tmp_path / "a", content)
        assert only_file(tmp_path).read_bytes() == content
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "a").stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("name", ["no/such/folder", "a\0b"])
def test_an_impossible_path_is_one_line(name, tmp_path):
    with pytest.raises(UserError, match=r"cannot be written \(.*\); choose a folder") as caught:
        write_atomic(tmp_path / name, b"content")
    assert "\n" not in str(caught.value)


def test_a_failed_write_leaves_the_file_that_was_there(tmp_path, monkeypatch):
    write_atomic(tmp_path / "a", b"first")

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="the disk is full; make room or take another"):
        write_atomic(tmp_path / "a", b"second", way_out="take another")
    assert only_file(tmp_path).read_bytes() == b"first"


def test_content_is_made_once(tmp_path):
    assert write_once(tmp_path / "folder" / "a", lambda: b"first")
    assert write_once(tmp_path / "folder" / "a", lambda: pytest.fail("made again"))
    assert only_file(tmp_path / "folder").read_bytes() == b"first"


def test_who_does_not_wait_leaves_a_file_to_its_writer(tmp_path):
    def content() -> bytes:
        assert not write_once(tmp_path / "a", lambda: b"second", wait=False)
        return b"first"

    assert write_once(tmp_path / "a", content)
    assert only_file(tmp_path).read_bytes() == b"first"


def test_a_failed_writer_gives_its_turn_to_the_next(tmp_path):
    def broken() -> bytes:
        raise OSError("an image cannot be read")

    with pytest.raises(OSError, match="an image"):  # not a matter of the file that is written
        write_once(tmp_path / "a", broken)
    assert write_once(tmp_path / "a", lambda: b"content", wait=False)
    assert only_file(tmp_path).read_bytes() == b"content"


DIES_WHILE_WRITING = """
import os, sys
from pathlib import Path
from rmlr_lightning.files import write_once

def content():
    print("locked", flush=True)
    sys.stdin.readline()

write_once(Path(sys.argv[1]), content)
"""


def test_the_lock_of_a_killed_writer_is_free(tmp_path):
    command = [sys.executable, "-c", DIES_WHILE_WRITING, str(tmp_path / "a")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout.readline() == "locked\n"
        (tmp_path / "a.part").write_bytes(b"half of it")
        assert not write_once(tmp_path / "a", lambda: b"content", wait=False)
        child.kill()
    assert write_once(tmp_path / "a", lambda: b"content", wait=False)
    assert only_file(tmp_path).read_bytes() == b"content"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_leaves_no_half_written_file(tmp_path):
    (tmp_path / "a.part").symlink_to("/dev/full")
    with pytest.raises(UserError, match="the disk is full; make room"):
        write_once(tmp_path / "a", lambda: b"content")
    assert not (tmp_path / "a").exists() and not (tmp_path / "a.part").is_symlink()


def test_leftovers_are_removed_beside_finished_files_only(tmp_path):
    for name in ("a", "a.part", "a.lock", "b.part", "b.lock", "c", "c.lock"):
        (tmp_path / name).touch()
    with FileLock(tmp_path / "c.lock"):
        remove_leftovers(tmp_path)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"a", "b.part", "b.lock", "c", "c.lock"}


def test_the_package_imports_no_unix_module():
    """Windows has no fcntl and no resource; functions may import them after a look at it."""
    for path in Path(rmlr_lightning.__file__).parent.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert not {"import fcntl", "import resource", "import pwd"} & {x.rstrip() for x in lines}


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """Names that the hub is asked for; it answers that there is no network."""
    names = []

    def refuse(self, repository, **_):
        names.append(repository)
        raise ConnectionError("no route to host\nand more")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    return names


def test_the_hub_is_not_asked_for_a_local_folder(asked, tmp_path):
    ask_hub(str(tmp_path))
    assert asked == []


@pytest.mark.fault
def test_without_a_network_the_hub_is_asked_once_with_one_line(asked):
    with pytest.raises(OSError, match=r"^no route to host$"):
        ask_hub("someone/model")
    assert asked == ["someone/model"]


@pytest.mark.fault
@pytest.mark.parametrize(
    "load",
    [
        lambda name: load_language_model(name, "main"),
        clip_network,
        network_from_hub,
        HOIDetector.from_pretrained,
    ],
    ids=["language model", "CLIP", "detector", "whole model"],
)
def test_no_loader_repeats_its_request(load, asked):
    with pytest.raises(UserError, match=r"someone/model.*\(no route to host\)") as caught:
        load("someone/model")
    assert asked == ["someone/model"] and "\n" not in str(caught.value)


def test_a_mistake_that_the_writer_finds_is_no_error_of_the_file(tmp_path):
    class Mistake(UserError, ValueError):
        """As that of an annotation file."""

    with pytest.raises(Mistake, match=r"^row 1$"), written_atomically(tmp_path / "a.json"):
        raise Mistake("row 1")
