"""The boxes of the world as COCO instances, and COCO's names of its images."""

from rmlr_lightning.synthetic.names import COCO_CATEGORY_IDS, COCO_INDEX, COCO_OBJECTS

# COCO has one space of image ids: they must differ between splits.
SPLIT_OFFSET = {"train": 0, "val": 100_000, "test": 200_000}


def image_id(split: str, number: int) -> int:
    """The COCO image id of an image by its number (from 1) within the split."""
    return SPLIT_OFFSET[split] + number


def coco_file(split: str, number: int) -> tuple[str, str]:
    """COCO folder and file name: the test split is in val2014, as in V-COCO."""
    folder = "val2014" if split == "test" else "train2014"
    return folder, f"COCO_{folder}_{image_id(split, number):012d}.jpg"


def xywh(box: list[float]) -> list[float]:
    """An xyxy box as COCO writes it, rounded to 0.01 pixels."""
    x0, y0, x1, y1 = box
    return [round(x0, 2), round(y0, 2), round(x1 - x0, 2), round(y1 - y0, 2)]


def coco_instances(
    images: list[tuple[int, str, dict]], size: tuple[int, int]
) -> tuple[dict, dict[tuple[int, str, int], int]]:
    """COCO instances of all people and objects, without boxes under a pixel wide or high.

    Args:
        images: (image id, file name, annotations) of each image.
        size: Width and height of the images in pixels.

    Returns:
        The content of the file; and annotation ids by (image id, "person" or "object", index in
        the image's list).
    """
    rows: list[dict] = []
    ids: dict[tuple[int, str, int], int] = {}
    for image, _, annotations in images:
        boxes = [("person", i, "person", box) for i, box in enumerate(annotations["persons"])]
        for i, obj in enumerate(annotations["objects"]):
            boxes.append(("object", i, obj["name"], obj["box"]))

        for kind, index, name, box in boxes:
            x, y, w, h = xywh(box)
            if w < 1 or h < 1:
                continue
            annotation_id = len(rows) + 1
            ids[image, kind, index] = annotation_id
            rows.append(
                {
                    "id": annotation_id,
                    "image_id": image,
                    "category_id": COCO_CATEGORY_IDS[COCO_INDEX[name]],
                    "bbox": [x, y, w, h],
                    "area": round(w * h, 2),
                    "iscrowd": 0,
                    "segmentation": [],
                }
            )

    width, height = size
    data = {
        "info": {"description": "rmlr_lightning synthetic world"},
        "images": [
            {"id": image, "file_name": name, "width": width, "height": height}
            for image, name, _ in images
        ],
        "annotations": rows,
        "categories": [
            {"id": category, "name": name, "supercategory": name}
            for category, name in zip(COCO_CATEGORY_IDS, COCO_OBJECTS, strict=True)
        ],
    }
    return data, ids
