"""Images, folders and frames of videos."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from rmlr_lightning.errors import UserError
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


def test_every_nth_frame_of_a_video_is_read_with_its_moment(video, tmp_path):
    (tmp_path / "a.jpg").touch()
    files = find_files([tmp_path / "a.jpg", video])
    image, *found = frames(files, 4)
    assert image.path.name == "a.jpg" and image.image is None
    assert [frame.number for frame in found] == [0, 4, 8]
    assert found[1].seconds == pytest.approx(4 / 25)
    # by brightness: the frames are those of these numbers
    means = [np.asarray(frame.image).mean() for frame in found]
    assert means == pytest.approx([0, 80, 160], abs=6)
    assert count_frames(files, 4) == 4


@pytest.mark.fault
@pytest.mark.parametrize("content", [b"", b"no video" * 100])
def test_what_is_no_video_is_refused_with_one_line(content, tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(content)
    for read in (lambda: list(frames([path], 1)), lambda: count_frames([path], 1)):
        with pytest.raises(UserError, match=r"clip\.mp4: not a readable video$"):
            read()


@pytest.mark.fault
def test_a_truncated_video_gives_the_frames_that_it_has_or_one_line(video):
    content = video.read_bytes()
    video.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"clip\.mp4: "):
        list(frames([video], 1))
