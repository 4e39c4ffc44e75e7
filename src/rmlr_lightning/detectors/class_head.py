"""A detector's class head for other object classes: rows of the same name keep their weights."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


@torch.no_grad()
def replace_classes(
    network: PreTrainedModel, classes: Sequence[str | None], objects: Sequence[str]
) -> int:
    """Give a network's class heads one row per object class, in place.

    Rows of classes with the same name are copied, wherever they stood: of DETR's 91 category ids
    the 80 in use remain. Other rows are drawn anew, with the standard deviation of the weights and
    the mean bias of the named rows that there were. The row of "no object" stays the last.

    Args:
        classes: names of the network's classes, in its order; None for one without a name.
        objects: names of the new classes, in their order.

    Returns:
        How many of the new classes keep their weights.
    """
    source = {name: row for row, name in enumerate(classes) if name is not None}
    rows = [source.get(name, -1) for name in objects]

    by_class = _names_of_class_rows(network)
    for prefix, module in network.named_modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if f"{prefix}.{name}" in by_class:
                new = _new_rows(parameter, rows, list(source.values()), len(classes))
                setattr(module, name, nn.Parameter(new, parameter.requires_grad))
                _set_size(module, len(new))

    network.config.id2label = dict(enumerate(objects))
    network.config.label2id = {name: index for index, name in enumerate(objects)}
    return sum(row >= 0 for row in rows)


def _names_of_class_rows(network: PreTrainedModel) -> set[str]:
    """Names of the parameters that have a row per class, whatever the family calls them."""
    # Found by comparing two networks that differ in the number of classes only. On the device
    # "meta" they cost no memory.
    shapes = []
    for more in (1, 2):
        config = deepcopy(network.config)
        config.num_labels = network.config.num_labels + more
        with torch.device("meta"):
            other = type(network)(config)
        parameters = other.named_parameters(remove_duplicate=False)
        shapes.append({name: parameter.shape for name, parameter in parameters})
    return {name for name, shape in shapes[0].items() if shapes[1][name] != shape}


def _new_rows(old: Tensor, rows: list[int], named: list[int], classes: int) -> Tensor:
    """Rows of `old` by index, -1 for a new one; rows after those of the classes are kept."""
    known, further = old[:classes], old[classes:]
    used = known[named] if named else known
    new = used.mean().expand(len(rows), *old.shape[1:]).clone()
    if old.ndim > 1:
        new = torch.randn_like(new) * used.std()

    kept = torch.tensor([row >= 0 for row in rows], device=old.device)
    index = torch.tensor([row for row in rows if row >= 0], device=old.device, dtype=torch.long)
    new[kept] = known[index]
    return torch.cat([new, further])


def _set_size(module: nn.Module, rows: int) -> None:
    if isinstance(module, nn.Linear):
        module.out_features = rows
    elif isinstance(module, nn.Embedding):
        module.num_embeddings = rows
        if module.padding_idx is not None:  # the row after the classes
            module.padding_idx = rows - 1
