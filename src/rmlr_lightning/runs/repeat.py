"""`rmlr-train --from-run DIR`: the configuration of an earlier run, taken as it was."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from omegaconf import OmegaConf

from rmlr_lightning.errors import UserError
from rmlr_lightning.files import write_atomic
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.runs.environment import differences
from rmlr_lightning.runs.targets import check_targets

OPTION = "--from-run"
FOLDER = ".hydra"
# What conf/train.yaml sets for Hydra itself, which the configuration of a run does not hold
HYDRA = {
    "hydra.run.dir": "outputs/${name}",
    "hydra/job_logging": "stdout",
    "hydra.output_subdir": "null",
    "hydra.job.chdir": "false",
    "+hydra.callbacks.folder._target_": "rmlr_lightning.runs.hydra_program.OutputFolder",
    "resume": "null",
}


def write_for_repetition(folder: Path, run_config: Mapping[str, Any], typed: Sequence[str]) -> None:
    """Write what `--from-run` and reports read: the configuration, and what the user typed.

    Args:
        folder: of the run.
        run_config: unresolved.
        typed: the user's overrides.

    Raises:
        UserError: a file cannot be written.
    """
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    for name, content in (("config.yaml", dict(run_config)), ("overrides.yaml", list(typed))):
        write_atomic(folder / FOLDER / name, OmegaConf.to_yaml(OmegaConf.create(content)).encode())


def repeating_arguments(arguments: Sequence[str]) -> list[str]:
    """Arguments for Hydra in place of `--from-run DIR`; values that follow change the run.

    Prints how code and data differ from those of the earlier run.

    Raises:
        UserError: DIR is no folder of a run, or its configuration names foreign code.
    """
    arguments = list(arguments)
    flags = [word for word in arguments if word == OPTION or word.startswith(f"{OPTION}=")]
    if not flags:
        return arguments
    place = arguments.index(flags[0])
    folder = flags[0].partition("=")[2] or "".join(arguments[place + 1 : place + 2])
    rest = arguments[:place] + arguments[place + (1 if "=" in flags[0] else 2) :]

    if not folder:
        raise UserError(f"{OPTION}: give the folder of a run, such as {OPTION} outputs/rmlr")
    path = Path(folder, FOLDER, "config.yaml")
    try:
        text = path.read_text(encoding="utf-8")
        config = yaml.safe_load(text)
        has_aliases = any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text))
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise UserError(
            f"{OPTION} {folder}: not a folder of a run, {path} cannot be read ({reason})"
        ) from None
    # Hydra would read other files by `defaults`, and run what `hydra` names; aliases can nest
    # lists so that they have a thousand million members
    is_ours = isinstance(config, dict) and not {"defaults", "hydra"} & config.keys()
    if not is_ours or has_aliases:
        raise UserError(f"{OPTION} {folder}: {path} is not a configuration that rmlr-train wrote")
    check_targets(config, str(path))
    for line in differences(Path(folder)):
        print(f"note: not as in {folder}: {line}")

    typed = {word.lstrip("+").partition("=")[0] for word in rest}
    hydra = [f"{key}={value}" for key, value in HYDRA.items() if key not in typed]
    places = ["--config-path", str(path.parent.absolute()), "--config-name", "config"]
    return [*places, "--config-dir", conf_dir(), *hydra, *rest]
