"""Cosines of centred sentences."""

import torch
from torch.nn.functional import cosine_similarity

from rmlr_lightning.text.similarity import phrase_similarity


def test_it_is_the_cosine_after_centring():
    sentences = torch.randn(7, 5, generator=torch.Generator().manual_seed(0)) + 3
    near = phrase_similarity(sentences)
    centred = sentences - sentences.mean(0)
    for i in range(7):
        for j in range(7):
            torch.testing.assert_close(near[i, j], cosine_similarity(centred[i], centred[j], dim=0))


def test_what_all_share_changes_nothing():
    sentences = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        phrase_similarity(sentences), phrase_similarity(sentences + 10), atol=1e-4, rtol=1e-4
    )
