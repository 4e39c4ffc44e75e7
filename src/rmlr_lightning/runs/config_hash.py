"""What determines the result of a run, and its hash."""

import hashlib
import json
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf

from rmlr_lightning.report.relevant_config import relevant
from rmlr_lightning.runs.secrets import without_secrets


def config_hash(cfg: DictConfig) -> str:
    """SHA-256 of what determines the result; 64 hexadecimal digits."""
    text = json.dumps(current_config(cfg), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def current_config(cfg: DictConfig) -> dict[str, Any]:
    """What determines the result of this configuration; see `relevant`."""
    return relevant(without_secrets(yaml.safe_load(OmegaConf.to_yaml(cfg, resolve=True))))
