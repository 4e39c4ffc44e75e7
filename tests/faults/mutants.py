"""Changes the code in small ways, and lists the changes that no test of it notices.

    python -m tests.faults.mutants --each 40 --seed 1 ops/matching metrics/vcoco

Each change is one operator, comparison, number, flag, branch or statement. It is killed if a test
of TESTS fails, or does not end. Own code rather than mutmut: torch is imported once and every
mutant is a fork, which takes a second instead of ten.
"""

import argparse
import ast
import copy
import importlib
import importlib.machinery
import os
import random
import resource
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.faults.equivalent_mutants import reason
from tests.faults.mutations import mutations

PACKAGE = Path(__file__).parents[2] / "src" / "rmlr_lightning"
TESTS = {
    "ops/matching": ["ops/test_matching.py"],
    "ops/pairing": ["ops/test_pairing.py"],
    "ops/selection": ["ops/test_selection.py"],
    "ops/prior": ["ops/test_prior.py"],
    "losses/focal": ["losses/test_focal.py"],
    "losses/sentence": ["losses/test_sentence.py", "losses/test_alignment.py"],
    "losses/word": ["losses/test_word.py", "losses/test_alignment.py"],
    "losses/alignment": ["losses/test_alignment.py"],
    "metrics/matching": ["metrics/test_matching.py", "metrics/test_records.py"],
    "metrics/average_precision": [
        "metrics/test_average_precision.py",
        "metrics/test_box_average_precision.py",
        "metrics/test_hicodet_metric.py",
    ],
    "metrics/hicodet": ["metrics/test_hicodet_metric.py"],
    "metrics/vcoco": ["metrics/test_vcoco_metric.py"],
}
LIMIT = 300  # seconds of CPU time
PATIENCE = 20  # times as long, on a busy machine, for a process that waits for nothing
# What forks share; nothing of the package, which imports the changed module.
SHARED = (
    "beartype hypothesis jaxtyping numpy pytest pytorch_lightning rich scipy.optimize torch "
    "torchmetrics torchvision transformers PIL.Image"
).split()


def main() -> int:
    """Print survivors; 1 if fewer than nine in ten mutants were killed."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.mutants")
    parser.add_argument("modules", nargs="*", default=list(TESTS), metavar="MODULE")
    parser.add_argument("--each", type=int, default=10**6, help="mutants per module, at random")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for name in SHARED:
        importlib.import_module(name)

    total = total_killed = total_equivalent = 0
    for module in args.modules:
        path = PACKAGE / f"{module}.py"
        original = path.read_text(encoding="utf-8")
        if not killed(path, original, TESTS[module]):
            changes = list(_mutants(original, args))
            survivors, equivalent = [], 0
            start = time.perf_counter()
            for line, what, source in changes:
                if not killed(path, source, TESTS[module]):
                    why = reason(module, what)
                    equivalent += why is not None
                    survivors.append(f"  {module}.py:{line}: {what}{f' ({why})' if why else ''}")
                    print(survivors[-1], flush=True)
            done = len(changes) - len(survivors)
            seconds = time.perf_counter() - start
            print(f"{module}: {done} of {len(changes)} killed in {seconds:.0f} s", flush=True)
            total, total_killed = total + len(changes), total_killed + done
            total_equivalent += equivalent
        else:
            print(f"{module}: its tests fail without any change", flush=True)
            return 1
    possible = total - total_equivalent
    print(
        f"{total_killed} of {total} killed; {total_equivalent} change no result "
        f"(equivalent_mutants.py): {total_killed / max(possible, 1):.1%} of the others"
    )
    return int(total_killed < 0.9 * possible)


def _mutants(source: str, args: argparse.Namespace) -> Iterator[tuple[int, str, str]]:
    """(line, description, changed source) of a sample of all changes."""
    tree = ast.parse(source)
    count = len(list(mutations(copy.deepcopy(tree))))
    chosen = set(random.Random(args.seed).sample(range(count), min(count, args.each)))
    for number in sorted(chosen):
        changed = copy.deepcopy(tree)
        for place, (line, what, apply) in enumerate(mutations(changed)):
            if place == number:
                apply()
                yield line, what, ast.unparse(ast.fix_missing_locations(changed))
                break


def killed(path: Path, source: str, tests: list[str]) -> bool:
    """Whether the tests fail with this source in place of the file's."""
    child = os.fork()
    if child == 0:
        os.setsid()  # test processes end with this one
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        os.environ.get("SHOW") or _silence()
        _replace(path, source)
        import pytest

        files = [f"tests/{test}" for test in tests]
        # plain: pytest cannot rewrite the assertions of what the parent has imported
        options = ["-x", "-q", "-p", "no:cacheprovider", "--assert=plain", "-m", "not slow"]
        os._exit(int(pytest.main([*options, *files])))
    deadline = time.monotonic() + PATIENCE * LIMIT
    while time.monotonic() < deadline:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status != 0
        time.sleep(0.02)
    os.killpg(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _silence() -> None:
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)


def _replace(path: Path, source: str) -> None:
    """Let the import of a file read other source, past its compiled form."""
    loader = importlib.machinery.SourceFileLoader
    get_data, path_stats = loader.get_data, loader.path_stats

    def changed_data(self: object, name: str) -> bytes:
        return source.encode() if Path(name) == path else get_data(self, name)

    def changed_stats(self: object, name: str) -> dict:
        if Path(name) == path:
            raise OSError
        return path_stats(self, name)

    loader.get_data, loader.path_stats = changed_data, changed_stats


if __name__ == "__main__":
    sys.exit(main())
