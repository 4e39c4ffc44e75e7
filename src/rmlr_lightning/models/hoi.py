"""RmLR from images to verb logits: the architecture as one sentence."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from rmlr_lightning.models.detector import Detector
from rmlr_lightning.models.given import with_given
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import log_prior
from rmlr_lightning.ops.selection import Selection, select
from rmlr_lightning.types import Inputs, Prediction


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
    ) -> None:
        super().__init__()
        self.detector, self.selection = detector, selection
        self.remine, self.ire, self.irm = remine, ire, irm
        self.power = power
        self.register_buffer("allowed", allowed, persistent=False)

    def forward(self, inputs: Inputs) -> Prediction:
        """One return type, in training and in evaluation."""
        scene = inputs.scene if inputs.scene is not None else self.detector(inputs.images)
        if inputs.given is not None:
            scene = with_given(scene, inputs.given)
        scene = select(scene, self.selection)
        pairs = pair(scene.entities, self.allowed)
        features = self.remine(scene, inputs.images)
        ire_tokens = self.ire(scene, pairs, features)
        irm_tokens, logits = self.irm(ire_tokens, scene, pairs)
        return Prediction(scene, pairs, ire_tokens, irm_tokens, logits)

    def prior(self, prediction: Prediction) -> Float[Tensor, "B P V"]:
        """Logarithm of what detection says about each verb; -inf where impossible or padding."""
        power = 1.0 if self.training else self.power
        return log_prior(prediction.scene.entities, prediction.pairs, self.allowed, power)
