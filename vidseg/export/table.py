"""A table of all objects, one a line, for a spreadsheet."""

import csv
from pathlib import Path

from vidseg.export.about import About, Found, shortest
from vidseg.instances import UNTRACKED
from vidseg.masks import areas

COLUMNS = (
    *("frame", "seconds", "id", "class", "label", "score", "filled"),
    *("x0", "y0", "x1", "y1", "area"),
)


def table(found: Found, path: Path, about: About) -> None:
    """CSV with a head; `id` is empty for an object of no track, `area` is in pixels."""
    with path.open("w", encoding="utf-8", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(COLUMNS)
        for moment, instances in found:
            for row, area in enumerate(areas(instances).tolist()):
                label, track = int(instances.labels[row]), int(instances.ids[row])
                lines.writerow(
                    [
                        *(moment.index, float(moment.time), "" if track == UNTRACKED else track),
                        *(about.name(label), label, shortest(instances.scores[row])),
                        *(int(instances.filled[row]), *map(shortest, instances.boxes[row]), area),
                    ]
                )
