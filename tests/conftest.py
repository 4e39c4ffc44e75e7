"""Shape annotations are checked in tests.

jaxtyping's hook is installed before the first import of the package.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import install_import_hook

# With AVX-512, oneDNN in torch 2.15 writes outside of its memory in the backward pass of a strided
# 1 x 1 convolution of 8 channels, channels last. Only the tiny networks of tests have one.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")

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
    """Files with slow tests go first, so that no process waits for another one at the end.

    Tests in the browser get their marker.
    """
    for item in items:
        if "chromium" in item.fixturenames:
            item.add_marker("browser")
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


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Headless Chromium as playwright's Browser."""
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    driver = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright: make test-browser", exc_type=ImportError
    )
    with driver.sync_playwright() as playwright:
        # root needs --no-sandbox; the tests open no page of strangers
        with playwright.chromium.launch(executable_path=program, args=["--no-sandbox"]) as browser:
            yield browser
