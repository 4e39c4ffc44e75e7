"""What both metric classes keep between `update` and `compute`, and how processes bring it together."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PerImageMetric(Metric):
    """Rows of numbers, image by image, as one-dimensional states.

    An image has an id and may come in any batch, order or process. `gather` returns the rows of every image once, in
    the order of the images: what a padding sampler repeats is dropped, the first appearance stays.

    Args:
        rows: for each state its dtype, and the number of its column of counts.
        image_order: ids of the images in the order of ties; ascending ids if None. Those not listed come last.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False

    def __init__(
        self,
        rows: dict[str, tuple[torch.dtype, int]],
        image_order: Sequence[int] | None = None,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self._rows = rows
        self._columns = 2 + max(
            column for _, column in rows.values()
        )  # the image's id, then the counts
        self._dtypes = {name: dtype for name, (dtype, _) in rows.items()} | {"images": torch.int64}
        self._place = (
            None
            if image_order is None
            else {int(key): place for place, key in enumerate(image_order)}
        )
        for name in self._dtypes:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def keep(self, image_ids: list[int], counts: list, **rows: np.ndarray) -> None:
        """Add images: for each its id and, in each list of `counts`, how many rows it has."""
        for name, values in rows.items():
            getattr(self, name).append(self.tensor(values, self._dtypes[name]))
        self.images.append(self.tensor(np.stack((image_ids, *counts), axis=1).ravel(), torch.int64))

    def gather(self) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """The ids and counts of the distinct images, (I, 1 + columns of counts), and the rows of each state."""
        images = self._array("images").reshape(-1, self._columns)
        rows = {name: self._array(name) for name in self._rows}
        keys = images[:, 0]
        if self._place is not None:
            keys = np.array(
                [self._place.get(key, len(self._place) + key) for key in keys.tolist()],
                dtype=np.int64,
            )
        if (np.diff(keys) <= 0).any():
            _, chosen = np.unique(keys, return_index=True)
            rows = {
                name: rows[name][_spans(images[:, 1 + self._rows[name][1]], chosen)]
                for name in rows
            }
            images = images[chosen]
        return images, rows

    def tensor(self, values: np.ndarray, dtype: torch.dtype | None = None) -> Tensor:
        """On the device of the metric."""
        tensor = torch.as_tensor(values, dtype=dtype)
        if self.device.type == "mps" and tensor.dtype == torch.float64:  # which has no doubles
            tensor = tensor.float()
        return tensor.to(self.device)

    def merge_state(self, incoming_state: "dict | Metric") -> None:
        """Add the images of another metric, or of another process."""
        super().merge_state(incoming_state)
        self._computed = None  # what was computed before is of fewer images

    def _apply(
        self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ""
    ) -> "PerImageMetric":
        # A module that is cast to bfloat16 takes its metrics along; scores and ids must stay what they are.
        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return moved if moved.dtype == tensor.dtype else tensor.to(moved.device)

        return super()._apply(move, exclude_state)

    def _array(self, name: str) -> np.ndarray:
        value = getattr(self, name)
        if isinstance(value, list) and not value:
            value = torch.zeros(0, dtype=self._dtypes[name])
        return dim_zero_cat(value).numpy(force=True)

    def _sync_dist(self, *args, **kwargs) -> None:
        # A process without images takes part in every gather with an empty tensor of the right kind.
        for name, dtype in self._dtypes.items():
            if isinstance(getattr(self, name), list) and not getattr(self, name):
                setattr(self, name, [self.tensor(np.zeros(0), dtype)])
        super()._sync_dist(*args, **kwargs)


def column(items: list, name: str) -> np.ndarray:
    """A field of every item, one after the other. numpy knows no bfloat16, which float32 holds exactly."""
    tensors = [torch.as_tensor(getattr(item, name)) for item in items]
    tensor = tensors[0] if len(tensors) == 1 else torch.cat(tensors)
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy(force=True)


def _spans(counts: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    # Indices of the rows of the chosen images, in that order; image i has counts[i] rows, one after the other.
    sizes = counts[chosen]
    offset = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(np.cumsum(counts)[chosen] - sizes, sizes) + offset
