"""UPT's head against recorded outputs of the original, and against slow references."""

import pytest
import torch
from torch.nn import functional as F

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.released import released_head
from rmlr_lightning.models.upt import Competitive, Cooperative, MultiBranchFusion, UnaryPairwise
from rmlr_lightning.ops.pairing import pair
from rmlr_lightning.ops.prior import log_prior, verb_scores
from rmlr_lightning.ops.selection import Selection, select_entities
from rmlr_lightning.types import Pairs
from rmlr_lightning.vocabulary import COCO_INDEX, hicodet, vcoco
from tests.recorded_heads import SIZES, VERB_STEP, RecordedHead, recorded_scene
from tests.scenes import random_scene


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_released_weights_give_the_logits_and_scores_of_the_original(dtype):
    recording = RecordedHead("upt")
    parts = torch.nn.ModuleDict(
        {"ire": UnaryPairwise(256, 2048, 256), "irm": Competitive(1024, hicodet())}
    )
    parts.load_state_dict(released_head(recording.state()).weights)
    parts.to(dtype).eval()

    scene = recorded_scene(dtype)
    entities = select_entities(scene.entities, Selection(clamp="never"))
    scene = scene._replace(entities=entities)
    valid_pairs = hicodet().valid_pairs()
    pairs = pair(entities, valid_pairs)
    with torch.inference_mode():
        _, logits = parts["irm"](parts["ire"](scene, pairs, scene.maps["c5"]), scene, pairs)
    scores = verb_scores(logits, log_prior(entities, pairs, valid_pairs, power=2.8))

    for image in range(len(SIZES)):
        real = pairs.mask[image]
        assert entities.labels[image][entities.mask[image]].tolist() == (
            recording.recorded("labels", image).tolist()
        )
        assert pairs.human[image][real].tolist() == recording.recorded("human", image).tolist()
        assert pairs.object[image][real].tolist() == recording.recorded("object", image).tolist()

        # 1e-5, or what float32 costs the original itself; in double precision both agree
        deviation = recording.recorded("deviation", image).item()
        allowed = max(1e-5, deviation) if dtype == torch.float32 else 1e-7
        found = logits[image][real][:, ::VERB_STEP].double()
        torch.testing.assert_close(found, recording.recorded("logits", image), atol=allowed, rtol=0)
        valid = valid_pairs[pairs.object_class[image][real]]
        torch.testing.assert_close(
            scores[image][real][valid].float(),
            recording.recorded("scores", image),
            atol=2e-6,
            rtol=0,
        )


# The five largest scores of UPT's own code with V-COCO's 24 verbs, where cups are vases and
# handbags are ovens: objects without a verb, whose pairs take part in the attention among pairs.
OF_VCOCO = (
    [0.16616952, 0.15421019, 0.15306246, 0.11985528, 0.11870621],
    [6.4e-06, 6.33e-06, 6.21e-06, 6.2e-06, 5.81e-06],
    [0.30247521, 0.29994109, 0.25783703, 0.24136841, 0.2221912],
)


def test_objects_without_a_verb_are_paired_as_in_the_original():
    state, vocabulary = RecordedHead("upt").state(), vcoco()
    for part in ("weight", "bias"):
        key = f"interaction_head.box_pair_predictor.{part}"
        state[key] = state[key][: len(vocabulary.verbs)]
    parts = torch.nn.ModuleDict(
        {"ire": UnaryPairwise(256, 2048, 256), "irm": Competitive(1024, vocabulary)}
    )
    parts.load_state_dict(released_head(state).weights)
    parts.eval()

    scene = recorded_scene()
    labels = scene.entities.labels.clone()
    for name, other in (("cup", "vase"), ("handbag", "oven")):
        labels[labels == COCO_INDEX[name]] = COCO_INDEX[other]
    valid_pairs = vocabulary.valid_pairs()
    assert not valid_pairs[[COCO_INDEX["vase"], COCO_INDEX["oven"]]].any()
    entities = scene.entities._replace(labels=labels)
    entities = select_entities(entities, Selection(clamp="never", pair_all=True))
    scene = scene._replace(entities=entities)
    pairs = pair(entities, None)
    with torch.inference_mode():
        _, logits = parts["irm"](parts["ire"](scene, pairs, scene.maps["c5"]), scene, pairs)
    scores = verb_scores(logits, log_prior(entities, pairs, valid_pairs, power=2.8))
    for image, expected in enumerate(OF_VCOCO):
        largest = scores[image].flatten().topk(5).values
        torch.testing.assert_close(largest, torch.tensor(expected), atol=1e-8, rtol=1e-4)


def test_cooperative_attention_agrees_with_loops_over_heads_and_entities():
    torch.manual_seed(0)
    layer = Cooperative(12, 16, heads=2).eval()
    tokens, layouts = torch.randn(1, 4, 12), torch.randn(1, 4, 4, 16)
    mask = torch.tensor([[True, True, True, False]])

    unary, pairwise = torch.relu(layer.unary(tokens[0])), torch.relu(layer.pairwise(layouts[0]))
    read = torch.zeros(3, 16)
    for receiver in range(3):
        for head in range(2):
            part = slice(8 * head, 8 * head + 8)
            weights, messages = [], []
            for sender in range(3):
                u_i, u_j = unary[sender, part], unary[receiver, part]
                p_ij = pairwise[sender, receiver, part]
                weights.append(layer.weigh[head] @ torch.cat([u_i, u_j, p_ij]))
                messages.append(layer.message[head] @ (u_i * p_ij) + layer.message_bias[head])
            weights = torch.stack(weights).softmax(0)
            read[receiver, part] = sum(w * m for w, m in zip(weights, messages, strict=True))
    expected = layer.norm(tokens[0, :3] + layer.aggregate(torch.relu(read)))
    feed = layer.feed
    expected = feed.norm(expected + feed.out(F.gelu(feed.hidden(expected))))
    torch.testing.assert_close(layer(tokens, layouts, mask)[0, :3], expected, atol=1e-5, rtol=1e-5)


def test_a_projection_in_parts_equals_one_of_the_concatenation():
    torch.manual_seed(0)
    fusion = MultiBranchFusion(6, 5, 16, parts=2)
    first, second = torch.randn(2, 3, 6), torch.randn(2, 3, 6)
    together = fusion.appearance(torch.cat([first, second], -1))
    torch.testing.assert_close(fusion.project(0, first) + fusion.project(1, second), together)


def test_dropout_in_training_keeps_the_mean_of_the_competitive_layer():
    torch.manual_seed(0)
    layer, scene = Competitive(16, hicodet(), heads=2, hidden=16, dropout=0.05), random_scene(1, 4)
    index = torch.zeros(1, 6, dtype=torch.long)
    pairs = Pairs(index, index, index, torch.tensor([[True] * 5 + [False]]))
    tokens = torch.randn(1, 6, 16)
    expected = layer.eval()(tokens, scene, pairs)[0][:, :5]
    layer.train()
    mean = torch.stack([layer(tokens, scene, pairs)[0][:, :5] for _ in range(400)]).mean(0)
    torch.testing.assert_close(mean, expected, atol=0.15, rtol=0)


def test_a_model_without_a_map_is_refused():
    with pytest.raises(UserError, match="choose model/remine=c5"):
        UnaryPairwise(16, 0, 16)
