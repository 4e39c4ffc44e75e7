"""The focal loss on verbs of pairs."""

import torch
import torch.distributed
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from rmlr_lightning.types import Prediction


def focal(log_p: Tensor, labels: Tensor, alpha: float, gamma: float) -> Tensor:
    """Binary focal loss from log-probabilities (arXiv 1708.02002, equation 5), element by element."""
    p = log_p.exp().clamp(1e-8, 1 - 1e-7)
    cross_entropy = torch.where(labels, -log_p, -torch.log1p(-p))
    distance = torch.where(labels, 1 - p, p)
    weight = torch.where(labels, alpha, 1 - alpha)
    return weight * distance**gamma * cross_entropy


class FocalLoss(nn.Module):
    """Focal loss on sigmoid(logit) * prior, over possible verbs of real pairs, divided by the number of positives.

    The prior joins the probability as in UPT (arXiv 2112.01838, equation 8). The number of positives is the mean over
    processes, at least 1.
    """

    def __init__(self, weight: float = 1.0, alpha: float = 0.5, gamma: float = 0.2) -> None:
        super().__init__()
        self.weight, self.alpha, self.gamma = weight, alpha, gamma

    def forward(
        self, prediction: Prediction, labels: Bool[Tensor, "B P V"], prior: Float[Tensor, "B P V"]
    ) -> Tensor:
        """The weighted loss."""
        logits, possible = prediction.logits, prior > -torch.inf
        if (
            prior.device.type == "cpu"
        ):  # few verbs go with an object; elsewhere all would wait for a count of these
            index = possible.flatten().nonzero().squeeze(1)
            logits, labels, prior, possible = (
                values.flatten().index_select(0, index)
                for values in (logits, labels, prior, possible)
            )
        log_p = F.logsigmoid(logits.float()) + torch.where(possible, prior, 0.0)
        loss = focal(log_p, labels, self.alpha, self.gamma)
        positives = (labels & possible).sum().float()
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            torch.distributed.all_reduce(positives)
            positives = positives / torch.distributed.get_world_size()
        return self.weight * torch.where(possible, loss, 0.0).sum() / positives.clamp_min(1)
