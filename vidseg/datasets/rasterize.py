"""Outlines of the shapes of annotation tools, and the pixels that they cover."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vidseg.datasets.annotation_files import MAX_PHOTO_PIXELS
from vidseg.datasets.records import Polygon
from vidseg.structures.masks import RLE, from_rle, to_rle
from vidseg.video.orientation import Orientation, upright

ARC_TOLERANCE_PIXELS = 0.05
"""Largest distance between a chord and its arc."""
ELLIPSE_CORNERS = 16, 1000
"""Minimum and maximum number of corners; the maximum suffices for radii up to 10000 pixels."""
MAX_PHOTO_SIDES = 10
"""A point farther away than this many photo sides is a mistake in the file, and slow to draw."""
MAX_OUTLINE_PIXELS = 2_000_000
"""Greatest length of an object's outlines, and of the steps between their points: pycocotools takes
about 100 bytes a pixel of it, and crashes where there is not so much memory."""
MAX_POLYGONS = 10_000
"""Most polygons of an object."""
MAX_RUN_BITS = 60
"""A run length needs fewer bits; text with more has no end to its numbers."""


def polygon(points: Any) -> Polygon:
    """From pairs of numbers; ValueError, with the reason, if they are no outline."""
    corners = np.asarray(points, np.float64)
    if corners.ndim != 2 or corners.shape[1] != 2:
        raise ValueError("its points are not pairs of numbers")
    if len(corners) < 3:
        raise ValueError(f"an outline needs 3 points and it has {len(corners)}")
    if not np.isfinite(corners).all():
        raise ValueError("a coordinate is not a number")
    return corners


def rectangle(x0: float, y0: float, x1: float, y1: float) -> Polygon:
    return polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)])


def ellipse(center: tuple[float, float], radii: tuple[float, float], turn: float = 0.0) -> Polygon:
    """`radii` along x and y, then turned clockwise (y points down) by `turn` radians."""
    largest = max(abs(radii[0]), abs(radii[1]))
    corners = int(np.clip(np.pi * np.sqrt(largest / (2 * ARC_TOLERANCE_PIXELS)), *ELLIPSE_CORNERS))
    angle = np.arange(corners) * (2 * np.pi / corners)
    x, y = radii[0] * np.cos(angle), radii[1] * np.sin(angle)
    turned = x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)
    return polygon(np.stack(turned, axis=1) + center)


def bezier(points: Polygon, leaving: Polygon, arriving: Polygon, steps: int = 16) -> Polygon:
    """A closed chain of cubic curves through `points`, (P, 2) each, with its control points."""
    start, end = points[:, None], np.roll(points, -1, axis=0)[:, None]
    first, second = leaving[:, None], np.roll(arriving, -1, axis=0)[:, None]
    t = (np.arange(steps) / steps)[None, :, None]
    curve = (
        (1 - t) ** 3 * start
        + 3 * (1 - t) ** 2 * t * first
        + 3 * (1 - t) * t**2 * second
        + t**3 * end
    )
    return polygon(curve.reshape(-1, 2))


def rasterize(polygons: Sequence[Polygon], size: tuple[int, int]) -> RLE:
    """The pixels under any of the polygons in a photo of `size` (height, width), as in COCO.

    pycocotools draws on a grid five times finer and takes a pixel by its centre.
    """
    height, width = size
    flat: Any = [corners.ravel().tolist() for corners in polygons]
    drawn: Any = coco.merge(coco.frPyObjects(flat, height, width))
    return {"size": [height, width], "counts": drawn["counts"].decode("ascii")}


def why_not_drawn(polygons: Sequence[Polygon], size: tuple[int, int]) -> str | None:
    """Why the polygons cannot be drawn in bounded time and memory; None if they can."""
    if len(polygons) > MAX_POLYGONS:
        return f"it has {len(polygons)} polygons, and at most {MAX_POLYGONS} are drawn"
    if any(np.abs(corners).max() > MAX_PHOTO_SIDES * max(size) for corners in polygons):
        return "it lies far outside the photo"
    length = sum(map(_outline_length, polygons))
    if length > MAX_OUTLINE_PIXELS:
        return (
            f"its outline is {length:.0f} pixels long, and at most {MAX_OUTLINE_PIXELS} are drawn"
        )
    return None


def _outline_length(corners: Polygon) -> float:
    """In steps along the longer axis, each edge at least one."""
    steps = np.abs(corners - np.roll(corners, 1, axis=0)).max(axis=1)
    return float(np.maximum(steps, 0.2).sum())  # pycocotools draws on a grid of 0.2 pixels


def checked_rle(size: Any, counts: Any) -> RLE:
    """COCO's RLE of counts as text, bytes or numbers; ValueError if they do not fill it.

    pycocotools reads uninitialised memory where runs do not fill the mask.
    """
    height, width = (int(side) for side in size)
    if min(height, width) < 1 or height * width > MAX_PHOTO_PIXELS:
        raise ValueError(f"a mask of {width}x{height} pixels")
    if isinstance(counts, bytes):
        counts = counts.decode("ascii")
    runs = [int(each) for each in counts] if isinstance(counts, list) else _runs(str(counts))
    if min(runs, default=0) < 0 or sum(runs) != height * width:
        raise ValueError("its run lengths do not fill its size")
    if isinstance(counts, list):
        plain: Any = {"size": [height, width], "counts": runs}
        packed: Any = coco.frPyObjects(plain, height, width)
        counts = packed["counts"].decode("ascii")
    return {"size": [height, width], "counts": counts}


def _runs(text: str) -> list[int]:
    """COCO's packing: 5 bits a character, low bits first; differences to the run before last."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > MAX_RUN_BITS:
            raise ValueError("its run lengths are not packed as in COCO")
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4)
            runs.append(value + runs[-2] if len(runs) > 2 else value)
            value = shift = 0
    return runs


def box_of(rle: RLE) -> tuple[float, float, float, float]:
    """xyxy around its pixels, x1 and y1 exclusive."""
    as_they_type_it: Any = rle
    x, y, width, height = (float(value) for value in coco.toBbox(as_they_type_it))
    return x, y, x + width, y + height


def area_of(rle: RLE) -> int:
    as_they_type_it: Any = rle
    return int(coco.area(as_they_type_it))


def turn_points(points: Polygon, size: tuple[int, int], orientation: Orientation) -> Polygon:
    """Points of a photo stored at `size` (height, width), in coordinates of the upright photo."""
    height, width = size
    x, y = points[:, 0], points[:, 1]
    turned = {
        0: (x, y),
        90: (height - y, x),
        180: (width - x, height - y),
        270: (y, width - x),
    }
    new_x, new_y = turned[orientation.rotation]
    if orientation.mirrored:
        new_x = (height if orientation.rotation in (90, 270) else width) - new_x
    return np.stack([new_x, new_y], axis=1)


def turn_pixels(rle: RLE, orientation: Orientation) -> RLE:
    stored: NDArray[np.uint8] = from_rle(rle).view(np.uint8)
    return to_rle(upright(stored, orientation).astype(bool))
