"""RmLR from images to verb logits: the architecture as one sentence."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from rmlr_lightning.detectors.external import with_external_detections
from rmlr_lightning.detectors.transformers import Detector
from rmlr_lightning.errors import UserError
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import log_prior
from rmlr_lightning.ops.selection import Selection, select
from rmlr_lightning.types import Inputs, Pairs, Prediction, Scene


class HOIModel(nn.Module):
    """Detector, selection, pairing, re-mining, IRE, IRM.

    Args:
        detector: frozen; images -> Scene.
        selection: thresholds.
        remine: (scene, images) -> map.
        ire: (scene, pairs, map) -> pair tokens.
        irm: (tokens, scene, pairs) -> tokens, logits.
        allowed: which verbs go with which object, (80, V).
        power: exponent of the detection scores in evaluation; 1 in training (UPT: 2.8).
        compiled: `torch.compile` IRE and IRM, as one graph each for training and evaluation and for each bucket of
            sizes. Selection and pairing, whose result has no fixed shape, stay outside.
        bucket: round the numbers of entities and pairs up to a multiple, so that there are few sizes.
    """

    def __init__(
        self,
        detector: Detector,
        selection: Selection,
        remine: nn.Module,
        ire: nn.Module,
        irm: nn.Module,
        allowed: Bool[Tensor, "80 V"],
        power: float = 2.8,
        compiled: bool = False,
        bucket: int = 1,
    ) -> None:
        super().__init__()
        self.detector, self.selection = detector, selection
        self.remine, self.ire, self.irm = remine, ire, irm
        if not isinstance(bucket, int) or bucket < 1:
            raise UserError(f"model.bucket={bucket}: expected a whole number from 1")
        if not isinstance(power, (int, float)):
            raise UserError(f"model.power={power}: expected a number")
        self.power, self.bucket = power, bucket
        if compiled:
            self.reason = torch.compile(self.reason, fullgraph=True, dynamic=False)
        self.register_buffer("allowed", allowed, persistent=False)

    def forward(self, inputs: Inputs) -> Prediction:
        """One return type, in training and in evaluation."""
        scene = inputs.scene if inputs.scene is not None else self.detector(inputs.images)
        if inputs.given is not None:
            scene = with_external_detections(scene, inputs.given)
        scene = select(scene, self.selection, self.bucket)
        pairs = pair(scene.entities, self.allowed, self.bucket)
        features = self.remine(scene, inputs.images)
        ire_tokens, irm_tokens, logits = self.reason(scene, pairs, features)
        return Prediction(scene, pairs, ire_tokens, irm_tokens, logits)

    def reason(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        """What stands between re-mined features and logits: tokens of the IRE, tokens of the IRM, logits."""
        ire_tokens = self.ire(scene, pairs, features)
        return ire_tokens, *self.irm(ire_tokens, scene, pairs)

    def prior(self, prediction: Prediction) -> Float[Tensor, "B P V"]:
        """Logarithm of what detection says about each verb; -inf where impossible or padding."""
        power = 1.0 if self.training else self.power
        return log_prior(prediction.scene.entities, prediction.pairs, self.allowed, power)
