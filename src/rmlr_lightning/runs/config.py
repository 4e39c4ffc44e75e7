"""Where the configuration is, and the resolvers that it uses."""

import os
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

import rmlr_lightning
from rmlr_lightning.runs.folder_names import folder_name
from rmlr_lightning.runs.wandb_login import has_key
from rmlr_lightning.runs.wandb_names import sweep_name, with_overrides

PACKAGE = Path(rmlr_lightning.__file__).parent


def conf_dir() -> str:
    """The folder of the configuration: inside the package in a wheel, beside src/ in a checkout."""
    installed = PACKAGE / "conf"
    return str(installed if installed.is_dir() else PACKAGE.parents[1] / "conf")


def composed(overrides: list[str]) -> DictConfig:
    """The configuration that `rmlr-train` has with these overrides; keys may be added to it."""
    if GlobalHydra.instance().is_initialized():  # in a console script
        config = compose("train", overrides)
    else:
        with initialize_config_dir(conf_dir(), version_base="1.3"):
            config = compose("train", overrides)
    OmegaConf.set_struct(config, False)
    return config


def _weights_file(name: str) -> str:
    return str(PACKAGE / "weights" / name)


def _world_file(folder: str | None) -> str | None:
    return f"{folder}/world.json" if folder else None


def _wandb_offline() -> bool:
    return not has_key()


def _slurm_nodes() -> int:
    """Number of machines of the SLURM job that this process is in."""
    return int(os.environ.get("SLURM_NNODES", 1))


def _sweep_folder() -> str | None:
    """The folder of the sweep that a run belongs to; None for a single run."""
    if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
        return None
    folder = OmegaConf.select(HydraConfig.get(), "sweep.dir")
    return None if folder is None else sweep_name(folder)


def _with_overrides(name: str) -> str:
    """The name and what was typed that makes a row of its own."""
    if not HydraConfig.initialized():
        return with_overrides(name, ())
    return with_overrides(name, OmegaConf.select(HydraConfig.get(), "overrides.task") or ())


def first_existing(*paths: str) -> str:
    """The first path that exists; the first one if none does, which the error then names."""
    return next((path for path in paths if Path(path).exists()), paths[0])


def existing_or_null(*paths: str) -> str | None:
    """The first path that exists, or None: for files that are optional."""
    return next((path for path in paths if Path(path).exists()), None)


def folder_with(content: str, *folders: str) -> str:
    """The first folder that contains a file or folder of this name; the first one if none does."""
    return next((folder for folder in folders if Path(folder, content).exists()), folders[0])


RESOLVERS = {
    "first_existing": first_existing,
    "existing_or_null": existing_or_null,
    "folder_with": folder_with,
    "shipped": _weights_file,
    "world_file": _world_file,
    "folder_name": folder_name,
    "wandb_offline": _wandb_offline,
    "slurm_nodes": _slurm_nodes,
    "sweep_folder": _sweep_folder,
    "with_overrides": _with_overrides,
}


def register_resolvers() -> None:
    """Make the resolvers known to OmegaConf, for `conf/` and the configs that checkpoints hold."""
    # a second call, as in notebooks, must not fail: hence `replace`
    for name, resolver in RESOLVERS.items():
        OmegaConf.register_new_resolver(name, resolver, replace=True)


register_resolvers()
