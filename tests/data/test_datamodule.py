from types import SimpleNamespace

import pytest

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.errors import UserError


def with_processes(items, world):
    """A DataModule of so many validation items, as one process of `world` sees it."""
    module = DataModule(train=list, val=lambda: list(range(items)), test=list)
    root = SimpleNamespace(root_device=SimpleNamespace(type="cpu"))
    module.trainer = SimpleNamespace(world_size=world, global_rank=world - 1, strategy=root)
    return module


def test_a_process_without_an_image_to_evaluate_is_refused():
    assert len(with_processes(2, 2).val_dataloader()) == 1
    with pytest.raises(UserError, match="3 processes for the 2 images of the val split"):
        with_processes(2, 3).val_dataloader()
