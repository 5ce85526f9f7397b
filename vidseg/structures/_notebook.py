"""How values show themselves in a notebook."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from vidseg.structures.frame import Image

if TYPE_CHECKING:
    from vidseg.structures.instances import Instances

COLUMNS = ("id", "class", "score", "box (x0, y0, x1, y1)")


def png_of(image: Image) -> bytes:
    """An RGB picture as a PNG file."""
    import cv2  # only where a notebook shows pictures

    return np.asarray(cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]).tobytes()


def table_of(instances: Instances) -> str:
    """The objects as an HTML table, a row each; without ids where none is tracked."""
    tracked = bool((instances.ids > 0).any())
    rows = [
        (str(track) if track > 0 else "", name, f"{score:.2f}", ", ".join(f"{x:.0f}" for x in box))
        for track, name, score, box in zip(
            instances.ids.tolist(),
            instances.class_names,
            instances.scores.tolist(),
            instances.boxes.tolist(),
            strict=True,
        )
    ]
    first = 0 if tracked else 1
    lines = [_row("th", COLUMNS[first:]), *(_row("td", row[first:]) for row in rows)]
    height, width = instances.size
    count = "1 object" if len(rows) == 1 else f"{len(rows)} objects"
    caption = f"<caption>{count} in {width} x {height}</caption>"
    return f"<table>{caption}{''.join(lines)}</table>"


def _row(cell: str, values: tuple[str, ...]) -> str:
    return f"<tr>{''.join(f'<{cell}>{escape(value)}</{cell}>' for value in values)}</tr>"
