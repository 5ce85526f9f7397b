"""YOLO-seg: a text file a picture, a line an object, and `data.yaml` with the classes."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidseg.results.formats.context import About, Write, polygon
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances


@contextmanager
def yolo(folder: Path, about: About) -> Iterator[Write]:
    """`labels/00000.txt`: class from 0, then x y of the outline in shares of width and height.

    The format knows one polygon an object: parts and holes are tied together by seams. A picture
    without objects has an empty file.
    """
    numbers = {label: place for place, label in enumerate(sorted(about.names))}
    (folder / "labels").mkdir()

    def write(moment: Instant, instances: Instances) -> None:
        height, width = instances.size
        lines = []
        for row, label in enumerate(instances.labels.tolist()):
            corners = polygon(instances, row)
            if corners is not None:
                shares = (corners / (width, height)).ravel().tolist()
                lines.append(" ".join([str(numbers[label]), *(f"{v:.6f}" for v in shares)]))
        name = Path(about.picture(moment.index)).stem
        text = "".join(f"{line}\n" for line in lines)
        (folder / "labels" / f"{name}.txt").write_text(text, encoding="utf-8")

    yield write
    names = "".join(f"  {n}: {json.dumps(about.names[label])}\n" for label, n in numbers.items())
    head = "path: .\ntrain: images\nval: images\nnames:\n"
    (folder / "data.yaml").write_text(head + names, encoding="utf-8")
