"""Which part of a configuration determines the result of a run."""

from typing import Any

# Keys that do not change the result of a run
IRRELEVANT_KEYS = (
    "resume",
    "label",
    "report",
    "paths",
    "logger",
    "data.num_workers",
    "data.prepare.workers",
    "features.path",
    "features.num_workers",
    "features.device",
    "features.batch_size",
    # callbacks that watch
    "callbacks.curves",
    "callbacks.panel",
    "callbacks.record",
    "callbacks.wandb",
    "callbacks.speed",
    "callbacks.gradients",
)
WEIGHTS_FOLDER = "/rmlr_lightning/weights/"


def relevant(config: dict[str, Any]) -> dict[str, Any]:
    """A copy without irrelevant keys and without the places of files on this machine."""
    places = {str(config["paths"][name]): f"<{name}>" for name in ("output", "data")}
    # The output folder may be inside the data folder, or the reverse: replace the inner one first.
    places = dict(sorted(places.items(), key=lambda item: -len(item[0])))
    config = _without_places(config, places)

    # Options that only some configurations have may be missing.
    for key in IRRELEVANT_KEYS:
        *parents, name = key.split(".")
        group: Any = config
        for parent in parents:
            group = group.get(parent) if isinstance(group, dict) else None
        if isinstance(group, dict):
            group.pop(name, None)
    return config


def _without_places(value: Any, places: dict[str, str]) -> Any:
    """A copy in which folders that start with one of the places start with its name instead."""
    if isinstance(value, dict):
        return {key: _without_places(item, places) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_places(item, places) for item in value]
    if not isinstance(value, str):
        return value

    for place, name in places.items():
        if value == place or value.startswith(f"{place}/"):
            return name + value[len(place) :]
    if WEIGHTS_FOLDER in value:  # another installation of the package has it elsewhere
        return WEIGHTS_FOLDER + value.rpartition(WEIGHTS_FOLDER)[2]
    return value
