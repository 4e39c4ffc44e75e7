"""Image files of every kind become RGB by one rule, or are refused with one line."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from rmlr_lightning.errors import UserError
from rmlr_lightning.images.image_check import Annotated, check_images
from rmlr_lightning.images.image_file import ImageFolders, as_rgb, of_array, open_image, upright_rgb
from tests.scenes import noise_image

RED, WHITE, BLACK = (255, 0, 0), (255, 255, 255), (0, 0, 0)
LEVELS = np.array([[0, 257 * 60, 65535]])  # black, level 60 and white with 16 bits


def exif(orientation):
    data = Image.Exif()
    data[0x0112] = orientation
    return data


def pixels(image):
    assert image.mode == "RGB"
    return [tuple(pixel) for pixel in np.asarray(image).reshape(-1, 3).tolist()]


def grey(*levels):
    return [(level,) * 3 for level in levels]


def test_images_are_rgb_and_rotated_to_their_exif_orientation(tmp_path):
    grey = Image.new("L", (30, 20))
    grey.putpixel((0, 0), 255)
    grey.save(tmp_path / "a.png", exif=exif(6))  # to be shown rotated by 90 degrees, clockwise

    image = open_image(tmp_path / "a.png")
    assert image.mode == "RGB" and image.size == (20, 30)
    assert np.argwhere(np.asarray(image)[..., 0] == 255).tolist() == [[0, 19]]


@pytest.mark.parametrize("suffix", ["png", "tiff", "webp"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_format(suffix, orientation, tmp_path):
    """Pillow rotates TIFFs while it reads them; the marked corner must be in the same place."""
    stored = Image.new("RGB", (30, 20))
    stored.paste(WHITE, (0, 0, 8, 8))
    path = tmp_path / f"a.{suffix}"
    options = {"lossless": True} if suffix == "webp" else {}
    stored.save(path, exif=exif(orientation), **options)

    image = open_image(path)
    is_right, is_low = orientation in (2, 3, 6, 7), orientation in (3, 4, 7, 8)
    assert image.size == ((20, 30) if orientation > 4 else (30, 20))
    corners = np.asarray(image)[[0, 0, -1, -1], [0, -1, 0, -1], 0].tolist()
    assert corners.index(255) == 2 * is_low + is_right and sum(corners) == 255
    # an image from a result may be predicted again: it must not be rotated twice
    assert np.array_equal(upright_rgb(image), image)

    # annotated before the rotation: boxes are of the stored image
    as_stored = open_image(path, (20, 30))
    if orientation > 4:
        assert np.array_equal(np.asarray(as_stored), np.asarray(stored))


@pytest.mark.fault
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such image"),
        (b"text", "not a readable image"),
        (b"", "the file is empty"),
        (b"GIF89a", "not a readable image"),
    ],
)
def test_errors_name_the_file(tmp_path, content, message):
    path = tmp_path / "a.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        open_image(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.fault
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(UserError, match=r"a\.jpg: not a readable image \(not a regular file\)"):
        open_image(tmp_path / "a.jpg")
    report = check_images(tmp_path.__truediv__, [Annotated("a.jpg", (17, 23))])
    assert report.unreadable == ["a.jpg"]


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
    Image.new("RGB", (30, 20)).save(tmp_path / "a.jpg", exif=exif(6))
    assert open_image(tmp_path / "a.jpg", annotated).size == shown


@pytest.mark.fault
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_do_not_hide_the_image(tmp_path):
    Image.new("L", (30, 20), 60).save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff")
    assert open_image(tmp_path / "a.jpg").size == (30, 20)


# --- modes: each case writes a file and gives the pixels that it must have --------------------


def palette():
    image = Image.new("P", (2, 1))
    image.putpalette([*RED, *WHITE])
    image.putdata([0, 1])
    return image


def compressed_ycbcr():
    # without compression Pillow before 13 cannot read what it has written
    image = Image.new("YCbCr", (1, 1), (60, 128, 128))
    image.info["compression"] = "tiff_lzw"
    return image


MODES = {
    "16-bit PNG": ("png", lambda: Image.fromarray(LEVELS.astype(np.uint16)), grey(0, 60, 255)),
    "16-bit TIFF": ("tiff", lambda: Image.fromarray(LEVELS.astype(np.uint16)), grey(0, 60, 255)),
    "16-bit PGM": ("pgm", lambda: Image.fromarray(LEVELS.astype(np.uint16)), grey(0, 60, 255)),
    "float TIFF": (
        "tiff",
        lambda: Image.fromarray(np.array([[0, 0.2, 1]], np.float32)),
        grey(0, 51, 255),
    ),
    "1 bit": ("png", lambda: Image.fromarray(np.array([[True, False]])), [WHITE, BLACK]),
    "greyscale": ("png", lambda: Image.new("L", (1, 1), 60), grey(60)),
    "palette": ("png", palette, [RED, WHITE]),
    "opaque alpha": ("png", lambda: Image.new("RGBA", (1, 1), (9, 8, 7, 255)), [(9, 8, 7)]),
    # a hidden colour is not shown: half of red on white, and white alone
    "half alpha": ("png", lambda: Image.new("RGBA", (1, 1), (255, 0, 0, 128)), [(255, 127, 127)]),
    "no alpha": ("png", lambda: Image.new("RGBA", (1, 1), (255, 0, 0, 0)), [WHITE]),
    "grey alpha": ("png", lambda: Image.new("LA", (1, 1), (60, 255)), grey(60)),
    "CMYK": ("tiff", lambda: Image.new("CMYK", (1, 1), (0, 255, 255, 0)), [RED]),
    "YCbCr": ("tiff", compressed_ycbcr, grey(60)),
}


@pytest.mark.fault
@pytest.mark.parametrize("name", MODES)
def test_the_pixels_of_every_mode(name, tmp_path):
    suffix, make, expected = MODES[name]
    make().save(tmp_path / f"a.{suffix}")
    assert pixels(open_image(tmp_path / f"a.{suffix}")) == expected


@pytest.mark.fault
def test_a_transparent_colour_of_a_palette_is_white(tmp_path):
    palette().save(tmp_path / "a.gif", transparency=0)
    assert pixels(open_image(tmp_path / "a.gif")) == [WHITE, WHITE]


@pytest.mark.fault
@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tiff"])
def test_of_several_frames_the_first_is_read(suffix, tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, WHITE)]
    options = {"lossless": True} if suffix == "webp" else {}
    path = tmp_path / f"a.{suffix}"
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert set(pixels(open_image(path))) == {RED}


@pytest.mark.fault
def test_sixteen_bit_colour_and_grey_agree():
    """Pillow reads 16-bit colour by its high byte; grey follows."""
    raw = b"".join(b"\0" + struct.pack(">3H", *([level] * 3)) for level in (0, 300, 40000, 65535))
    header = struct.pack(">2I5B", 1, 4, 16, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    )
    colour = Image.open(io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunks))
    levels = np.array([[0], [300], [40000], [65535]], np.uint16)
    assert pixels(as_rgb(colour)) == pixels(of_array(levels)) == grey(0, 1, 156, 255)


@pytest.mark.fault
@pytest.mark.parametrize(
    ("suffix", "array", "message"),
    [
        ("tiff", np.array([[0, 255]], np.int32), "32 bits, whose range is not known"),
        ("tiff", np.array([[0, 255]], np.float32), "0 to 255, not 0"),
        ("tiff", np.array([[0, np.nan]], np.float32), "not 0 .black. to 1"),
    ],
)
def test_pixels_without_a_known_range_are_refused(suffix, array, message, tmp_path):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(array).save(path)
    with pytest.raises(UserError, match=message) as caught:
        open_image(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.fault
def test_truncated_and_huge_images_are_one_line(tmp_path, monkeypatch):
    path = tmp_path / "a.jpg"
    noise_image(64, 64, 80).save(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(UserError, match="truncated") as caught:
        open_image(path)
    assert "\n" not in str(caught.value)

    Image.new("L", (64, 64)).save(path)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with pytest.raises(UserError, match=r"more than 4,000 pixels.*scale it") as caught:
        open_image(path)
    assert "\n" not in str(caught.value)


ARRAYS = {
    "uint8": (np.array([[RED, WHITE]], np.uint8), [RED, WHITE]),
    "grey": (np.array([[0, 60]], np.uint8), grey(0, 60)),
    "one channel": (np.array([[[0], [60]]], np.uint8), grey(0, 60)),
    "bool": (np.array([[True, False]]), [WHITE, BLACK]),
    "16 bits": (LEVELS.astype(np.uint16), grey(0, 60, 255)),
    "float colour": (np.array([[[1.0, 0, 0]]]), [RED]),
    "alpha": (np.array([[[255, 0, 0, 0]]], np.uint8), [WHITE]),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_follow_the_rule(name):
    array, expected = ARRAYS[name]
    assert pixels(of_array(array)) == expected


@pytest.mark.fault
@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 8, 9), np.uint8), "its shape is 3 x 8 x 9, not height x width"),
        (np.zeros((2, 8, 9, 3), np.uint8), "its shape is"),
        (np.zeros((0, 8, 3), np.uint8), "its shape is 0 x 8 x 3"),
        (np.zeros((8, 9, 3), np.int64), "its values are int64, not uint8"),
        (np.full((8, 9, 3), 255.0), "255 to 255, not 0"),
        (np.full((8, 9, 3), np.nan), "not 0"),
    ],
)
def test_arrays_that_the_rule_refuses(array, message):
    with pytest.raises(ValueError, match=message):
        of_array(array)


@pytest.mark.fault
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "tiff", "webp", "bmp", "pgm"])
def test_damaged_files_are_read_or_refused(suffix, tmp_path):
    rng = np.random.default_rng(18)
    path = tmp_path / f"a.{suffix}"
    image = noise_image(23, 17, 80)
    image.save(path, **({} if suffix in ("gif", "bmp", "pgm") else {"exif": exif(6)}))
    content = path.read_bytes()
    for _ in range(60):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), int(rng.integers(1, 4))):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged[: int(rng.integers(1, len(content) + 1))])
        check_images(tmp_path.__truediv__, [Annotated(path.name, (17, 23))])
        try:
            assert open_image(path).mode == "RGB"
        except UserError as error:
            assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
