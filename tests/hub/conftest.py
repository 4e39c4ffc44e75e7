"""A saved model, and an image."""

from pathlib import Path

import pytest

from rmlr_lightning import HOIDetector
from tests.scenes import noise_image
from tests.untrained import untrained_checkpoint


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained_checkpoint(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="session")
def from_checkpoint(checkpoint: Path) -> HOIDetector:
    return HOIDetector.from_checkpoint(checkpoint)


@pytest.fixture(scope="session")
def folder(from_checkpoint: HOIDetector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "model"
    from_checkpoint.save_pretrained(path)
    return path


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    noise_image(224, 160, 50).convert("RGB").save(path)
    return path
