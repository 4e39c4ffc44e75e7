"""The store of Scenes: what is written is what is read, however it came to be written."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.pack import pack
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.data.collate import single_scenes
from rmlr_lightning.data.views import view_of
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import remove_leftovers
from rmlr_lightning.types import Entities, Scene
from rmlr_lightning.vocabulary import COCO_OBJECTS
from tests.scenes import random_scene

NAMES = [f"{index:03d}.jpg" for index in range(22)]
FP32 = CacheOptions(dtype="fp32")
FACTS = {"detector": {"weights": "0"}, "data": {"fingerprint": "1"}}


def store_in(root: Path, options: CacheOptions = FP32, shard: int = 5, **facts) -> SceneStore:
    options = replace(options, path=root, shard=shard)
    return SceneStore(FACTS | facts, options, view_of(0), NAMES)


def scenes_of(images: range, options: CacheOptions = FP32) -> list[Scene]:
    """Scenes that depend on the image's number only; each with another number of entities."""
    packed = []
    for index in images:
        scene = pack(single_scenes(random_scene(1, 12, seed=index))[0], options, COCO_OBJECTS)
        packed.append(Scene(Entities(*(f[0] for f in scene.entities)), *(f[0] for f in scene[1:4])))
    return packed


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> SceneStore:
    """A store whose writer was not disturbed."""
    store = store_in(tmp_path_factory.mktemp("scenes"))
    store.write(scenes_of)
    return store


def test_what_is_read_is_what_was_written(whole):
    for index, wanted in enumerate(scenes_of(range(len(NAMES)))):
        found = whole.scene(index)
        torch.testing.assert_close(
            found.entities._replace(labels=found.entities.labels.long()), wanted.entities
        )
        assert torch.equal(found.memory, wanted.memory) and torch.equal(
            found.memory_mask, wanted.memory_mask
        )
        assert torch.equal(found.sizes.long(), wanted.sizes)


@pytest.mark.parametrize(("dtype", "kind"), [("fp16", torch.float16), ("bf16", torch.bfloat16)])
def test_boxes_and_scores_are_exact_whatever_the_precision(dtype, kind, tmp_path):
    options = CacheOptions(dtype=dtype)
    store = store_in(tmp_path, options)
    store.write(lambda images: scenes_of(images, options))
    found, wanted = store.scene(7), scenes_of(range(7, 8))[0]
    assert torch.equal(found.entities.boxes, wanted.entities.boxes)
    assert torch.equal(found.entities.scores, wanted.entities.scores)
    assert torch.equal(found.entities.tokens, wanted.entities.tokens.to(kind))
    assert torch.equal(found.memory, wanted.memory.to(kind))


def test_the_key_follows_every_fact(tmp_path):
    keys = [
        store_in(tmp_path),
        store_in(tmp_path, shard=6),
        store_in(tmp_path, CacheOptions(dtype="fp16")),
        store_in(tmp_path, CacheOptions(dtype="fp32", memory=(3, 4))),
        store_in(tmp_path, CacheOptions(dtype="fp32", entities=5)),
        store_in(tmp_path, CacheOptions(dtype="fp32", entities=5, min_instances=4)),
        store_in(tmp_path, detector={"weights": "1"}),
        store_in(tmp_path, data={"fingerprint": "2"}),
        store_in(tmp_path, preprocessing={"height": 9}),
    ]
    assert len({store.key for store in keys}) == len(keys)
    # All entities are stored: the selection has no influence.
    assert store_in(tmp_path, CacheOptions(dtype="fp32", min_instances=4)).key == keys[0].key


def test_the_manifest_says_what_the_key_follows_from(whole):
    manifest = json.loads((whole.path / "manifest.json").read_text())
    assert {"about", "detector", "data", "storage", "view", "format"} <= manifest.keys()
    assert manifest["view"] == {"number": 0, "flip": False, "scale": 1.0}


def test_two_writers_share_the_work_and_leave_the_same_files(whole, tmp_path):
    made: list[list[int]] = [[], []]
    both = threading.Barrier(2)

    def work(rank: int) -> None:
        def scenes(images):
            if not made[rank]:
                both.wait()  # neither may finish before the other has begun
            made[rank].append(images.start)
            return scenes_of(images)

        store_in(tmp_path).write(scenes, rank, 2)

    threads = [threading.Thread(target=work, args=(rank,)) for rank in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made[0] + made[1]) == [0, 5, 10, 15, 20]
    assert made[0][0] == 0 and made[1][0] == 5
    assert content(tmp_path / whole.key) == content(whole.path)


WRITER = """
import sys
from pathlib import Path
from tests.cache.test_store import store_in, scenes_of
print("ready", flush=True)
sys.stdin.readline()
store_in(Path(sys.argv[1])).write(scenes_of)
"""


@pytest.mark.slow
def test_killed_at_random_moments_and_finished_it_is_the_same(whole, tmp_path):
    chance = random.Random(0)
    for _ in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        child.stdout.readline()
        child.stdin.write("\n")
        child.stdin.flush()
        try:
            child.wait(timeout=chance.uniform(0, 0.03))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        child.stdin.close()
        child.stdout.close()
    store_in(tmp_path).write(scenes_of)
    assert content(tmp_path / whole.key) == content(whole.path)


def test_what_a_killed_writer_left_is_taken_over_or_removed(whole, tmp_path):
    store = store_in(tmp_path)
    store.path.mkdir(parents=True)
    for name in ("manifest.json.part", "scenes_00001.safetensors.part"):
        (store.path / name).write_bytes(b"half of it")
    for name in ("manifest.json.lock", "scenes_00001.safetensors.lock"):
        (store.path / name).touch()
    store.write(scenes_of)
    (store.path / "scenes_00002.safetensors.lock").touch()  # killed right after the renaming
    remove_leftovers(store.path)
    assert content(store.path) == content(whole.path)


def test_every_flipped_byte_of_a_shard_is_found_and_named(whole, tmp_path):
    store = store_in(tmp_path)
    store.write(scenes_of)
    path = store.file(1)
    sound = path.read_bytes()
    chance = random.Random(1)
    header = int.from_bytes(sound[:8], "little") + 8
    places = [*chance.sample(range(header), 40), *chance.sample(range(header, len(sound)), 80)]
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        damages = store.damages()
        assert damages, place
        assert all(
            str(path) in line and "rmlr-extract" in line and "\n" not in line for line in damages
        )


def test_a_damaged_scene_is_named_by_its_image_and_the_others_can_be_read(whole, tmp_path):
    store = store_in(tmp_path)
    store.write(scenes_of)
    path = store.file(1)
    content = bytearray(path.read_bytes())
    token = scenes_of(range(7, 8))[0].entities.tokens.numpy().tobytes()
    content[content.index(token) + 5] ^= 0x40
    path.write_bytes(content)
    store.scene(6)
    with pytest.raises(
        UserError, match=r"scenes_00001\.safetensors: the scene of 007\.jpg is damaged; delete this"
    ):
        store.scene(7)
    assert len(store.damages()) == 1
    path.unlink()
    store.write(scenes_of)
    assert not store.damages() and content != path.read_bytes()


def test_a_cut_or_missing_shard_is_named(whole, tmp_path):
    store = store_in(tmp_path)
    store.write(scenes_of)
    store.file(0).write_bytes(store.file(0).read_bytes()[:-10])
    store.file(2).unlink()
    first, second = store.damages()
    assert "scenes_00000" in first and "damaged" in first
    assert "scenes_00002" in second and "missing" in second
    assert store.missing() == [2]


def out_of_space_when_written(path: Path, monkeypatch) -> None:
    """A partial file that lies on a disk without space."""
    path.parent.mkdir(parents=True)
    path.with_name(path.name + ".part").symlink_to("/dev/full")


def out_of_space_when_synced(path: Path, monkeypatch) -> None:
    calls, fsync = [], os.fsync

    def full(file: int) -> None:
        calls.append(file)
        if len(calls) > 4:  # two for the manifest, two for the first shard
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(file)

    monkeypatch.setattr(os, "fsync", full)


@pytest.mark.parametrize("fill_disk", [out_of_space_when_written, out_of_space_when_synced])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(fill_disk, tmp_path, monkeypatch):
    store = store_in(tmp_path)
    fill_disk(store.file(1), monkeypatch)
    with pytest.raises(UserError, match=r"scenes_00001\S*: the disk is full; make room") as caught:
        store.write(scenes_of)
    assert "features.path=FOLDER" in str(caught.value) and "\n" not in str(caught.value)
    assert not list(store.path.glob("*.part"))
    monkeypatch.undo()
    store.write(scenes_of)
    assert not store.damages() and not list(store.path.glob("*.lock"))
