"""Boxes stay on their pixels and pairs stay pairs under DETR's augmentation."""

from types import SimpleNamespace

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from PIL import Image, ImageDraw
from torchvision.transforms import v2

from rmlr_lightning.cache.dataset import CachedHOIDataset
from rmlr_lightning.data.augmentation import RandomShortest, RandomSizeCrop
from rmlr_lightning.data.hoi_dataset import HOIDataset
from rmlr_lightning.data.transforms import ResizeExact, ResizeShortest, transform
from rmlr_lightning.runs.config import conf_dir
from rmlr_lightning.types import Target
from rmlr_lightning.vocabulary import hicodet

SIZE = (480, 640)  # height, width
# apart from each other and away from the frame: human and object of two pairs
BOXES = [[40, 60, 160, 260], [200, 80, 280, 200], [360, 40, 460, 300], [500, 320, 620, 440]]
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]


def painting() -> Image.Image:
    """One rectangle of a colour of its own per box."""
    image = Image.new("RGB", (SIZE[1], SIZE[0]))
    draw = ImageDraw.Draw(image)
    for (x1, y1, x2, y2), colour in zip(BOXES, COLOURS, strict=True):
        draw.rectangle((x1, y1, x2 - 1, y2 - 1), fill=colour)
    return image


def painted(pixels: torch.Tensor, colour: tuple[int, int, int]) -> list[float] | None:
    """The box around the pixels of a colour; None where there are none."""
    distance = (pixels - torch.tensor(colour)[:, None, None] / 255).abs().amax(0)
    rows, columns = (distance < 0.5).nonzero(as_tuple=True)
    if not len(rows):
        return None
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def published():
    """conf/data/augment/detr.yaml, without the colour jitter."""
    options = instantiate(OmegaConf.load(f"{conf_dir()}/data/augment/detr.yaml"))
    parts = options.augment.transforms
    geometry = [part for part in parts if not isinstance(part, v2.ColorJitter)]
    assert len(geometry) == len(parts) - 1
    return v2.Compose(geometry), options.random_resize


@pytest.mark.parametrize("seed", range(12))
def test_boxes_stay_on_their_pixels(seed):
    augment, scales = published()
    torch.manual_seed(seed)
    boxes = torch.tensor(BOXES, dtype=torch.float64)
    out = transform(painting(), [boxes], scales.draw(), augment)
    height, width = out.pixels.shape[-2:]
    on_canvas = out.boxes[0] / out.size.flip(0).repeat(2)
    on_canvas = on_canvas * torch.tensor([width, height, width, height])

    for box, inside, colour in zip(on_canvas, out.inside[0], COLOURS, strict=True):
        where = painted(out.pixels, colour)
        # of a strip below two pixels nothing may be left on the canvas
        assert inside or where is None
        if where is not None:
            assert box.tolist() == pytest.approx([float(side) for side in where], abs=1.6)


def dataset(**options) -> HOIDataset:
    """One image with two pairs; the second pair has two verbs. Images come from `painting`."""
    boxes = torch.tensor(BOXES, dtype=torch.float64)
    rows = [0, 1, 1]
    target = Target(
        "a.png",
        1,
        torch.tensor(SIZE),
        boxes[::2][rows],
        boxes[1::2][rows],
        torch.tensor([1, 2, 2]),
        torch.tensor([3, 4, 5]),
        torch.tensor([0, 0, 0]),
    )
    annotations = SimpleNamespace(vocabulary=hicodet(), targets=[target])
    data = HOIDataset(annotations, "nowhere", ResizeShortest(), **options)
    data.image = lambda name: painting()
    return data


def test_pairs_stay_pairs_and_leave_whole():
    augment, scales = published()
    data = dataset(augment=augment, random_resize=scales)
    torch.manual_seed(0)
    seen = set()
    for _ in range(40):
        item = data[0]
        height, width = item.pixels.shape[-2:]
        scale = torch.tensor([width, height, width, height])
        verbs = {1: [3], 2: [4, 5]}
        for boxes_h, boxes_o, obj, row in zip(*item.truth[:4], strict=True):
            assert row.nonzero()[:, 0].tolist() == verbs[int(obj)]
            for box, colour in zip((boxes_h, boxes_o), COLOURS[2 * obj - 2 : 2 * obj], strict=True):
                where = painted(item.pixels, colour)
                assert (box * scale).tolist() == pytest.approx([float(x) for x in where], abs=1.6)
        seen.add(tuple(sorted(item.truth.objects.tolist())))
    # one pair lost, the other lost, none lost
    assert {(1,), (2,), (1, 2)} <= seen


def test_a_box_that_is_cut_becomes_its_visible_part_and_one_outside_is_marked():
    class LeftHalf(v2.Transform):
        def transform(self, inpt, params):
            return v2.functional.crop(inpt, 0, 0, 480, 400)

    boxes = torch.tensor(BOXES, dtype=torch.float64)
    out = transform(painting(), [boxes], ResizeExact(240, 200), LeftHalf())
    assert out.size.tolist() == [480, 400] and out.pixels.shape == (3, 240, 200)
    assert out.inside[0].tolist() == [True, True, True, False]
    torch.testing.assert_close(out.boxes[0][:2], boxes[:2])
    assert out.boxes[0][2].tolist() == [360, 40, 400, 300]


def test_empty_roles_survive_a_crop():
    nothing = torch.full((1, 4), float("nan"), dtype=torch.float64)
    out = transform(painting(), [nothing], ResizeShortest(), RandomSizeCrop(100, 200))
    assert out.inside[0].all() and out.boxes[0].isnan().all()


def test_without_a_crop_no_box_is_lost_or_clamped():
    boxes = torch.tensor([[-3.0, 5, 4, 9], [7, 7, 7, 7]], dtype=torch.float64)
    flip = v2.Compose([v2.RandomHorizontalFlip(p=1.0), RandomShortest([333], 400)])
    out = transform(painting(), [boxes], ResizeShortest(), flip)
    assert out.inside[0].all() and out.size.tolist() == list(SIZE)
    expected = [[636.0, 5, 643, 9], [633, 7, 633, 7]]
    torch.testing.assert_close(out.boxes[0], torch.tensor(expected, dtype=torch.float64))


def test_shortest_sides_are_drawn_evenly_and_follow_the_rule_of_evaluation():
    scales = RandomShortest([480, 800], 1333)
    torch.manual_seed(0)
    drawn = [scales.draw().shortest for _ in range(200)]
    assert 70 < drawn.count(480) < 130
    wide = torch.zeros(3, 300, 1000)
    assert {scales(wide).shape[1:] for _ in range(20)} == {
        ResizeShortest(side, 1333).canvas(300, 1000) for side in (480, 800)
    }


def test_crops_have_sides_of_the_range_but_never_more_than_the_image():
    image = torch.zeros(3, 450, 1200)
    shapes = [RandomSizeCrop(384, 600)(image).shape for _ in range(100)]
    assert {shape[1] for shape in shapes} <= set(range(384, 451))
    assert {shape[2] for shape in shapes} <= set(range(384, 601))
    assert RandomSizeCrop(384, 600)(torch.zeros(3, 20, 30)).shape == (3, 20, 30)


def test_an_epoch_repeats_under_a_seed():
    augment, scales = published()
    data = dataset(augment=augment, random_resize=scales)
    torch.manual_seed(5)
    first = data[0]
    torch.manual_seed(5)
    again = data[0]
    assert torch.equal(first.pixels, again.pixels)
    assert torch.equal(first.truth.boxes_o, again.truth.boxes_o)


def test_what_a_cache_gives_up_is_named():
    options = instantiate(OmegaConf.load(f"{conf_dir()}/data/augment/detr.yaml"))
    data = dataset(augment=options.augment, random_resize=options.random_resize)
    stores = [SimpleNamespace(view=SimpleNamespace(flip=flip)) for flip in (False, True)]
    assert CachedHOIDataset(data, stores, subject=0).missing_augmentations() == [
        "ColorJitter",
        "RandomShortest",
        "RandomSizeCrop",
    ]
