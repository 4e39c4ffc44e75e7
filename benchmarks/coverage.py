"""How often the bootstrap's 95 % intervals hold the true value, on simulated test sets.

    python benchmarks/coverage.py              # about a minute
    python benchmarks/coverage.py --worlds 10

A test set has 400 images and 60 classes with 1 to 200 annotated pairs; the 26 classes with fewer
than 10 are called rare here. Two models detect 80 % of the pairs, with false positives, at scores
that depend on the image. The true value is the mean over all simulated test sets: what an mAP on
other images of the same number would be. "before moving" is the interval of the draws as they are
(`scoring/bootstrap.py`). The difference is that of two equally good models.
Prints a table on standard error and a line of JSON on standard output.
"""

import argparse
import json
import sys

import numpy as np
from rich.console import Console
from rich.table import Table

from rmlr_lightning.metrics.average_precision import eleven_points
from rmlr_lightning.scoring.bootstrap import Weighted, intervals, paired
from rmlr_lightning.scoring.matched import MatchedDetections

IMAGES, DRAWS = 400, 400
PAIRS = np.geomspace(1, 200, 60)  # expected annotated pairs of each class
MEANS = {"full": PAIRS > 0, "rare": PAIRS < 10, "non-rare": PAIRS >= 10}


def models(rng: np.random.Generator, number: int = 2) -> list[MatchedDetections]:
    """Detections of equally good models on one simulated test set."""
    ease = rng.normal(0, 0.5, IMAGES)  # of each image, for all models
    pairs = rng.poisson(PAIRS[:, None] / IMAGES, (len(PAIRS), IMAGES))
    classes, images = (
        np.repeat(places, pairs.ravel()) for places in np.indices(pairs.shape).reshape(2, -1)
    )
    clear = rng.normal(0, 0.7, len(images))  # of each pair, for all models
    noise = np.minimum(5 * PAIRS / IMAGES, 1) + 0.02  # false positives per image

    out = []
    for _ in range(number):
        found = rng.random(len(images)) < 0.8
        scores = 1 + ease[images] + clear + rng.normal(0, 0.7, len(images))
        wrong = np.repeat(np.arange(noise.size * IMAGES), rng.poisson(np.repeat(noise, IMAGES)))
        columns = {
            "classes": np.concatenate((classes[found], wrong // IMAGES)),
            "images": np.concatenate((images[found], wrong % IMAGES)),
            "scores": np.concatenate((scores[found], rng.normal(-0.5, 1, len(wrong)))),
            "true": np.arange(found.sum() + len(wrong)) < found.sum(),
        }
        order = np.argsort(columns["images"], kind="stable")
        out.append(
            MatchedDetections(
                **{name: column[order] for name, column in columns.items()},
                truth_classes=classes,
                truth_images=images,
                num_images=IMAGES,
                names=[str(number) for number in range(len(PAIRS))],
                means=MEANS,
                area=eleven_points,
                absent=float("nan"),
            )
        )
    return out


def before_moving(model: MatchedDetections, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The 2.5 % and 97.5 % quantiles of the draws."""
    weights = rng.multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), DRAWS).T.astype(float)
    means = Weighted(model).means(weights)
    return {name: np.quantile(values, [0.025, 0.975]) for name, values in means.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--worlds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()

    rng = np.random.default_rng(args.seed)
    found = {name: [] for name in MEANS}
    for world in range(args.worlds):
        a, b = models(rng)
        plain, moved = before_moving(a, rng), intervals(a, DRAWS, world)
        changes = paired(a, b, DRAWS, world)
        for name, rows in found.items():
            one, change = moved[name], changes[name]
            rows.append((one.value, *plain[name], one.low, one.high, change.low, change.high))

    title = f"share of intervals with the true value, {args.worlds} test sets"
    table = Table("mean AP", "before moving", "interval", "difference", title=title)
    shares = {}
    for name, rows in found.items():
        values, *ends = np.array(rows).T
        # the true difference of equally good models is 0
        truths = (values.mean(), values.mean(), 0.0)
        held = [
            float(((ends[2 * k] <= truth) & (truth <= ends[2 * k + 1])).mean())
            for k, truth in enumerate(truths)
        ]
        shares[name] = dict(zip(("before_moving", "interval", "difference"), held, strict=True))
        table.add_row(name, *(f"{100 * share:.0f} %" for share in held))
    Console(stderr=True).print(table)
    json.dump({"worlds": args.worlds, "draws": DRAWS, "shares": shares}, sys.stdout)
    print()


if __name__ == "__main__":
    main()
