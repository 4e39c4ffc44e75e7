"""What console scripts hide of the messages of libraries, and what not."""

import subprocess
import sys

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
