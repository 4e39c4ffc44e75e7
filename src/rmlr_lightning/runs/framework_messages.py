"""Messages of libraries that a user need not act on."""

import logging
import os
import re
import warnings

from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
from transformers.utils import logging as logging_of_transformers

IGNORED_WARNINGS = (
    # Frozen modules are in evaluation mode on purpose.
    (r"Found \d+ module\(s\) in eval mode", Warning),
    # With few cores and small images more loading processes do not help.
    ("The '.*' does not have many workers", Warning),
    # The summary's size in MB is not used.
    ("Precision .* is not supported by the model summary", Warning),
    # Metrics are logged per epoch.
    (r"The number of training batches \(\d+\) is smaller than the logging interval", Warning),
    # Lightning 2.6 calls torch 2.15 in a deprecated way.
    (".*LeafSpec.*is deprecated", FutureWarning),
)


def silence_framework_messages() -> None:
    """Ignore the warnings above, Lightning's tips, the start messages of Weights & Biases, and the
    progress bar of weights that are read from disk."""
    for message, category in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message, category)
    logging.getLogger("pytorch_lightning.utilities.rank_zero").addFilter(_is_relevant)
    os.environ.setdefault("WANDB_SILENT", "true")
    # A detector or a CLIP is read in a second. Downloads take minutes, and keep their bars.
    downloads_are_shown = not are_progress_bars_disabled()
    logging_of_transformers.disable_progress_bar()
    if downloads_are_shown:
        enable_progress_bars()


# Tips, and what every run does
IRRELEVANT = re.compile(
    r".*Tip:|TPU available: False|Loading `train_dataloader` to estimate|"
    r"`Trainer.fit` stopped: `max_(epochs|steps)|Restoring states from|Loaded model weights|"
    r"Restored all states|Found current_model_state in the checkpoint"
)


def _is_relevant(record: logging.LogRecord) -> bool:
    return IRRELEVANT.match(record.getMessage()) is None
