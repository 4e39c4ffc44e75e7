"""A CLIP whose image tower is re-mined and whose text tower is text encoder and classifier."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from transformers import CLIPModel

from rmlr_lightning.data.collate import collate_entities
from rmlr_lightning.data.truth import true_entities
from rmlr_lightning.errors import UserError
from rmlr_lightning.losses.focal import FocalLoss
from rmlr_lightning.losses.sentence import SentenceAlignment
from rmlr_lightning.losses.word import WordAlignment
from rmlr_lightning.models.assemble import assemble, first_stage
from rmlr_lightning.models.clip_vision import clip_network
from rmlr_lightning.models.ire import IRE
from rmlr_lightning.models.irm_text import TextIRM
from rmlr_lightning.models.pair_features import PairFeatures
from rmlr_lightning.models.remine_backbone import clip_backbone
from rmlr_lightning.ops.selection import Selection
from rmlr_lightning.tasks.hoi import HOITask
from rmlr_lightning.tasks.optim import ScheduledAdamW
from rmlr_lightning.text.bank import EmbeddingBank
from rmlr_lightning.text.encoder import TextEncoder
from rmlr_lightning.types import Batch, Inputs
from rmlr_lightning.vocabulary import hicodet
from tests.scenes import random_images, target_of, truth_of_targets
from tests.text.conftest import write_bert, write_clip
from tests.tiny_detectors import tiny_detector

VOCABULARY = hicodet()._replace(hois=hicodet().hois[:40])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> str:
    return str(write_clip(tmp_path_factory.mktemp("clip")))


def test_patches_are_in_the_joint_space(folder):
    """At the size it was trained at, against the tower with its own class token projected."""
    network, images = clip_network(folder).eval(), random_images(2, 32, 32)
    (features,) = network(images)
    assert features.shape == (2, 12, 4, 4)

    clip = CLIPModel.from_pretrained(folder).eval()
    pixels = (images.pixels - network.mean) / network.std
    with torch.no_grad():
        states = clip.vision_model(pixel_values=pixels).last_hidden_state
        project = clip.visual_projection.weight
        for row in range(4):
            for column in range(4):
                patch = clip.vision_model.post_layernorm(states[:, 1 + 4 * row + column])
                expected = patch @ project.T
                torch.testing.assert_close(
                    features[:, :, row, column], expected, atol=1e-5, rtol=1e-5
                )


def test_any_canvas_is_covered(folder):
    (features,) = clip_network(folder)(random_images(1, 45, 70))
    assert features.shape == (1, 12, 6, 9)


def test_other_models_are_refused(tmp_path):
    with pytest.raises(UserError, match="a bert, not a CLIP with an image tower"):
        clip_network(str(write_bert(tmp_path)))
    with pytest.raises(UserError, match=r"name='.*nowhere': neither a folder nor found"):
        clip_network(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("frozen", [True, False])
def test_a_training_step_of_the_whole_composition(frozen, folder, tmp_path):
    torch.manual_seed(0)
    bank = EmbeddingBank(TextEncoder.from_hub(folder, pooling="pooled"), folder=str(tmp_path))
    pair_features = partial(PairFeatures, region_size=3)
    task = HOITask(
        model=partial(
            assemble,
            detector=tiny_detector("detr"),
            selection=Selection(score_threshold=0.0),
            remine=partial(clip_backbone, name=folder, frozen=frozen, dim=16),
            ire=partial(IRE, pair_features=pair_features, dim=32, heads=4, hidden=32, grid=(3, 4)),
            irm=partial(TextIRM, heads=4, hidden=32),
        ),
        losses={
            "interaction": FocalLoss(),
            "sentence": partial(SentenceAlignment, site="ire"),
            "word": partial(WordAlignment, site="irm"),
        },
        optim=ScheduledAdamW(lr=1e-3),
        vocabulary=VOCABULARY,
        text=bank,
    )
    assert task.model.irm.phrases.shape == (40, 12)
    assert [name for name, _ in task.named_parameters() if "tower" in name] != []
    task._trainer = SimpleNamespace(barebones=False)

    images = random_images(2, 75, 100)
    verb, obj = VOCABULARY.hois[3]
    target = target_of([[10, 10, 80, 110]], [[50, 40, 120, 90]], [obj], [verb])
    truth = truth_of_targets([target, target], len(VOCABULARY.verbs))
    external = collate_entities([true_entities(target, target.size)] * 2)
    batch = Batch(Inputs(images, None, external), truth, [0, 1])
    weights = [weight for weight in task.parameters() if weight.requires_grad]
    step = torch.optim.AdamW(weights, 1e-3)
    losses = []
    for _ in range(2):
        loss = task.training_step(batch, 0)
        step.zero_grad()
        loss.backward()
        step.step()
        losses.append(float(loss.detach()))
    assert losses[1] < losses[0]

    tower = [weight for name, weight in task.named_parameters() if ".tower." in name]
    trained = [weight for weight in tower if weight.grad is not None]
    assert (trained == []) if frozen else (len(trained) > 0.8 * len(tower))
    assert not task.model.irm.phrases.requires_grad


def test_the_class_token_is_not_needed_by_the_last_projection(folder):
    """The map alone reaches every weight of the tower that a gradient can reach."""
    _, extractor = first_stage(
        tiny_detector("detr"), partial(clip_backbone, name=folder, frozen=False, dim=16)
    )
    images = random_images(1, 32, 32)
    features = extractor(tiny_detector("detr")(images), images)
    features.square().sum().backward()
    lacking = [name for name, weight in extractor.named_parameters() if weight.grad is None]
    assert lacking == []
