"""rmlr-prepare hicodet, vcoco and check: what is printed, and the exit status."""

import json
import shutil

import numpy as np
import pytest
from scipy.io import savemat

from rmlr_lightning.cli.prepare import main
from tests.annotations.make_relations import write_custom
from tests.page_commands import from_page


@pytest.fixture
def benchmark(world, tmp_path):
    """The small benchmark where HICO-DET's and V-COCO's files are expected."""
    home = tmp_path / "hicodet" / "hico_20160224_det"
    shutil.copytree(world / "hico_20160224_det" / "images", home / "images")
    for split in ("train", "test"):
        name = f"instances_{split}2015.json"
        shutil.copy(world / "hico_20160224_det" / name, home.parent / name)
    shutil.copytree(world / "vcoco", tmp_path / "vcoco")
    shutil.copytree(world / "mscoco2014", tmp_path / "mscoco2014")
    return tmp_path


def refused(capsys, *argv: str) -> tuple[str, str]:
    """Standard output, and the one line on standard error."""
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    printed = capsys.readouterr()
    assert printed.err.splitlines()[-1].startswith("error: ")
    return printed.out, printed.err


@pytest.mark.parametrize(
    ("name", "address"),
    [("hicodet", "websites.umich.edu"), ("vcoco", "github.com/s-gupta/v-coco")],
)
def test_where_to_get_what_is_not_here(name, address, tmp_path, capsys):
    out, error = refused(capsys, name, str(tmp_path))
    assert address in out and "licence" in out
    assert str(tmp_path) in error and "no such file" in error


def test_a_missing_file_of_vcoco_is_named_where_a_clone_has_it(tmp_path, capsys):
    out, error = refused(capsys, "vcoco", str(tmp_path))
    assert f"cloned into {tmp_path}/v-coco\n" in out
    assert f"error: {tmp_path}/v-coco/data/vcoco/vcoco_trainval.json: no such file" in error


def test_a_file_of_any_layout_with_its_images(benchmark, capsys, monkeypatch):
    path = benchmark / "hicodet" / "instances_test2015.json"
    images = path.parent / "hico_20160224_det" / "images"
    main(["check", str(path), "--images", str(images / "train2015"), str(images / "test2015")])
    out = capsys.readouterr().out
    assert "HICO-DET in UPT's layout" in out and "48 of 48 are there" in out
    assert "instances_test2015.json: complete" in out

    # as V-COCO's repository has its files
    data = benchmark / "data" / "v-coco" / "data"
    shutil.copytree(benchmark / "vcoco", data / "vcoco")
    shutil.move(data / "vcoco" / "instances_vcoco_all_2014.json", data)
    (benchmark / "data" / "mscoco2014").symlink_to(benchmark / "mscoco2014")
    monkeypatch.chdir(benchmark)
    main(from_page("rmlr-prepare check")[1:])
    assert "V-COCO, official" in capsys.readouterr().out


def test_a_file_of_boxes_with_its_images(tmp_path, capsys):
    folder = write_custom(tmp_path / "welding")
    main(["check", str(folder / "boxes.json"), "--images", str(folder / "images")])
    out, error = capsys.readouterr()
    assert error == ""
    assert "boxes.json: COCO's boxes" in out and "boxes of 2 classes" in out
    assert "fingerprint" in out and "boxes.json: complete" in out


def test_where_images_are_missing_the_option_that_names_them_is_named(tmp_path, capsys):
    folder = write_custom(tmp_path / "welding")
    out, error = refused(capsys, "check", str(folder / "boxes.json"))
    assert f"images in {folder}: 0 of" in out
    assert error.endswith("missing; name the folders of the images with --images\n")


def test_hico_det_of_other_counts_is_refused_in_one_line(benchmark, capsys):
    labels = benchmark / "hicodet" / "hico_20160224_det" / "anno.mat"
    out, error = refused(capsys, "hicodet", str(benchmark))
    assert "anno.mat: no such file" in error and "60 of 60 are there" in out

    document = json.loads((labels.parent.parent / "instances_test2015.json").read_text())
    names = np.empty((len(document["filenames"]), 1), dtype=object)
    names[:, 0] = document["filenames"]
    table = np.full((len(document["correspondence"]), len(names)), -1.0)
    savemat(labels, {"anno_test": table, "list_test": names})
    out, error = refused(capsys, "hicodet", str(benchmark))
    assert "60 of 60 are there" in out and "fingerprint" in out
    assert "error: HICO-DET: train: 60 images, published: 38,118 or 37,633 (and" in error


def test_other_files_are_refused(tmp_path, capsys):
    (tmp_path / "a.json").write_text("[1, 2]")
    assert (
        "not a layout of interaction annotations"
        in refused(capsys, "check", str(tmp_path / "a.json"))[1]
    )


def test_data_of_ones_own(tmp_path, capsys):
    folder = str(write_custom(tmp_path / "welding"))
    main(["custom", folder])
    out = capsys.readouterr().out
    assert "2 object classes, 2 verbs, 3 HOIs" in out and f"{folder}: complete" in out

    # the same files with subjects of any class, elsewhere
    main(["custom", folder, "--out", str(tmp_path / "other"), "--subject", "any"])
    assert "subjects: any class" in capsys.readouterr().out
    assert (
        "--subject cat: subjects are of class worker"
        in refused(capsys, "custom", folder, "--out", str(tmp_path / "third"), "--subject", "cat")[
            1
        ]
    )
