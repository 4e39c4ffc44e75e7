"""A page of pictures with their pairs: the human box, the object box, a line between them, the verbs."""

import json
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np

HUMAN, OBJECT, LINK = (255, 214, 10), (0, 190, 255), (255, 255, 255)


def annotate(image: np.ndarray, row: dict, verbs: list[str], objects: list[str]) -> np.ndarray:
    """A copy with one image's pairs drawn on it; `row` as in the instances json."""
    image = image.copy()
    pairs = defaultdict(list)
    for h, o, obj, verb in zip(
        row["boxes_h"], row["boxes_o"], row["object"], row["verb"], strict=True
    ):
        pairs[tuple(h), tuple(o), objects[obj]].append(verbs[verb].replace("_", " "))
    spots: list[int] = []
    for h, o, _ in pairs:
        for box, color in ((h, HUMAN), (o, OBJECT)):
            cv2.rectangle(
                image, (int(box[0]), int(box[1])), (int(box[2]), int(box[3])), color, 2, cv2.LINE_AA
            )
        a, b = ((int((x[0] + x[2]) / 2), int((x[1] + x[3]) / 2)) for x in (h, o))
        cv2.line(image, a, b, (0, 0, 0), 4, cv2.LINE_AA)
        cv2.line(image, a, b, LINK, 2, cv2.LINE_AA)
    for (h, _, name), said in pairs.items():
        text = f"{', '.join(said)}: {name}"
        (wide, tall), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.46, 1)
        x = int(min(max(h[0], 2), image.shape[1] - wide - 6))
        y = int(max(h[1] - 4, tall + 6))
        while any(abs(y - other) < tall + 8 for other in spots):
            y += tall + 9
        spots.append(y)
        cv2.rectangle(image, (x - 2, y - tall - 4), (x + wide + 4, y + 4), (20, 20, 25), -1)
        cv2.putText(
            image, text, (x + 1, y), cv2.FONT_HERSHEY_SIMPLEX, 0.46, (255, 255, 255), 1, cv2.LINE_AA
        )
    return image


def write_contact_sheet(
    root: str | Path, path: str | Path, count: int = 24, columns: int = 4
) -> None:
    """A PNG of `count` training pictures of the world under `root`, as many different HOIs as possible."""
    root = Path(root)
    split = next(
        (
            s
            for s in ("train", "val", "test")
            if any((root / f"hico_20160224_det/images/{s}2015").iterdir())
        ),
        None,
    )
    if split is None:
        return
    data = json.loads(
        (root / f"hico_20160224_det/instances_{split}2015.json").read_text(encoding="utf-8")
    )
    left = [i for i, row in enumerate(data["annotation"]) if row["hoi"]]
    seen: set[int] = set()
    chosen: list[int] = []
    while left and len(chosen) < count:
        best = max(left[:200], key=lambda i: len(set(data["annotation"][i]["verb"]) - seen))
        chosen.append(best)
        left.remove(best)
        seen |= set(data["annotation"][best]["verb"])
        seen = set() if len(seen) == len(data["verbs"]) else seen
    tiles = []
    for i in chosen:
        picture = cv2.imread(
            str(root / f"hico_20160224_det/images/{split}2015" / data["filenames"][i])
        )[:, :, ::-1]
        tile = annotate(picture, data["annotation"][i], data["verbs"], data["objects"])
        tiles.append(
            cv2.copyMakeBorder(tile, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=(255, 255, 255))
        )
    while len(tiles) % columns:
        tiles.append(np.full_like(tiles[0], 255))
    page = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    cv2.imwrite(str(path), page[:, :, ::-1])
