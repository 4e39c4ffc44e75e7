"""A store: the Scenes of one list of images in one view, in a folder named by a hash."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from rmlr_lightning.cache.options import CacheOptions
from rmlr_lightning.cache.shard import Outline, Shard, encode
from rmlr_lightning.data.views import View
from rmlr_lightning.errors import UserError
from rmlr_lightning.files import remove_leftovers, write_once
from rmlr_lightning.types import Scene

FORMAT = 2  # of the files; stores of another format are ignored
ABOUT = (
    "Outputs of a frozen detector for the images of a data set, before selection; written by "
    "rmlr-extract. The name of this folder is a hash of the values below. The folder may be copied "
    "to other machines, and it may be deleted."
)
WAY_OUT = "choose another folder with features.path=FOLDER"


class SceneStore:
    """Shards of a fixed number of images each, and a manifest of what determines their content.

    Args:
        facts: what determines the stored bytes besides the view and the options, as plain JSON
            values: detector, preprocessing, data.
        options: path, precision and size of the store.
        view: how the images are shown to the detector.
        names: file names of the images, in order.
    """

    def __init__(
        self, facts: dict[str, Any], options: CacheOptions, view: View, names: Sequence[str]
    ) -> None:
        self.view, self.names = view, list(names)
        self.images_per_shard = options.shard
        self.dtype = options.torch_dtype
        self.facts = {
            "format": FORMAT,
            **facts,
            "storage": options.facts(),
            "view": view._asdict(),
            "images_per_shard": options.shard,
        }
        # 128 bits: short enough for a folder name, too many for two stores to share one.
        self.key = hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()[:32]
        # Stores of other data, detectors or options lie beside this one and are left alone.
        self.path = Path(options.path) / self.key
        self.num_shards = -(-len(self.names) // options.shard)
        self._open_shards: dict[int, Shard] = {}

    def __getstate__(self) -> dict:
        # A worker of a data loader maps the files itself.
        return self.__dict__ | {"_open_shards": {}}

    def file(self, number: int) -> Path:
        """The file of a shard."""
        return self.path / f"scenes_{number:05d}.safetensors"

    def images(self, number: int) -> range:
        """Indices of the images of a shard."""
        start = number * self.images_per_shard
        return range(start, min(start + self.images_per_shard, len(self.names)))

    def missing(self) -> list[int]:
        """Numbers of the shards that do not exist."""
        # One listing, because thousands of single look-ups are slow on network disks.
        existing = {path.name for path in self.path.glob("*.safetensors")}
        return [
            number for number in range(self.num_shards) if self.file(number).name not in existing
        ]

    def write(
        self,
        make_scenes: Callable[[range], Sequence[Scene]],
        rank: int = 0,
        world: int = 1,
        on_shard: Callable[[int], None] | None = None,
    ) -> None:
        """Write the missing shards, alone or beside other processes that do the same.

        This process starts with the shards rank, rank + world, ..., and goes through all others
        after them. Shards that another process is writing come last: this process waits for them,
        and writes those whose writer died.

        Args:
            make_scenes: image indices -> their packed Scenes, whichever shards exist.
            on_shard: called with the number of each shard that was missing and exists now.

        Raises:
            UserError: a file cannot be written.
        """
        manifest = json.dumps({"about": ABOUT, **self.facts}, indent=1) + "\n"
        write_once(self.path / "manifest.json", manifest.encode, way_out=WAY_OUT)

        # Two rounds: first the shards that nobody writes, then those that were locked.
        numbers = sorted(self.missing(), key=lambda number: ((number - rank) % world, number))
        for wait in (False, True):
            locked = []
            for number in numbers:
                if not self._write_shard(number, make_scenes, wait):
                    locked.append(number)
                elif on_shard is not None:
                    on_shard(number)
            numbers = locked
        remove_leftovers(self.path)

    def _write_shard(
        self, number: int, make_scenes: Callable[[range], Sequence[Scene]], wait: bool
    ) -> bool:
        def make_content() -> bytes:
            return encode(make_scenes(self.images(number)), self._names(number))

        return write_once(self.file(number), make_content, wait, WAY_OUT)

    def scene(self, index: int) -> Scene:
        """The Scene of one image, as stored, without batch dimension.

        Raises:
            UserError: a missing or damaged file, by name.
        """
        number, row = divmod(index, self.images_per_shard)
        return self._shard(number).scene(row)

    def outline(self, index: int) -> Outline:
        """See `Shard.outline`."""
        number, row = divmod(index, self.images_per_shard)
        return self._shard(number).outline(row)

    def damages(self) -> list[str]:
        """One line for each missing or damaged shard or image. Reads every byte."""
        lines = []
        for number in range(self.num_shards):
            self._open_shards.pop(number, None)  # the file may have changed since it was opened
            try:
                lines += self._shard(number).damages()
            except UserError as error:
                lines.append(str(error))
        return lines

    def size(self) -> int:
        """Bytes of all shards on disk."""
        return sum(self.file(number).stat().st_size for number in range(self.num_shards))

    def _names(self, number: int) -> list[str]:
        images = self.images(number)
        return self.names[images.start : images.stop]

    def _shard(self, number: int) -> Shard:
        if number not in self._open_shards:
            self._open_shards[number] = Shard(self.file(number), self._names(number), self.dtype)
        return self._open_shards[number]
