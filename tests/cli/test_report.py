"""rmlr-report as a user meets it, on made-up runs."""

import csv
import io
import json
import math
import shlex
import statistics
import subprocess
from pathlib import Path

import pytest
import yaml
from PIL import Image

from rmlr_lightning.cli.report import main
from rmlr_lightning.report.run_folders import commit_of

T_975_OF_3 = 4.302653  # Student's t for three seeds
FULL = {"upt": (0.30, 0.32, 0.31), "word": (0.36, 0.37, 0.385), "sentence": (0.33, 0.34, 0.35)}


def make_run(
    folder: Path, name: str, seed: int, full: float | None, train: int = 1000, overrides=(), **more
) -> Path:
    """What rmlr-train leaves; without metrics.json where `full` is None."""
    (folder / ".hydra").mkdir(parents=True)
    config = {
        "name": name,
        "seed": seed,
        "data": {"prepare": {"config": {"train": train}}},
        "label": more.pop("label", None),
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "config.yaml").write_text(yaml.safe_dump(config))
    (folder / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump([f"seed={seed}", *overrides]))
    if full is not None:
        metrics = {
            "map_full": full,
            "map_rare": full - 0.07,
            "map_non_rare": full + 0.02,
            "twin_accuracy": 0.8,
        }
        both = {
            f"{split}/{key}": v + 0.1 * (split == "val")
            for split in ("test", "val")
            for key, v in metrics.items()
        }
        (folder / "metrics.json").write_text(json.dumps(both | more))
    return folder


@pytest.fixture
def runs(tmp_path) -> Path:
    """Three rows of three seeds at two sizes."""
    for name, values in FULL.items():
        for seed, value in enumerate(values):
            make_run(tmp_path / "runs" / f"{name}{seed}", name, seed, value)
            make_run(tmp_path / "runs" / f"{name}{seed}small", name, seed, value - 0.1, train=500)
    return tmp_path / "runs"


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def error_of(capsys, *argv) -> str:
    """The one line that a mistake gets."""
    with pytest.raises(SystemExit) as caught:
        main([str(part) for part in argv])
    assert caught.value.code == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("note: ")]
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


def test_the_table_has_mean_and_deviation_of_every_row(runs, tmp_path):
    main([str(runs), "--out", str(tmp_path / "out")])
    rows = {(row["row"], row["train"]): row for row in rows_of(tmp_path / "out" / "rows.csv")}
    for name, values in FULL.items():
        row = rows[name, "1000"]
        assert row["seeds"] == "0 1 2"
        assert float(row["map_full_mean"]) == pytest.approx(sum(values) / 3)
        assert float(row["map_full_sd"]) == pytest.approx(statistics.stdev(values))
        assert float(row["map_rare_mean"]) == pytest.approx(sum(values) / 3 - 0.07)
    line = next(
        line
        for line in (tmp_path / "out" / "report.md").read_text().splitlines()
        if line.startswith("| word")
    )
    assert line == "| word | 0, 1, 2 | 27.2 ± 1.3 | 20.2 ± 1.3 | 29.2 ± 1.3 | 80.0 ± 0.0 |"


def test_differences_are_paired_with_the_baseline(runs, tmp_path):
    main([str(runs), "--baseline", "upt", "--out", str(tmp_path / "out")])
    row = next(
        row
        for row in rows_of(tmp_path / "out" / "rows.csv")
        if (row["row"], row["train"]) == ("word", "1000")
    )
    gains = [a - b for a, b in zip(FULL["word"], FULL["upt"], strict=True)]
    half = T_975_OF_3 * statistics.stdev(gains) / math.sqrt(3)
    assert float(row["map_full_gain"]) == pytest.approx(sum(gains) / 3)
    assert float(row["map_full_gain_low"]) == pytest.approx(sum(gains) / 3 - half, abs=1e-7)
    assert float(row["map_full_gain_high"]) == pytest.approx(sum(gains) / 3 + half, abs=1e-7)
    assert row["map_full_gain_significant"] == "1" and row["baseline"] == "upt"


def test_only_intervals_that_exclude_0_are_bold(tmp_path):
    for seed, (a, b, c) in enumerate([(0.30, 0.32, 0.29), (0.30, 0.33, 0.33), (0.30, 0.32, 0.31)]):
        for name, value in (("base", a), ("better", b), ("unsure", c)):
            make_run(tmp_path / "runs" / f"{name}{seed}", name, seed, value)
    main([str(tmp_path / "runs"), "--baseline", "base", "--out", str(tmp_path / "out")])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "**+2.33 [+0.90, +3.77]**" in text
    assert "| +1.00 [-3.97, +5.97] |" in text


def test_a_comparison_is_a_sentence_for_every_size(runs, tmp_path):
    main([str(runs), "--compare", "word:sentence", "--out", str(tmp_path / "out")])
    text = (tmp_path / "out" / "report.md").read_text()
    for size in ("500", "1,000"):
        name = f"word - sentence, {size} training images"
        assert f"- {name}: +3.2 mAP [2.4, 3.9], significant." in text
        assert f"| {name} | 3 | **+3.17 [+2.45, +3.88]** |" in text
    metrics = [row["metric"] for row in rows_of(tmp_path / "out" / "comparisons.csv")]
    assert metrics == 2 * ["map_full", "map_rare", "map_non_rare", "twin_accuracy"]


def test_the_page_names_its_command_and_the_commit(runs, tmp_path):
    argv = [str(runs), "--title", "Word level", "--commit", "abc1234"]
    argv += ["--out", str(tmp_path / "out")]
    main(argv)
    text = (tmp_path / "out" / "report.md").read_text()
    assert text.startswith("# Word level\n\n18 runs, test split, made by commit abc1234.")
    command = "".join(line for line in text.splitlines() if line.startswith("    "))
    assert shlex.split(command.replace("\\", "")) == ["rmlr-report", *argv]
    assert "![every row with its interval](report.png)" in text.splitlines()
    assert {row["commit"] for row in rows_of(tmp_path / "out" / "runs.csv")} == {"abc1234"}


def test_the_plot_grows_with_the_rows(runs, tmp_path):
    heights = []
    for rows in ("upt", "upt,word,sentence"):
        main([str(runs), "--rows", rows, "--out", str(tmp_path / rows)])
        with Image.open(tmp_path / rows / "report.png") as image:
            heights.append(image.height)
    assert heights[0] < heights[1]


def test_rows_keep_the_order_of_the_option(runs, tmp_path):
    main([str(runs), "--rows", "word,upt", "--out", str(tmp_path / "out")])
    assert [row["row"] for row in rows_of(tmp_path / "out" / "rows.csv")] == ["word", "upt"] * 2


def test_each_run_has_a_line_with_all_its_metrics(runs, tmp_path):
    main([str(runs), "--out", str(tmp_path / "out")])
    rows = rows_of(tmp_path / "out" / "runs.csv")
    assert len(rows) == 18
    row = next(row for row in rows if row["folder"] == (runs / "word2").as_posix())
    assert (row["row"], row["train"], row["seed"]) == ("word", "1000", "2")
    assert float(row["test/map_full"]) == 0.385 and float(
        row["val/twin_accuracy"]
    ) == pytest.approx(0.9)


def test_the_other_split(runs, tmp_path):
    main([str(runs), "--split", "val", "--rows", "upt", "--out", str(tmp_path / "out")])
    means = [float(row["map_full_mean"]) for row in rows_of(tmp_path / "out" / "rows.csv")]
    assert means == pytest.approx([0.31, 0.41])


def test_one_seed_has_neither_deviation_nor_interval(tmp_path):
    for name, value in (("a", 0.3), ("b", 0.35)):
        make_run(tmp_path / "runs" / name, name, 0, value)
    main([str(tmp_path / "runs"), "--baseline", "a", "--out", str(tmp_path / "out")])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| b | 0 | 35.0 | 28.0 | 37.0 | 80.0 | +5.00 [-] |" in text
    row = rows_of(tmp_path / "out" / "rows.csv")[1]
    assert row["map_full_sd"] == row["map_full_gain_low"] == row["map_full_gain_significant"] == ""


def test_labels_and_swept_values_name_a_row(tmp_path):
    for alpha in (0.1, 0.5):
        for seed in (0, 1):
            overrides = [
                f"loss.interaction.alpha={alpha}",
                "trainer.max_epochs=2",
                "data.num_workers=0",
            ]
            make_run(
                tmp_path / "runs" / f"{alpha}{seed}",
                "rmlr",
                seed,
                alpha,
                overrides=overrides,
                label="RmLR, all of it",
            )
    row = "rmlr loss.interaction.alpha=0.5"
    main([str(tmp_path / "runs"), "--baseline", row, "--out", str(tmp_path / "out")])
    rows = rows_of(tmp_path / "out" / "rows.csv")
    assert (
        rows[0]["row"] == row and rows[0]["label"] == "RmLR, all of it, loss.interaction.alpha=0.5"
    )
    assert rows[1]["row"] == "rmlr loss.interaction.alpha=0.1"


def test_costs_are_shown_where_runs_have_them(tmp_path):
    make_run(tmp_path / "runs" / "a", "a", 0, 0.3, cpu_seconds=90.0)
    make_run(tmp_path / "runs" / "b", "a", 1, 0.3, cpu_seconds=150.0)
    main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| CPU min |" in text and "| 2.0 |" in text and "fit min" not in text


def test_unfinished_runs_are_named_and_not_counted(runs, tmp_path, capsys):
    broken = make_run(runs / "broken", "word", 7, None)
    early = make_run(runs / "early", "word", 8, None)  # before it began to train
    (early / "config.yaml").unlink()
    main([str(runs), "--out", str(tmp_path / "out")])
    note = f"Not counted, unfinished: {broken}, {early}"
    assert f"note: {note}\n" == capsys.readouterr().err
    assert note in " ".join((tmp_path / "out" / "report.md").read_text().split())


def test_metrics_of_a_part_of_the_split_are_named(runs, tmp_path, capsys):
    folder = make_run(runs / "part", "word", 7, 0.5)
    config = folder / "config.yaml"
    config.write_text(config.read_text() + "\ntrainer: {limit_test_batches: 5}\n")
    main([str(runs), "--out", str(tmp_path / "out")])
    note = f"Metrics of a part of the split, because of trainer.limit_test_batches=5: {folder}"
    assert f"note: {note}\n" == capsys.readouterr().err
    assert note in " ".join((tmp_path / "out" / "report.md").read_text().split())


def test_the_same_run_in_two_folders_counts_once(runs, tmp_path):
    make_run(runs / "copy", "upt", 0, FULL["upt"][0])
    main([str(runs), str(runs / "copy"), "--out", str(tmp_path / "out")])
    assert len(rows_of(tmp_path / "out" / "runs.csv")) == 18


def test_two_named_runs_of_one_configuration_are_compared_by_folder(tmp_path, capsys):
    """Such as before and after a change of the code."""
    folders = [str(make_run(tmp_path / name, "rmlr", 0, 0.5)) for name in ("old", "new")]
    metrics = json.loads((tmp_path / "new" / "metrics.json").read_text())
    (tmp_path / "new" / "metrics.json").write_text(json.dumps(metrics | {"test/map_full": 0.6}))
    main([*folders, "--html", str(tmp_path / "diff.html")])
    page = (tmp_path / "diff.html").read_text()
    assert all(f"rmlr ({folder})" in page for folder in folders)


def test_repetitions_that_took_other_times_are_one_run(tmp_path, capsys):
    for name, seconds in (("a", 1.0), ("b", 2.0)):
        path = make_run(tmp_path / "runs" / name, "rmlr", 0, 0.5) / "metrics.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"fit_seconds": seconds}))
    main([str(tmp_path / "runs")])
    assert "rmlr" in capsys.readouterr().out


def test_two_runs_of_a_row_and_seed_that_differ_are_an_error(runs, capsys):
    again = make_run(runs / "zz", "upt", 0, 0.5)
    message = error_of(capsys, runs)
    assert str(again) in message and str(runs / "upt0") in message and "upt, seed 0" in message


@pytest.mark.parametrize(
    "content", ["{", "[1]", '{"test/map_full": "high"}', '{"test/map_full": null}', ""]
)
def test_damaged_metrics_are_an_error(content, runs, capsys):
    (runs / "upt0" / "metrics.json").write_text(content)
    assert str(runs / "upt0" / "metrics.json") in error_of(capsys, runs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--rows", "upt,wrod"],
            "wrod: no finished run of this row; there are alone, sentence, upt, word",
        ),
        (["--baseline", "wrod"], "wrod: no finished run"),
        (["--compare", "upt:wrod"], "wrod: no finished run"),
        (["--baseline", "alone"], "--baseline alone: no other row has a seed in common"),
        (["--compare", "word:alone"], "--compare word:alone: the two have no seed in common"),
    ],
)
def test_rows_that_cannot_be_compared_are_an_error(options, message, runs, tmp_path, capsys):
    make_run(runs / "alone", "alone", 9, 0.4)
    assert message in error_of(capsys, runs, *options, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_rows_are_found_by_the_labels_that_tables_print(runs, tmp_path, capsys):
    for seed in range(2):
        for rate in (1, 2):
            overrides = [f"optim.lr={rate}"]
            folder = runs / f"swept{rate}{seed}"
            make_run(folder, "two_rates", seed, 0.4 + 0.1 * rate, overrides=overrides)
    main([str(runs), "--out", str(tmp_path / "all")])
    labels = [row["label"] for row in rows_of(tmp_path / "all" / "rows.csv")]
    assert "two rates, optim.lr=1" in labels

    options = ["--rows", "two rates, optim.lr=2,word,two rates, optim.lr=1", "--baseline", "word"]
    options += ["--compare", "two rates, optim.lr=2:two_rates optim.lr=1"]
    main([str(runs), *options, "--out", str(tmp_path / "out")])
    rows = [row for row in rows_of(tmp_path / "out" / "rows.csv") if row["train"] == "1000"]
    assert [row["row"] for row in rows] == ["two_rates optim.lr=2", "word", "two_rates optim.lr=1"]

    message = error_of(capsys, runs, "--rows", "two rates")
    assert "two_rates optim.lr=1 (two rates, optim.lr=1), two_rates optim.lr=2 (two r" in message


def test_no_runs_are_an_error(tmp_path, capsys):
    assert "no such folder" in error_of(capsys, tmp_path / "nothing")
    make_run(tmp_path / "run", "upt", 0, None)
    assert "no finished run here (1 unfinished)" in error_of(capsys, tmp_path)


@pytest.mark.fault
def test_a_metric_that_no_run_has_is_an_error_with_those_there_are(runs, capsys):
    message = error_of(capsys, runs, "--metrics", "fulll")
    assert "fulll: no finished run here has this metric of the test split; they have " in message
    assert "map_full" in message


def test_a_comparison_is_written_with_a_colon(runs, capsys):
    with pytest.raises(SystemExit) as caught:
        main([str(runs), "--compare", "word"])
    assert caught.value.code == 2 and "expected two rows as A:B" in capsys.readouterr().err


@pytest.mark.fault
def test_a_second_folder_is_not_watched(tmp_path, capsys):
    message = error_of(capsys, tmp_path / "a", tmp_path / "b", "--watch")
    assert f"--watch shows one sweep; {tmp_path / 'b'}: watch it by itself" in message


def test_without_out_nothing_is_written(runs, tmp_path, capsys):
    before = sorted(tmp_path.rglob("*"))
    main([str(runs)])
    assert sorted(tmp_path.rglob("*")) == before and "sentence" in capsys.readouterr().out


def test_small_differences_beside_a_large_one_are_drawn_to_a_scale_of_their_own(
    tmp_path, monkeypatch
):
    from matplotlib import pyplot

    for row, full in (("base", 0.50), ("far", 0.30), ("near", 0.502), ("close", 0.499)):
        make_run(tmp_path / "runs" / row, row, 0, full)
    scales = []
    close = pyplot.close
    monkeypatch.setattr(
        pyplot, "close", lambda f: (scales.append(f.axes[1].get_xscale()), close(f))
    )
    main([str(tmp_path / "runs"), "--baseline", "base", "--out", str(tmp_path / "out")])
    assert scales == ["symlog"]


def test_a_page_from_runs_csv_equals_the_page_from_the_runs(runs, tmp_path):
    options = ["--baseline", "upt", "--compare", "word:sentence", "--title", "Rows"]
    main([str(runs), *options, "--commit", "abc1234", "--out", str(tmp_path / "out")])
    main([str(tmp_path / "out" / "runs.csv"), *options, "--page", str(tmp_path / "page.md")])

    def body(path: Path) -> list[str]:
        lines = path.read_text().splitlines()
        return [line for line in lines if line[:4].strip() and not line.startswith("![")]

    assert body(tmp_path / "page.md") == body(tmp_path / "out" / "report.md")
    assert "made by commit abc1234" in (tmp_path / "page.md").read_text()


def test_a_page_has_short_lines_the_plot_and_the_notes(runs, tmp_path):
    notes = tmp_path / "notes.md"
    notes.write_text("## What did not help\n\nSoft targets.\n")
    page, plot = tmp_path / "docs" / "page.md", tmp_path / "docs" / "pictures" / "rows.png"
    argv = [runs, "--baseline", "upt", "--page", page, "--plot", plot, "--notes", notes]
    main([str(part) for part in argv])
    lines = page.read_text().splitlines()
    assert "![every row with its interval](pictures/rows.png)" in lines and plot.exists()
    assert lines[-3:] == ["## What did not help", "", "Soft targets."]
    prose = [line for line in lines if not line.startswith(("|", "    "))]
    assert max(map(len, prose)) <= 100 and len(lines) <= 120


def test_runs_of_a_csv_and_of_folders_are_reported_together(runs, tmp_path):
    main([str(runs), "--rows", "upt,word", "--out", str(tmp_path / "old")])
    make_run(tmp_path / "new" / "extra", "extra", 0, 0.4)
    paths = [tmp_path / "old" / "runs.csv", tmp_path / "new"]
    main([*map(str, paths), "--baseline", "upt", "--out", str(tmp_path / "out")])
    rows = rows_of(tmp_path / "out" / "rows.csv")
    assert {row["row"] for row in rows} == {"upt", "word", "extra"}


@pytest.mark.parametrize(
    "content", ["a,b\n1,2\n", "row,label,train,seed,folder,test/map_full\na,a,1,x,f,0.5\n"]
)
def test_a_csv_of_another_form_is_an_error(content, tmp_path, capsys):
    (tmp_path / "runs.csv").write_text(content)
    message = error_of(capsys, tmp_path / "runs.csv")
    assert "runs.csv: line 2 is not a run" in message
    assert "cannot be read" in error_of(capsys, tmp_path / "absent.csv")


def test_other_metrics_can_be_columns(tmp_path):
    for seed in (0, 1):
        for name in ("a", "b"):
            more = {"test/my_metric": 0.5 + 0.1 * seed + 0.02 * (name == "b")}
            make_run(tmp_path / "runs" / f"{name}{seed}", name, seed, 0.3, **more)
    options = ["--metrics", "my_metric,rare", "--baseline", "a", "--out", str(tmp_path / "out")]
    main([str(tmp_path / "runs"), *options])
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| row | seeds | my_metric | rare | my_metric - a |" in text
    assert "| b | 0, 1 | 57.0 ± 7.1 | 23.0 ± 0.0 |" in text
    assert "- b - a: +2.0 my_metric" in text


def test_the_commit_is_the_one_checked_out_at_the_runs(tmp_path):
    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert commit_of(tmp_path) is None
    git("init")
    git("commit", "--allow-empty", "-m", "first")
    make_run(tmp_path / "runs" / "a", "a", 0, 0.3)
    main([str(tmp_path / "runs"), "--out", str(tmp_path / "out")])
    (row,) = rows_of(tmp_path / "out" / "runs.csv")
    assert len(row["commit"]) == 7 and git("rev-parse", "HEAD").startswith(row["commit"])
