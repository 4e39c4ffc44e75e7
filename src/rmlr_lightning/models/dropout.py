"""Dropout whose masks are cheap to draw on a CPU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rmlr_lightning.ops.masked import can_count

STEPS = 2**16  # a probability is a multiple of 1 / STEPS


class Dropout(nn.Dropout):
    """`nn.Dropout`; on a CPU one random number of 64 bits decides for four elements.

    torch draws one number per element on processors that are not Intel's, which was 4.5 % of a
    training step. Here `p` is rounded to a multiple of 2 ** -16. The scale belongs to the rounded
    probability, so that the mean is kept.
    """

    def forward(self, input: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        dropped = round(self.p * STEPS)
        is_own = self.training and can_count(input) and input.is_floating_point()
        if not (is_own and 0 < dropped < STEPS):
            return super().forward(input)

        numbers = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        # four signed 16-bit numbers each: the lowest `dropped` of 2**16 values drop the element
        kept = numbers.view(torch.int16)[: input.numel()].ge_(dropped - STEPS // 2)
        scale = STEPS / (STEPS - dropped)
        return input * kept.to(input.dtype).mul_(scale).view(input.shape)
