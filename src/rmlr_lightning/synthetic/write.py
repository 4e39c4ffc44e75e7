"""Writes a world: images and annotations in the layouts of HICO-DET and V-COCO."""

import contextlib
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rmlr_lightning.synthetic.annotation_files import dump, write_annotations
from rmlr_lightning.synthetic.config import VERSION, ImageSpec, WorldConfig
from rmlr_lightning.synthetic.contact_sheet import write_contact_sheet
from rmlr_lightning.synthetic.files import image_path, write_image
from rmlr_lightning.synthetic.plan import SPLITS, schedule
from rmlr_lightning.synthetic.write_coco import coco_file

# Under this number of images, starting processes costs more than it saves.
MIN_IMAGES_FOR_WORKERS = 65


def existing(out: Path, config: WorldConfig) -> bool:
    """True if `out` holds this world already, False if there is nothing yet.

    Raises:
        FileExistsError: `out` holds something else, or a world of other settings or of another
            version.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False

    try:
        facts = json.loads((out / "world.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        facts = None

    another = "give another folder (--out, data.prepare.out)"
    if not isinstance(facts, dict):
        raise FileExistsError(
            f"{out}: holds something that is not a synthetic world (no world.json); {another}"
        )
    if facts.get("version") == VERSION and facts.get("config") == config.as_dict():
        return True
    raise FileExistsError(
        f"{out}: holds a world of other settings (see world.json); remove it or {another}"
    )


def write_world(
    config: WorldConfig,
    out: str | Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict:
    """Draws and writes a world, all of it or nothing: it is made beside `out` and moved there.

    The files depend on `config` only, not on the number of processes. A world of the same settings
    that is there already is left as it is.

    Args:
        config: The settings.
        out: The folder to make.
        workers: Number of processes that draw.
        progress: Called with the number of images drawn and the number of all.

    Returns:
        The content of `world.json`.

    Raises:
        FileExistsError: `out` holds something else or another world.
    """
    out = Path(out)
    if existing(out, config):
        return json.loads((out / "world.json").read_text(encoding="utf-8"))

    out.parent.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    try:
        make_folders(root)
        specs = schedule(config)
        annotations = draw_all(specs, config, root, workers, progress)
        facts = write_annotations(root, config, specs, annotations)
        link_vcoco(root, specs)
        write_contact_sheet(root, root / "contact_sheet.png")
        dump(root / "poses.json", poses(specs, annotations))
        dump(root / "world.json", facts)

        # mkdtemp makes a private folder; a data set may be read by others.
        root.chmod(0o755)
        if out.exists():
            out.rmdir()
        root.rename(out)
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return facts


def make_folders(root: Path) -> None:
    """The folders of the images."""
    for split in SPLITS:
        (root / f"hico_20160224_det/images/{split}2015").mkdir(parents=True)
    for folder in ("train2014", "val2014"):
        (root / "mscoco2014" / folder).mkdir(parents=True)


def draw_all(
    specs: list[ImageSpec],
    config: WorldConfig,
    root: Path,
    workers: int,
    progress: Callable[[int, int], None] | None,
) -> list[dict]:
    """Draws and writes all images; returns their annotations in the order of `specs`."""
    jobs = [(spec, config, str(root)) for spec in specs]
    annotations: list[dict] = []
    with contextlib.ExitStack() as stack:
        drawn = map(write_image, jobs)
        if workers > 1 and len(jobs) >= MIN_IMAGES_FOR_WORKERS:
            # An executor fails, where a plain pool hangs, if its processes cannot start.
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
            drawn = pool.map(write_image, jobs, chunksize=8)

        for image in drawn:
            annotations.append(image)
            if progress is not None:
                progress(len(annotations), len(jobs))
    return annotations


def link_vcoco(root: Path, specs: list[ImageSpec]) -> None:
    """The same images under their COCO names: hard links, or copies where links fail."""
    for spec in specs:
        original = root / image_path(spec.split, spec.number)
        folder, name = coco_file(spec.split, spec.number)
        link = root / "mscoco2014" / folder / name
        try:
            os.link(original, link)
        except OSError:
            shutil.copyfile(original, link)


def poses(specs: list[ImageSpec], annotations: list[dict]) -> dict[str, dict]:
    """The content of `poses.json`: acts and true joints by the path of the image."""
    content = {}
    for spec, image in zip(specs, annotations, strict=True):
        path = image_path(spec.split, spec.number)
        content[path] = {"pairs": image["pairs"], "joints": image["joints"]}
    return content
