"""Data sets that read Scenes, batches of them, and the order they come in."""

import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torchvision.transforms import v2

from rmlr_lightning.cache.dataset import CachedHOIDataset
from rmlr_lightning.cache.fingerprint import fingerprint
from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.store import SceneStore
from rmlr_lightning.data.collate import collate, collate_scenes, single_scenes
from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.sampler import GroupBySize
from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest, transform
from rmlr_lightning.data.views import view_of
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Entities, Scene
from rmlr_lightning.vocabulary import PERSON, hicodet
from tests.scenes import noise_image, random_scene, target_of
from tests.tasks.tiny_task import tiny_task

COUNT, SIZE = 9, (120, 160)


def first(scene: Scene) -> Scene:
    return Scene(
        Entities(*(field[0] for field in scene.entities)), *(field[0] for field in scene[1:4])
    )


def scene_of(index: int, view: int = 0) -> Scene:
    return first(single_scenes(random_scene(1, 6 + index, seed=index + 100 * view))[0])


@pytest.fixture
def uncached(tmp_path) -> HOIDataset:
    """Images of noise with one interaction each."""
    for index in range(COUNT):
        noise_image(*SIZE[::-1], 60).convert("RGB").save(tmp_path / f"{index}.jpg")
    targets = [
        target_of([[10, 20, 50, 100]], [[40 + index, 60, 120, 90]], [1], [3], SIZE, image_id=index)
        for index in range(COUNT)
    ]
    annotations = SimpleNamespace(vocabulary=hicodet(), targets=targets)
    augment = v2.Compose([v2.RandomHorizontalFlip(), v2.ColorJitter(0.2)])
    return HOIDataset(annotations, tmp_path, ResizeExact(64, 96), augment)


def folders_of(uncached: HOIDataset, views: int = 1) -> list[SceneStore]:
    names = [target.file_name for target in uncached.targets]
    folders = []
    for number in range(views):
        options = CacheOptions(path=uncached.images / "features", dtype="fp32", shard=4)
        folders.append(SceneStore({}, options, view_of(number), names))
        folders[-1].write(
            lambda images, number=number: [scene_of(index, number) for index in images]
        )
    return folders


def test_scenes_of_different_size_are_padded_and_masked_and_come_apart_again():
    singles = [first(single_scenes(random_scene(1, count, seed=count))[0]) for count in (3, 9)]
    small = singles[0]._replace(
        memory=singles[0].memory[:, :4, :7], memory_mask=singles[0].memory_mask[:4, :7]
    )
    batch = collate_scenes([small, singles[1]])
    assert batch.memory_mask.sum((1, 2)).tolist() == [28, 48]
    assert batch.entities.mask.sum(1).tolist() == [
        len(small.entities.scores),
        len(singles[1].entities.scores),
    ]
    assert (batch.memory[0][:, ~batch.memory_mask[0]] == 0).all()
    for expected, found in zip([small, singles[1]], single_scenes(batch), strict=True):
        torch.testing.assert_close(first(found), expected)


def test_maps_are_padded_and_cut_by_the_share_of_the_memory():
    singles = []
    for height, width in ((4, 7), (6, 8)):
        scene = scene_of(0)
        singles.append(
            scene._replace(
                memory=scene.memory[:, :height, :width],
                memory_mask=scene.memory_mask[:height, :width],
                maps={"c4": torch.rand(3, 2 * height, 2 * width)},
            )
        )
    batch = collate_scenes(singles)
    assert batch.maps["c4"].shape == (2, 3, 12, 16)
    assert (batch.maps["c4"][0, :, 8:] == 0).all() and (batch.maps["c4"][0, :, :, 14:] == 0).all()
    for expected, found in zip(singles, single_scenes(batch), strict=True):
        assert torch.equal(found.maps["c4"][0], expected.maps["c4"])


def test_half_precision_comes_out_as_float32():
    scene = scene_of(0)
    half = scene._replace(
        memory=scene.memory.half(),
        entities=scene.entities._replace(
            labels=torch.zeros_like(scene.entities.labels, dtype=torch.uint8)
        ),
    )
    batch = collate_scenes([half])
    assert batch.memory.dtype == torch.float32 and batch.entities.labels.dtype == torch.int64
    assert torch.equal(batch.memory[0], half.memory.float())


def test_an_item_is_the_scene_of_its_image_and_no_pixels(uncached):
    batch = collate(
        [CachedHOIDataset(uncached, folders_of(uncached), PERSON)[index] for index in (2, 5)]
    )
    assert batch.inputs.images is None and batch.inputs.external is None
    assert batch.image_ids == [2, 5]
    for found, index in zip(single_scenes(batch.inputs.scene), (2, 5), strict=True):
        torch.testing.assert_close(first(found), scene_of(index))


def test_pixels_come_beside_the_scene_without_augmentation(uncached):
    item = CachedHOIDataset(uncached, folders_of(uncached), PERSON, pixels=True)[3]
    expected = transform(uncached.image("3.jpg"), [], uncached.resize).pixels
    assert torch.equal(item.pixels, expected)


def test_a_flipped_view_mirrors_pixels_and_boxes_as_the_pixel_pipeline_does(uncached):
    folders = folders_of(uncached, 2)
    item = CachedHOIDataset(uncached, folders[1:], PERSON, pixels=True)[4]
    flipped = HOIDataset.__new__(HOIDataset)
    flipped.__dict__ = uncached.__dict__ | {"augment": v2.RandomHorizontalFlip(p=1.0)}
    expected = flipped[4]
    assert torch.equal(item.pixels, expected.pixels)
    torch.testing.assert_close(item.truth, expected.truth)
    torch.testing.assert_close(item.scene.entities.boxes, scene_of(4, 1).entities.boxes)


def test_views_are_fixed_by_their_number():
    assert [(view_of(n).flip, view_of(n).scale) for n in range(4)] == [
        (False, 1),
        (True, 1),
        (False, 0.8),
        (True, 0.8),
    ]
    assert view_of(2).resize(ResizeShortest(800, 1333)).canvas(480, 640) == (640, 853)
    assert view_of(2).resize(ResizeExact(160, 224)).canvas(480, 640) == (128, 192)


def test_training_draws_among_views_and_repeats_under_a_seed(uncached):
    data = CachedHOIDataset(uncached, folders_of(uncached, 2), PERSON)
    torch.manual_seed(0)
    drawn = [round(160 * float(data[1].truth.boxes_h[0, 0])) for _ in range(20)]
    torch.manual_seed(0)
    assert drawn == [round(160 * float(data[1].truth.boxes_h[0, 0])) for _ in range(20)]
    assert set(drawn) == {10, 110}


def test_true_boxes_of_a_flipped_view_are_flipped(uncached):
    uncached.external = "truth"
    data = CachedHOIDataset(uncached, folders_of(uncached, 2)[1:], PERSON)
    external = collate([data[0]]).inputs.external
    assert external.boxes[0, 0].tolist() == pytest.approx(
        [1 - 50 / 160, 20 / 120, 1 - 10 / 160, 100 / 120]
    )


def test_missing_augmentations_are_named(uncached):
    assert CachedHOIDataset(uncached, folders_of(uncached), PERSON).missing_augmentations() == [
        "RandomHorizontalFlip",
        "ColorJitter",
    ]
    assert CachedHOIDataset(uncached, folders_of(uncached, 2), PERSON).missing_augmentations() == [
        "ColorJitter"
    ]


@pytest.mark.parametrize("workers", [0, 1])
def test_a_datamodule_wraps_its_data_sets_and_unwraps_them(workers, uncached):
    module = DataModule(lambda: uncached, lambda: uncached, lambda: uncached, 4, 4, workers)
    folders = folders_of(uncached)
    module.wrap_datasets(lambda split, data: CachedHOIDataset(data, folders, PERSON))
    batches = list(module.test_dataloader())
    assert sum(len(batch.image_ids) for batch in batches) == COUNT
    assert all(batch.inputs.images is None and batch.inputs.scene is not None for batch in batches)
    assert module.vocabulary is uncached.vocabulary
    module.wrap_datasets(None)
    assert next(iter(module.test_dataloader())).inputs.images is not None


def test_costs_and_sizes_are_known_before_any_scene_is_read(uncached, monkeypatch):
    """At the start of a training nothing but scores and the index of each file is read."""
    store = folders_of(uncached)[0]
    data = CachedHOIDataset(uncached, [store], None)
    scenes = [store.scene(index) for index in range(COUNT)]
    confident = [int((scene.entities.scores >= 0.2).sum()) for scene in scenes]
    monkeypatch.setattr(SceneStore, "scene", None)
    expected = [
        (scene.memory_mask.numel(), count * (count - 1))
        for scene, count in zip(scenes, confident, strict=True)
    ]
    assert data.costs() == expected
    assert data.largest() == ({"memory": tuple(scenes[0].memory.shape[1:])}, 1)


@pytest.mark.parametrize("world", [1, 2, 3])
def test_similar_items_come_together_and_all_processes_get_as_many(world):
    costs = [(number * 37) % 100 for number in range(100)]
    orders = [list(GroupBySize(costs, 5, rank, world)) for rank in range(world)]
    seen = [item for order in orders for item in order]
    assert len(set(seen)) == len(seen) and {len(order) for order in orders} == {100 // world}
    batches = [order[i : i + 5] for order in orders for i in range(0, len(order) // 5 * 5, 5)]
    spread = sum(
        max(costs[i] for i in batch) - min(costs[i] for i in batch) for batch in batches
    ) / len(batches)
    assert spread < 20  # five numbers drawn from 0..99 lie 67 apart


def test_every_epoch_has_another_order():
    sampler = GroupBySize(list(range(40)), 4)
    before = list(sampler)
    assert before == list(sampler)
    sampler.set_epoch(1)
    assert before != list(sampler)


def test_grouped_batches_are_cached_or_not(uncached):
    module = DataModule(
        lambda: uncached, lambda: uncached, lambda: uncached, 4, 4, 0, group_by_size=True
    )
    folders = folders_of(uncached)
    assert len(list(module.train_dataloader())) == 2
    module.wrap_datasets(lambda split, data: CachedHOIDataset(data, folders, PERSON))
    assert len(list(module.train_dataloader())) == 2


def test_the_fingerprint_follows_names_order_and_content_but_not_the_place(tmp_path):
    def filled(folder: Path, text: str = "bb") -> Path:
        folder.mkdir()
        (folder / "a").write_text("aa")
        (folder / "b").write_text(text)
        return folder

    here = filled(tmp_path / "here")
    known = fingerprint(here, ["a", "b"])
    assert fingerprint(filled(tmp_path / "there"), ["a", "b"]) == known
    others = [
        fingerprint(here, ["b", "a"]),
        fingerprint(here, ["a"]),
        fingerprint(filled(tmp_path / "changed", "bc"), ["a", "b"]),
    ]
    assert len({known, *others}) == 4


def test_the_fingerprint_is_remembered_until_a_file_changes(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("aa")
    known = fingerprint(tmp_path, ["a"], tmp_path / "notes")
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
        assert fingerprint(tmp_path, ["a"], tmp_path / "notes") == known
    (tmp_path / "a").write_text("ab")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert fingerprint(tmp_path, ["a"], tmp_path / "notes") != known


def test_a_missing_image_is_named(tmp_path):
    with pytest.raises(UserError, match="nothing: no such image"):
        fingerprint(tmp_path, ["nothing"])


def test_the_manifest_is_plain_json(uncached):
    folder = folders_of(uncached, 2)[1]
    assert json.loads((folder.path / "manifest.json").read_text())["view"] == {
        "number": 1,
        "flip": True,
        "scale": 1.0,
    }


@pytest.mark.parametrize("workers", [0, 1])
def test_training_batches_come_with_the_candidate_pairs_of_the_model(workers, uncached):
    model = tiny_task().model
    cached = CachedHOIDataset(uncached, folders_of(uncached), PERSON)
    data = DataModule(*[lambda: cached] * 3, batch_size=4, num_workers=workers)
    plain = next(iter(data.train_dataloader()))
    expected_scene, expected_pairs, _ = model.candidates(plain.inputs)
    data.rules = model.rules.cpu()
    batch = next(iter(data.train_dataloader()))
    scene, pairs, detected = model.candidates(batch.inputs)

    assert detected is None and batch.image_ids == plain.image_ids
    for found, expected in zip(
        (*scene.entities, *pairs), (*expected_scene.entities, *expected_pairs), strict=True
    ):
        assert torch.equal(found, expected)
    # evaluation counts what the selection drops
    assert next(iter(data.val_dataloader())).inputs.pairs is None


def test_the_largest_maps_and_annotations_are_known_before_training(uncached):
    cached = CachedHOIDataset(uncached, folders_of(uncached), PERSON)
    assert cached.largest() == ({"memory": (6, 8)}, 1)
