"""VIA 2: a project with polygons to correct, the class in the region attribute `class`."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vidseg.datasets.convert import VIA_CLASS_ATTRIBUTE, VIA_FORMAT_VERSION, VIA_SETTINGS
from vidseg.results.formats.context import ExportContext, WriteInstances, polygon
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances

UNKNOWN_FILE_SIZE = -1
"""VIA's size of a file that it has not opened yet."""


@contextmanager
def open_via(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """Opens with "Open project"; the images are `00000.png` and so on, or the photos' own names.

    Regions also have `score`, and `id` where the object is tracked.
    """
    keys: list[str] = []
    with path.open("w", encoding="utf-8") as file:
        file.write('{"_via_img_metadata": {')

        def write(moment: Instant, instances: Instances) -> None:
            name = context.image_name(moment.index)
            key = f"{name}{UNKNOWN_FILE_SIZE}"
            entry = {
                "filename": name,
                "size": UNKNOWN_FILE_SIZE,
                "regions": _regions(instances, context),
                "file_attributes": {},
            }
            file.write((",\n" if keys else "\n") + f"{json.dumps(key)}: {json.dumps(entry)}")
            keys.append(key)

        yield write
        file.write("\n},\n" + json.dumps(_settings(path, context, keys))[1:] + "\n")


def _settings(path: Path, context: ExportContext, keys: list[str]) -> dict[str, Any]:
    choices = dict.fromkeys(context.class_names.values(), "")
    kind = {"type": "dropdown", "description": "", "options": choices, "default_options": {}}
    words = {"type": "text", "description": "", "default_value": ""}
    regions = {VIA_CLASS_ATTRIBUTE: kind, "score": words, "id": words}
    return {
        "_via_settings": {
            "ui": VIA_SETTINGS,
            "core": {"buffer_size": 18, "filepath": {}, "default_filepath": ""},
            "project": {"name": context.source_name},
        },
        "_via_attributes": {"region": regions, "file": {}},
        "_via_data_format_version": VIA_FORMAT_VERSION,
        "_via_image_id_list": keys,
    }


def _regions(instances: Instances, context: ExportContext) -> list[dict[str, Any]]:
    regions = []
    for row, (label, track_id) in enumerate(zip(instances.labels, instances.ids, strict=True)):
        corners = polygon(instances, row, context.tolerance)
        if corners is None:
            continue
        attributes = {
            VIA_CLASS_ATTRIBUTE: context.class_name(int(label)),
            "score": f"{instances.scores[row]:.3f}",
        }
        if track_id != UNTRACKED:
            attributes["id"] = str(track_id)
        x, y = corners.T.tolist()
        shape = {"name": "polygon", "all_points_x": x, "all_points_y": y}
        regions.append({"shape_attributes": shape, "region_attributes": attributes})
    return regions
