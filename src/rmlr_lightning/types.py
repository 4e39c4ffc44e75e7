"""The nouns that cross files. NamedTuples: Lightning moves, casts and pins them.

Everything of a batch is padded and carries a mask (True = real). Two records are per image:
`Target` (exact annotations) and `Detections`.

Letters in shapes: B images, N entities, P pairs, R interacting pairs, C channels, H W pixels,
h w memory cells, D width of a pair token, V verbs, O object classes, G annotated pairs, K
detections or selected rows, T phrases (one per HOI), W words of a phrase, E width of a text
encoder.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor


class Images(NamedTuple):
    """A padded batch of images."""

    pixels: Float[Tensor, "B 3 H W"]  # RGB in [0, 1]; each network normalises as it was trained
    mask: Bool[Tensor, "B H W"]
    sizes: Int[Tensor, "B 2"]  # (height, width) of the original files, in pixels


class Entities(NamedTuple):
    """Detected people and objects. Boxes are relative to each image, without its padding.

    Labels are indices into the vocabulary's objects. As they come from a detector, and from a
    cache, they are indices into the detector's own; `HOIModel` maps them.
    """

    boxes: Float[Tensor, "B N 4"]  # xyxy in [0, 1]; before selection parts may lie outside
    scores: Float[Tensor, "B N"]  # in [0, 1]
    labels: Int[Tensor, "B N"]  # object class
    tokens: Float[Tensor, "B N C"]  # last decoder states
    mask: Bool[Tensor, "B N"]


NO_MAPS: dict[str, Tensor] = {}


class Scene(NamedTuple):
    """All outputs of the frozen detector, before selection; what a scene cache stores."""

    entities: Entities
    memory: Float[Tensor, "B C h w"]  # image features, the finest level the detector offers
    memory_mask: Bool[Tensor, "B h w"]
    sizes: Int[Tensor, "B 2"]
    # further maps by name, such as "c5", each "B C h w" of its own size; those that the re-mining
    # extractor asks for
    maps: dict[str, Tensor] = NO_MAPS
    # which cells of these maps are real, "B h w" each. Of a map without a mask the real part is
    # the same share of the map as of the memory.
    map_masks: dict[str, Tensor] = NO_MAPS


class Pairs(NamedTuple):
    """Candidate human-object pairs as indices into the entities."""

    human: Int[Tensor, "B P"]
    object: Int[Tensor, "B P"]
    object_class: Int[Tensor, "B P"]  # of the object
    mask: Bool[Tensor, "B P"]


class Inputs(NamedTuple):
    """Inputs of the HOI model: images, a cached Scene, or either with external detections."""

    images: Images | None
    scene: Scene | None = None  # takes the detector's place
    external: Entities | None = None  # replaces the detector's entities; tokens have no channels
    # candidates that the loader has made: then `scene` is the one after selection
    pairs: Pairs | None = None


class Prediction(NamedTuple):
    """Output of the HOI model: one return type, in training and in evaluation."""

    scene: Scene  # after selection
    pairs: Pairs
    ire_tokens: Float[Tensor, "B P D"]
    irm_tokens: Float[Tensor, "B P D"]
    logits: Float[Tensor, "B P V"]
    detected: Entities | None = None  # all entities, before selection; evaluation counts them


class Truth(NamedTuple):
    """Annotated pairs of a batch, padded: what a training step is supervised by.

    A row is one pair of boxes with all its verbs. Boxes are relative (xyxy in [0, 1]) and follow
    the augmentation of the image. V-COCO's interactions without an object are not in it.
    """

    boxes_h: Float[Tensor, "B G 4"]
    boxes_o: Float[Tensor, "B G 4"]
    objects: Int[Tensor, "B G"]  # object class
    verbs: Bool[Tensor, "B G V"]  # multi-hot
    mask: Bool[Tensor, "B G"]


class Positives(NamedTuple):
    """The interacting pairs of a batch that losses of alignment read: R rows, padded."""

    index: Int[Tensor, "B K"]  # into the pairs of each image; R = B K
    mask: Bool[Tensor, "R"]
    objects: Int[Tensor, "R"]  # object class
    phrases: Bool[Tensor, "R T"]  # the true phrases of each row
    # rows with each phrase in the whole optimiser step: all processes, all accumulated batches;
    # None: this batch is the step
    in_step: Float[Tensor, "T"] | None = None


class Labels(NamedTuple):
    """Supervision of the candidate pairs, made once per step and shared by all losses."""

    verbs: Bool[Tensor, "B P V"]  # true verbs
    valid: Bool[Tensor, "B P V"]  # verbs that count: valid object-verb pairs, shown in training
    log_prior: Float[Tensor, "B P V"]  # logarithm of the detection scores; -inf where not valid
    positives: Positives


class Target(NamedTuple):
    """Annotations of one image as its file has them, exact: what evaluators read.

    A row is one annotated interaction: a pair with three verbs has three rows. V-COCO's empty roles
    have NaN object boxes and object -1.
    """

    file_name: str
    image_id: int
    size: Int[Tensor, "2"]  # (height, width); (0, 0) where the file does not hold it
    boxes_h: Float[Tensor, "G 4"]  # float64 xyxy in continuous 0-based pixels of the original file
    boxes_o: Float[Tensor, "G 4"]  # likewise
    objects: Int[Tensor, "G"]  # index into the vocabulary's objects
    verbs: Int[Tensor, "G"]  # index into the vocabulary's verbs
    hois: Int[Tensor, "G"]  # index into the vocabulary's hois
    image_hois: frozenset[int] | None = None  # HICO-DET's positive image-level labels, if known
    subjects: Int[Tensor, "G"] | None = None  # class of the subject; None: the vocabulary's subject


class Detections(NamedTuple):
    """Scored interactions of one image, by falling score. Boxes: xyxy in pixels of the file."""

    boxes_h: Float[Tensor, "K 4"]
    boxes_o: Float[Tensor, "K 4"]
    objects: Int[Tensor, "K"]
    verbs: Int[Tensor, "K"]
    scores: Float[Tensor, "K"]


class BoxTarget(NamedTuple):
    """Annotated objects of one image, for the detection task."""

    file_name: str
    image_id: int
    size: Int[Tensor, "2"]
    boxes: Float[Tensor, "G 4"]  # float32 xyxy in continuous 0-based pixels of the file
    labels: Int[Tensor, "G"]  # index into the data set's object classes
    crowd: Bool[Tensor, "G"]


class Batch(NamedTuple):
    """Output of a data loader."""

    inputs: Inputs
    truth: Truth | None  # None for the detection task
    image_ids: list[int]  # evaluators look the exact annotations up by these
    boxes: list[BoxTarget] | None = None  # for the detection task


class TextEmbeddings(NamedTuple):
    """Text embeddings of the phrases of a vocabulary; T follows `Vocabulary.hois`.

    Of several templates the sentences are averaged and the words are concatenated; W is the
    longest phrase.
    """

    sentences: Float[Tensor, "T E"]  # neither normalised nor centred
    words: Float[Tensor, "T W E"]  # one hidden state per word; zeros on padding
    words_mask: Bool[Tensor, "T W"]
    content: Bool[Tensor, "T W"]  # verb, particle and object; not "a photo of a person", articles
