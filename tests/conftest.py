"""Shape annotations are checked in tests.

jaxtyping's hook is installed before the first import of the package.
"""

import signal
from pathlib import Path

import pytest
import torch
from jaxtyping import install_import_hook

install_import_hook(
    [
        "rmlr_lightning.ops",
        "rmlr_lightning.detectors",
        "rmlr_lightning.models",
        "rmlr_lightning.losses",
        "rmlr_lightning.text",
    ],
    "beartype.beartype",
)

# Shells ignore Ctrl-C in the jobs that they start in the background, and nohup a closed terminal.
# Their children inherit it.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests go first, so that no process waits for another one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    """Every test draws the same numbers in every run, alone or among others."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small embedded world on disk."""
    from rmlr_lightning.synthetic import WorldConfig, write_world

    out = tmp_path_factory.mktemp("data") / "synthetic"
    write_world(WorldConfig(train=60, val=24, test=48, seed=3), out)
    return out
