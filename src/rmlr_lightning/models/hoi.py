"""RmLR from images to verb logits: the architecture as one sentence."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.detectors.external import with_external_detections
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.remine import remined
from rmlr_lightning.ops.object_classes import with_object_classes
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.parts import joined, split
from rmlr_lightning.ops.postprocess import detections
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.ops.selection import CLAMP, Selection, select_entities
from rmlr_lightning.types import Detections, Entities, Images, Inputs, Pairs, Prediction, Scene
from rmlr_lightning.vocabulary import PERSON

MAX_PAIRS = 32768  # what it costs: docs/PERFORMANCE.md


class HOIModel(nn.Module):
    """Detector, selection, pairing, re-mining, IRE, IRM.

    Args:
        detector: frozen; images -> Scene.
        selection: thresholds.
        remine: an extractor (`models.remine.Extractor`): (scene, images) -> re-mined map.
        ire: (scene, pairs, map) -> pair tokens.
        irm: (tokens, scene, pairs) -> tokens, logits.
        valid_pairs: valid object-verb pairs.
        object_index: the vocabulary's object class of each of the detector's classes
            (`ops.object_classes.class_index`).
        subject: object class of the humans; None: any (`Vocabulary.subject`).
        power: exponent of the detection scores in evaluation; it is 1 in training (UPT: 2.8).
        compiled: `torch.compile` IRE and IRM, as one graph each for training and evaluation and
            for each bucket of sizes. Selection and pairing have no fixed shape and stay outside.
        bucket: the numbers of entities and pairs are rounded up to a multiple of it, so that there
            are few sizes.
        max_pairs: images times pairs of the fullest image that re-mining, IRE and IRM process at
            once; a batch with more is processed in parts of at least one image (`ops.parts`).
    """

    def __init__(
        self,
        detector: Detector,
        selection: Selection,
        remine: nn.Module,
        ire: nn.Module,
        irm: nn.Module,
        valid_pairs: Bool[Tensor, "O V"],
        object_index: Int[Tensor, " classes"],
        subject: int | None = PERSON,
        power: float = 2.8,
        compiled: bool = False,
        bucket: int = 1,
        max_pairs: int = MAX_PAIRS,
    ) -> None:
        super().__init__()
        if not isinstance(max_pairs, int) or max_pairs < 1:
            raise UserError(f"model.max_pairs={max_pairs}: expected a whole number from 1")
        if not isinstance(bucket, int) or bucket < 1:
            raise UserError(f"model.bucket={bucket}: expected a whole number from 1")
        if selection.clamp not in CLAMP:
            choices = ", ".join(CLAMP)
            raise UserError(f"model.selection.clamp={selection.clamp}: choose from {choices}")
        if not isinstance(power, (int, float)):
            raise UserError(f"model.power={power}: expected a number")
        # Checkpoints and cached features hold only the hash of a detector: it must not change.
        if any(weight.requires_grad for weight in detector.parameters()):
            raise UserError("model.detector: is not frozen; call requires_grad_(False) and eval()")
        self.detector, self.selection = detector, selection
        self.remine, self.ire, self.irm = remine, ire, irm
        self.power, self.bucket = power, bucket
        self.subject, self.max_pairs = subject, max_pairs
        self.register_buffer("valid_pairs", valid_pairs, persistent=False)
        self.register_buffer("object_index", object_index, persistent=False)
        if compiled:
            self.reason = torch.compile(self.reason, fullgraph=True, dynamic=False)

    def forward(self, inputs: Inputs) -> Prediction:
        """One return type, in training and in evaluation."""
        scene, pairs, detected = self.candidates(inputs)
        parts = split(scene, pairs, inputs.images, self.max_pairs, self.bucket)
        found = [self.interpret(*part) for part in parts]
        if len(found) == 1:
            return found[0]._replace(detected=detected)
        tokens_and_logits = zip(*(prediction[2:5] for prediction in found), strict=True)
        rows = pairs.mask.shape[1]
        joined_rows = (joined(list(values), rows) for values in tokens_and_logits)
        return Prediction(scene, pairs, *joined_rows, detected)

    def candidates(self, inputs: Inputs) -> tuple[Scene, Pairs, Entities]:
        """The stages without trained weights: detector, selection, pairing.

        Returns:
            The scene after selection, its pairs, and all entities before selection.
        """
        scene = inputs.scene if inputs.scene is not None else self.detector(inputs.images)
        entities = with_object_classes(scene.entities, self.object_index)
        scene = scene._replace(entities=entities)
        if inputs.external is not None:
            scene = with_external_detections(scene, inputs.external)

        detected = scene.entities
        entities = select_entities(detected, self.selection, self.bucket, self.subject)
        scene = scene._replace(entities=entities)
        valid_pairs = None if self.selection.pair_all else self.valid_pairs
        pairs = pair(scene.entities, valid_pairs, self.bucket, self.subject)
        return scene, pairs, detected

    def interpret(self, scene: Scene, pairs: Pairs, images: Images | None) -> Prediction:
        """The trained stages: re-mining, IRE, IRM."""
        scene, features = remined(self.remine, scene, images)
        ire_tokens, irm_tokens, logits = self.reason(scene, pairs, features)
        return Prediction(scene, pairs, ire_tokens, irm_tokens, logits)

    def reason(
        self, scene: Scene, pairs: Pairs, features: Float[Tensor, "B C h w"]
    ) -> tuple[Float[Tensor, "B P D"], Float[Tensor, "B P D"], Float[Tensor, "B P V"]]:
        """From re-mined features to the tokens of the IRE, the tokens of the IRM, and logits."""
        ire_tokens = self.ire(scene, pairs, features)
        return ire_tokens, *self.irm(ire_tokens, scene, pairs)

    def detect(self, prediction: Prediction, max_detections: int | None = None) -> list[Detections]:
        """HOI detections of a batch on the CPU, boxes in pixels of the files."""
        scene, pairs = prediction.scene, prediction.pairs
        prior = log_prior(scene.entities, pairs, self.valid_pairs, self.power)
        scores = verb_scores(prediction.logits, prior)
        found = detections(scores, scene.entities, pairs, scene.sizes, max_detections)
        return [Detections(*(field.cpu() for field in image)) for image in found]
