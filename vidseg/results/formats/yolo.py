"""YOLO-seg: a text file an image, a line an object, and `data.yaml` with the classes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidseg.results.formats.context import ExportContext, WriteInstances, polygon
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances


@contextmanager
def open_yolo(folder: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`labels/00000.txt`: the class from 0, then x y of the outline in fractions of the size.

    The format has one polygon an object, so parts and holes are joined by seams. An image without
    objects has an empty file.
    """
    numbers = {label: place for place, label in enumerate(sorted(context.class_names))}
    (folder / "labels").mkdir()

    def write(moment: Instant, instances: Instances) -> None:
        height, width = instances.size
        lines = []
        for row, label in enumerate(instances.labels.tolist()):
            corners = polygon(instances, row)
            if corners is not None:
                fractions = (corners / (width, height)).ravel().tolist()
                lines.append(" ".join([str(numbers[label]), *(f"{v:.6f}" for v in fractions)]))
        name = Path(context.image_name(moment.index)).stem
        text = "".join(f"{line}\n" for line in lines)
        (folder / "labels" / f"{name}.txt").write_text(text, encoding="utf-8")

    yield write
    names = "".join(
        f"  {n}: {json.dumps(context.class_names[label])}\n" for label, n in numbers.items()
    )
    head = "path: .\ntrain: images\nval: images\nnames:\n"
    (folder / "data.yaml").write_text(head + names, encoding="utf-8")
