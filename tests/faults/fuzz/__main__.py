"""Feed damaged files to all readers, and list what they did wrong.

    python -m tests.faults.fuzz --inputs 100000 --seed 7

Exits with 1 if anything was found. Input N of a reader is the same file for the same seed:
`--only READER:N --keep FOLDER` writes it.
"""

import argparse
import resource
import secrets
import sys
import tempfile
import time
from pathlib import Path

from tests.faults.fuzz.annotation_readers import annotation_readers
from tests.faults.fuzz.harness import Reader, damaged_file, distinct, fuzz, problem_of
from tests.faults.fuzz.other_readers import detection_readers, image_readers
from tests.faults.fuzz.weight_readers import model_reader, weight_readers
from tests.untrained import untrained_checkpoint

MEMORY = 24 * 2**30  # addresses, of which torch takes some; more than that is a finding


def main() -> int:
    """0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.fuzz")
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**31))
    parser.add_argument("--readers", help="only those whose name contains this")
    parser.add_argument("--only", metavar="READER:N", help="one input")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="write the inputs found there")
    args = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))

    print(f"seed {args.seed}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        readers = all_readers(folder)
        (folder / "try" / "run").mkdir(parents=True)
        if args.only:
            return _replay(readers, args, folder / "try")
        wanted = [r for r in readers if args.readers is None or args.readers in r.name]
        start, tried, findings = time.perf_counter(), 0, []
        for finding in fuzz(wanted, args.inputs, args.seed, folder / "try"):
            tried += 1
            findings += [finding] if finding else []
    for line in distinct(findings):
        print(line)
    for finding in findings if args.keep else ():
        args.keep.mkdir(parents=True, exist_ok=True)
        place = args.keep / f"{finding.reader.replace('/', '-')}:{finding.number}"
        place.write_bytes(finding.content)
    print(f"{tried} inputs in {time.perf_counter() - start:.0f} s, {len(findings)} findings")
    return int(bool(findings))


def all_readers(folder: Path) -> list[Reader]:
    """With their valid files, which are written to a folder."""
    from rmlr_lightning import HOIDetector

    for part in ("annotations", "detections", "weights", "run"):
        (folder / part).mkdir()
    checkpoint = untrained_checkpoint(folder / "run")
    HOIDetector.from_checkpoint(checkpoint).save_pretrained(folder / "saved")
    return [
        *annotation_readers(folder / "annotations"),
        *detection_readers(folder / "detections"),
        *weight_readers(folder / "weights"),
        *image_readers(),
        model_reader(folder / "saved"),
    ]


def _replay(readers: list[Reader], args: argparse.Namespace, folder: Path) -> int:
    name, _, number = args.only.rpartition(":")
    reader = next(reader for reader in readers if reader.name == name)
    content = damaged_file(reader, args.seed, int(number))
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        (args.keep / Path(reader.file).name).write_bytes(content)
    problem = problem_of(reader, content, folder)
    print(problem or "read with sense, or refused")
    return int(problem is not None)


if __name__ == "__main__":
    sys.exit(main())
