"""A run does not start on images that are not those of its annotations."""

import shutil

import pytest
import torch
from PIL import Image

from rmlr_lightning.data.datamodule import DataModule
from rmlr_lightning.data.hoi_dataset import HOIDataset, hicodet_dataset
from rmlr_lightning.data.transforms import ResizeExact
from rmlr_lightning.errors import UserError


@pytest.fixture
def home(world, tmp_path):
    """A copy of the validation images, to be damaged."""
    shutil.copytree(world / "hico_20160224_det" / "images" / "val2015", tmp_path / "val2015")
    return tmp_path


def opened(world, home, **options):
    def make() -> HOIDataset:
        path = world / "hico_20160224_det" / "instances_val2015.json"
        return hicodet_dataset(str(path), home / "val2015", resize=ResizeExact(32, 32))

    module = DataModule(make, make, make, checked=str(home / "notes"), **options)
    module.open(["val"])
    return module.uncached_dataset("val")


@pytest.mark.fault
def test_images_that_were_resized_stop_a_run(world, home, capsys):
    data = opened(world, home)
    assert capsys.readouterr().out == ""
    names = [target.file_name for target in data.targets[:5]]
    for name in names:
        with Image.open(home / "val2015" / name) as image:
            small = image.resize((image.width // 2, image.height // 2))
        small.save(home / "val2015" / name)
    with pytest.raises(UserError) as caught:
        opened(world, home)
    message = str(caught.value)
    assert "\n" not in message and "data.check=warn uses them" in message
    width, height = data.targets[0].size.flip(0).tolist()
    first = f"{names[0]} (file {width // 2}x{height // 2}, annotated {width}x{height})"
    assert f"5 images of another size than annotated: {first}" in message
    with pytest.raises(UserError):  # remembered, too
        opened(world, home)

    opened(world, home, check="warn")
    assert capsys.readouterr().out.startswith("warning: data.val: 5 images of another size")
    opened(world, home, check="off")
    assert capsys.readouterr().out == ""
    with pytest.raises(UserError, match=r"data\.check=maybe: choose one of error, warn, off"):
        opened(world, home, check="maybe")


@pytest.mark.fault
def test_missing_and_empty_images_are_counted_before_the_first_step(world, home):
    names = [target.file_name for target in opened(world, home).targets]
    for name in names[:4]:
        (home / "val2015" / name).unlink()
    (home / "val2015" / names[4]).write_bytes(b"")
    with pytest.raises(UserError, match=r"4 images missing: .*, \.\.\.; 1 image not"):
        opened(world, home)


@pytest.mark.fault
@pytest.mark.parametrize("annotated", ["as shown", "as stored"])
def test_rotated_photographs_give_the_same_pixels_and_boxes(world, home, annotated, capsys):
    """Either the annotations have the rotation, or the image is read as it is stored."""
    path = world / "hico_20160224_det" / "instances_val2015.json"
    plain = hicodet_dataset(str(path), home / "val2015", resize=ResizeExact(32, 32))
    file = home / "val2015" / plain.targets[0].file_name
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(file) as image:
        stored = image.transpose(Image.Transpose.ROTATE_90) if annotated == "as shown" else image
        stored.save(file, "png", exif=exif)
    before = plain.image(file.name)

    data = opened(world, home)
    after = data.image(file.name)
    assert after.size == before.size == tuple(data.targets[0].size.flip(0).tolist())
    assert torch.equal(data[0].truth.boxes_h, plain[0].truth.boxes_h)
    line = "1 image with an EXIF rotation that the annotations lack"
    assert (line in capsys.readouterr().out) == (annotated == "as stored")
