"""Writes a world: pictures and annotations in the layouts of HICO-DET and V-COCO, all at once or not at all."""

import contextlib
import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rmlr_lightning.synthetic import write_hico, write_vcoco
from rmlr_lightning.synthetic.config import VERSION, ImageSpec, WorldConfig
from rmlr_lightning.synthetic.files import file_name, image_path, write_image
from rmlr_lightning.synthetic.mat_structs import mat_file
from rmlr_lightning.synthetic.plan import SPLITS, schedule
from rmlr_lightning.synthetic.world import classes

CLOSE = 0.88  # IoU of a couple's drawn boxes from which they count as the same: each is near .94 with their mean


def dump(path: Path, data) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")


def iou(a, b) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    inner = max(w, 0) * max(h, 0)
    return inner / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - inner)


def existing(out: Path, config: WorldConfig) -> bool:
    """True where `out` holds this very world already; refuses to touch anything else but an older world or nothing."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        there = json.loads((out / "world.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        there = None
    another = "give another folder (--out, data.prepare.out)"
    if not isinstance(there, dict):
        raise FileExistsError(
            f"{out}: holds something that is not a synthetic world (no world.json); {another}"
        )
    if there.get("version") == VERSION and there.get("config") == config.as_dict():
        return True
    raise FileExistsError(
        f"{out}: holds a world of other settings (see world.json); remove it or {another}"
    )


def draw_all(
    specs: list[ImageSpec],
    config: WorldConfig,
    root: Path,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> list[dict]:
    """Annotations in the order of `specs`. An executor fails, where a plain pool hangs, if workers cannot start."""
    jobs = [(spec, config, str(root)) for spec in specs]
    done: list[dict] = []
    with contextlib.ExitStack() as stack:
        stream = map(write_image, jobs)
        if workers > 1 and len(jobs) > 64:  # below, starting processes costs more than it saves
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
            stream = pool.map(write_image, jobs, chunksize=8)
        for annotations in stream:
            done.append(annotations)
            if progress is not None:
                progress(len(done), len(jobs))
    return done


def unite_twins(specs: list[ImageSpec], annotations: list[dict]) -> list[dict]:
    """Lists the twins: same people and place, other verbs. Both get the mean of their two boxes."""
    where = {spec.seed: k for k, spec in enumerate(specs) if spec.sibling is None and spec.zones}
    out = []
    for k, spec in enumerate(specs):
        if spec.sibling is None:
            continue
        first = specs[where[spec.seed]]
        one, two = annotations[where[spec.seed]], annotations[k]
        thing = one["pairs"][0]["object"]
        boxes = [(a["persons"][0], a["objects"][thing]["box"]) for a in (one, two)]
        if min(iou(boxes[0][i], boxes[1][i]) for i in (0, 1)) < CLOSE:
            continue
        box_h, box_o = (
            [(p + q) / 2 for p, q in zip(boxes[0][i], boxes[1][i], strict=True)] for i in (0, 1)
        )
        for a in (one, two):
            a["persons"][0], a["objects"][thing]["box"] = list(box_h), list(box_o)
        out.append(
            {
                "split": spec.split,
                "image_a": file_name(spec.split, first.number),
                "image_b": file_name(spec.split, spec.number),
                "box_h": [round(v, 2) for v in box_h],
                "box_o": [round(v, 2) for v in box_o],
                "object": spec.persons[0].pairs[0].object,
                "verbs_a": one["pairs"][0]["verbs"],
                "verbs_b": two["pairs"][0]["verbs"],
            }
        )
    return out


def write_annotations(
    root: Path, config: WorldConfig, specs: list[ImageSpec], annotations: list[dict]
) -> dict:
    """All label files; returns what world.json says."""
    names = classes()
    twins = unite_twins(specs, annotations)
    by_split = {
        s: [(spec, a) for spec, a in zip(specs, annotations, strict=True) if spec.split == s]
        for s in SPLITS
    }
    hico = {
        s: write_hico.instances(s, [a for _, a in rows], config.size, names)
        for s, rows in by_split.items()
    }
    digest = hashlib.sha256()
    for split, data in hico.items():
        dump(root / f"hico_20160224_det/instances_{split}2015.json", data)
        digest.update(json.dumps(data, sort_keys=True).encode())
    (root / "hico_20160224_det/anno_bbox.mat").write_bytes(mat_file(write_hico.mat(hico, names)))

    seen = write_vcoco.seen_objects(annotations)
    everything = []
    for split, rows in by_split.items():
        images = [
            (
                write_vcoco.image_id(split, spec.number),
                write_vcoco.picture(split, spec.number)[1],
                a,
            )
            for spec, a in rows
        ]
        everything += images
        dump(root / f"vcoco/instances_vcoco_{split}.json", write_vcoco.upt(images, seen))
        (root / "vcoco/splits").mkdir(parents=True, exist_ok=True)
        (root / f"vcoco/splits/vcoco_{split}.ids").write_text(
            "".join(f"{image}\n" for image, _, _ in images)
        )
        boxes, _ = write_vcoco.coco(
            [(spec.number, image_path(split, spec.number), a) for spec, a in rows], config.size
        )
        dump(root / f"detection/instances_{split}.json", boxes)
        digest.update(json.dumps(boxes, sort_keys=True).encode())
    data, ids = write_vcoco.coco(everything, config.size)
    dump(root / "vcoco/instances_vcoco_all_2014.json", data)
    start = 0
    for split, rows in by_split.items():
        dump(
            root / f"vcoco/vcoco_{split}.json",
            write_vcoco.official(everything[start : start + len(rows)], ids),
        )
        start += len(rows)

    counts = {
        split: Counter(h for row in data["annotation"] for h in row["hoi"])
        for split, data in hico.items()
    }
    rare = set(names.rare)
    hois = [
        {
            "hoi": i,
            "verb": verb,
            "object": obj,
            "rare": i in rare,
            **{s: counts[s][i] for s in SPLITS},
        }
        for i, (verb, obj) in enumerate(names.hois)
    ]
    return {
        "version": VERSION,
        "config": config.as_dict(),
        "seed": config.seed,
        "images": {s: len(r) for s, r in by_split.items()},
        "fingerprint": digest.hexdigest(),
        "hois": hois,
        "twins": twins,
    }


def link_vcoco(root: Path, specs: list[ImageSpec]) -> None:
    """The same pictures under their COCO names: hard links, copies where the file system has none."""
    for spec in specs:
        folder, name = write_vcoco.picture(spec.split, spec.number)
        source, target = (
            root / image_path(spec.split, spec.number),
            root / "mscoco2014" / folder / name,
        )
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)


def write_world(
    config: WorldConfig,
    out: str | Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """Draws and writes the world under `out` (made beside it, moved there when complete); returns world.json's content.

    Raises FileExistsError where `out` holds anything but this very world; that one is left as it is and returned.
    """
    from rmlr_lightning.synthetic.contact_sheet import write_contact_sheet

    out = Path(out)
    if existing(out, config):
        return json.loads((out / "world.json").read_text(encoding="utf-8"))
    out.parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        for split in SPLITS:
            (root / f"hico_20160224_det/images/{split}2015").mkdir(parents=True)
        for folder in ("train2014", "val2014"):
            (root / "mscoco2014" / folder).mkdir(parents=True)
        specs = schedule(config)
        annotations = draw_all(specs, config, root, workers, progress)
        facts = write_annotations(root, config, specs, annotations)
        link_vcoco(root, specs)
        write_contact_sheet(root, root / "contact_sheet.png")
        dump(
            root / "poses.json",
            {
                image_path(s.split, s.number): {"pairs": a["pairs"], "joints": a["joints"]}
                for s, a in zip(specs, annotations, strict=True)
            },
        )
        dump(root / "world.json", facts)
        root.chmod(0o755)
        if out.exists():
            out.rmdir()
        root.rename(out)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return facts
