"""The benchmarks of speed run at their smallest size and print one line of JSON."""

import json
import runpy
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from tests.page_commands import ROOT, from_page

# The commands of docs/PERFORMANCE.md
HEAD = from_page("python benchmarks/head.py")
EPOCH = from_page("python benchmarks/epoch.py")
DETECTOR = from_page("python benchmarks/detector.py")
LOADER = from_page("python benchmarks/loader.py")
EXTRACTION = from_page("python benchmarks/extraction.py")
MEMORY = from_page("python benchmarks/memory.py")
GPU = from_page("python benchmarks/gpu.py --beside")
CROWD = from_page("python benchmarks/crowd.py")
SOAK = from_page("python benchmarks/soak.py")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Folder of the text embeddings, which all scripts share."""
    return tmp_path_factory.mktemp("benchmarks")


@pytest.fixture
def numbers(data, monkeypatch, capfd) -> Iterator[Callable[..., dict]]:
    """Runs a script and gives what it prints; `apart` in another process."""
    threads = torch.get_num_threads()

    def run(words: list[str], *more: str, apart: bool = False) -> dict:
        capfd.readouterr()
        _, script, *options = [*words, *more]
        path = str(ROOT / script)
        if apart:
            subprocess.run([sys.executable, path, *options], check=True)
        else:
            monkeypatch.setattr(sys, "argv", [script, *options])
            with suppress(SystemExit):
                runpy.run_path(path, run_name="__main__")
        (line,) = capfd.readouterr().out.splitlines()
        return json.loads(line)

    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    monkeypatch.chdir(data)
    monkeypatch.setenv("RMLR_DATA", str(data))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    yield run
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_the_head_is_counted_and_timed_in_every_row(numbers):
    cell = numbers(HEAD, "--quick")["seconds_per_image"]["3x5 b1"]
    assert {"upt", "pvic", "rmlr", "visual", "large", "rmlr + neck"} < cell.keys()
    # a linear layer's backward pass is two products of the size of its forward pass
    assert (
        2.5 < cell["visual"]["step"]["operations"] / cell["visual"]["forward"]["operations"] < 3.1
    )
    # language joins in training only
    assert cell["rmlr"]["forward"]["operations"] == cell["visual"]["forward"]["operations"]
    assert cell["rmlr"]["step"]["operations"] > cell["visual"]["step"]["operations"]


@pytest.mark.slow
def test_an_epoch_is_timed_online_and_cached(numbers):
    row = numbers(EPOCH, "--quick")["seconds_per_image"]["detector_tokens"]
    assert row["training"].keys() == {"cached", "ungrouped", "online"} and row[
        "testing"
    ].keys() == {
        "cached",
        "online",
    }


@pytest.mark.slow
def test_an_epoch_is_timed_with_a_detr_in_place_of_the_shipped_detector(numbers):
    found = numbers(EPOCH, "--quick", "--detector", "detr")
    assert found["detector"] == "detr"
    row = found["seconds_per_image"]["detector_tokens"]
    assert row["training"].keys() == {"cached", "ungrouped", "online"} and row[
        "testing"
    ].keys() == {
        "cached",
        "online",
    }


@pytest.mark.slow
def test_memory_is_measured_in_other_processes(numbers):
    found = numbers(MEMORY, "--quick")
    (row,) = found["megabytes"]
    assert row["training"]["peak"] > row["training"]["beyond"] > 0 and row["inference"]["kept"] == 0
    assert (
        found["bytes_per_cached_image"]["synthetic benchmark"]["fp32"]
        > 30 * 128 * 4 + 20 * 28 * 128 * 4
    )


@pytest.mark.slow
def test_the_gpu_script_runs_on_a_cpu(numbers):
    found = numbers(GPU, "--device", "cpu", "--quick")
    assert [row["training"]["images_per_s"] > 0 for row in found["rows"]] == [True]
    # without a wait for the device, and with few launches (benchmarks/launches.py); at most 700 in
    # large batches, which fold two layers by 4 further ones
    assert found["counted_launches"]["rmlr"]["step"] <= 696


@pytest.mark.slow
def test_without_a_gpu_the_script_exits_with_status_0(numbers, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert numbers(GPU, "--quick") == {"device": None}


@pytest.mark.slow
def test_the_detectors_wrapper_is_timed_beside_its_network(numbers):
    found = numbers(DETECTOR, "--quick")
    assert found["seconds_per_image"].keys() == {"network", "channels last", "wrapper"}
    assert found["overhead"].keys() == {"network", "channels last"}


@pytest.mark.slow
@pytest.mark.skipif(
    not all(find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime")),
    reason="onnx, onnxscript or onnxruntime is not installed",
)
def test_the_exported_head_is_timed_in_every_runtime(numbers):
    cell = numbers(["python", "benchmarks/latency.py"], "--quick", apart=True)["seconds_per_image"][
        "1 needed"
    ]
    assert {"model", "eager", "torch.export", "onnxruntime"} < cell.keys()
    assert cell["capacity"] == 136


@pytest.mark.slow
def test_crowds_are_measured_against_their_pairs(numbers):
    (row,) = numbers(CROWD, "--quick")["rows"]
    assert row["pairs"] == 30 and row["step"]["ms"] > row["inference"]["ms"] > 0


@pytest.mark.slow
def test_a_soak_counts_memory_files_and_threads(numbers, tmp_path):
    found = numbers(SOAK, "--quick", "--plot", str(tmp_path / "soak.png"))
    first, second = found["rounds"]
    assert second["files"] <= first["files"] + 4 and second["children"] <= first["children"]
    assert (tmp_path / "soak.png").stat().st_size > 0


@pytest.mark.slow
def test_the_loader_is_timed_from_a_cold_and_a_warm_disk(numbers):
    found = numbers(LOADER, "--quick")
    assert [row["workers"] for row in found["rows"]] == [0, 1]
    assert all(row["cold"] > 0 and row["warm"] > 0 for row in found["rows"])


@pytest.mark.slow
def test_extraction_is_timed_beside_its_network(numbers):
    found = numbers(EXTRACTION, "--quick")
    assert [row["precision"] for row in found["rows"]] == ["fp32", "bf16"]
    assert all(row["network"] > 0 and row["threads"]["1"] > 0 for row in found["rows"])


def test_simulated_intervals_hold_the_true_value(numbers):
    shares = numbers(["python", "benchmarks/coverage.py"], "--worlds", "20")["shares"]
    assert shares.keys() == {"full", "rare", "non-rare"}
    for share in shares.values():
        assert share["interval"] >= 0.75 and share["difference"] >= 0.75
