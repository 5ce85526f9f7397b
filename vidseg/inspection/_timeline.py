"""Lines and areas of charts over time, as the `d` of an SVG path in a field of 10000 x 100."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

WIDTH, HEIGHT = 10_000, 100
MIN_SPAN_WIDTH = 20
"""So that a single frame can be seen."""
TICK_SECONDS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
MAX_TICKS, MAX_TICK_PERCENT = 8, 96
"""Most of them, and the place up to which there is room for one's text."""
STEPS_SHARE = 0.9
"""Of the height that the highest value takes."""

Video = Mapping[str, Any]
"""The facts of a video."""


def place(video: Video, time: float) -> float:
    """0 to `WIDTH` of a time."""
    length = video["end"] - video["start"]
    return (time - video["start"]) / length * WIDTH if length > 0 else 0.0


def part(video: Video, start: float, end: float) -> str:
    """The `viewBox` of a chart that shows the time from `start` to `end` alone."""
    left = place(video, start)
    return f"{left:.0f} 0 {max(place(video, end) - left, MIN_SPAN_WIDTH):.0f} {HEIGHT}"


def spans(video: Video, times: Sequence[Sequence[float]]) -> str:
    """A rectangle for each [start, end]."""
    path = []
    for start, end in times:
        left = place(video, start)
        wide = max(place(video, end) - left, MIN_SPAN_WIDTH)
        path.append(f"M{left:.0f},0h{wide:.0f}v{HEIGHT}h-{wide:.0f}z")
    return "".join(path)


def line(
    video: Video,
    curve: Mapping[str, Sequence[Any]],
    name: str,
    highest: float = 1.0,
    end: float | None = None,
) -> str:
    """A line through `name` of the curve, up to the time `end`.

    It breaks at the curve's `breaks`, and where a value is not known.
    """
    path, joined, breaks = [], False, {*curve["breaks"]}
    for number, (time, value) in enumerate(zip(curve["times"], curve[name], strict=True)):
        if value is None:
            joined = False
            continue
        pen = "L" if joined and number not in breaks else "M"
        y = HEIGHT * (1 - value / highest) if highest else HEIGHT
        path.append(f"{pen}{place(video, time):.0f},{y:.0f}")
        joined = True
    if path and end is not None:
        path.append(f"H{place(video, end):.0f}")
    return "".join(path)


def steps(video: Video, values: Sequence[float], highest: float) -> str:
    """A stepped area: one value for each of the video's `bins`."""
    edges = [*(place(video, time) for time in video["bins"]), WIDTH]
    path = [f"M0,{HEIGHT}"]
    for (left, right), value in zip(pairwise(edges), values, strict=True):
        y = HEIGHT * (1 - value / highest * STEPS_SHARE) if highest else HEIGHT
        path.append(f"L{left:.0f},{y:.0f}H{right:.0f}")
    return "".join([*path, f"V{HEIGHT}z"])


def ticks(video: Video) -> list[tuple[float, float]]:
    """Percent of the width, and seconds, of round times."""
    start, end = video["start"], video["end"]
    length = end - start
    step = next((s for s in TICK_SECONDS if length / s <= MAX_TICKS), TICK_SECONDS[-1])
    first = int(-(-start // step))
    marks = [number * step for number in range(first, int(end // step) + 1)]
    percents = [(place(video, time) * 100 / WIDTH, time) for time in marks]
    return [(percent, time) for percent, time in percents if percent <= MAX_TICK_PERCENT]


def frame_path(points: Sequence[Sequence[float]]) -> str:
    """A line through [x, y] in pixels of the frame."""
    return "".join(f"{'L' if n else 'M'}{x:.0f},{y:.0f}" for n, (x, y) in enumerate(points))
