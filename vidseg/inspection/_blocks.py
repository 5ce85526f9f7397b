"""The parts of a plain page: headings, text, tables, images, bar charts."""

import base64
from collections.abc import Iterable, Mapping, Sequence

import cv2
import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from vidseg.inspection._templates import render, template
from vidseg.structures.frame import Image

BAR_HEIGHT_PIXELS = 120
"""Height of the highest bar."""
JPEG_QUALITY = 88
"""Of the images, 0 to 100."""


def page(title: str, parts: Iterable[Markup]) -> str:
    """The whole file."""
    return str(render("blocks_page.html", {"title": title, "parts": list(parts)}))


def heading(text: str) -> Markup:
    return _block("heading", text)


def paragraph(text: str) -> Markup:
    return _block("paragraph", text)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> Markup:
    """Cells are converted to text and escaped, except charts of this module."""
    return _block("table", head, list(rows))


def definitions(words: Mapping[str, str]) -> Markup:
    """Pairs of a term and what it stands for."""
    return _block("definitions", dict(words))


def figure(image: Image, caption: str) -> Markup:
    """An image (H, W, 3) uint8 RGB, embedded as JPEG."""
    bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
    _, packed = cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
    return _block("figure", data_uri("image/jpeg", packed.tobytes()), caption)


def data_uri(kind: str, content: bytes) -> str:
    """The content of a file as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def bars(
    counts: Sequence[int] | NDArray[np.int64],
    edges: Sequence[float] | NDArray[np.float64],
    *,
    width: int = 480,
    height: int = BAR_HEIGHT_PIXELS,
    axis: bool = True,
) -> Markup:
    """A histogram as `numpy.histogram` gives it: `counts` (B,), `edges` (B + 1,)."""
    highest = max(int(max(counts, default=0)), 1)
    step = width / max(len(counts), 1)
    shapes = [
        {
            "x": place * step,
            "width": max(step - 1, 0.5),
            "height": height * int(count) / highest,
            "text": f"{short(float(edges[place]))} to {short(edges[place + 1])}: {count}",
        }
        for place, count in enumerate(counts)
    ]
    return _block("bars", shapes, width, height, _axis(edges, width) if axis else [])


def short(value: float) -> str:
    """Three significant digits, or all digits before the point."""
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _axis(edges: Sequence[float] | NDArray[np.float64], width: int) -> list[tuple[float, str, str]]:
    """Place, text and anchor of the labels for both ends and the middle."""
    middle = len(edges) // 2
    places = [(0, 0, "start"), (width / 2, middle, "middle"), (width, -1, "end")]
    return [(x, short(float(edges[place])), anchor) for x, place, anchor in places]


def _block(name: str, *facts: object) -> Markup:
    macro = getattr(template("blocks.html").module, name)
    return macro(*facts)
