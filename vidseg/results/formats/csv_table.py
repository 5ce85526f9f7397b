"""A table of all objects, one a line, for a spreadsheet."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidseg.results.formats.context import About, Write, shortest
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import areas

COLUMNS = (
    *("frame", "seconds", "id", "class", "label", "score", "filled"),
    *("x0", "y0", "x1", "y1", "area"),
)


@contextmanager
def table(path: Path, about: About) -> Iterator[Write]:
    """CSV with a head; `id` is empty for an object of no track, `area` is in pixels."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)

        def write(moment: Instant, instances: Instances) -> None:
            for row, area in enumerate(areas(instances).tolist()):
                label, track = int(instances.labels[row]), int(instances.ids[row])
                lines.writerow(
                    [
                        *(moment.index, float(moment.time), "" if track == UNTRACKED else track),
                        *(about.name(label), label, shortest(instances.scores[row])),
                        *(int(instances.filled[row]), *map(shortest, instances.boxes[row]), area),
                    ]
                )

        yield write
