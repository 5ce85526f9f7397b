"""COCO: a list of results, or a dataset to train on. `image_id` is the frame's index."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, count, repeat
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from vidseg.results.formats.context import ExportContext, WriteInstances, mask_box, shortest_decimal
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import areas, instance_rle


@contextmanager
def open_coco_results(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """The list that `COCO.loadRes` takes: bbox is x, y, width, height of the box that was
    found; a mask is RLE. Tracked objects have `track_id`."""
    between = chain(["[\n"], repeat(",\n"))
    with path.open("w", encoding="utf-8") as file:

        def write(moment: Instant, instances: Instances) -> None:
            for row in range(len(instances)):
                result = {
                    "image_id": moment.index,
                    **_annotation(instances, row, _found_box(instances, row)),
                    "score": shortest_decimal(instances.scores[row]),
                }
                file.write(next(between) + json.dumps(result))

        yield write
        file.write("[]\n" if next(between) == "[\n" else "\n]\n")


@contextmanager
def open_coco_dataset(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """The dataset that `COCO(file)` takes: annotations first, then the images, then all classes.

    A `bbox` is that of the mask. Tracked objects have `track_id`, where pycocotools and FiftyOne
    find it, and in `attributes`, where CVAT and Datumaro look for it. An object without a pixel is
    left out.
    """
    numbers, between = count(1), chain(["\n"], repeat(",\n"))
    with path.open("w", encoding="utf-8") as file, TemporaryFile("w+", encoding="utf-8") as images:
        file.write('{"annotations": [')

        def write(moment: Instant, instances: Instances) -> None:
            height, width = instances.size
            image = {"id": moment.index, "file_name": context.image_name(moment.index)}
            image |= {"height": height, "width": width}
            images.write(next(between) + json.dumps(image))
            for row, area in enumerate(areas(instances).tolist()):
                box = mask_box(instances, row)
                if box is None:
                    continue
                number = next(numbers)
                annotation = {"id": number, "image_id": moment.index, "iscrowd": 0, "area": area}
                annotation |= _annotation(instances, row, box)
                if "track_id" in annotation:
                    annotation["attributes"] = {"track_id": annotation["track_id"]}
                file.write((",\n" if number > 1 else "\n") + json.dumps(annotation))

        yield write
        file.write('\n],\n"images": [')
        images.seek(0)
        shutil.copyfileobj(images, file)
        categories = [{"id": label, "name": name} for label, name in context.class_names.items()]
        file.write(f'\n],\n"categories": {json.dumps(categories)}}}\n')


def _annotation(instances: Instances, row: int, box: list[float]) -> dict[str, Any]:
    track_id = int(instances.ids[row])
    return {
        "category_id": int(instances.labels[row]),
        "bbox": box,
        "segmentation": instance_rle(instances, row),
        **({} if track_id == UNTRACKED else {"track_id": track_id}),
    }


def _found_box(instances: Instances, row: int) -> list[float]:
    box = instances.boxes[row]
    return [shortest_decimal(np.float32(v)) for v in (*box[:2], *(box[2:] - box[:2]))]
