"""How far a run is, written for other processes."""

import json
from types import SimpleNamespace

from rmlr_lightning.callbacks.epoch_file import FILE, EpochFile
from rmlr_lightning.runs.sweep_members import state_of


def test_after_every_epoch_the_share_that_is_done_can_be_read(tmp_path):
    calls = []
    callback = EpochFile(tmp_path, lambda: calls.append(1))
    # the second half of a run that resumes
    trainer = SimpleNamespace(is_global_zero=True, max_epochs=4, current_epoch=2)
    callback.on_train_start(trainer, None)
    for trainer.current_epoch in (2, 3):
        callback.on_train_epoch_end(trainer, None)
        state = state_of(tmp_path, 0.0)
        assert state.share == (trainer.current_epoch + 1) / 4 and not state.finished
    assert calls == [1]
    assert state.seconds == 4 * json.loads((tmp_path / FILE).read_text())["seconds"] > 0


def test_without_a_number_of_epochs_nothing_is_written(tmp_path):
    callback = EpochFile(tmp_path, lambda: None)
    callback.on_train_epoch_end(SimpleNamespace(is_global_zero=True, max_epochs=-1), None)
    assert not list(tmp_path.iterdir())
