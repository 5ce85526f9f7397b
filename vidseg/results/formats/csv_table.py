"""A table for a spreadsheet, one object per line."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidseg.results.formats.context import ExportContext, WriteInstances, shortest_decimal
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import areas

CSV_COLUMNS = (
    *("frame", "seconds", "id", "class", "label", "score", "filled"),
    *("x0", "y0", "x1", "y1", "area"),
)


@contextmanager
def open_csv(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """CSV with a header line; `id` is empty for an untracked object, `area` is in pixels."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(CSV_COLUMNS)

        def write(moment: Instant, instances: Instances) -> None:
            for row, area in enumerate(areas(instances).tolist()):
                label, track_id = int(instances.labels[row]), int(instances.ids[row])
                table.writerow(
                    [
                        *(
                            moment.index,
                            float(moment.time),
                            "" if track_id == UNTRACKED else track_id,
                        ),
                        *(
                            context.class_name(label),
                            label,
                            shortest_decimal(instances.scores[row]),
                        ),
                        *(
                            int(instances.filled[row]),
                            *map(shortest_decimal, instances.boxes[row]),
                            area,
                        ),
                    ]
                )

        yield write
