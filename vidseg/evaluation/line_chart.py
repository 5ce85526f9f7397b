"""Plain line charts, drawn with OpenCV: enough for training curves, without Matplotlib."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.structures.colors import Color, color_of

Points = Sequence[tuple[float, float]]
"""(x, y) from left to right."""

INK_COLOR: Color = (40, 40, 40)
GRID_COLOR: Color = (226, 226, 226)
CHART_FONT = cv2.FONT_HERSHEY_SIMPLEX
MARGIN_LEFT, MARGIN_TOP, MARGIN_RIGHT, MARGIN_BELOW = 64, 44, 140, 52
"""Pixels around the plot area."""
TICK_COUNT = 6
"""Approximate number of grid lines."""


@dataclass(frozen=True, slots=True)
class _Field:
    """The plot area, and the ranges of its axes."""

    picture: NDArray[Any]
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[int, int]:
        height, width = self.picture.shape[:2]
        right = (x - self.x[0]) / (self.x[1] - self.x[0]) * (width - MARGIN_LEFT - MARGIN_RIGHT)
        up = (y - self.y[0]) / (self.y[1] - self.y[0]) * (height - MARGIN_TOP - MARGIN_BELOW)
        return round(MARGIN_LEFT + right), round(height - MARGIN_BELOW - up)


def line_chart(
    lines: Mapping[str, Points],
    *,
    title: str,
    x_label: str = "",
    size: tuple[int, int] = (420, 720),
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> NDArray[Any]:
    """An image (H, W, 3) uint8 RGB of named lines, each in its own colour, with a legend.

    Args:
        lines: by name; points that are not finite or outside the ranges are left out.
        size: (height, width) in pixels.
        x_range: of the x axis; None: from the smallest to the largest value.
        y_range: of the y axis; None: from 0, or the smallest value below it, to the largest value.
    """
    drawn = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in lines.items()
    }
    points = [point for line in drawn.values() for point in line]
    picture = np.full((*size, 3), 255, np.uint8)
    across = x_range or _span([x for x, _ in points])
    field = _Field(picture, across, y_range or _span([0.0, *(y for _, y in points)]))
    _write(picture, title, (MARGIN_LEFT, 26), 0.55)
    _grid(field, x_label)
    for number, (name, line) in enumerate(drawn.items(), 1):
        _draw(field, line, color_of(number))
        _legend(field, name, number)
    return picture


def ticks(low: float, high: float) -> list[float]:
    """About `TICK_COUNT` round numbers in the range: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICK_COUNT
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def _span(values: list[float]) -> tuple[float, float]:
    low, high = min(values, default=0.0), max(values, default=1.0)
    return (low, high) if high > low else (low, low + 1.0)


def _grid(field: _Field, x_label: str) -> None:
    height, width = field.picture.shape[:2]
    for y in ticks(*field.y):
        at = field.place(field.x[0], y)
        cv2.line(field.picture, at, (width - MARGIN_RIGHT, at[1]), GRID_COLOR)
        _write(field.picture, f"{y:g}", (MARGIN_LEFT - 8, at[1] + 4), 0.4, right=True)
    for x in ticks(*field.x):
        at = field.place(x, field.y[0])
        cv2.line(field.picture, (at[0], MARGIN_TOP), at, GRID_COLOR)
        _write(field.picture, f"{x:g}", (at[0] + 8, at[1] + 18), 0.4, right=True)
    cv2.rectangle(
        field.picture,
        (MARGIN_LEFT, MARGIN_TOP),
        (width - MARGIN_RIGHT, height - MARGIN_BELOW),
        INK_COLOR,
    )
    _write(field.picture, x_label, (width - MARGIN_RIGHT, height - 10), 0.45, right=True)


def _draw(field: _Field, line: Points, color: Color) -> None:
    corners = np.array([field.place(x, y) for x, y in line], np.int32).reshape(-1, 1, 2)
    height, width = field.picture.shape[:2]
    inside = field.picture[
        MARGIN_TOP : height - MARGIN_BELOW + 1, MARGIN_LEFT : width - MARGIN_RIGHT + 1
    ]
    part = np.ascontiguousarray(inside)
    corners -= (MARGIN_LEFT, MARGIN_TOP)
    cv2.polylines(part, [corners], False, color, 2, cv2.LINE_AA)
    if len(corners) == 1:
        cv2.circle(part, tuple(corners[0, 0].tolist()), 3, color, -1, cv2.LINE_AA)
    inside[:] = part


def _legend(field: _Field, name: str, number: int) -> None:
    start, y = field.picture.shape[1] - MARGIN_RIGHT + 10, MARGIN_TOP + 18 * number - 8
    cv2.line(field.picture, (start, y - 4), (start + 18, y - 4), color_of(number), 2)
    _write(field.picture, name, (start + 25, y), 0.42)


def _write(
    picture: NDArray[Any], text: str, at: tuple[int, int], scale: float, *, right: bool = False
) -> None:
    """Text that starts at `at`, or ends there if `right`."""
    (length, _), _ = cv2.getTextSize(text, CHART_FONT, scale, 1)
    start = (at[0] - length, at[1]) if right else at
    cv2.putText(picture, text, start, CHART_FONT, scale, INK_COLOR, 1, cv2.LINE_AA)
