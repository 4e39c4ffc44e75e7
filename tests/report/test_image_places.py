"""Pages find the images of runs that were trained in another folder, or tell the way out."""

import io

import numpy as np
import pytest
import yaml
from PIL import Image

from rmlr_lightning.report.run_record import read_run, small_image
from rmlr_lightning.report.runs import find_runs
from tests.report.made_up import make_run, record_of, results
from tests.report.test_html import page_of

IMAGES = "data/images/test"  # in config.yaml, as typed for the training
COLOURS = {"here": (255, 0, 0), "trained": (0, 255, 0), "moved": (0, 0, 255)}


def run_on_files(folder, name="a", worse=False, images=IMAGES, data="data"):
    make_run(folder, name, 0, record_of(results(worse)))
    config = {
        "name": name,
        "seed": 0,
        "paths": {"data": data},
        "data": {"test": {"images": images}},
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    return folder


def image_at(folder, colour, name="1.jpg"):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 30), colour).save(path, "jpeg")


def colour_of(folder, name="1.jpg") -> tuple[int, ...] | None:
    """The colour of the copy that a page gets."""
    (run,) = find_runs([folder], "test/map_full").runs
    content = small_image(read_run(run), name)
    if content is None:
        return None
    pixels = np.asarray(Image.open(io.BytesIO(content))).reshape(-1, 3).astype(int)
    return tuple(np.where(pixels.mean(0) > 128, 255, 0).tolist())


@pytest.fixture
def places(tmp_path, monkeypatch):
    """Where images may be: the working directory, that of the training, and RMLR_DATA."""
    for name in COLOURS:
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.delenv("RMLR_DATA", raising=False)
    folders = {name: tmp_path / name / IMAGES for name in ("here", "trained")}
    return folders | {"moved": tmp_path / "moved" / "images" / "test"}


@pytest.mark.parametrize(
    "present", [("here",), ("trained",), ("moved",), ("here", "trained"), ("trained", "moved")]
)
def test_images_are_found_here_then_above_the_run_then_in_rmlr_data(
    present, places, tmp_path, monkeypatch
):
    run = run_on_files(tmp_path / "trained" / "multirun" / "mine" / "0")
    monkeypatch.setenv("RMLR_DATA", str(tmp_path / "moved"))
    for name in present:
        image_at(places[name], COLOURS[name])
    assert colour_of(run) == COLOURS[present[0]]


def test_data_that_were_moved_from_an_absolute_folder_are_found(places, tmp_path, monkeypatch):
    run = run_on_files(tmp_path / "run", images="/none/such/images/test", data="/none/such")
    image_at(places["moved"], COLOURS["moved"])
    assert colour_of(run) is None
    monkeypatch.setenv("RMLR_DATA", str(tmp_path / "moved"))
    assert colour_of(run) == COLOURS["moved"]


def test_images_of_a_folder_outside_of_the_data_are_not_searched_in_rmlr_data(
    places, tmp_path, monkeypatch
):
    run = run_on_files(tmp_path / "run", images="/none/such/images/test")
    image_at(places["moved"], COLOURS["moved"])
    monkeypatch.setenv("RMLR_DATA", str(tmp_path / "moved"))
    assert colour_of(run) is None


def test_an_image_of_two_folders_is_found_in_either(places, tmp_path):
    run = run_on_files(tmp_path / "trained" / "run", images=["data/images/train", IMAGES])
    image_at(places["trained"], COLOURS["trained"])
    image_at(places["trained"].with_name("train"), COLOURS["here"], "2.jpg")
    assert colour_of(run) == COLOURS["trained"]
    assert colour_of(run, "2.jpg") == COLOURS["here"]


def notes_of(page) -> list[str]:
    return [text for text in page.words if "RMLR_DATA" in text]


@pytest.mark.fault
@pytest.mark.parametrize("kind", ["run", "two runs", "sweep"])
def test_a_page_without_its_images_tells_the_way_out_once(kind, places, tmp_path):
    names = {"run": "a", "two runs": "ab", "sweep": "abc"}[kind]
    runs = [run_on_files(tmp_path / "runs" / n, n, worse=n == "a") for n in names]
    page = page_of(tmp_path, *runs)
    (note,) = notes_of(page)
    assert f"from {IMAGES}. Start rmlr-report in the folder" in note
    captions = {text.partition(" (the")[0] for text in page.words if "file is not here" in text}
    assert note.startswith(f"Not found: {len(captions)} image file")


def test_a_page_with_all_its_images_has_no_note(places, tmp_path):
    records = [record_of(results(worse)) for worse in (True, False)]
    for name in records[0].file_names:
        image_at(places["trained"], COLOURS["trained"], name)
    runs = [run_on_files(tmp_path / "trained" / n, n, worse=n == "a") for n in "ab"]
    page = page_of(tmp_path, *runs)
    assert notes_of(page) == [] and "file is not here" not in page.text
