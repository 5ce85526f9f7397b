"""Write datasets as COCO JSON or as a VIA 2 project. The photos stay where they are.

Both name photos by their path from the written file, and use coordinates of the upright photo.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vidseg.atomic_output import atomic_output, check_output
from vidseg.datasets._embedded_photos import is_embedded
from vidseg.datasets.records import Annotation, Content, Sample, Skipped
from vidseg.datasets.vectorize import outline
from vidseg.structures.masks import from_rle

WrittenFormat = Literal["coco", "via"]
VIA_CLASS_ATTRIBUTE = "class"
"""Name of the region attribute that holds the class."""
VIA_FORMAT_VERSION = "2.0.10"
VIA_SETTINGS = {
    "annotation_editor_height": 25,
    "annotation_editor_fontsize": 0.8,
    "leftsidebar_width": 18,
    "image_grid": {
        "img_height": 80,
        "rshape_fill": "none",
        "rshape_fill_opacity": 0.3,
        "rshape_stroke": "yellow",
        "rshape_stroke_width": 2,
        "show_region_shape": True,
        "show_image_policy": "all",
    },
    "image": {
        "region_label": VIA_CLASS_ATTRIBUTE,
        "region_color": VIA_CLASS_ATTRIBUTE,
        "region_label_font": "10px Sans",
        "on_image_annotation_editor_placement": "NEAR_REGION",
    },
}
"""VIA's own defaults, except that regions show their class."""


def write_dataset(
    content: Content,
    path: str | Path,
    *,
    to: WrittenFormat,
    force: bool = False,
    tolerance: float = 1.0,
) -> dict[Path, list[Skipped]]:
    """Write one file or, if there are several splits, one file per split (`NAME_train.json`, ...).

    Returns the written files with what the format cannot hold. `tolerance` is for VIA, which stores
    outlines only: how many pixels the outline of a mask may be off; 0 keeps every pixel.

    Raises:
        OutputExistsError, OutputError: nothing is written.
    """
    target = Path(path)
    samples = [sample for sample in content.samples if not is_embedded(sample.path)]
    without_file = [
        Skipped(str(sample.path), "photo", "the photo is inside this file; save it as a file")
        for sample in content.samples
        if is_embedded(sample.path)
    ]
    splits = list(dict.fromkeys(sample.split for sample in samples))
    parts = {s: target.with_stem(f"{target.stem}_{s}") if s else target for s in splits}
    if len(splits) == 1:
        parts = {splits[0]: target}
    for file in parts.values():
        check_output(file, (), force=force)
    lost = {}
    for split, file in parts.items():
        of_split = [sample for sample in samples if sample.split == split]
        with atomic_output(file, force=force) as part:
            document, lost[file] = WRITERS[to](of_split, content.classes, file, tolerance)
            part.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")
    if without_file:
        lost[target] = [*lost.get(target, []), *without_file]
    return lost


def coco_document(
    samples: list[Sample], classes: dict[int, str], path: Path, tolerance: float
) -> tuple[dict[str, Any], list[Skipped]]:
    """COCO's instances format, which holds everything."""
    numbers = {name: number for number, name in classes.items()}
    images, annotations = [], []
    for number, sample in enumerate(samples, 1):
        height, width = sample.size
        name = _from(path, sample.path)
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        for each in sample.objects:
            record = {"id": len(annotations) + 1, "image_id": number}
            annotations.append(record | _coco_annotation(each, numbers[each.label]))
    categories = [{"id": number, "name": name} for number, name in classes.items()]
    return {"images": images, "annotations": annotations, "categories": categories}, []


def _coco_annotation(each: Annotation, category: int) -> dict[str, Any]:
    x0, y0, x1, y1 = each.box
    outlined = each.polygons and not each.crowd  # COCO's own tools read crowds as RLE only
    polygons = [corners.ravel().tolist() for corners in each.polygons]
    return {
        "category_id": category,
        "iscrowd": int(each.crowd),
        "area": each.area,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "segmentation": polygons if outlined else each.rle,
    }


def via_document(
    samples: list[Sample], classes: dict[int, str], path: Path, tolerance: float
) -> tuple[dict[str, Any], list[Skipped]]:
    """A project with the classes as a drop-down list. Crowds are left out."""
    files, lost = {}, []
    for sample in samples:
        name, size = _from(path, sample.path), sample.path.stat().st_size
        regions = [_region(each, tolerance) for each in sample.objects if not each.crowd]
        crowds = len(sample.objects) - len(regions)
        lost += [Skipped(str(sample.path), "crowd", "VIA has no crowds")] * crowds
        entry = {"filename": name, "size": size, "regions": regions, "file_attributes": {}}
        files[f"{name}{size}"] = entry
    options = {name: name for name in classes.values()}
    attribute = {"type": "dropdown", "description": "", "options": options, "default_options": {}}
    return {
        "_via_settings": {
            "ui": VIA_SETTINGS,
            "core": {"buffer_size": "18", "filepath": {}, "default_filepath": ""},
            "project": {"name": path.stem},
        },
        "_via_img_metadata": files,
        "_via_attributes": {"region": {VIA_CLASS_ATTRIBUTE: attribute}, "file": {}},
        "_via_data_format_version": VIA_FORMAT_VERSION,
        "_via_image_id_list": list(files),
    }, lost


def _region(each: Annotation, tolerance: float) -> dict[str, Any]:
    one = len(each.polygons) == 1
    corners = each.polygons[0] if one else outline(from_rle(each.rle), tolerance=tolerance)
    xs, ys = np.round(corners, 2).T.tolist()
    shape = {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
    return {"shape_attributes": shape, "region_attributes": {VIA_CLASS_ATTRIBUTE: each.label}}


def _from(path: Path, photo: Path) -> str:
    """The relative path from the written file to the photo."""
    return Path(os.path.relpath(photo.resolve(), path.resolve().parent)).as_posix()


WRITERS: dict[WrittenFormat, Callable[..., tuple[dict[str, Any], list[Skipped]]]] = {
    "coco": coco_document,
    "via": via_document,
}
