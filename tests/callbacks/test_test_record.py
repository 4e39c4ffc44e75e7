"""The record that a test leaves, and the words that pairs attend to."""

import errno
import os
from types import SimpleNamespace

import pytest
import torch
from PIL import Image

from rmlr_lightning import files
from rmlr_lightning.callbacks.test_record import KeepTestRecord
from rmlr_lightning.callbacks.word_attention import attended_words
from rmlr_lightning.metrics.hicodet_metric import HICODetMeanAP
from rmlr_lightning.metrics.twins import Twin, TwinAccuracy
from rmlr_lightning.scoring.matched import mean_of
from rmlr_lightning.scoring.record_file import read_record
from rmlr_lightning.text.prompts import split_words
from tests.metrics import tiny_worlds as worlds
from tests.scoring.test_record import results
from tests.tasks.tiny_task import VOCABULARY, random_batch, text, tiny_task


class Images:
    def image(self, name):
        return Image.new("RGB", (900, 300), "teal")


def trainer_of(**options):
    datamodule = SimpleNamespace(dataset=lambda split: Images())
    return SimpleNamespace(is_global_zero=True, world_size=1, datamodule=datamodule, **options)


def task_of(metrics, bins=None):
    task = SimpleNamespace(kept=None, vocabulary=worlds.VOCABULARY)
    reliability = SimpleNamespace(bins=bins or {})
    task.metrics = {"test": SimpleNamespace(metrics=metrics, reliability=reliability)}
    return task


def test_a_test_leaves_its_record_with_thumbnails(tmp_path):
    found = results(3)
    metric = HICODetMeanAP(worlds.VOCABULARY)
    metric.update([d for _, d in found], [t for t, _ in found])
    box = torch.tensor([0.0, 0.0, 4.0, 4.0])
    twins = TwinAccuracy({"2.jpg": [Twin(box, box, 0, (0,), (1,))] * 2})
    twins.update([found[2][1]], [found[2][0]])

    bins = {"ece_score": [[2.0, 0.5, 1.0]]}
    task = task_of({"hicodet": metric, "twins": twins}, bins)
    callback = KeepTestRecord(str(tmp_path), images=2)
    callback.on_test_start(trainer_of(), task)
    # in any order, and one image twice, as from a padding sampler of several processes
    task.kept += [*found[::-1], found[4]]
    callback.on_test_end(trainer_of(), task)

    record, thumbnails = read_record(tmp_path / "test_record.npz")
    assert record.file_names == [f"{i}.jpg" for i in range(12)] and task.kept is None
    value = mean_of(record.matched["default"].ap())
    assert value == pytest.approx(float(metric.compute()["map_full"]), abs=1e-12)
    ((image, total, matched, right),) = record.facts["twins"]
    assert (image, total) == (2, 2)
    assert (matched, right) == (float(twins.matched), float(twins.right))
    assert record.facts["reliability"] == bins
    assert len(thumbnails) == 4 and all(len(jpeg) < 10_000 for jpeg in thumbnails.values())


@pytest.mark.fault
def test_a_full_disk_costs_the_record_and_not_the_run(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    task, callback = task_of({}), KeepTestRecord(str(tmp_path))
    callback.on_test_start(trainer_of(), task)
    task.kept += results(3)
    monkeypatch.setattr(files, "_write_and_rename", full)
    callback.on_test_end(trainer_of(), task)
    assert not list(tmp_path.iterdir())
    assert "test_record.npz: the disk is full" in capsys.readouterr().out
    assert callback.record is not None  # for the loggers


def test_a_task_without_interactions_leaves_nothing(tmp_path):
    callback = KeepTestRecord(str(tmp_path))
    callback.on_test_start(trainer_of(), SimpleNamespace())
    callback.on_test_end(trainer_of(), SimpleNamespace())
    assert not list(tmp_path.iterdir())


class Text:
    """Two words per phrase, as many as the random embeddings of `tiny_task` have."""

    def phrases(self, vocabulary):
        names = (f"verb{verb} object{obj}" for verb, obj in vocabulary.hois)
        return tuple((split_words(name, frozenset()),) for name in names)


def test_attention_is_over_the_words_of_the_true_phrases():
    task, batch = tiny_task().eval(), random_batch(4)
    rows = attended_words(task, batch, [f"{i}.jpg" for i in range(4)], Text())
    assert rows and len({row["image"] for row in rows}) == len(rows)
    for row in rows:
        true = [phrase.split() for phrase in row["phrases"]]
        assert set(row["words"]) == {"word_ire", "word_irm"}
        for words in row["words"].values():
            assert sum(weight for _, weight in words) == pytest.approx(1, abs=1e-5)
            assert [word for word, _ in words] == [word for phrase in true for word in phrase]
        obj = int(true[0][1].removeprefix("object"))
        assert obj in {obj for _, obj in VOCABULARY.hois}


def test_without_phrases_there_is_no_attention():
    assert attended_words(tiny_task(), random_batch(2), ["a", "b"], text) == []
    assert attended_words(tiny_task(losses={}), random_batch(2), ["a", "b"], Text()) == []
