import numpy as np
import pytest
from PIL import Image

from rmlr_lightning.data.image_file import ImageFolders, open_image
from rmlr_lightning.errors import UserError


def test_images_are_rgb_and_rotated_to_their_exif_orientation(tmp_path):
    grey = Image.new("L", (30, 20))
    grey.putpixel((0, 0), 255)
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown rotated by 90 degrees, clockwise
    grey.save(tmp_path / "a.png", exif=exif)

    image = open_image(tmp_path / "a.png")
    assert image.mode == "RGB" and image.size == (20, 30)
    assert np.argwhere(np.asarray(image)[..., 0] == 255).tolist() == [[0, 19]]


@pytest.mark.parametrize(
    ("content", "message"), [(None, "no such image"), (b"text", "not a readable image")]
)
def test_errors_name_the_file(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        open_image(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_folders_are_searched_in_order(tmp_path):
    first, second = tmp_path / "train2015", tmp_path / "test2015"
    for folder, names in ((first, "ab"), (second, "bc")):
        folder.mkdir()
        for name in names:
            (folder / name).touch()

    folders = ImageFolders([first, str(second), tmp_path / "nowhere"])
    assert [folders / name for name in "abc"] == [first / "a", first / "b", second / "c"]
    assert folders / "d" == first / "d"  # the error of opening it names the first folder
    assert ImageFolders(str(second)) / "a" == second / "a"
    assert ImageFolders(folders) / "c" == second / "c"


def test_no_folder_is_refused():
    with pytest.raises(UserError, match=r"images=\[\]"):
        ImageFolders([])


@pytest.mark.parametrize(
    ("annotated", "shown"),
    [
        (None, (20, 30)),
        ((30, 20), (20, 30)),  # (height, width) as viewers show it
        ((20, 30), (30, 20)),  # as the file stores it
        ((7, 7), (20, 30)),
    ],
)
def test_an_image_annotated_before_its_rotation_is_not_rotated(annotated, shown, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert open_image(tmp_path / "a.jpg", annotated).size == shown
