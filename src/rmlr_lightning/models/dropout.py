"""Dropout whose masks are cheap to draw on a CPU."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

STEPS = 2**16  # a probability is a multiple of 1 / STEPS


class Dropout(nn.Dropout):
    """`nn.Dropout`; on a CPU each random number that is drawn decides for four elements.

    torch draws one number an element on processors that are not Intel's, which was 4.5 % of a training step. Here `p`
    is rounded to a multiple of 2 ** -16, and the scale belongs to the rounded one, so that the mean is kept.
    """

    def forward(self, input: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
        dropped = round(self.p * STEPS)
        ours = (
            input.device.type == "cpu"
            and input.is_floating_point()
            and not torch.compiler.is_compiling()
        )
        if not (self.training and ours and 0 < dropped < STEPS):
            return super().forward(input)
        drawn = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        kept = drawn.view(torch.int16)[: input.numel()].ge_(dropped - STEPS // 2)
        return input * kept.to(input.dtype).mul_(STEPS / (STEPS - dropped)).view(input.shape)
