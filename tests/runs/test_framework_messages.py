"""What console scripts hide of the messages of libraries, and what not."""

import logging
import subprocess
import sys

import pytest

from rmlr_lightning.runs.framework_messages import _is_relevant

SCRIPT = """
from huggingface_hub.utils import are_progress_bars_disabled
from transformers.utils import logging
from rmlr_lightning.runs.framework_messages import silence_framework_messages
silence_framework_messages()
print(logging.is_progress_bar_enabled(), are_progress_bars_disabled())
"""


def test_bars_of_weights_on_disk_are_hidden_and_those_of_downloads_are_not():
    # in a process of its own: both settings are global
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"], done.stderr[-2000:]


@pytest.mark.parametrize(
    ("message", "is_shown"),
    [
        ("Tip: try litlogger", False),
        ("Found current_model_state in the checkpoint. This will be used", False),
        ("`Trainer.fit` stopped: `max_epochs=8` reached.", False),
        ("`Trainer.fit` stopped: `max_time=00:01:00:00` reached.", True),
        ("GPU available: True (cuda), used: True", True),
    ],
)
def test_what_every_run_does_is_not_printed(message, is_shown):
    record = logging.LogRecord("lightning", logging.INFO, "", 0, message, None, None)
    assert _is_relevant(record) == is_shown
