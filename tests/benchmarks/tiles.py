"""What `--tiles` finds in 4K frames, and what it costs.

    python -m tests.benchmarks.tiles COCO [--model everyday] [--tiles none auto 8x6] [--frames 6]

COCO is a folder with `images/` and `instances.json`; its photos of val2017 are used. Each frame of
3840 x 2160 is made of 18: sixteen in cells of 640 x 540 pixels and two in cells of 1280 x 1080,
each scaled to fit. Prints, for each kind of tiles, COCO's AP of masks, all and by size, at most 500
detections a frame, and the processor time of a frame on one thread, as JSON.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from pycocotools import mask as coco_masks

import vidseg
from tests.benchmarks.duel import machine
from vidseg.structures.frame import Image

HEIGHT, WIDTH = 2160, 3840
BLOCK = (1080, 1280)
"""Height and width of six blocks: the first two hold one photo, the others four."""
MAX_OBJECTS = 500
Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("coco", type=Path)
    parser.add_argument("--model", default="everyday")
    parser.add_argument("--tiles", nargs="+", default=["none", "auto"])
    parser.add_argument("--frames", type=int, default=6)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        write_frames(options.coco, Path(folder), options.frames)
        figures = {tiles: measure(Path(folder), options.model, tiles) for tiles in options.tiles}
    print(json.dumps({**machine(), "model": options.model, "tiles": figures}, indent=2))


def measure(data: Path, model: str, tiles: str) -> Row:
    how = vidseg.ModelOptions(
        device="cpu", precision="float32", tiles=None if tiles == "none" else tiles
    )
    report = vidseg.evaluate(
        data,
        model,
        model_options=how,
        options=vidseg.EvaluationOptions(max_objects=MAX_OBJECTS),
    ).report
    masks = {name: round(100 * report["masks"][name], 2) for name in SIZES}
    return masks | {
        "detections": report["detections"],
        "seconds a frame": round(frame_seconds(data, model, how), 3),
    }


SIZES = ("AP", "AP50", "AP_small", "AP_medium", "AP_large")


def frame_seconds(data: Path, model: str, how: vidseg.ModelOptions) -> float:
    """Processor time of the predictor alone."""
    predictor = vidseg.Search(model=model, keep_score=0.05, model_options=how).predictor()
    image = read_rgb(next(data.glob("*.jpg")))
    predictor.predict([image])
    times = []
    for _ in range(3):
        began = time.process_time()
        predictor.predict([image])
        times.append(time.process_time() - began)
    return min(times)


def write_frames(coco: Path, target: Path, frames: int) -> None:
    """Frames as JPEG and their objects as a COCO dataset."""
    known = json.loads((coco / "instances.json").read_text())
    photos = [photo for photo in known["images"] if "val2017" in photo["coco_url"]]
    objects: dict[int, list[Row]] = {}
    for each in known["annotations"]:
        objects.setdefault(each["image_id"], []).append(each)
    images, annotations = [], []
    waiting = iter(photos)
    for number in range(1, frames + 1):
        frame = np.full((HEIGHT, WIDTH, 3), 114, np.uint8)
        for (top, left), room in cells():
            photo = next(waiting)
            image = read_rgb(coco / "images" / Path(photo["file_name"]).name)
            scale = min(room[0] / image.shape[0], room[1] / image.shape[1])
            size = round(image.shape[1] * scale), round(image.shape[0] * scale)
            way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
            frame[top : top + size[1], left : left + size[0]] = cv2.resize(
                image, size, interpolation=way
            )
            for each in objects.get(photo["id"], []):
                row = placed(each, image.shape[:2], size, (top, left))
                annotations.append(
                    row
                    | {"id": len(annotations) + 1, "image_id": number, "iscrowd": each["iscrowd"]}
                )
        name = f"{number}.jpg"
        cv2.imwrite(str(target / name), frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
        images.append({"id": number, "file_name": name, "height": HEIGHT, "width": WIDTH})
    dataset = {"images": images, "annotations": annotations, "categories": known["categories"]}
    (target / "instances.json").write_text(json.dumps(dataset))


def cells() -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """Corner and size of each photo's cell; large ones at opposite corners."""
    height, width = BLOCK
    for number, (row, column) in enumerate(np.ndindex(2, 3)):
        top, left = row * height, column * width
        if number in (0, 5):
            yield (top, left), BLOCK
        else:
            for down, across in np.ndindex(2, 2):
                corner = top + down * height // 2, left + across * width // 2
                yield corner, (height // 2, width // 2)


def placed(
    each: Row, photo: tuple[int, int], size: tuple[int, int], corner: tuple[int, int]
) -> Row:
    """An annotation of a photo, in pixels of the frame."""
    shape = each["segmentation"]
    if isinstance(shape, list):
        rles = coco_masks.frPyObjects(shape, *photo)
        rle = coco_masks.merge(rles)
    else:
        rle = coco_masks.frPyObjects(shape, *photo) if isinstance(shape["counts"], list) else shape
    mask = cv2.resize(coco_masks.decode(rle) * np.uint8(255), size, interpolation=cv2.INTER_LINEAR)
    full = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    full[corner[0] : corner[0] + size[1], corner[1] : corner[1] + size[0]] = mask >= 128
    encoded: Any = coco_masks.encode(full)
    return {
        "category_id": each["category_id"],
        "segmentation": {"size": [HEIGHT, WIDTH], "counts": encoded["counts"].decode()},
        "area": int(full.sum()),
        "bbox": coco_masks.toBbox(encoded).tolist(),
    }


def read_rgb(path: Path) -> Image:
    image = cv2.imread(str(path))
    assert image is not None, path
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


if __name__ == "__main__":
    main()
