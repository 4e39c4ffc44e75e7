"""Released checkpoints of UPT and PViC: a configuration of ours for them, and a task.

Such a file is the whole model, `{"model_state_dict": ...}`. It states neither its data set nor any
option: kind and number of verbs follow from its weights, the rest is as published.
"""

from pathlib import Path

from omegaconf import DictConfig
from torch import Tensor, nn

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.checkpoint import read_file
from rmlr_lightning.models.released import ReleasedHead, released_head
from rmlr_lightning.ops.finite import check_weights
from rmlr_lightning.runs.config import composed
from rmlr_lightning.vocabulary import Vocabulary, hicodet, vcoco

ENTRY = "model_state_dict"
VOCABULARIES = {117: ("hicodet", hicodet), 24: ("vcoco", vcoco)}  # by number of verbs


def released_head_of(path: str | Path) -> ReleasedHead | None:
    """The head of a released checkpoint; None for a file of another kind.

    Raises:
        UserError: a whole model, but not one of UPT or PViC; see `models.released`.
    """
    if not Path(path).is_file():
        return None
    content = read_file(path)
    if not isinstance(content, dict) or ENTRY not in content:
        return None
    state = content[ENTRY]
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path}: its {ENTRY} does not hold weights by name")
    check_weights(state, str(path))
    if not any(key.startswith("detector.") for key in state):
        raise UserError(
            f"{path}: has no weights under detector.: not a whole model of UPT or PViC; a detector "
            "alone is given as model/detector=file model.detector.path=FILE to rmlr-train"
        )
    return released_head(state, str(path))


def released_vocabulary(head: ReleasedHead, path: str | Path) -> Vocabulary:
    """HICO-DET's or V-COCO's classes, by the number of verbs.

    Raises:
        UserError: another number.
    """
    if head.verbs not in VOCABULARIES:
        raise UserError(
            f"{path}: classifies {head.verbs} verbs; only 117 (HICO-DET) and 24 (V-COCO) are known"
        )
    return VOCABULARIES[head.verbs][1]()


def released_config(head: ReleasedHead, path: str | Path) -> DictConfig:
    """The configuration of `rmlr-train` with the model and data set of a released checkpoint.

    Raises:
        UserError: see `released_vocabulary`.
    """
    released_vocabulary(head, path)
    data_set = VOCABULARIES[head.verbs][0]
    overrides = [f"model={head.kind}", f"data={data_set}", f"metrics={data_set}"]
    # The last map of the backbone takes 3 MB per image: it is not cached for one evaluation.
    overrides += ["model/detector=file", "features=online", "loss=focal", f"name={head.kind}"]
    config = composed(overrides)

    config.released = Path(path).name
    config.model.detector.path = str(Path(path).absolute())
    # Dilation (DC5) leaves no trace in the weights. Some released models with R101 have it, none
    # with R50.
    if not head.is_r101:
        config.model.detector.dilation = False
    return config


def check_dilation(config: DictConfig) -> None:
    """Whether the configuration of a released checkpoint states the one option left open.

    Raises:
        UserError: it does not.
    """
    if config.model.detector.get("dilation") is None:
        raise UserError(
            f"{config.released}: a detector with R101 may be dilated (DC5) or not, which its "
            "weights do not show; give +model.detector.dilation=true or false to rmlr-eval, "
            "--dilation or --no-dilation to rmlr-predict and rmlr-export"
        )


def load_released(model: nn.Module, head: ReleasedHead, path: str | Path) -> None:
    """Give IRE and IRM of a model the weights of a released head.

    Raises:
        UserError: other sizes than published.
    """
    own = {
        f"{part}.{name}": value
        for part in ("ire", "irm")
        for name, value in getattr(model, part).state_dict().items()
    }
    differing = sorted(
        name
        for name in own.keys() | head.weights.keys()
        if name not in own
        or name not in head.weights
        or own[name].shape != head.weights[name].shape
    )
    if differing:
        name = differing[0]
        shapes = [
            tuple(state[name].shape) if name in state else "none" for state in (head.weights, own)
        ]
        raise UserError(
            f"{path}: its head does not fit model={head.kind}, weights that differ: "
            f"{len(differing)}, such as {name} ({shapes[0]} instead of {shapes[1]}); set "
            "its sizes with +model.ire=..."
        )
    for name, value in own.items():
        value.copy_(head.weights[name])
