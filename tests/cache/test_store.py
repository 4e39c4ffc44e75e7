"""The store of Scenes: what is written is what is read, however it came to be written."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from rmlr_lightning.cache.claim import sweep, write_once
from rmlr_lightning.cache.options import CacheOptions, cache_options, pooled
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.cache.views import view_of
from rmlr_lightning.data.collate import single_scenes
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.selection import Selection, select
from rmlr_lightning.types import Entities, Scene
from tests.scenes import random_scene

NAMES = [f"{index:03d}.jpg" for index in range(22)]
FP32 = CacheOptions(dtype="fp32")
FACTS = {"detector": {"weights": "0"}, "data": {"fingerprint": "1"}}


def folder_in(root: Path, storage: CacheOptions = FP32, shard: int = 5, **facts) -> SceneStore:
    return SceneStore(root, FACTS | {"storage": storage.facts()} | facts, view_of(0), NAMES, shard)


def scenes_of(images: range, storage: CacheOptions = FP32) -> list[Scene]:
    """Scenes that depend on the image's number alone; as many entities as chance wills."""
    packed = []
    for index in images:
        scene = storage.pack(single_scenes(random_scene(1, 12, seed=index))[0])
        packed.append(Scene(Entities(*(f[0] for f in scene.entities)), *(f[0] for f in scene[1:])))
    return packed


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> SceneStore:
    """A cache that nobody disturbed."""
    folder = folder_in(tmp_path_factory.mktemp("scenes"))
    folder.write(scenes_of)
    return folder


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
    storage = CacheOptions(dtype=dtype)
    folder = folder_in(tmp_path, storage)
    folder.write(lambda images: scenes_of(images, storage))
    found, wanted = folder.scene(7), scenes_of(range(7, 8))[0]
    assert torch.equal(found.entities.boxes, wanted.entities.boxes)
    assert torch.equal(found.entities.scores, wanted.entities.scores)
    assert torch.equal(found.entities.tokens, wanted.entities.tokens.to(kind))
    assert torch.equal(found.memory, wanted.memory.to(kind))


def test_the_key_follows_every_fact(tmp_path):
    keys = [
        folder_in(tmp_path),
        folder_in(tmp_path, shard=6),
        folder_in(tmp_path, CacheOptions(dtype="fp16")),
        folder_in(tmp_path, CacheOptions(dtype="fp32", memory=(3, 4))),
        folder_in(tmp_path, CacheOptions(dtype="fp32", entities=5)),
        folder_in(tmp_path, CacheOptions(dtype="fp32", entities=5, least=4)),
        folder_in(tmp_path, detector={"weights": "1"}),
        folder_in(tmp_path, data={"fingerprint": "2"}),
        folder_in(tmp_path, preprocessing={"height": 9}),
    ]
    assert len({folder.key for folder in keys}) == len(keys)
    assert (
        folder_in(tmp_path, CacheOptions(dtype="fp32", least=4)).key == keys[0].key
    )  # all entities: `least` says nothing


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

        folder_in(tmp_path).write(scenes, rank, 2)

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
from tests.cache.test_store import folder_in, scenes_of
print("ready", flush=True)
sys.stdin.readline()
folder_in(Path(sys.argv[1])).write(scenes_of)
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
    folder_in(tmp_path).write(scenes_of)
    assert content(tmp_path / whole.key) == content(whole.path)


def test_what_a_killed_writer_left_is_taken_over_or_swept(whole, tmp_path):
    folder = folder_in(tmp_path)
    folder.path.mkdir(parents=True)
    for name in ("manifest.json.part", "scenes_00001.safetensors.part"):
        (folder.path / name).write_bytes(b"half of it")
    folder.write(scenes_of)
    (folder.path / "scenes_00002.safetensors.part").touch()  # died between opening and looking
    sweep(folder.path)
    assert content(folder.path) == content(whole.path)


def test_a_file_is_asked_for_once(tmp_path):
    assert write_once(tmp_path / "a", lambda: b"first")
    assert write_once(tmp_path / "a", lambda: pytest.fail("made again"))
    assert (tmp_path / "a").read_bytes() == b"first"


def test_who_does_not_wait_leaves_a_file_to_its_writer(tmp_path):
    def content() -> bytes:
        assert not write_once(tmp_path / "a", lambda: b"second", wait=False)
        return b"first"

    assert write_once(tmp_path / "a", content)
    assert (tmp_path / "a").read_bytes() == b"first"


def test_every_flipped_byte_of_a_shard_is_found_and_named(whole, tmp_path):
    folder = folder_in(tmp_path)
    folder.write(scenes_of)
    path = folder.file(1)
    sound = path.read_bytes()
    chance = random.Random(1)
    header = int.from_bytes(sound[:8], "little") + 8
    places = [*chance.sample(range(header), 40), *chance.sample(range(header, len(sound)), 80)]
    for place in places:
        damaged = bytearray(sound)
        damaged[place] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        problems = folder.problems()
        assert problems, place
        assert all(
            str(path) in line and "rmlr-extract" in line and "\n" not in line for line in problems
        )


def test_a_damaged_scene_is_named_by_its_image_and_the_others_can_be_read(whole, tmp_path):
    folder = folder_in(tmp_path)
    folder.write(scenes_of)
    path = folder.file(1)
    content = bytearray(path.read_bytes())
    token = scenes_of(range(7, 8))[0].entities.tokens.numpy().tobytes()
    content[content.index(token) + 5] ^= 0x40
    path.write_bytes(content)
    folder.scene(6)
    with pytest.raises(
        UserError, match=r"scenes_00001\.safetensors: the scene of 007\.jpg is damaged; delete this"
    ):
        folder.scene(7)
    assert len(folder.problems()) == 1
    path.unlink()
    folder.write(scenes_of)
    assert not folder.problems() and content != path.read_bytes()


def test_a_cut_or_missing_shard_is_named(whole, tmp_path):
    folder = folder_in(tmp_path)
    folder.write(scenes_of)
    folder.file(0).write_bytes(folder.file(0).read_bytes()[:-10])
    folder.file(2).unlink()
    first, second = folder.problems()
    assert "scenes_00000" in first and "damaged" in first
    assert "scenes_00002" in second and "missing" in second
    assert folder.missing() == [2]


@pytest.mark.parametrize("step", ["write", "fsync"])
def test_a_full_disk_is_one_line_and_leaves_nothing_half_written(step, tmp_path, monkeypatch):
    folder = folder_in(tmp_path)
    real, calls = getattr(os, step), []

    def full(file, *rest):
        calls.append(file)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(file, *rest)

    monkeypatch.setattr(os, step, full)
    with pytest.raises(UserError, match=r"the disk is full; make room") as caught:
        folder.write(scenes_of)
    assert "\n" not in str(caught.value)
    assert not list(folder.path.glob("*.part"))
    monkeypatch.undo()
    folder.write(scenes_of)
    assert not folder.problems()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("entities", [1, 4, 30])
def test_few_entities_still_hold_what_selection_needs(entities, seed):
    scene = random_scene(3, 40, seed)
    confident = Selection(score_threshold=2.0, nms_iou=0.5, min_instances=3, max_instances=15)
    few = CacheOptions(dtype="fp32", entities=entities, least=3, nms=0.5).pack(scene)
    torch.testing.assert_close(select(few, confident).entities, select(scene, confident).entities)
    top = (
        torch.where(scene.entities.mask, scene.entities.scores, -1.0)
        .sort(dim=1, descending=True)
        .values
    )
    for image in range(3):
        kept = few.entities.scores[image][few.entities.mask[image]]
        count = min(entities, int(scene.entities.mask[image].sum()))
        assert set(top[image, :count].tolist()) <= set(kept.tolist())
        assert len(kept) <= entities + 6


def test_pooling_averages_over_what_is_real():
    memory, mask = torch.rand(1, 2, 6, 8), torch.zeros(1, 6, 8, dtype=torch.bool)
    mask[:, :4, :6] = True
    cells, real = pooled(memory, mask, (3, 4))
    assert real[0].tolist() == [[True, True, True, False], [True, True, True, False], [False] * 4]
    torch.testing.assert_close(cells[0, :, 1, 2], memory[0, :, 2:4, 4:6].mean((1, 2)))
    mean, _ = pooled(memory, mask, (1, 1))
    torch.testing.assert_close(mean[0, :, 0, 0], memory[0, :, :4, :6].mean((1, 2)))


def test_an_image_of_a_detr_r50_is_as_small_as_promised():
    size = {"queries": 100, "token_dim": 256, "memory_dim": 256, "memory": (25, 34)}
    assert CacheOptions(memory="full").image_bytes(**size) <= 500_000
    assert CacheOptions(memory=(3, 4), entities=28).image_bytes(**size) <= 25_000


def test_the_estimate_is_near_the_file(tmp_path):
    count, width, height = 100, 256, 34
    scene = random_scene(1, count, 0, width)
    scene = scene._replace(
        memory=torch.rand(1, width, 25, height), memory_mask=torch.ones(1, 25, height).bool()
    )
    scene = scene._replace(entities=scene.entities._replace(mask=torch.ones(1, count).bool()))
    for storage in (
        CacheOptions(),
        CacheOptions(memory=(3, 4), entities=28),
        CacheOptions(dtype="bf16", memory="none"),
    ):
        single = storage.pack(scene)
        single = Scene(Entities(*(f[0] for f in single.entities)), *(f[0] for f in single[1:]))
        folder = SceneStore(tmp_path, FACTS | {"storage": storage.facts()}, view_of(0), NAMES, 22)
        folder.write(lambda images, single=single: [single] * len(images))
        promised = storage.image_bytes(count, width, width, (25, height)) * len(NAMES)
        assert folder.file(0).stat().st_size <= promised * 1.01
        assert folder.file(0).stat().st_size >= promised * 0.8


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("fp8", "full", None), "features.dtype"),
        (("fp16", [3], None), "features.memory"),
        (("fp16", "full", 0), "entities"),
    ],
)
def test_options_that_cannot_be_are_named(options, said):
    with pytest.raises(UserError, match=said):
        cache_options(*options)
