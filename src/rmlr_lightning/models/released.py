"""Weights of UPT's and PViC's released checkpoints, by the names of our modules.

A released checkpoint is `{"model_state_dict": ...}` of the whole model. The detector's weights are
those under `detector.`; all others belong to the head and are mapped here, key by key. Nothing is
guessed from a file's name.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from rmlr_lightning.errors import UserError
from rmlr_lightning.models.pvic_map import log_offsets, offset_index

DETECTOR = "detector."
R101_BLOCK = "detector.backbone.0.body.layer3.22.conv1.weight"  # not in R50
UPT, PVIC = "interaction_head.", "ho_matcher."  # each is in one of the two only


class ReleasedHead(NamedTuple):
    """The head of a released checkpoint."""

    kind: str  # "upt" or "pvic", as in `model=upt`
    verbs: int
    is_r101: bool  # of the detector's backbone
    weights: dict[str, Tensor]  # "ire." and "irm." with the names of our modules


class Weights:
    """Weights that are taken one by one; what is missing or left over is an error.

    Args:
        state: without the detector's weights.
        name: of the file, for messages.
    """

    def __init__(self, state: Mapping[str, Tensor], name: str) -> None:
        self.rest = dict(state)
        self.name = name

    def take(self, key: str) -> Tensor:
        """The weight of a key.

        Raises:
            UserError: there is none.
        """
        if key not in self.rest:
            raise UserError(f"{self.name}: the head has no weight {key}")
        return self.rest.pop(key)

    def layer(self, theirs: str, ours: str) -> dict[str, Tensor]:
        """Weight and bias of a layer, under our name."""
        return {f"{ours}.{part}": self.take(f"{theirs}.{part}") for part in ("weight", "bias")}

    def layers(self, names: Mapping[str, str], theirs: str, ours: str) -> dict[str, Tensor]:
        """Several layers below a common prefix; `names` maps their names to ours."""
        found = {}
        for their_name, our_name in names.items():
            found |= self.layer(theirs + their_name, ours + our_name)
        return found

    def count(self, prefix: str) -> int:
        """How many numbered modules there are: `prefix`0., `prefix`1., ..."""
        numbers = [re.match(rf"{re.escape(prefix)}(\d+)\.", key) for key in self.rest]
        return 1 + max((int(number[1]) for number in numbers if number), default=-1)

    def finish(self) -> None:
        """Check that every weight was taken.

        Raises:
            UserError: some were not.
        """
        if self.rest:
            shown = ", ".join(sorted(self.rest)[:3])
            raise UserError(f"{self.name}: the head has {len(self.rest)} unknown weights: {shown}")


def released_kind(state: Mapping[str, Tensor]) -> str | None:
    """Whose model the keys belong to: "upt", "pvic", or None for another."""
    # Keys decide: file names are the user's.
    kinds = {
        kind
        for prefix, kind in ((UPT, "upt"), (PVIC, "pvic"))
        if any(key.startswith(prefix) for key in state)
    }
    return kinds.pop() if len(kinds) == 1 else None


def released_head(state: Mapping[str, Tensor], name: str = "checkpoint") -> ReleasedHead:
    """The head's weights of a whole model.

    Args:
        state: the `model_state_dict`.
        name: of the file, for messages.

    Raises:
        UserError: neither UPT's nor PViC's keys, or keys that are missing or unknown.
    """
    kind = released_kind(state)
    if kind is None:
        raise UserError(f"{name}: has the weights of neither UPT's nor PViC's head")
    # Nothing may be left over: an unknown weight is a part of the model that ours lacks.
    weights = Weights({k: v for k, v in state.items() if not k.startswith(DETECTOR)}, name)
    mapped = upt_weights(weights) if kind == "upt" else pvic_weights(weights)
    weights.finish()
    return ReleasedHead(kind, len(mapped["irm.classify.bias"]), R101_BLOCK in state, mapped)


def upt_weights(weights: Weights) -> dict[str, Tensor]:
    """UPT's `InteractionHead`."""
    mapped = weights.layers(
        {"spatial_head.0": "0", "spatial_head.2": "2", "spatial_head.4": "4"}, UPT, "ire.layout."
    )
    for index in range(weights.count(f"{UPT}coop_layer.mod_enc.")):
        mapped |= _cooperative(weights, f"{UPT}coop_layer.mod_enc.{index}.", f"ire.layers.{index}.")
    mapped |= _fusion(weights, f"{UPT}mbf.", "ire.fuse.")
    mapped |= _fusion(weights, f"{UPT}mbf_g.", "ire.context.")
    names = {
        "attention.attention.query": "query",
        "attention.attention.key": "key",
        "attention.attention.value": "value",
        "attention.output.aggregate": "aggregate",
        "attention.output.norm": "norm",
        **_feed_forward("feed."),
    }
    mapped |= weights.layers(names, f"{UPT}comp_layer.", "irm.")
    return mapped | weights.layer(f"{UPT}box_pair_predictor", "irm.classify")


def _feed_forward(ours: str) -> dict[str, str]:
    return {"ffn.ffn.0": f"{ours}hidden", "ffn.ffn.2": f"{ours}out", "ffn.norm": f"{ours}norm"}


def _cooperative(weights: Weights, theirs: str, ours: str) -> dict[str, Tensor]:
    """A cooperative layer: its heads have layers of their own, which we stack."""
    names = {
        "unary": "unary",
        "pairwise": "pairwise",
        "aggregate": "aggregate",
        "norm": "norm",
        **_feed_forward("feed."),
    }
    mapped = weights.layers(names, theirs, ours)
    for their_name, our_name in (("attn", "weigh"), ("message", "message")):
        heads = range(weights.count(f"{theirs}{their_name}."))
        stacked = {
            part: torch.stack([weights.take(f"{theirs}{their_name}.{i}.{part}") for i in heads])
            for part in ("weight", "bias")
        }
        if our_name == "weigh":  # layers of one output
            stacked = {part: value.squeeze(1) for part, value in stacked.items()}
        mapped |= {ours + our_name: stacked["weight"], f"{ours}{our_name}_bias": stacked["bias"]}
    return mapped


def _fusion(weights: Weights, theirs: str, ours: str) -> dict[str, Tensor]:
    """Multi-branch fusion: the branches side by side are one layer of full width."""
    mapped = {}
    for number, our_name in ((1, "appearance"), (2, "layout"), (3, "out")):
        branches = range(weights.count(f"{theirs}fc_{number}."))
        taken = {
            part: [weights.take(f"{theirs}fc_{number}.{i}.{part}") for i in branches]
            for part in ("weight", "bias")
        }
        # results of the first two are concatenated, those of the last one are added
        if number < 3:
            weight, bias = torch.cat(taken["weight"]), torch.cat(taken["bias"])
        else:
            weight, bias = torch.cat(taken["weight"], 1), torch.stack(taken["bias"]).sum(0)
        mapped |= {f"{ours}{our_name}.weight": weight, f"{ours}{our_name}.bias": bias}
    return mapped


def pvic_weights(weights: Weights) -> dict[str, Tensor]:
    """PViC's matcher, feature head, decoder and classifier."""
    names = {
        "ref_anchor_head.0": "reference.0",
        "ref_anchor_head.2": "reference.2",
        "spatial_head.0": "layout.0",
        "spatial_head.2": "layout.2",
        "spatial_head.4": "layout.4",
        "mmf.fc1": "fuse.entities",
        "mmf.fc2": "fuse.layout",
        "mmf.ln1": "fuse.norm_entities",
        "mmf.ln2": "fuse.norm_layout",
        "mmf.mlp.0": "fuse.mlp.0",
        "mmf.mlp.2": "fuse.mlp.2",
    }
    mapped = weights.layers(names, PVIC, "ire.")
    attention = {"q_proj": "query", "k_proj": "key", "v_proj": "value", "attn.out_proj": "out"}
    positions = {"qpos_proj": "query_position", "kpos_proj": "key_position"}
    feed = {"ffn.0": "feed.0", "ffn.3": "feed.3"}

    names = attention | positions | feed | {"ln1": "norm_attend", "ln2": "norm_feed"}
    encoder = f"{PVIC}encoder.layers."
    for index in range(weights.count(encoder)):
        mapped |= weights.layers(names, f"{encoder}{index}.", f"ire.matcher.{index}.")

    # In the decoder the same names, with a prefix, belong to self- and to cross-attention.
    own = {f"q_attn_{theirs}": ours for theirs, ours in (attention | positions).items()}
    own["q_attn.out_proj"] = own.pop("q_attn_attn.out_proj")
    cross = {key.replace("q_attn", "qk_attn", 1): f"map_{ours}" for key, ours in own.items()}
    names = own | cross | feed | {"ln1": "norm", "ln2": "map_norm", "ln3": "feed_norm"}
    for index in range(weights.count("decoder.layers.")):
        mapped |= weights.layers(names, f"decoder.layers.{index}.", f"ire.decoder.{index}.")

    mapped |= _feature_head(weights)
    mapped |= weights.layer("decoder.norm", "irm.norm")
    return mapped | weights.layer("binary_classifier", "irm.classify")


def _feature_head(weights: Weights) -> dict[str, Tensor]:
    """PViC's projection of the map and its window attention."""
    theirs, ours = "feature_head.", "ire.feature_head."
    names = {"fpn.inner_blocks.0.0": "reduce", "fpn.layer_blocks.0.0": "smooth"}
    mapped = weights.layers(names, theirs, ours)

    theirs, ours = f"{theirs}layers.1.blocks.0.", f"{ours}block."
    names = {
        "norm1": "norm_attend",
        "norm2": "norm_feed",
        "mlp.0": "feed.0",
        "mlp.3": "feed.2",
        "attn.proj": "attention.out",
        "attn.cpb_mlp.0": "attention.bias.0",
    }
    mapped |= weights.layers(names, theirs, ours)
    theirs, ours = f"{theirs}attn.", f"{ours}attention."
    mapped[f"{ours}bias.2.weight"] = weights.take(f"{theirs}cpb_mlp.2.weight")
    mapped[f"{ours}log_scale"] = weights.take(f"{theirs}logit_scale")

    # the bias of the keys is part of the file, but not of the model: it is set to zero there
    for name, weight, bias in zip(
        ("query", "key", "value"),
        weights.take(f"{theirs}qkv.weight").chunk(3),
        weights.take(f"{theirs}qkv.bias").chunk(3),
        strict=True,
    ):
        mapped[f"{ours}{name}.weight"] = weight
        if name != "key":
            mapped[f"{ours}{name}.bias"] = bias

    # constants that follow from the size of a window
    offsets = weights.take(f"{theirs}relative_coords_table").reshape(-1, 2)
    index = weights.take(f"{theirs}relative_position_index")
    same = offsets.shape == log_offsets().shape and torch.allclose(offsets, log_offsets())
    if not same or not torch.equal(index, offset_index().flatten()):
        raise UserError(f"{weights.name}: the windows of its feature head are not of 8 x 8 cells")
    return mapped
