"""The nouns that cross files. NamedTuples: Lightning moves, casts and pins them, `torch.compile` traces them.

Predictions are padded and carry a mask (True = real); ground truth is ragged, one `Target` an image.
Letters in shapes: B images, N entities, P pairs, C channels, H W pixels, h w memory cells, D width, V verbs, G true
interactions, K detections, T phrases, W words, E width of a language model.
"""

from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor


class Images(NamedTuple):
    """A padded batch of images."""

    pixels: Float[Tensor, "B 3 H W"]  # RGB in [0, 1]; each model part normalises as it was trained
    mask: Bool[Tensor, "B H W"]
    sizes: Int[Tensor, "B 2"]  # (height, width) of the original files, in pixels


class Entities(NamedTuple):
    """What the detector found. Boxes are relative to each image's own extent, without padding."""

    boxes: Float[Tensor, "B N 4"]  # xyxy in [0, 1]
    scores: Float[Tensor, "B N"]  # in [0, 1]
    labels: Int[Tensor, "B N"]  # COCO index 0..79 (person = 0)
    tokens: Float[Tensor, "B N C"]  # last decoder states
    mask: Bool[Tensor, "B N"]


class Scene(NamedTuple):
    """All that the frozen detector says about a batch, before selection; what a feature cache stores."""

    entities: Entities
    memory: Float[Tensor, "B C h w"]  # image features, the finest level the detector offers
    memory_mask: Bool[Tensor, "B h w"]
    sizes: Int[Tensor, "B 2"]


class Inputs(NamedTuple):
    """What the HOI model eats: images; or what the detector said about them already; or images with given boxes."""

    images: Images | None
    scene: Scene | None = None  # the detector is not asked
    given: Entities | None = (
        None  # boxes from elsewhere take the place of the detector's (their tokens have no columns)
    )


class Pairs(NamedTuple):
    """Candidate human-object pairs as indices into the entities."""

    human: Int[Tensor, "B P"]
    object: Int[Tensor, "B P"]
    mask: Bool[Tensor, "B P"]


class Prediction(NamedTuple):
    """What the HOI model says: one return type, in training and in evaluation."""

    scene: Scene  # after selection
    pairs: Pairs
    ire_tokens: Float[Tensor, "B P D"]
    irm_tokens: Float[Tensor, "B P D"]
    logits: Float[Tensor, "B P V"]


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
    objects: Int[Tensor, "G"]  # COCO index 0..79
    verbs: Int[Tensor, "G"]  # index into the vocabulary's verbs
    hois: Int[Tensor, "G"]  # index into the vocabulary's hois
    image_hois: frozenset[int] | None = None  # HICO-DET's positive image-level labels, if known


class Detections(NamedTuple):
    """MatchedDetections interactions of one image, sorted by score. Boxes as in `Target`."""

    boxes_h: Float[Tensor, "K 4"]
    boxes_o: Float[Tensor, "K 4"]
    objects: Int[Tensor, "K"]
    verbs: Int[Tensor, "K"]
    scores: Float[Tensor, "K"]


class BoxTarget(NamedTuple):
    """True objects of one image, for the detection task. Boxes as in `Target`."""

    file_name: str
    image_id: int
    size: Int[Tensor, "2"]
    boxes: Float[Tensor, "G 4"]
    labels: Int[Tensor, "G"]  # COCO index 0..79
    crowd: Bool[Tensor, "G"]


class Batch(NamedTuple):
    """What a data loader yields."""

    inputs: Inputs
    targets: list[Target] | list[BoxTarget]


class TextEmbeddings(NamedTuple):
    """What a language model says about the phrases of a vocabulary; T follows `Vocabulary.hois`, E is its width.

    Several templates: sentences are their mean, words come one template after the other (W is the longest).
    """

    sentences: Float[Tensor, "T E"]  # neither normalised nor centred
    words: Float[Tensor, "T W E"]  # hidden states, one a word; zeros where there is none
    words_mask: Bool[Tensor, "T W"]
    content: Bool[
        Tensor, "T W"
    ]  # verb, particle and object words; not "a", "photo", "of", "person", articles
