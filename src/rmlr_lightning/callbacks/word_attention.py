"""Which words the token of a pair attends to, where a run aligns tokens with words."""

from collections.abc import Sequence
from typing import Any

import torch
from pytorch_lightning import LightningModule

from rmlr_lightning.types import Batch

MAX_PAIRS = 8  # that are shown


@torch.no_grad()
def attended_words(
    task: LightningModule, batch: Batch, file_names: Sequence[str], text: Any
) -> list[dict[str, Any]]:
    """The attention of the first interacting pairs of a batch, one per image at most.

    Args:
        task: an `HOITask`; its losses with a method `attention` are `losses.word.WordAlignment`.
        batch: with annotations.
        file_names: of its images.
        text: has `phrases(vocabulary)`, as `text.bank.EmbeddingBank`; others give no words.

    Returns:
        For each pair its image, its boxes relative to the image, its HOIs and their phrases, and
        for each loss the words with their weights.
    """
    losses = {name: loss for name, loss in task.losses.items() if hasattr(loss, "attention")}
    if not losses or not hasattr(text, "phrases") or batch.truth is None:
        return []
    # The rows are those of training: interacting pairs with their true phrases.
    prediction = task(batch.inputs)
    positives = task.label(prediction, batch.truth).positives
    rows_per_image = positives.index.shape[1]
    shown = [
        image * rows_per_image  # the first interacting pair of each image
        for image in range(len(file_names))
        if positives.mask[image * rows_per_image]
    ][:MAX_PAIRS]
    # Words of several templates are concatenated, as the embeddings are.
    phrases = text.phrases(task.vocabulary)
    words = [[word for phrase in row for word in phrase.words] for row in phrases]

    weights = {}
    for name, loss in losses.items():
        tokens = getattr(prediction, loss.site_tokens)
        index = positives.index[..., None].expand(-1, -1, tokens.shape[-1])
        # as `Alignment.forward` does it
        projected = loss.project(tokens.gather(1, index).flatten(0, 1).float())
        unit = torch.nn.functional.normalize(projected, dim=-1)
        weights[name] = loss.attention(positives, unit)

    out = []
    entities, pairs = prediction.scene.entities, prediction.pairs
    for row in shown:
        image = row // rows_per_image
        pair = positives.index[image, 0]
        true = positives.phrases[row].nonzero().flatten().tolist()
        out.append(
            {
                "image": file_names[image],
                "box_h": entities.boxes[image, pairs.human[image, pair]].tolist(),
                "box_o": entities.boxes[image, pairs.object[image, pair]].tolist(),
                "hois": true,
                "phrases": [" ".join(phrase.text for phrase in phrases[hoi]) for hoi in true],
                "words": {
                    name: _words(losses[name], attention[row], words)
                    for name, attention in weights.items()
                },
            }
        )
    return out


def _words(
    loss: Any, attention: torch.Tensor, words: Sequence[Sequence[str]]
) -> list[tuple[str, float]]:
    """The words with a weight, in the order of the phrases."""
    return [
        (words[int(loss.word_phrases[key])][int(loss.word_positions[key])], float(attention[key]))
        for key in attention.nonzero().flatten().tolist()
    ]
