"""States of a metric per image: kept between `update` and `compute`, gathered over processes."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class PerImageMetric(Metric):
    """Rows of numbers per image, as one-dimensional states.

    An image has an id and may come in any batch, order or process. `gather` returns the rows of
    every image once, in the order of the images: of an image that a padding sampler repeats, the
    first appearance stays.

    Args:
        rows: for each state its dtype, and the number of its column of counts.
        image_order: image ids in the order of ties; ascending ids if None. Others come last.
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
        # Of `images`: the id, then the counts.
        self._columns = 2 + max(column for _, column in rows.values())
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
        """Ids and counts of the distinct images, (I, 1 + columns of counts), and their rows."""
        images = self._array("images").reshape(-1, self._columns)
        rows = {name: self._array(name) for name in self._rows}
        keys = images[:, 0]
        if self._place is not None:
            keys = np.array(
                [self._place.get(key, len(self._place) + key) for key in keys.tolist()],
                dtype=np.int64,
            )
        if (np.diff(keys) <= 0).any():
            # Not in order, or repeated: take the first appearance of each image, sorted by key.
            _, first = np.unique(keys, return_index=True)
            for name, (_, column_of_counts) in self._rows.items():
                counts = images[:, 1 + column_of_counts]
                rows[name] = rows[name][_spans(counts, first)]
            images = images[first]
        return images, rows

    def tensor(self, values: np.ndarray, dtype: torch.dtype | None = None) -> Tensor:
        """On the device of the metric."""
        tensor = torch.as_tensor(values, dtype=dtype)
        if self.device.type == "mps" and tensor.dtype == torch.float64:  # which has no float64
            tensor = tensor.float()
        return tensor.to(self.device)

    def merge_state(self, incoming_state: "dict | Metric") -> None:
        """Add the images of another metric, or of another process."""
        super().merge_state(incoming_state)
        self._computed = None  # the cached result covers fewer images

    def _apply(
        self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ""
    ) -> "PerImageMetric":
        # Casting a module to bfloat16 also casts its metrics; scores and ids must stay exact.
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
        # A process without images takes part in every gather, with an empty tensor of the dtype.
        for name, dtype in self._dtypes.items():
            if isinstance(getattr(self, name), list) and not getattr(self, name):
                setattr(self, name, [self.tensor(np.zeros(0), dtype)])
        super()._sync_dist(*args, **kwargs)


def _spans(counts: np.ndarray, images: np.ndarray) -> np.ndarray:
    """Indices of the rows of some images, in their order; image i has counts[i] adjacent rows."""
    sizes = counts[images]
    offset = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return np.repeat(np.cumsum(counts)[images] - sizes, sizes) + offset
