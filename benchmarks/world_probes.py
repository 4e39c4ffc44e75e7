"""The probes of benchmarks/world.py: an MLP on features, a small CNN on pixels, and their mAP."""

import numpy as np
import torch
from torch import nn
from world_features import CROP

from rmlr_lightning.synthetic.world import classes

# Indices of box features that change when an image is mirrored.
MIRRORED_FEATURES = [0, 2, 10, 17, 18]


def valid_pairs() -> torch.Tensor:
    """bool (objects, verbs): True for the valid object-verb pairs of the world."""
    names = classes()
    table = torch.zeros(len(names.objects), len(names.verbs), dtype=torch.bool)
    for verb, obj in names.hois:
        table[names.objects.index(obj), names.verbs.index(verb)] = True
    return table


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    """AP without interpolation; 0 where nothing is true."""
    order = np.argsort(-scores, kind="stable")
    hit = truth[order]
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    return float((precision * hit).sum() / max(hit.sum(), 1))


def evaluate(logits: torch.Tensor, data: dict) -> dict:
    """mAP in percent over the HOIs of the world: full, rare, non-rare, and by verb.

    `logits`: (P, V) for all pairs of the set.
    """
    names = classes()
    aps = []
    for verb, obj in names.hois:
        rows = data["objects"] == names.objects.index(obj)
        column = names.verbs.index(verb)
        scores, truth = logits[rows, column].numpy(), data["target"][rows, column].numpy()
        aps.append(average_precision(scores, truth))
    aps = 100 * np.array(aps)

    rare = np.zeros(len(aps), bool)
    rare[list(names.rare)] = True
    by_verb = {}
    for verb in names.verbs:
        of_verb = [ap for ap, (name, _) in zip(aps, names.hois, strict=True) if name == verb]
        by_verb[verb] = round(float(np.mean(of_verb)), 1)

    return {
        "full": aps.mean(),
        "rare": aps[rare].mean(),
        "non_rare": aps[~rare].mean(),
        "by_verb": by_verb,
    }


class Mlp(nn.Module):
    """Two hidden layers on features (B, F) and object class (B,); gives verb logits (B, V)."""

    def __init__(self, features: int, hidden: int = 256) -> None:
        super().__init__()
        names = classes()
        self.net = nn.Sequential(
            nn.Linear(features + len(names.objects), hidden),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(0.1),
            nn.Linear(hidden, len(names.verbs)),
        )

    def forward(self, features, objects):
        object_class = nn.functional.one_hot(objects, len(classes().objects)).float()
        return self.net(torch.cat([features, object_class], 1))


class Cnn(nn.Module):
    """Four strided blocks on the crop (RGB and both box masks), then an MLP with box features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        layers, channels = [], 5
        for width in (24, 48, 96, 128):
            layers += [nn.Conv2d(channels, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
            channels = width
        self.trunk = nn.Sequential(
            *layers,
            nn.Conv2d(channels, 128, 3, 1, 1),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(128 * (CROP // 16) ** 2, 256),
            nn.ReLU(),
        )
        self.head = Mlp(256 + features)

    def forward(self, crop, features, objects):
        return self.head(torch.cat([self.trunk(crop), features], 1), objects)


def loss_of(logits, objects, target, valid) -> torch.Tensor:
    """Binary cross entropy over the valid verbs of each object."""
    mask = valid[objects]
    return nn.functional.binary_cross_entropy_with_logits(logits[mask], target[mask])


def fit_mlp(train: dict, test: dict, inputs: tuple[str, ...], steps: int, seed: int) -> dict:
    """Trains an MLP on the features `inputs` of one set; its mAP on the other."""
    torch.manual_seed(seed)
    train_features = torch.cat([train[name] for name in inputs], 1)
    test_features = torch.cat([test[name] for name in inputs], 1)
    mean, std = train_features.mean(0), train_features.std(0) + 1e-4
    train_features = (train_features - mean) / std
    test_features = (test_features - mean) / std

    net, valid = Mlp(train_features.shape[1]), valid_pairs()
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(steps):
        rows = torch.randint(len(train_features), (256,))
        objects = train["objects"][rows]
        loss = loss_of(net(train_features[rows], objects), objects, train["target"][rows], valid)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()

    net.eval()
    with torch.no_grad():
        return evaluate(net(test_features, test["objects"]), test)


def near(data: dict) -> torch.Tensor:
    """Rows of pairs whose boxes are within reach of each other.

    The CNN is trained on these only; the others are ranked last.
    """
    # |dx|, and the mean width of both boxes, in heights of the person.
    distance = data["boxes"][:, 11]
    width = (data["boxes"][:, 8] + data["boxes"][:, 13]) / 2
    return (distance < width + 0.25).nonzero()[:, 0]


def fit_cnn(train: dict, test: dict, epochs: int, seed: int) -> dict:
    """Trains a CNN on the crops of one set; its mAP on the other."""
    torch.manual_seed(seed)
    mean, std = train["boxes"].mean(0), train["boxes"].std(0) + 1e-4
    net, valid = Cnn(len(mean)), valid_pairs()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=2e-2)
    count, batch = len(train["rows"]), 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, epochs * (count // batch))

    # Crops are mirrored in training, box features are not.
    kept = torch.ones(len(mean))
    kept[MIRRORED_FEATURES] = 0

    def forward(data: dict, picked: torch.Tensor, augment: bool) -> torch.Tensor:
        """Logits of the picked near pairs."""
        crop = data["crops"][picked].float() / 255
        rows = data["rows"][picked]
        if augment:
            flip = torch.rand(len(crop)) < 0.5
            crop[flip] = crop[flip].flip(-1)
            crop[:, :3] *= 1 + 0.15 * torch.randn(len(crop), 3, 1, 1)
        features = (data["boxes"][rows] - mean) / std * kept
        return net(crop, features, data["objects"][rows])

    for _ in range(epochs):
        order = torch.randperm(count)
        for start in range(0, count - batch + 1, batch):
            picked = order[start : start + batch]
            rows = train["rows"][picked]
            logits = forward(train, picked, True)
            loss = loss_of(logits, train["objects"][rows], train["target"][rows], valid)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()

    net.eval()
    logits = torch.full_like(test["target"], -100.0)
    total = len(test["rows"])
    with torch.no_grad():
        for start in range(0, total, 256):
            picked = torch.arange(start, min(start + 256, total))
            logits[test["rows"][picked]] = forward(test, picked, False)
    return evaluate(logits, test)
