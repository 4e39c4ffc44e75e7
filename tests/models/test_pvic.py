"""PViC's head against recorded outputs of the original, and its window attention."""

import pytest
import torch

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.irm import LinearIRM
from rmlr_lightning.models.pvic import VisualContext
from rmlr_lightning.models.pvic_map import STOCHASTIC_DEPTH, FeatureHead, SwinBlock
from rmlr_lightning.models.released import released_head
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.ops.selection import Selection, select_entities
from rmlr_lightning.vocabulary import hicodet
from tests.recorded_heads import SIZES, VERB_STEP, RecordedHead, recorded_scene

SELECTION = Selection(score_threshold=0.05, clamp="after_nms")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_released_weights_give_the_logits_and_scores_of_the_original(dtype):
    recording = RecordedHead("pvic")
    parts = torch.nn.ModuleDict(
        {"ire": VisualContext(256, 2048, 256), "irm": LinearIRM(384, hicodet())}
    )
    parts.load_state_dict(released_head(recording.state()).weights)
    parts.to(dtype).eval()

    scene = recorded_scene(dtype)
    entities = select_entities(scene.entities, SELECTION)
    scene = scene._replace(entities=entities)
    valid_pairs = hicodet().valid_pairs()
    pairs = pair(entities, valid_pairs)
    with torch.inference_mode():
        _, logits = parts["irm"](parts["ire"](scene, pairs, scene.maps["c5"]), scene, pairs)
    scores = verb_scores(logits, log_prior(entities, pairs, valid_pairs, power=2.8))

    allowed = 1e-5 if dtype == torch.float32 else 1e-7
    for image in range(len(SIZES)):
        real = pairs.mask[image]
        assert entities.labels[image][entities.mask[image]].tolist() == (
            recording.recorded("labels", image).tolist()
        )
        assert pairs.human[image][real].tolist() == recording.recorded("human", image).tolist()
        assert pairs.object[image][real].tolist() == recording.recorded("object", image).tolist()
        found = logits[image][real][:, ::VERB_STEP].double()
        torch.testing.assert_close(found, recording.recorded("logits", image), atol=allowed, rtol=0)
        valid = valid_pairs[pairs.object_class[image][real]]
        torch.testing.assert_close(
            scores[image][real][valid].float(),
            recording.recorded("scores", image),
            atol=2e-6,
            rtol=0,
        )


def test_a_padded_map_gives_the_cells_of_the_image_alone():
    torch.manual_seed(0)
    head = FeatureHead(12, 32).eval()
    features, mask = torch.randn(1, 12, 10, 19), torch.zeros(1, 10, 19, dtype=torch.bool)
    mask[:, :7, :9] = True
    together = head(features, mask)
    alone = head(features[:, :, :7, :9], mask[:, :7, :9])
    torch.testing.assert_close(together[:, :7, :9], alone)


def test_attention_stays_within_a_window():
    torch.manual_seed(0)
    block = SwinBlock(32).eval()
    cells = torch.randn(1, 8, 16, 32)
    changed = cells.clone()
    changed[:, :, 8:] += 1
    before, after = block(cells), block(changed)
    torch.testing.assert_close(before[:, :, :8], after[:, :, :8])
    assert not torch.allclose(before[:, :, 8:], after[:, :, 8:])


def test_stochastic_depth_leaves_a_branch_out_for_whole_images():
    torch.manual_seed(0)
    block = SwinBlock(32)
    branch = torch.ones(4000, 1, 2, 32)
    kept = block._some_images(branch).amax((1, 2, 3))
    assert set(kept.tolist()) == {0.0, kept.max().item()}
    assert (kept > 0).float().mean().item() == pytest.approx(1 - STOCHASTIC_DEPTH, abs=0.02)
    assert kept.mean().item() == pytest.approx(1, abs=0.03)
    assert block.eval()._some_images(branch) is branch


def test_a_model_without_a_map_is_refused():
    with pytest.raises(UserError, match="choose model/remine=c5"):
        VisualContext(32, 0, 32)
