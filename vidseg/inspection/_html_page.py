"""A plain HTML page in one file: headings, text, tables, images, bar charts; no scripts."""

import base64
from collections.abc import Iterable, Sequence
from html import escape

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Image

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
th, td { padding: 0.2em 0.8em; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
figure { display: inline-block; margin: 0.4em; vertical-align: top; }
figcaption { font-size: 13px; color: #555; max-width: 640px; }
img { max-width: 100%; }
"""
BAR_HEIGHT_PIXELS = 120
"""Height of the highest bar."""
JPEG_QUALITY = 88
"""Of the images, 0 to 100."""


def page(title: str, parts: Iterable[str]) -> str:
    """The whole file."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}'
        f"</title><style>{STYLE}</style></head><body>\n<h1>{escape(title)}</h1>\n"
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def heading(text: str) -> str:
    return f"<h2>{escape(text)}</h2>"


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Cells are converted to text and escaped, except charts of this module."""
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td>{_cell(cell)}</td>" for cell in row) for row in rows]
    return "<table>" + "".join(f"<tr>{line}</tr>\n" for line in lines) + "</table>"


def figure(image: Image, caption: str) -> str:
    """An image (H, W, 3) uint8 RGB, embedded as JPEG."""
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    _, packed = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    data = base64.b64encode(packed.tobytes()).decode()
    source = f"data:image/jpeg;base64,{data}"
    return (
        f'<figure><img alt="{escape(caption, quote=True)}" src="{source}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


class Chart(str):
    """SVG markup, which is not escaped in a table."""


def bars(
    counts: Sequence[int] | NDArray[np.int64],
    edges: Sequence[float] | NDArray[np.float64],
    *,
    width: int = 480,
    height: int = BAR_HEIGHT_PIXELS,
    axis: bool = True,
) -> Chart:
    """A histogram as `numpy.histogram` gives it: `counts` (B,), `edges` (B + 1,)."""
    highest = max(int(max(counts, default=0)), 1)
    step = width / max(len(counts), 1)
    shapes = []
    for place, count in enumerate(counts):
        tall = height * int(count) / highest
        low, high = short(edges[place]), short(edges[place + 1])
        shapes.append(
            f'<rect x="{place * step:.1f}" y="{height - tall:.1f}" width="{max(step - 1, 0.5):.1f}"'
            f' height="{tall:.1f}" fill="#3b82f6"><title>{low} to {high}: {count}</title>'
            "</rect>"
        )
    room = 18 if axis else 0
    if axis:
        shapes += _axis(edges, width, height)
    return Chart(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height + room}" '
        f'font-size="12">{"".join(shapes)}</svg>'
    )


def short(value: float) -> str:
    """Three significant digits, or all digits before the point."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _axis(edges: Sequence[float] | NDArray[np.float64], width: int, height: int) -> list[str]:
    """Labels for both ends and the middle."""
    middle = len(edges) // 2
    places = [
        (0, edges[0], "start"),
        (width / 2, edges[middle], "middle"),
        (width, edges[-1], "end"),
    ]
    return [
        f'<text x="{x:.0f}" y="{height + 14}" text-anchor="{anchor}">{short(value)}</text>'
        for x, value, anchor in places
    ]


def _cell(cell: object) -> str:
    return cell if isinstance(cell, Chart) else escape(str(cell))
