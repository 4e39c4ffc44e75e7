"""The alignments again, in float64 and one pair at a time, from their description."""

from typing import NamedTuple

import torch
from torch.nn.functional import normalize

from rmlr_lightning.types import Labels, Prediction, TextEmbeddings
from tests.losses.conftest import VOCABULARY

HOI_OF = VOCABULARY.hoi_of


class Row(NamedTuple):
    """An interacting pair."""

    token: torch.Tensor  # its projected token, of unit length
    object_class: int
    phrases: list[int]


def rows_of(prediction: Prediction, labels: Labels, project, site="ire", max_rows=1000):
    """Interacting pairs, at most `max_rows` per image; those without a phrase are left out."""
    verbs_of = labels.verbs
    tokens = {"ire": prediction.ire_tokens, "irm": prediction.irm_tokens}[site]
    rows = []
    for image in range(len(verbs_of)):
        kept = [
            p
            for p in range(verbs_of.shape[1])
            if prediction.pairs.mask[image, p] and verbs_of[image, p].any()
        ]
        for pair in kept[:max_rows]:
            object_class = int(
                prediction.scene.entities.labels[image, prediction.pairs.object[image, pair]]
            )
            verbs = verbs_of[image, pair].nonzero().flatten().tolist()
            phrases = [
                HOI_OF[verb, object_class] for verb in verbs if (verb, object_class) in HOI_OF
            ]
            if phrases:
                projected = (
                    project.weight.double() @ tokens[image, pair].double() + project.bias.double()
                )
                rows.append(Row(normalize(projected, dim=0), object_class, phrases))
    return rows


def centred(vectors: torch.Tensor) -> torch.Tensor:
    return normalize(vectors.double() - vectors.double().mean(0), dim=-1)


def sentence(
    rows: list[Row],
    bank: TextEmbeddings,
    form="infonce",
    negatives="object",
    temperature=0.1,
    softness=0.1,
):
    """The loss of each row."""
    vectors = centred(bank.sentences)
    in_batch = {phrase for row in rows for phrase in row.phrases}
    losses = []
    for token, object_class, true in rows:
        same = {
            phrase for phrase, (_, other) in enumerate(VOCABULARY.hois) if other == object_class
        }
        candidates = sorted(
            {"batch": in_batch, "object": in_batch | same, "all": set(range(len(vectors)))}[
                negatives
            ]
        )
        logits = [torch.dot(token, vector) / temperature for vector in vectors]
        mean = normalize(torch.stack([vectors[phrase] for phrase in true]).mean(0), dim=0)
        if form == "infonce":
            negatives_sum = sum(
                (logits[phrase].exp() for phrase in candidates if phrase not in true),
                torch.zeros(()).double(),
            )
            loss = sum(
                -(logits[phrase].exp() / (logits[phrase].exp() + negatives_sum)).log()
                for phrase in true
            ) / len(true)
        elif form == "soft":
            similarity = torch.stack(
                [(vectors[candidates] @ vectors[phrase] / softness).softmax(0) for phrase in true]
            )
            loss = -(
                similarity.mean(0)
                * torch.stack([logits[phrase] for phrase in candidates]).log_softmax(0)
            ).sum()
        elif form == "cosine":
            loss = 1 - torch.dot(token, mean)
        else:
            loss = (token - mean).abs().mean()
        losses.append(loss)
    return losses


def word(
    rows: list[Row], bank: TextEmbeddings, form="cosine", temperature=0.1, content=True, detach=True
):
    """The loss of each row."""
    keys = bank.content & bank.words_mask if content else bank.words_mask
    mean = bank.words[keys].double().mean(0)
    targets = []
    for token, _, true in rows:
        words = [
            bank.words[p, w].double() - mean
            for p in true
            for w in range(keys.shape[1])
            if keys[p, w]
        ]
        words = normalize(torch.stack(words), dim=-1)
        weights = (words @ (token.detach() if detach else token) / temperature).softmax(0)
        targets.append(normalize(weights @ words, dim=0))
    losses = []
    for (token, _, true), target in zip(rows, targets, strict=True):
        if form == "cosine":
            loss = 1 - torch.dot(token, target)
        elif form == "l1":
            loss = (token - target).abs().mean()
        else:
            others = [
                other for row, other in zip(rows, targets, strict=True) if row.phrases != true
            ]
            logits = torch.stack([torch.dot(token, one) / temperature for one in [target, *others]])
            loss = -logits.log_softmax(0)[0]
        losses.append(loss)
    return losses


def mean(losses: list[torch.Tensor], rows: list[Row], balance: float = 0.0) -> torch.Tensor:
    """The mean over rows; with `balance`, weighted by the count of the row's rarest phrase."""
    counts = [sum(phrase in row.phrases for row in rows) for phrase in range(len(VOCABULARY.hois))]
    shares = [min(counts[phrase] for phrase in row.phrases) ** -balance for row in rows]
    return sum(share * loss for share, loss in zip(shares, losses, strict=True)) / sum(shares)
