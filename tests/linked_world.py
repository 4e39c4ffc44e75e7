"""The small benchmark of the tests in another folder of data."""

from pathlib import Path


def link_world(world: Path, data: Path) -> None:
    """Link it and its text embeddings, so that neither is made again."""
    text = world.parent / "text"
    text.mkdir(exist_ok=True)
    for folder in (world, text):
        (data / folder.name).symlink_to(folder)
