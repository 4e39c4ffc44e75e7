"""Every trained weight gets a gradient: several processes need not search for others."""

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from rmlr_lightning.ops.masked import gather_rows
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.types import Images, Inputs, Truth
from rmlr_lightning.vocabulary import hicodet
from tests.tasks.tiny_task import text

EXPERIMENTS = ["rmlr", "upt", "pvic", "large", "remine_backbone", "text_classifier", "verbs_ire"]


@pytest.mark.slow
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_no_weight_is_without_a_gradient(experiment):
    with initialize_config_dir(conf_dir(), version_base="1.3"):
        cfg = compose("train", [f"experiment={experiment}", "paths.output=x"])
    cfg.task.module.metrics, cfg.task.module.text = {}, None
    if "pretrained" in cfg.model.remine:
        cfg.model.remine.pretrained = False
    torch.manual_seed(0)
    task = instantiate(cfg.task.module, vocabulary=hicodet(), text=text).train()

    real = torch.ones(2, 96, 128, dtype=torch.bool)
    images = Images(torch.rand(2, 3, 96, 128), real, torch.tensor([[96, 128]] * 2))
    prediction = task.model(Inputs(images))
    pairs, boxes = prediction.pairs, prediction.scene.entities.boxes
    objects = pairs.object_class[:, :4]
    truth = Truth(
        gather_rows(boxes, pairs.human[:, :4]),
        gather_rows(boxes, pairs.object[:, :4]),
        objects,
        hicodet().valid_pairs()[objects],
        pairs.mask[:, :4],
    )
    labels = task.label(prediction, truth)
    sum(loss(prediction, labels) for loss in task.losses.values()).backward()
    weights = [name for name, weight in task.named_parameters() if weight.requires_grad]
    idle = [name for name in weights if task.get_parameter(name).grad is None]
    assert weights and not idle
