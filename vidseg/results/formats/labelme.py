"""LabelMe: a JSON file beside each picture, with polygons to correct."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidseg.results.formats.context import About, Write, polygon
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances

VERSION = "5.5.0"


@contextmanager
def labelme(folder: Path, about: About) -> Iterator[Write]:
    """`00000.json`: one polygon an object, parts and holes tied together by seams.

    `group_id` is the track's id. The picture is `00000.png` beside it, or the photo's own name.
    """

    def write(moment: Instant, instances: Instances) -> None:
        height, width = instances.size
        picture = about.picture(moment.index)
        document = {
            "version": VERSION,
            "flags": {},
            "shapes": _shapes(instances, about),
            "imagePath": picture,
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        text = json.dumps(document, ensure_ascii=False, indent=1)
        (folder / picture).with_suffix(".json").write_text(text + "\n", encoding="utf-8")

    yield write


def _shapes(instances: Instances, about: About) -> list[dict[str, Any]]:
    shapes = []
    for row, (label, track) in enumerate(zip(instances.labels, instances.ids, strict=True)):
        corners = polygon(instances, row)
        if corners is not None:
            shapes.append(
                {
                    "label": about.name(int(label)),
                    "points": corners.tolist(),
                    "group_id": None if track == UNTRACKED else int(track),
                    "description": "",
                    "shape_type": "polygon",
                    "flags": {},
                    "mask": None,
                }
            )
    return shapes
