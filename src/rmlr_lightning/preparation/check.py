"""The checks that all data sets have in common: annotations, images and a fingerprint."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rmlr_lightning.errors import counted
from rmlr_lightning.files import sha256_file
from rmlr_lightning.images.image_check import (
    NOTES,
    PROBLEMS,
    ImageReport,
    Track,
    annotated_images,
    check_images,
)
from rmlr_lightning.images.image_file import ImageFolders
from rmlr_lightning.preparation.known_files import KNOWN
from rmlr_lightning.preparation.report import Report
from rmlr_lightning.preparation.statistics import Statistics, ends_outside, statistics_of
from rmlr_lightning.types import BoxTarget, Target

WITH_IMAGES = "name the folders of the images with --images"


class Split(NamedTuple):
    """A split on disk."""

    name: str
    files: tuple[Path, ...]  # annotation files
    targets: Sequence[Target] | Sequence[BoxTarget]
    images: ImageFolders
    published: Mapping[str, tuple[int, ...]] = {}  # field of Statistics -> its known values
    way_out: str = ""  # what to do where images are missing, if an option helps


def check_splits(
    report: Report, splits: Sequence[Split], decode: bool, track: Track
) -> list[Statistics]:
    """Check annotations and images of all splits, and print the data set's fingerprint.

    Args:
        decode: see `check_images`.
        track: shows progress over the images of a split.
    """
    hashes = check_files(report, [file for split in splits for file in split.files])
    # file names are unique within all data sets that we know, so splits share one table
    found, sizes = [], {}
    for split in splits:
        statistics = statistics_of(split.targets)
        found.append(statistics)
        _print_statistics(report, split, statistics)
        sizes |= _check_images(report, split, decode, track).bytes
    report.line(f"fingerprint {fingerprint(hashes, sizes)}")
    return found


def check_boxes(report: Report, split: Split, decode: bool, track: Track) -> None:
    """As `check_splits` for one split of boxes without interactions."""
    hashes = check_files(report, split.files)
    boxes = sum(len(target.boxes) for target in split.targets)
    classes = {label for target in split.targets for label in target.labels.tolist()}
    report.line(
        f"{split.name}: {counted(len(split.targets), 'image')}; "
        f"{counted(boxes, 'box', 'boxes')} of {counted(len(classes), 'class', 'classes')}"
    )
    outside = [
        target.file_name
        for target in split.targets
        if ends_outside(target.boxes.numpy(), target.size.tolist())
    ]
    report.names("with a box that ends outside", outside, is_problem=False)
    found = _check_images(report, split, decode, track)
    report.line(f"fingerprint {fingerprint(hashes, found.bytes)}")


def check_files(report: Report, files: Sequence[Path]) -> dict[str, str]:
    """Print each annotation file with its hash, and whether it is a known published file."""
    # the first digits are for people; the fingerprint below is over the whole hashes
    hashes = {}
    for path in dict.fromkeys(files):  # splits may share a file
        digest = hashes[path.name] = sha256_file(path)
        published = KNOWN.get(path.name, {})
        note = f", {published[digest]}" if digest in published else ""
        if published and digest not in published:
            # a rewritten json has other bytes and the same content, so this is no problem
            note = ", not the bytes of the published file"
        report.line(f"{path}: SHA-256 {digest[:16]}...{note}")
    return hashes


def fingerprint(hashes: Mapping[str, str], sizes: Mapping[str, int]) -> str:
    """SHA-256 over the annotation files and over names and sizes (bytes) of the images.

    It does not depend on folders. Equal data sets have equal fingerprints.
    """
    # sorted: neither the order of the splits nor that of a folder's listing may matter
    content = json.dumps([sorted(hashes.items()), sorted(sizes.items())])
    return hashlib.sha256(content.encode()).hexdigest()


def _print_statistics(report: Report, split: Split, found: Statistics) -> None:
    empty = f", {found.empty_roles:,} with an empty role" if found.empty_roles else ""
    report.line(
        f"{split.name}: {counted(found.images, 'image')}, {found.with_pairs:,} with pairs; "
        f"{counted(found.pairs, 'pair')} of {counted(found.hois, 'HOI')}{empty}"
    )
    for field, published in split.published.items():
        value = getattr(found, field)
        if value not in published:
            known = " or ".join(f"{number:,}" for number in published)
            report.problem(f"{split.name}: {value:,} {field.replace('_', ' ')}, published: {known}")

    # in the published files, too: training leaves nothing out, evaluation must not
    report.names("with a box without area", found.flat, is_problem=False)
    report.names("with a box that ends outside", found.outside, is_problem=False)
    if found.repeated:
        report.line(f"  {counted(found.repeated, 'pair')} annotated twice")


def _check_images(report: Report, split: Split, decode: bool, track: Track) -> ImageReport:
    images = annotated_images(split.targets)
    found = check_images(split.images.__truediv__, images, decode, track)
    report.line(f"  images in {split.images}: {len(found.bytes):,} of {len(images):,} are there")
    if found.missing:
        report.way_out = split.way_out
    for kinds, is_problem in ((PROBLEMS, True), (NOTES, False)):
        for field, text in kinds.items():
            report.names(text, getattr(found, field), is_problem=is_problem)
    return found
