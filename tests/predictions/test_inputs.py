"""Images, folders and frames of videos."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from rmlr_lightning.predictions.inputs import count_frames, find_files, frames


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Ten frames, 25 per second, of rising brightness."""
    path = tmp_path / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"mp4v"), 25, (64, 48))
    for number in range(10):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return path


def read(paths, every):
    """Frames, errors of what is skipped, and notes."""
    skipped: list[str] = []
    notes: list[str] = []
    found = list(frames(paths, every, lambda error: skipped.append(str(error)), notes.append))
    return found, skipped, notes


def test_every_nth_frame_of_a_video_is_read_with_its_moment(video, tmp_path):
    Image.new("RGB", (8, 6)).save(tmp_path / "a.jpg")
    files = find_files([tmp_path / "a.jpg", video])
    (image, *found), skipped, notes = read(files, 4)
    assert image.path.name == "a.jpg" and image.number is None and not skipped and not notes
    assert [frame.number for frame in found] == [0, 4, 8]
    assert found[1].seconds == pytest.approx(4 / 25)
    # by brightness: the frames are those of these numbers
    means = [np.asarray(frame.image).mean() for frame in found]
    assert means == pytest.approx([0, 80, 160], abs=6)
    assert found[1].image.filename == f"{video}, frame 4"
    assert count_frames(files, 4) == 4


@pytest.mark.fault
@pytest.mark.parametrize("content", [b"", b"no video" * 100])
def test_what_is_no_video_is_skipped_with_one_line(content, video, tmp_path):
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    found, skipped, _ = read([path, video], 5)
    assert [frame.number for frame in found] == [0, 5]
    assert skipped == [f"{path}: not a readable video"]
    assert count_frames([path, video], 5) == 3


@pytest.mark.fault
def test_a_truncated_video_gives_the_frames_that_it_has_and_a_note(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (64, 48))
    for _ in range(40):
        writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    found, skipped, notes = read([path], 1)
    assert 0 < len(found) < 40 and not skipped
    assert notes == [
        f"{path}: only {len(found)} of about 40 frames can be read; is the file complete?"
    ]


@pytest.mark.fault
@pytest.mark.parametrize("content", ["text", "nothing", "a folder", "a video", "a link to nowhere"])
def test_what_is_no_image_is_skipped_with_one_line_whatever_its_name(content, video, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    # Pillow reads the content: a PNG called .jpg is an image
    Image.new("RGB", (8, 6)).save(folder / "a.jpg", format="png")
    path = folder / "b.jpg"
    if content == "a folder":
        path.mkdir()
    elif content == "a link to nowhere":
        path.symlink_to(tmp_path / "nowhere")
    else:
        contents = {"text": b"hello", "nothing": b"", "a video": video.read_bytes()}
        path.write_bytes(contents[content])
    found, skipped, _ = read(find_files([folder]), 1)
    assert [frame.path.name for frame in found] == ["a.jpg"]
    assert len(skipped) == 1 and skipped[0].startswith(f"{path}: n")
