from types import SimpleNamespace

import torch

from rmlr_lightning.callbacks.logged_metrics import LoggedMetrics


def test_a_resumed_run_has_the_metrics_of_its_first_part():
    first, second = LoggedMetrics(), LoggedMetrics()
    rate = {"lr-AdamW": torch.tensor(1e-4)}
    for values in ({"val/map": torch.tensor(0.5)}, {"train/loss": torch.tensor(2.0)} | rate):
        first.on_train_epoch_end(SimpleNamespace(callback_metrics=values), None)
    second.load_state_dict(first.state_dict())
    assert second.values == {"val/map": 0.5, "train/loss": 2.0}
