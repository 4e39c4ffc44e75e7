"""The alignments again, in float64 and one pair at a time, from their description."""

from typing import NamedTuple

import torch
from torch.nn.functional import normalize

from rmlr_lightning.types import Prediction, TextEmbeddings
from tests.losses.conftest import VOCABULARY

HOI_OF = VOCABULARY.hoi_of


class Row(NamedTuple):
    """An interacting pair."""

    asked: torch.Tensor  # its projected token, of unit length
    thing: int
    phrases: list[int]


def rows_of(prediction: Prediction, labels, project, site="ire", most=1000) -> list[Row]:
    """Interacting pairs, at most `most` an image; those without a phrase are left out."""
    tokens = {"ire": prediction.ire_tokens, "irm": prediction.irm_tokens}[site]
    rows = []
    for image in range(len(labels)):
        kept = [
            p
            for p in range(labels.shape[1])
            if prediction.pairs.mask[image, p] and labels[image, p].any()
        ]
        for pair in kept[:most]:
            thing = int(
                prediction.scene.entities.labels[image, prediction.pairs.object[image, pair]]
            )
            verbs = labels[image, pair].nonzero().flatten().tolist()
            phrases = [HOI_OF[verb, thing] for verb in verbs if (verb, thing) in HOI_OF]
            if phrases:
                projected = (
                    project.weight.double() @ tokens[image, pair].double() + project.bias.double()
                )
                rows.append(Row(normalize(projected, dim=0), thing, phrases))
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
    seen = {phrase for row in rows for phrase in row.phrases}
    losses = []
    for asked, thing, true in rows:
        same = {phrase for phrase, (_, other) in enumerate(VOCABULARY.hois) if other == thing}
        allowed = sorted(
            {"batch": seen, "object": seen | same, "all": set(range(len(vectors)))}[negatives]
        )
        near = [torch.dot(asked, vector) / temperature for vector in vectors]
        mean = normalize(torch.stack([vectors[phrase] for phrase in true]).mean(0), dim=0)
        if form == "infonce":
            against = sum(
                (near[phrase].exp() for phrase in allowed if phrase not in true),
                torch.zeros(()).double(),
            )
            loss = sum(
                -(near[phrase].exp() / (near[phrase].exp() + against)).log() for phrase in true
            ) / len(true)
        elif form == "soft":
            alike = torch.stack(
                [(vectors[allowed] @ vectors[phrase] / softness).softmax(0) for phrase in true]
            )
            loss = -(
                alike.mean(0) * torch.stack([near[phrase] for phrase in allowed]).log_softmax(0)
            ).sum()
        elif form == "cosine":
            loss = 1 - torch.dot(asked, mean)
        else:
            loss = (asked - mean).abs().mean()
        losses.append(loss)
    return losses


def word(
    rows: list[Row], bank: TextEmbeddings, form="cosine", temperature=0.1, content=True, detach=True
):
    """The loss of each row."""
    read = bank.content & bank.words_mask if content else bank.words_mask
    mean = bank.words[read].double().mean(0)
    targets = []
    for asked, _, true in rows:
        words = [
            bank.words[p, w].double() - mean
            for p in true
            for w in range(read.shape[1])
            if read[p, w]
        ]
        words = normalize(torch.stack(words), dim=-1)
        weights = (words @ (asked.detach() if detach else asked) / temperature).softmax(0)
        targets.append(normalize(weights @ words, dim=0))
    losses = []
    for (asked, _, true), target in zip(rows, targets, strict=True):
        if form == "cosine":
            loss = 1 - torch.dot(asked, target)
        elif form == "l1":
            loss = (asked - target).abs().mean()
        else:
            others = [
                other for row, other in zip(rows, targets, strict=True) if row.phrases != true
            ]
            near = torch.stack([torch.dot(asked, one) / temperature for one in [target, *others]])
            loss = -near.log_softmax(0)[0]
        losses.append(loss)
    return losses


def mean(losses: list[torch.Tensor], rows: list[Row], balance: float = 0.0) -> torch.Tensor:
    """The mean over rows; with `balance`, weighted by how often the row's rarest phrase is there."""
    counts = [sum(phrase in row.phrases for row in rows) for phrase in range(len(VOCABULARY.hois))]
    shares = [min(counts[phrase] for phrase in row.phrases) ** -balance for row in rows]
    return sum(share * loss for share, loss in zip(shares, losses, strict=True)) / sum(shares)
