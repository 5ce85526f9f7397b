"""Plain line charts, drawn with OpenCV: enough to judge a course by, or to compare curves."""

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

INK: Color = (40, 40, 40)
PALE: Color = (226, 226, 226)
FONT = cv2.FONT_HERSHEY_SIMPLEX
LEFT, TOP, RIGHT, BELOW = 64, 44, 140, 52
"""Pixels around the field."""
TICKS = 6
"""About so many lines across the field."""


@dataclass(frozen=True, slots=True)
class _Field:
    """Where the lines are drawn, and what its sides stand for."""

    picture: NDArray[Any]
    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: float, y: float) -> tuple[int, int]:
        height, width = self.picture.shape[:2]
        right = (x - self.x[0]) / (self.x[1] - self.x[0]) * (width - LEFT - RIGHT)
        up = (y - self.y[0]) / (self.y[1] - self.y[0]) * (height - TOP - BELOW)
        return round(LEFT + right), round(height - BELOW - up)


def line_chart(
    lines: Mapping[str, Points],
    *,
    title: str,
    x_label: str = "",
    size: tuple[int, int] = (420, 720),
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
) -> NDArray[Any]:
    """A picture (H, W, 3) uint8 RGB of named lines, each in a colour of its own with a legend.

    Args:
        lines: by name; points that are no numbers are left out, and so is what lies off the field.
        size: (height, width) in pixels.
        x_range: what the field spans; None: from the least to the greatest.
        y_range: the same; None: from 0, or less, to the greatest.
    """
    drawn = {
        name: [point for point in points if all(map(math.isfinite, point))]
        for name, points in lines.items()
    }
    points = [point for line in drawn.values() for point in line]
    picture = np.full((*size, 3), 255, np.uint8)
    across = x_range or _span([x for x, _ in points])
    field = _Field(picture, across, y_range or _span([0.0, *(y for _, y in points)]))
    _write(picture, title, (LEFT, 26), 0.55)
    _grid(field, x_label)
    for number, (name, line) in enumerate(drawn.items(), 1):
        _draw(field, line, color_of(number))
        _legend(field, name, number)
    return picture


def ticks(low: float, high: float) -> list[float]:
    """Round numbers within, about `TICKS` of them: steps of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / TICKS
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
        cv2.line(field.picture, at, (width - RIGHT, at[1]), PALE)
        _write(field.picture, f"{y:g}", (LEFT - 8, at[1] + 4), 0.4, right=True)
    for x in ticks(*field.x):
        at = field.place(x, field.y[0])
        cv2.line(field.picture, (at[0], TOP), at, PALE)
        _write(field.picture, f"{x:g}", (at[0] + 8, at[1] + 18), 0.4, right=True)
    cv2.rectangle(field.picture, (LEFT, TOP), (width - RIGHT, height - BELOW), INK)
    _write(field.picture, x_label, (width - RIGHT, height - 10), 0.45, right=True)


def _draw(field: _Field, line: Points, color: Color) -> None:
    corners = np.array([field.place(x, y) for x, y in line], np.int32).reshape(-1, 1, 2)
    height, width = field.picture.shape[:2]
    inside = field.picture[TOP : height - BELOW + 1, LEFT : width - RIGHT + 1]
    part = np.ascontiguousarray(inside)
    corners -= (LEFT, TOP)
    cv2.polylines(part, [corners], False, color, 2, cv2.LINE_AA)
    if len(corners) == 1:
        cv2.circle(part, tuple(corners[0, 0].tolist()), 3, color, -1, cv2.LINE_AA)
    inside[:] = part


def _legend(field: _Field, name: str, number: int) -> None:
    start, y = field.picture.shape[1] - RIGHT + 10, TOP + 18 * number - 8
    cv2.line(field.picture, (start, y - 4), (start + 18, y - 4), color_of(number), 2)
    _write(field.picture, name, (start + 25, y), 0.42)


def _write(
    picture: NDArray[Any], text: str, at: tuple[int, int], scale: float, *, right: bool = False
) -> None:
    """Text from `at` on, or up to it where `right`."""
    (length, _), _ = cv2.getTextSize(text, FONT, scale, 1)
    start = (at[0] - length, at[1]) if right else at
    cv2.putText(picture, text, start, FONT, scale, INK, 1, cv2.LINE_AA)
