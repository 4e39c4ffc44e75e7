"""The probes of benchmarks/world.py: what an MLP reads from numbers and a small CNN from pixels, and their mAP."""

import numpy as np
import torch
from torch import nn

from rmlr_lightning.synthetic.world import classes

CROP = 64


def allowed() -> torch.Tensor:
    names = classes()
    table = torch.zeros(len(names.objects), len(names.verbs), dtype=torch.bool)
    for verb, obj in names.hois:
        table[names.objects.index(obj), names.verbs.index(verb)] = True
    return table


def average_precision(scores: np.ndarray, truth: np.ndarray) -> float:
    order = np.argsort(-scores, kind="stable")
    hit = truth[order]
    precision = np.cumsum(hit) / np.arange(1, len(hit) + 1)
    return float((precision * hit).sum() / max(hit.sum(), 1))


def evaluate(logits: torch.Tensor, data: dict) -> dict:
    """mAP over the world's HOIs: full, rare, non-rare, and by verb."""
    names = classes()
    aps = []
    for verb, obj in names.hois:
        mine = data["objects"] == names.objects.index(obj)
        v = names.verbs.index(verb)
        aps.append(average_precision(logits[mine, v].numpy(), data["target"][mine, v].numpy()))
    aps = 100 * np.array(aps)
    rare = np.zeros(len(aps), bool)
    rare[list(names.rare)] = True
    by_verb = {
        v: round(
            float(np.mean([a for a, (w, _) in zip(aps, names.hois, strict=True) if w == v])), 1
        )
        for v in names.verbs
    }
    return {
        "full": aps.mean(),
        "rare": aps[rare].mean(),
        "non_rare": aps[~rare].mean(),
        "by_verb": by_verb,
    }


class Mlp(nn.Module):
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

    def forward(self, x, objects):
        hot = nn.functional.one_hot(objects, len(classes().objects)).float()
        return self.net(torch.cat([x, hot], 1))


class Cnn(nn.Module):
    """Four strided blocks on the crop (RGB and the two box masks), then an MLP with the box features."""

    def __init__(self, features: int) -> None:
        super().__init__()
        layers, last = [], 5
        for width in (24, 48, 96, 128):
            layers += [nn.Conv2d(last, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU()]
            last = width
        self.trunk = nn.Sequential(
            *layers,
            nn.Conv2d(last, 128, 3, 1, 1),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(128 * (CROP // 16) ** 2, 256),
            nn.ReLU(),
        )
        self.head = Mlp(256 + features)

    def forward(self, crop, x, objects):
        return self.head(torch.cat([self.trunk(crop), x], 1), objects)


def loss_of(logits, objects, target, table):
    """Binary cross entropy over the verbs possible with the object."""
    mask = table[objects]
    return nn.functional.binary_cross_entropy_with_logits(logits[mask], target[mask])


def fit_mlp(train: dict, test: dict, keys: tuple[str, ...], steps: int, seed: int) -> dict:
    torch.manual_seed(seed)
    x, y = (torch.cat([d[k] for k in keys], 1) for d in (train, test))
    mean, std = x.mean(0), x.std(0) + 1e-4
    x, y = ((v - mean) / std for v in (x, y))
    net, table = Mlp(x.shape[1]), allowed()
    optimizer = torch.optim.AdamW(net.parameters(), 2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
    for _ in range(steps):
        pick = torch.randint(len(x), (256,))
        loss = loss_of(
            net(x[pick], train["objects"][pick]),
            train["objects"][pick],
            train["target"][pick],
            table,
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    net.eval()
    with torch.no_grad():
        return evaluate(net(y, test["objects"]), test)


def near(data: dict) -> torch.Tensor:
    """Pairs whose boxes are within reach of each other; the CNN is spared the others, which it scores last."""
    offset, width = data["boxes"][:, 11], (data["boxes"][:, 8] + data["boxes"][:, 13]) / 2
    return (offset < width + 0.25).nonzero()[:, 0]


def fit_cnn(train: dict, test: dict, epochs: int, seed: int) -> dict:
    torch.manual_seed(seed)
    mean, std = train["boxes"].mean(0), train["boxes"].std(0) + 1e-4
    net, table = Cnn(len(mean)), allowed()
    optimizer = torch.optim.AdamW(net.parameters(), 1e-3, weight_decay=2e-2)
    n, batch = len(train["rows"]), 64
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, epochs * (n // batch))
    kept = torch.ones(len(mean))
    kept[[0, 2, 10, 17, 18]] = 0  # box features that a mirror would change

    def forward(data, pick, augment: bool):
        """Logits of the picked near pairs."""
        crop, rows = data["crops"][pick].float() / 255, data["rows"][pick]
        if augment:
            flip = torch.rand(len(crop)) < 0.5
            crop[flip] = crop[flip].flip(-1)
            crop[:, :3] *= 1 + 0.15 * torch.randn(len(crop), 3, 1, 1)
        return net(crop, (data["boxes"][rows] - mean) / std * kept, data["objects"][rows])

    for _ in range(epochs):
        order = torch.randperm(n)
        for s in range(0, n - batch + 1, batch):
            pick = order[s : s + batch]
            rows = train["rows"][pick]
            loss = loss_of(
                forward(train, pick, True), train["objects"][rows], train["target"][rows], table
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()
    logits = torch.full_like(test["target"], -100.0)
    with torch.no_grad():
        for s in range(0, len(test["rows"]), 256):
            pick = torch.arange(s, min(s + 256, len(test["rows"])))
            logits[test["rows"][pick]] = forward(test, pick, False)
    return evaluate(logits, test)
