"""RmLR from images to verb logits: the architecture as one sentence."""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from rmlr_lightning.detectors.base import Detector
from rmlr_lightning.detectors.external import with_external_detections
from rmlr_lightning.errors import UserError
from rmlr_lightning.models.compiled import Compiled, begin_step
from rmlr_lightning.models.remine import remined
from rmlr_lightning.ops.candidates import Rules, select_and_pair, with_vocabulary_classes
from rmlr_lightning.ops.capacity import Capacities
from rmlr_lightning.ops.parts import joined, split
from rmlr_lightning.ops.postprocess import detections
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.ops.selection import CLAMP, Selection
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
        compiled: `torch.compile` the trained stages, and in training labels and losses with
            them (`models.compiled`). Batches are padded to few sizes (`ops.capacity`).
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
        max_pairs: int = MAX_PAIRS,
    ) -> None:
        super().__init__()
        if not isinstance(max_pairs, int) or max_pairs < 1:
            raise UserError(f"model.max_pairs={max_pairs}: expected a whole number from 1")
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
        self.power = power
        self.subject, self.max_pairs = subject, max_pairs
        self.register_buffer("valid_pairs", valid_pairs, persistent=False)
        self.register_buffer("object_index", object_index, persistent=False)
        self.compiled = compiled
        # sizes of evaluated batches; training has its own
        self.capacities = self.new_capacities()
        self._compiled = Compiled(self.interpret) if compiled else None

    def forward(self, inputs: Inputs) -> Prediction:
        """One return type, in training and in evaluation."""
        scene, pairs, detected = self.candidates(inputs)
        images = inputs.images if self.remine.needs_pixels else None
        if self.compiled:
            begin_step()
            scene, pairs, images = self.capacities.pad(scene, pairs, images)

        parts = split(scene, pairs, images, self.max_pairs, same_size=self.compiled)
        interpret = self._compiled or self.interpret
        found = [interpret(*part) for part in parts]
        if len(found) == 1:
            return found[0]._replace(detected=detected)
        tokens_and_logits = zip(*(prediction[2:5] for prediction in found), strict=True)
        rows = pairs.mask.shape[1]
        joined_rows = (joined(list(values), rows) for values in tokens_and_logits)
        return Prediction(scene, pairs, *joined_rows, detected)

    def candidates(self, inputs: Inputs) -> tuple[Scene, Pairs, Entities | None]:
        """The stages without trained weights: detector, selection, pairing.

        A GPU waits twice, for the numbers of entities and of pairs; not where the loader has done
        all this (`Inputs.pairs`).

        Returns:
            The scene after selection, its pairs, and all entities before selection, if they are
            there.
        """
        if inputs.pairs is not None:
            return inputs.scene, inputs.pairs, None
        scene = inputs.scene if inputs.scene is not None else self.detector(inputs.images)
        scene = with_vocabulary_classes(scene, self.rules)
        if inputs.external is not None:
            scene = with_external_detections(scene, inputs.external)
        return *select_and_pair(scene, self.rules), scene.entities

    @property
    def rules(self) -> Rules:
        """What decides on the candidate pairs."""
        return Rules(self.selection, self.subject, self.valid_pairs, self.object_index)

    def new_capacities(self) -> Capacities:
        """Sizes for the batches of a data set."""
        return Capacities(self.selection, self.subject)

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
