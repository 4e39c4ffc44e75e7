"""All label files of a world, in the layouts of HICO-DET, V-COCO and COCO."""

import hashlib
import json
from collections import Counter
from pathlib import Path

from rmlr_lightning.synthetic import write_hico, write_vcoco
from rmlr_lightning.synthetic.config import VERSION, ImageSpec, WorldConfig
from rmlr_lightning.synthetic.files import image_path
from rmlr_lightning.synthetic.mat_structs import mat_file
from rmlr_lightning.synthetic.plan import SPLITS
from rmlr_lightning.synthetic.twins import unite_twins
from rmlr_lightning.synthetic.world import classes
from rmlr_lightning.synthetic.write_coco import coco_file, coco_instances, image_id

Rows = dict[str, list[tuple[ImageSpec, dict]]]


def dump(path: Path, data) -> None:
    """Writes compact JSON; makes the folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, separators=(",", ":")), encoding="utf-8")


def write_annotations(
    root: Path, config: WorldConfig, specs: list[ImageSpec], annotations: list[dict]
) -> dict:
    """Writes all label files under `root`.

    Args:
        specs: The images of all splits.
        annotations: What `render` gives for each. The boxes of twins are made equal in place.

    Returns:
        The content of `world.json`, with the SHA-256 hash of the labels as `fingerprint`.
    """
    twins = unite_twins(specs, annotations)

    by_split: Rows = {split: [] for split in SPLITS}
    for spec, image in zip(specs, annotations, strict=True):
        by_split[spec.split].append((spec, image))

    hico = write_hico_files(root, config, by_split)
    detection = write_detection_files(root, config, by_split)
    write_vcoco_files(root, config, by_split, annotations)

    return {
        "version": VERSION,
        "config": config.as_dict(),
        "seed": config.seed,
        "images": {split: len(rows) for split, rows in by_split.items()},
        "fingerprint": fingerprint([*hico.values(), *detection.values()]),
        "hois": hoi_counts(hico),
        "twins": twins,
    }


def write_hico_files(root: Path, config: WorldConfig, by_split: Rows) -> dict[str, dict]:
    """HICO-DET's layout; returns the instances of each split."""
    folder = root / "hico_20160224_det"
    names = classes()
    hico = {}
    for split, rows in by_split.items():
        images = [image for _, image in rows]
        hico[split] = write_hico.instances(split, images, config.size, names)
        dump(folder / f"instances_{split}2015.json", hico[split])

    (folder / "anno_bbox.mat").write_bytes(mat_file(write_hico.mat(hico, names)))
    return hico


def write_detection_files(root: Path, config: WorldConfig, by_split: Rows) -> dict[str, dict]:
    """COCO instances for the training of detectors; returns those of each split."""
    detection = {}
    for split, rows in by_split.items():
        images = [(spec.number, image_path(split, spec.number), image) for spec, image in rows]
        detection[split], _ = coco_instances(images, config.size)
        dump(root / f"detection/instances_{split}.json", detection[split])
    return detection


def write_vcoco_files(
    root: Path, config: WorldConfig, by_split: Rows, annotations: list[dict]
) -> None:
    """V-COCO's layout: image ids, UPT's JSON, COCO instances and the official action lists."""
    folder = root / "vcoco"
    images: dict[str, list[write_vcoco.Image]] = {split: [] for split in by_split}
    for split, rows in by_split.items():
        for spec, image in rows:
            _, name = coco_file(split, spec.number)
            images[split].append((image_id(split, spec.number), name, image))

    # Which objects occur with an action is a fact of the whole world, not of a split.
    action_objects = write_vcoco.objects_by_action(annotations)
    (folder / "splits").mkdir(parents=True, exist_ok=True)
    for split in by_split:
        dump(
            folder / f"instances_vcoco_{split}.json", write_vcoco.upt(images[split], action_objects)
        )
        ids = "".join(f"{image}\n" for image, _, _ in images[split])
        (folder / f"splits/vcoco_{split}.ids").write_text(ids)

    # One file of instances for all splits, as COCO's: the action lists refer to its ids.
    everything = [image for split in by_split for image in images[split]]
    instances, annotation_ids = coco_instances(everything, config.size)
    dump(folder / "instances_vcoco_all_2014.json", instances)
    for split in by_split:
        dump(folder / f"vcoco_{split}.json", write_vcoco.official(images[split], annotation_ids))


def hoi_counts(hico: dict[str, dict]) -> list[dict]:
    """Every HOI with its number of pairs in each split."""
    counts = {}
    for split, data in hico.items():
        counts[split] = Counter(hoi for row in data["annotation"] for hoi in row["hoi"])

    names = classes()
    rare = set(names.rare)
    rows = []
    for i, (verb, obj) in enumerate(names.hois):
        row = {"hoi": i, "verb": verb, "object": obj, "rare": i in rare}
        rows.append(row | {split: counts[split][i] for split in SPLITS})
    return rows


def fingerprint(contents: list[dict]) -> str:
    """SHA-256 hash of the labels, independent of the order of keys."""
    digest = hashlib.sha256()
    for data in contents:
        digest.update(json.dumps(data, sort_keys=True).encode())
    return digest.hexdigest()
