"""Where notebook 1 looks for IREs on other detectors."""

from pathlib import Path

from support import notebook_detectors


def leave(folder: Path) -> Path:
    """An output folder of rmlr-train with a checkpoint in it."""
    path = folder / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    path.touch()
    return path


def test_heads_of_a_detector_are_found_seed_by_seed(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("RMLR_OUTPUTS", str(tmp_path))
    monkeypatch.setattr(notebook_detectors, "SMALL", False)
    kept = [
        leave(tmp_path / name) for name in ("visual_d_fine", "visual_d_fine_1", "visual_d_fine_2")
    ]
    (tmp_path / "visual_d_fine_3").mkdir()  # broken off
    leave(tmp_path / "visual_d_fine_notes")
    found = notebook_detectors.heads()
    assert found == {"Conditional DETR": [], "Deformable DETR": [], "D-FINE": kept}
    said = capsys.readouterr().out
    assert "name=visual_deformable`" in said and "d_fine" not in said
