"""Checkpoints of a run whose folder may be moved."""

from pathlib import Path
from typing import Any

from pytorch_lightning.callbacks import ModelCheckpoint


class MovableCheckpoint(ModelCheckpoint):
    """Lightning's `ModelCheckpoint`, whose best score survives a move of its folder.

    When a run resumes in another folder, Lightning's own class forgets the best score, so that a
    worse checkpoint replaces the best one. Here the score is kept if the old folder is gone and
    the new one holds the file. All arguments are those of `ModelCheckpoint`.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        old_folder = Path(state_dict["dirpath"])
        new_folder = Path(self.dirpath)
        best = Path(state_dict["best_model_path"]).name

        # A folder that still exists was copied or left, not moved: its scores are not ours.
        if best and not old_folder.is_dir() and (new_folder / best).is_file():
            state_dict = _moved(state_dict, new_folder)
        super().load_state_dict(state_dict)


def _moved(state_dict: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The state with all of its files in another folder."""

    def move(path: str) -> str:
        return str(folder / Path(path).name) if path else path

    scores = {move(path): score for path, score in state_dict["best_k_models"].items()}
    paths = {
        name: move(state_dict[name])
        for name in ("best_model_path", "kth_best_model_path", "last_model_path")
    }
    return state_dict | paths | {"best_k_models": scores, "dirpath": str(folder)}
