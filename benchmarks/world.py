"""mAP on the synthetic benchmark from boxes alone, from pixels, and given the true pose.

    python benchmarks/world.py                      # 7 minutes on one CPU core
    python benchmarks/world.py --cnn-epochs 0       # boxes and pose only

All three classify the verbs of true pairs (every person with every object of an image, true boxes
and object class), so detection plays no part. `boxes` is the floor: placement and class priors.
`pose` is the ceiling: joints, gaze, mouth and hands as drawn. Both are trained twice: on the
world's own training set of 1,000 images with its long tail, and on a large flat set ("plenty"),
which measures the information in boxes or pose when data is no limit. `pixels` is a small CNN from
scratch on the crop around the person. Prints a table and one line of JSON.
"""

import argparse
import json
import time
from dataclasses import replace
from multiprocessing import get_context

import cv2
import numpy as np
import torch
from world_features import crops, pairs_of
from world_probes import fit_cnn, fit_mlp, near

from rmlr_lightning.synthetic import ImageSpec, WorldConfig, render, schedule
from rmlr_lightning.synthetic.chance import streams
from rmlr_lightning.synthetic.compose import compose
from rmlr_lightning.synthetic.paint import paint_scene
from rmlr_lightning.synthetic.world import classes

# Width and height in pixels of the images that models are given.
MODEL_SIZE = (224, 160)


def draw(job: tuple[ImageSpec, WorldConfig, bool]) -> tuple[dict, np.ndarray | None]:
    """Annotations of one image; where pixels are wanted, also the image at the model's size."""
    spec, config, pixels = job
    cv2.setNumThreads(1)
    if pixels:
        image, annotations = render(spec, config)
        return annotations, cv2.resize(image, MODEL_SIZE, interpolation=cv2.INTER_AREA)

    # Annotations need no background and no camera, which are most of the cost.
    width, height = config.size
    image = np.zeros((height, width, 3), np.uint8)
    scene = compose(spec, config)
    return paint_scene(image, scene, spec, config, streams(spec.seed, 2)), None


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=1000, help="training images")
    parser.add_argument("--test", type=int, default=1200, help="test images")
    parser.add_argument("--plenty", type=int, default=3600, help="images of the flat set; 0: none")
    parser.add_argument("--steps", type=int, default=1500, help="training steps of each MLP")
    parser.add_argument("--cnn-epochs", type=int, default=30, help="0: no CNN")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1, help="processes and threads")
    return parser.parse_args()


def draw_sets(args: argparse.Namespace) -> tuple[WorldConfig, dict[str, list]]:
    """The drawn images of the sets `train`, `test` and `plenty`."""
    config = WorldConfig(train=args.train, val=0, test=args.test, seed=args.seed)
    pixels = args.cnn_epochs > 0
    jobs = [(spec, config, pixels) for spec in schedule(config)]

    # A test split is nearly flat; with another seed it has other images.
    if args.plenty:
        flat = replace(config, train=0, test=args.plenty, seed=args.seed + 1000)
        jobs += [(spec, flat, False) for spec in schedule(flat)]

    with get_context("spawn").Pool(args.workers) as pool:
        drawn = pool.map(draw, jobs, chunksize=16)

    end_of_test = args.train + args.test
    sets = {"train": drawn[: args.train], "test": drawn[args.train : end_of_test]}
    if args.plenty:
        sets["plenty"] = drawn[end_of_test:]
    return config, sets


def measure(args: argparse.Namespace, data: dict[str, dict], sets: dict[str, list]) -> dict:
    """mAP by probe and training set."""
    results = {}
    test = data["test"]
    for name in ("train", "plenty"):
        if name not in data:
            continue
        inputs = ("boxes",)
        results[f"boxes, {name}"] = fit_mlp(data[name], test, inputs, args.steps, args.seed)

        # The pose has more to learn from more data.
        steps = args.steps * (1 if name == "train" else 3)
        inputs = ("boxes", "pose")
        results[f"pose, {name}"] = fit_mlp(data[name], test, inputs, steps, args.seed)

    if args.cnn_epochs > 0:
        for name in ("train", "test"):
            add_crops(data[name], sets[name])
        results["pixels, train"] = fit_cnn(data["train"], test, args.cnn_epochs, args.seed)
    return results


def add_crops(data: dict, drawn: list) -> None:
    """Adds the near pairs' rows and crops to a set, in place."""
    rows = near(data)
    where = [data["where"][i] for i in rows.tolist()]
    images = [image for _, image in drawn]
    annotations = [annotation for annotation, _ in drawn]
    data["rows"] = rows
    data["crops"] = crops(images, annotations, where)


def print_tables(results: dict) -> None:
    """mAP, then AP by verb."""
    print(f"{'from, trained on':<18}{'full':>7}{'rare':>7}{'non-rare':>10}")
    for name, result in results.items():
        full, rare, non_rare = (result[key] for key in ("full", "rare", "non_rare"))
        print(f"{name:<18}{full:7.1f}{rare:7.1f}{non_rare:10.1f}")

    print(f"{'verb':<16}" + "".join(f"{name:>16}" for name in results))
    for verb in classes().verbs:
        values = [result["by_verb"][verb] for result in results.values()]
        print(f"{verb:<16}" + "".join(f"{value:16.1f}" for value in values))


def main() -> None:
    """Draw, measure, print."""
    args = parse()
    torch.set_num_threads(args.workers)
    start = time.perf_counter()

    config, sets = draw_sets(args)
    data = {}
    for name, drawn in sets.items():
        data[name] = pairs_of([annotations for annotations, _ in drawn], config.size)
    results = measure(args, data, sets)
    print_tables(results)

    summary = {
        "seconds": round(time.perf_counter() - start),
        "pairs": {name: len(part["objects"]) for name, part in data.items()},
    }
    for name, result in results.items():
        summary[name] = {
            key: value if key == "by_verb" else round(value, 2) for key, value in result.items()
        }
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
