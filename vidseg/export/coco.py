"""COCO: a list of results, or a dataset to train on. `image_id` is the frame's index."""

import json
import shutil
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from vidseg.export.about import About, Found, shortest
from vidseg.instances import Instances
from vidseg.masks import areas, instance_rle


def coco_results(found: Found, path: Path, about: About) -> None:
    """What `COCO.loadRes` takes: bbox is x, y, width, height; a mask is run lengths."""
    with path.open("w", encoding="utf-8") as file:
        between = "[\n"
        for moment, instances in found:
            for row in range(len(instances)):
                result = {
                    "image_id": moment.index,
                    **_annotation(instances, row),
                    "score": shortest(instances.scores[row]),
                }
                file.write(between + json.dumps(result))
                between = ",\n"
        file.write("\n]\n" if between == ",\n" else "[]\n")


def coco_dataset(found: Found, path: Path, about: About) -> None:
    """What `COCO(file)` takes: annotations first, then the images, then all classes."""
    number = 0
    with path.open("w", encoding="utf-8") as file, TemporaryFile("w+", encoding="utf-8") as images:
        file.write('{"annotations": [')
        for count, (moment, instances) in enumerate(found):
            height, width = instances.size
            image = {"id": moment.index, "file_name": about.picture(moment.index)}
            image |= {"height": height, "width": width}
            images.write((",\n" if count else "\n") + json.dumps(image))
            for row, area in enumerate(areas(instances).tolist()):
                number += 1
                annotation = {"id": number, "image_id": moment.index, "iscrowd": 0, "area": area}
                annotation |= _annotation(instances, row)
                file.write((",\n" if number > 1 else "\n") + json.dumps(annotation))
        file.write('\n],\n"images": [')
        images.seek(0)
        shutil.copyfileobj(images, file)
        categories = [{"id": label, "name": name} for label, name in about.names.items()]
        file.write(f'\n],\n"categories": {json.dumps(categories)}}}\n')


def _annotation(instances: Instances, row: int) -> dict[str, Any]:
    box = instances.boxes[row]
    return {
        "category_id": int(instances.labels[row]),
        "bbox": [shortest(np.float32(v)) for v in (*box[:2], *(box[2:] - box[:2]))],
        "segmentation": instance_rle(instances, row),
    }
