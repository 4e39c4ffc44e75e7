from types import SimpleNamespace

import pytest

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError


def with_processes(items, world):
    """A DataModule of so many validation images, in the last of `world` processes."""
    module = DataModule(train=list, val=lambda: list(range(items)), test=list)
    root = SimpleNamespace(root_device=SimpleNamespace(type="cpu"))
    module.trainer = SimpleNamespace(world_size=world, global_rank=world - 1, strategy=root)
    return module


def test_a_process_without_an_image_to_evaluate_is_refused():
    assert len(with_processes(2, 2).val_dataloader()) == 1
    with pytest.raises(UserError, match="3 processes for the 2 images of the val split"):
        with_processes(2, 3).val_dataloader()


def test_data_sets_are_made_once_and_only_if_used():
    made = []
    module = DataModule(
        train=lambda: made.append("train") or [1, 2],
        val=lambda: made.append("val") or [3],
        test=lambda: made.append("test") or [4],
    )
    assert made == []
    assert module.dataset("val") is module.dataset("val") is module.uncached_dataset("val")
    assert made == ["val"]


def test_data_are_prepared_once():
    made = []
    module = DataModule(train=list, val=list, test=list, prepare=lambda: made.append(1))
    for _ in range(3):
        module.prepare_data()
    assert made == [1]


def test_wrapped_data_sets_take_the_place_of_their_originals():
    module = DataModule(train=lambda: [1, 2], val=lambda: [3], test=lambda: [4])
    module.wrap_datasets(lambda split, dataset: [split, *dataset])
    assert module.dataset("train") == ["train", 1, 2]
    assert module.dataset("val") == ["val", 3]
    assert module.uncached_dataset("train") == [1, 2]

    module.wrap_datasets(None)
    assert module.dataset("train") is module.uncached_dataset("train")


def test_at_most_one_loading_process_per_core_is_started(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1}, raising=False)
    modules = [DataModule(list, list, list, num_workers=number) for number in (0, 1, 2, 4)]
    assert [module.num_workers for module in modules] == [0, 1, 2, 2]


@pytest.mark.parametrize(
    "options", [{"batch_size": 0}, {"eval_batch_size": 1.5}, {"num_workers": -1}]
)
def test_sizes_are_whole_numbers(options):
    (key,) = options
    with pytest.raises(UserError, match=rf"^data\.{key}=.*expected a whole number from"):
        DataModule(train=list, val=list, test=list, **options)
