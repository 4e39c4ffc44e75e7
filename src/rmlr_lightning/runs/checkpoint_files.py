"""How a run writes and reads its checkpoints."""

import io
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from rmlr_lightning.files import write_atomic
from rmlr_lightning.models.checkpoint import read_file

WAY_OUT = "choose a folder that is yours; resume=last continues from the checkpoint before"


class CheckpointFiles(TorchCheckpointIO):
    """Files that appear whole or not at all, and are read without running code from them.

    Lightning writes to the system's temporary folder and moves the file, which is a copy where that
    is another file system: a process that dies meanwhile leaves half a checkpoint.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str, storage_options: Any = None
    ) -> None:
        """Write a checkpoint.

        Raises:
            UserError: the file cannot be written; what was there before is unchanged.
        """
        content = io.BytesIO()
        torch.save(checkpoint, content)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, content.getbuffer(), WAY_OUT)

    def load_checkpoint(self, path: str, *_: Any, **__: Any) -> dict[str, Any]:
        """See `models.checkpoint.read_file`."""
        return read_file(path)
