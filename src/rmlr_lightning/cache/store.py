"""A cache of one list of pictures in one view: a folder named by what its content follows from."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rmlr_lightning.cache.claim import sweep, write_once
from rmlr_lightning.cache.options import DTYPES
from rmlr_lightning.cache.shard import Shard, encode
from rmlr_lightning.cache.views import View
from rmlr_lightning.errors import UserError
from rmlr_lightning.types import Scene

FORMAT = 1  # a new number leaves all older caches alone
ABOUT = (
    "What a frozen detector said about the pictures of a data set, before selection, written by rmlr-extract. The name "
    "of this folder is a digest of all that follows: it may be copied to other machines, and it may be deleted."
)


class SceneStore:
    """Shards of a fixed number of images each, and a manifest that says what they are.

    Args:
        root: the folder of all caches.
        facts: all that decides the stored bytes, as plain values: detector, preprocessing, data, storage.
        view: how the pictures are shown.
        names: the pictures' file names, in order.
        shard: images a file.
    """

    def __init__(
        self, root: Path, facts: dict[str, Any], view: View, names: Sequence[str], shard: int
    ) -> None:
        self.view, self.names, self.shard = view, list(names), shard
        self.facts = {"format": FORMAT, **facts, "view": view._asdict(), "images_a_shard": shard}
        self.key = hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()[:32]
        self.path = root / self.key
        self.dtype = DTYPES[facts["storage"]["dtype"]]
        self.count = -(-len(self.names) // shard)
        self._open: dict[int, Shard] = {}

    def __getstate__(self) -> dict:
        return self.__dict__ | {"_open": {}}  # a loading process maps the files itself

    def file(self, number: int) -> Path:
        """Where a shard lies."""
        return self.path / f"scenes_{number:05d}.safetensors"

    def images(self, number: int) -> range:
        """The images of a shard."""
        return range(number * self.shard, min((number + 1) * self.shard, len(self.names)))

    def missing(self) -> list[int]:
        """Shards that are not there."""
        there = {path.name for path in self.path.glob("*.safetensors")}
        return [number for number in range(self.count) if self.file(number).name not in there]

    def write(
        self,
        scenes: Callable[[range], Sequence[Scene]],
        rank: int = 0,
        world: int = 1,
        done: Callable | None = None,
    ) -> None:
        """Make what is missing, beside any other processes that do the same.

        This process takes shards rank, rank + world, ... first, then whatever nobody has begun, and then waits for
        those that others are at (and makes them where the other has died).

        Args:
            scenes: images -> their Scenes, packed; must not depend on what was there before.
            done: told the number of a shard that is there now.
        """
        manifest = json.dumps({"about": ABOUT, **self.facts}, indent=1) + "\n"
        write_once(self.path / "manifest.json", manifest.encode)
        order = sorted(self.missing(), key=lambda number: ((number - rank) % world, number))
        for wait in (False, True):
            left = []
            for number in order:
                if self._write(number, scenes, wait):
                    if done is not None:
                        done(number)
                else:
                    left.append(number)
            order = left
        sweep(self.path)

    def _write(self, number: int, scenes: Callable[[range], Sequence[Scene]], wait: bool) -> bool:
        images = self.images(number)

        def content() -> bytes:
            return encode(scenes(images), self.names[images.start : images.stop])

        return write_once(self.file(number), content, wait)

    def scene(self, index: int) -> Scene:
        """The Scene of one image, without batch dimension, as stored.

        Raises:
            UserError: a missing or damaged file, by name.
        """
        number, place = divmod(index, self.shard)
        return self._shard(number).scene(place)

    def problems(self) -> list[str]:
        """One line for all that is missing or damaged. Reads every byte."""
        found = []
        for number in range(self.count):
            self._open.pop(number, None)  # what was checked before may have changed since
            try:
                found += self._shard(number).problems()
            except UserError as error:
                found.append(str(error))
        return found

    def _shard(self, number: int) -> Shard:
        if number not in self._open:
            images = self.images(number)
            self._open[number] = Shard(
                self.file(number), self.names[images.start : images.stop], self.dtype
            )
        return self._open[number]
