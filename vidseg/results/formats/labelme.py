"""LabelMe: a JSON file beside each image, with polygons to correct."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidseg.results.formats.context import ExportContext, WriteInstances, polygon
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances

LABELME_VERSION = "5.5.0"
"""The version of LabelMe whose files these are."""


@contextmanager
def open_labelme(folder: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`00000.json`: one polygon an object, its parts and holes joined by seams.

    `group_id` is the track's id. The image is `00000.png` beside it, or the photo's own name.
    """

    def write(moment: Instant, instances: Instances) -> None:
        height, width = instances.size
        image = context.image_name(moment.index)
        document = {
            "version": LABELME_VERSION,
            "flags": {},
            "shapes": _shapes(instances, context),
            "imagePath": image,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        text = json.dumps(document, indent=1)
        (folder / image).with_suffix(".json").write_text(text + "\n", encoding="utf-8")

    yield write


def _shapes(instances: Instances, context: ExportContext) -> list[dict[str, Any]]:
    shapes = []
    for row, (label, track_id) in enumerate(zip(instances.labels, instances.ids, strict=True)):
        corners = polygon(instances, row, context.tolerance)
        if corners is not None:
            shapes.append(
                {
                    "label": context.class_name(int(label)),
                    "points": corners.tolist(),
                    "group_id": None if track_id == UNTRACKED else int(track_id),
                    "description": "",
                    "shape_type": "polygon",
                    "flags": {},
                    "mask": None,
                }
            )
    return shapes
