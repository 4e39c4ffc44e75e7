"""What the embedded world tells to whom: mAP from boxes alone, from pixels, and from the true pose.

    python benchmarks/world.py                      # 7 minutes on one CPU core
    python benchmarks/world.py --cnn-epochs 0       # boxes and pose only

All three classify the verbs of given pairs (every person with every object of an image, true boxes and object class),
so detection plays no part. `boxes` is the floor: what placement and class priors give away. `pose` is the ceiling:
joints, gaze, mouth and hands as drawn. Both are trained twice: on the world's own 1k training set with its long tail,
and on a large flat set ("plenty"), which shows what is *in* boxes or pose when data is no limit. `pixels` is a small
CNN from scratch on the crop around the person. Prints a table and one line of JSON.
"""

import argparse
import json
import time
from dataclasses import replace
from multiprocessing import get_context

import cv2
import numpy as np
import torch
from world_probes import CROP, fit_cnn, fit_mlp, near

from rmlr_lightning.synthetic import WorldConfig, render, schedule
from rmlr_lightning.synthetic.paint import paint_scene
from rmlr_lightning.synthetic.scene import compose, streams
from rmlr_lightning.synthetic.world import classes


def look(job):
    """Annotations of one image, and with pixels the image at the model's size (224 x 160)."""
    spec, config, pixels = job
    cv2.setNumThreads(1)
    if pixels:
        image, a = render(spec, config)
        return a, cv2.resize(image, (224, 160), interpolation=cv2.INTER_AREA)
    image = np.zeros((config.size[1], config.size[0], 3), np.uint8)
    return paint_scene(image, compose(spec, config), spec, config, streams(spec.seed, 2)), None


def box_features(h, o, size) -> list[float]:
    """The pair's boxes: positions, sizes, offsets, overlap; relative and absolute."""
    w, t = size
    hw, hh, ow, oh = h[2] - h[0], h[3] - h[1], o[2] - o[0], o[3] - o[1]
    hx, hy, ox, oy = (h[0] + h[2]) / 2, (h[1] + h[3]) / 2, (o[0] + o[2]) / 2, (o[1] + o[3]) / 2
    inner = max(min(h[2], o[2]) - max(h[0], o[0]), 0) * max(min(h[3], o[3]) - max(h[1], o[1]), 0)
    dx, dy = (ox - hx) / hh, (oy - hy) / hh
    return [
        hx / w,
        hy / t,
        ox / w,
        oy / t,
        hw / w,
        hh / t,
        ow / w,
        oh / t,
        hw / hh,
        ow / max(oh, 1),
        dx,
        abs(dx),
        dy,
        ow / hh,
        oh / hh,
        (o[1] - h[1]) / hh,
        (o[3] - h[3]) / hh,
        (o[0] - h[0]) / hh,
        (o[2] - h[2]) / hh,
        inner / (hw * hh),
        inner / max(ow * oh, 1),
        np.log(ow * oh / (hw * hh)),
    ]


def pose_features(joints, h, o) -> list[float]:
    """The person's joints in the person's facing frame and relative to the object, distances to it, and the flags."""
    points = np.array(joints["points"])
    scale, side = joints["scale"], -1.0 if joints["flip"] else 1.0
    middle = np.array([(h[0] + h[2]) / 2, (h[1] + h[3]) / 2])
    thing = np.array([(o[0] + o[2]) / 2, (o[1] + o[3]) / 2])
    own = (points - middle) / scale * [side, 1]
    to = (thing - points) / scale * [side, 1]
    gap = np.maximum(np.maximum([o[0], o[1]] - points, points - [o[2], o[3]]), 0)
    gap = np.hypot(gap[:, 0], gap[:, 1]) / scale
    gaze = (points[-2] - points[0]) / max(np.linalg.norm(points[-2] - points[0]), 1e-6)
    aim = (thing - points[0]) / max(np.linalg.norm(thing - points[0]), 1e-6)
    return [
        *own.ravel(),
        *to.ravel(),
        *gap,
        *np.exp(-gap / 0.04),
        float(gaze @ aim),
        *joints["flags"],
    ]


def pairs_of(annotations: list[dict], size) -> dict:
    """All person-object pairs of the images as arrays."""
    names = classes()
    verb_of = {v: i for i, v in enumerate(names.verbs)}
    boxes, pose, objects, target, where = [], [], [], [], []
    for k, a in enumerate(annotations):
        true = {(p["person"], p["object"]): p["verbs"] for p in a["pairs"]}
        for i, h in enumerate(a["persons"]):
            for j, thing in enumerate(a["objects"]):
                boxes.append(box_features(h, thing["box"], size))
                pose.append(pose_features(a["joints"][i], h, thing["box"]))
                objects.append(names.objects.index(thing["name"]))
                row = np.zeros(len(names.verbs), np.float32)
                row[[verb_of[v] for v in true.get((i, j), ())]] = 1
                target.append(row)
                where.append((k, i, j))
    return {
        "boxes": torch.tensor(boxes, dtype=torch.float32),
        "pose": torch.tensor(pose, dtype=torch.float32),
        "objects": torch.tensor(objects),
        "target": torch.tensor(np.array(target)),
        "where": where,
    }


def crops(images: list[np.ndarray], annotations: list[dict], where: list) -> torch.Tensor:
    """uint8 (pairs, 5, CROP, CROP): the square around the person, with the masks of both boxes."""
    out = np.zeros((len(where), CROP, CROP, 5), np.uint8)
    for n, (k, i, j) in enumerate(where):
        a, image = annotations[k], images[k]
        h, o = np.array(a["persons"][i]) / 2, np.array(a["objects"][j]["box"]) / 2
        side = 1.25 * max(h[2] - h[0], h[3] - h[1])
        ax, ay = (h[0] + h[2] - side) / 2, (h[1] + h[3] - side) / 2
        move = np.array([[CROP / side, 0, -ax * CROP / side], [0, CROP / side, -ay * CROP / side]])
        out[n, ..., :3] = cv2.warpAffine(image, move, (CROP, CROP), flags=cv2.INTER_LINEAR)
        for c, b in ((3, h), (4, o)):
            p = np.clip(((b - [ax, ay, ax, ay]) * CROP / side).round().astype(int), 0, CROP)
            out[n, p[1] : p[3], p[0] : p[2], c] = 255
    return torch.tensor(out).permute(0, 3, 1, 2).contiguous()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=int, default=1000)
    parser.add_argument("--test", type=int, default=1200)
    parser.add_argument(
        "--plenty", type=int, default=3600, help="images of the large flat set; 0 leaves it out"
    )
    parser.add_argument("--steps", type=int, default=1500, help="of each MLP")
    parser.add_argument("--cnn-epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.workers)
    start = time.perf_counter()
    config = WorldConfig(train=args.train, val=0, test=args.test, seed=args.seed)
    pixels = args.cnn_epochs > 0
    jobs = [(spec, config, pixels) for spec in schedule(config)]
    flat = replace(config, train=0, test=args.plenty, seed=args.seed + 1000)
    more = [(spec, flat, False) for spec in schedule(flat)] if args.plenty else []
    with get_context("spawn").Pool(args.workers) as pool:
        seen = pool.map(look, jobs + more, chunksize=16)
    parts = {
        "train": seen[: args.train],
        "test": seen[args.train : len(jobs)],
        "plenty": seen[len(jobs) :],
    }
    data = {
        name: pairs_of([a for a, _ in part], config.size) for name, part in parts.items() if part
    }
    results = {}
    test = data["test"]
    for name in ("train", "plenty"):
        if name in data:
            results[f"boxes, {name}"] = fit_mlp(data[name], test, ("boxes",), args.steps, args.seed)
            results[f"pose, {name}"] = fit_mlp(
                data[name],
                test,
                ("boxes", "pose"),
                args.steps * (1 if name == "train" else 3),
                args.seed,
            )
    if pixels:
        for name in ("train", "test"):
            rows = near(data[name])
            where = [data[name]["where"][i] for i in rows.tolist()]
            data[name] |= {
                "rows": rows,
                "crops": crops([p for _, p in parts[name]], [a for a, _ in parts[name]], where),
            }
        results["pixels, train"] = fit_cnn(data["train"], test, args.cnn_epochs, args.seed)
    print(f"{'from, trained on':<18}{'full':>7}{'rare':>7}{'non-rare':>10}")
    for name, r in results.items():
        print(f"{name:<18}{r['full']:7.1f}{r['rare']:7.1f}{r['non_rare']:10.1f}")
    print(f"{'verb':<16}" + "".join(f"{name:>16}" for name in results))
    for verb in classes().verbs:
        print(f"{verb:<16}" + "".join(f"{r['by_verb'][verb]:16.1f}" for r in results.values()))
    pairs = {name: len(d["objects"]) for name, d in data.items()}
    print(
        json.dumps(
            {
                "seconds": round(time.perf_counter() - start),
                "pairs": pairs,
                **{
                    name: {k: v if k == "by_verb" else round(v, 2) for k, v in r.items()}
                    for name, r in results.items()
                },
            }
        )
    )


if __name__ == "__main__":
    main()
