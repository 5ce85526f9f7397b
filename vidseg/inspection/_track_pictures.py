"""Small pictures of tracks, cut out of a few frames of their video in one pass over it.

Every picture has a most number of bytes, so that the page has one too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.inspection._blocks import data_uri
from vidseg.inspection._mask_spool import MaskSource
from vidseg.inspection.track_records import TrackRecord
from vidseg.inspection.worst_moments import WorstMoment
from vidseg.structures.colors import Color, color_of
from vidseg.structures.frame import Image
from vidseg.structures.masks import Crop

PAGE_PICTURE_BYTES = 2_100_000
"""Of all pictures together; as text in a page they are a third larger."""
MOMENT_BYTES = 12_000
MAX_BEST_BYTES, MAX_STRIP_BYTES = 24_000, 8_000
BEST_SIDE_PIXELS, STRIP_SIDE_PIXELS, MOMENT_SIDE_PIXELS = 320, 176, 360
MAX_ENLARGEMENT = 2.0
"""Of small objects, so that outlines are fine beside them."""
MAX_STRIP_FRAMES, MIN_STRIP_FRAMES = 12, 4
STRIP_FRAMES_A_PAGE = 600
MAX_PICTURED_TRACKS = 300
"""Tracks beyond it, the shortest, have no pictures."""
TRUTH_COLOR: Color = (255, 255, 255)
"""Of annotated objects, whose ids are negative."""
QUALITIES = (82, 68, 54, 40, 26)
"""Of WebP, tried in order."""
MARGIN_SHARE = 0.25
"""Of a box's longer side, shown around it."""
ASPECT_RANGE = (0.75, 1.6)
"""Least and largest width by height of a picture, where the frame has room."""

Key = tuple[str, int, int]
"""What a picture is for: `best`, `strip` or `moment`, the track's id or the moment's number, and a
number."""
Region = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels of the frame."""


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture to be taken."""

    position: int
    key: Key
    ids: tuple[int, ...]
    """The tracks to mark, where they are in the frame."""
    region: Region
    side: int
    """Most pixels of its longer side."""
    max_bytes: int


class Picture(NamedTuple):
    source: str
    """The address for an `img`."""
    width: int
    height: int


class Budget(NamedTuple):
    """How many and how large the pictures of the tracks are."""

    strip_frames: int
    best_bytes: int
    strip_bytes: int


def budget_for(tracks: int, page_share: float = 1.0) -> Budget:
    """What each of so many tracks may take of `PAGE_PICTURE_BYTES`, or of a share of them."""
    count = max(min(tracks, MAX_PICTURED_TRACKS), 1)
    frames = min(MAX_STRIP_FRAMES, max(MIN_STRIP_FRAMES, STRIP_FRAMES_A_PAGE // count))
    share = int(PAGE_PICTURE_BYTES * page_share * 5 / 6) // count
    part = share // (frames + 2)  # the best picture counts twice
    return Budget(frames, min(2 * part, MAX_BEST_BYTES), min(part, MAX_STRIP_BYTES))


def pictured(tracks: Sequence[TrackRecord]) -> list[TrackRecord]:
    """The longest tracks, as many as have pictures."""
    return sorted(tracks, key=len, reverse=True)[:MAX_PICTURED_TRACKS]


def strip_rows(track: TrackRecord, count: int) -> list[int]:
    """Rows of at most `count` frames, evenly from the first to the last."""
    places = np.linspace(0, len(track) - 1, min(count, len(track)))
    return sorted({round(place) for place in places.tolist()})


def track_shots(tracks: Iterable[TrackRecord], size: tuple[int, int], budget: Budget) -> list[Shot]:
    """The best picture and the strip of each track."""
    shots = []
    for track in tracks:
        best = track.best_row
        side = BEST_SIDE_PIXELS if budget.best_bytes > MAX_STRIP_BYTES else STRIP_SIDE_PIXELS
        place = (int(track.positions[best]), ("best", track.id, 0), (track.id,))
        shots.append(Shot(*place, around(track.boxes[[best]], size), side, budget.best_bytes))
        for number, row in enumerate(strip_rows(track, budget.strip_frames)):
            place = (int(track.positions[row]), ("strip", track.id, number), (track.id,))
            region = around(track.boxes[[row]], size)
            shots.append(Shot(*place, region, STRIP_SIDE_PIXELS, budget.strip_bytes))
    return shots


def moment_shots(moments: Iterable[WorstMoment], size: tuple[int, int]) -> list[Shot]:
    """The pictures of each moment, side by side of the same part of the frame."""
    shots = []
    for number, moment in enumerate(moments):
        positions = [position for position, _ in moment.views]
        rows = [int(np.abs(moment.track.positions - at).argmin()) for at in positions]
        boxes = moment.track.boxes[rows]
        together = moment.kind != "weak"  # whose two frames may be far apart
        for view, position in enumerate(positions):
            region = around(boxes if together else boxes[[view]], size)
            key = ("moment", number, view)
            shots.append(
                Shot(position, key, (moment.track.id,), region, MOMENT_SIDE_PIXELS, MOMENT_BYTES)
            )
    return shots


def around(boxes: NDArray[np.float32], size: tuple[int, int]) -> Region:
    """The part of a frame of `size` (height, width) that shows all boxes (N, 4) with a margin."""
    height, width = size
    x0, y0 = boxes[:, :2].min(0).tolist()
    x1, y1 = boxes[:, 2:].max(0).tolist()
    margin = max(8.0, MARGIN_SHARE * max(x1 - x0, y1 - y0))
    wide, high = x1 - x0 + 2 * margin, y1 - y0 + 2 * margin
    wide, high = max(wide, ASPECT_RANGE[0] * high), max(high, wide / ASPECT_RANGE[1])
    left, right = _moved_inside((x0 + x1) / 2, wide, width)
    top, bottom = _moved_inside((y0 + y1) / 2, high, height)
    return left, top, right, bottom


def _moved_inside(middle: float, length: float, limit: int) -> tuple[int, int]:
    length = min(max(round(length), 1), limit)
    start = min(max(round(middle - length / 2), 0), limit - length)
    return start, start + length


def take_pictures(
    read: Callable[[Sequence[int]], Iterable[tuple[int, Image]]],
    shots: Iterable[Shot],
    masks: MaskSource,
) -> dict[Key, Picture]:
    """All pictures; `read` gives position and image of the frames at ascending positions.

    Frames that cannot be read have none.
    """
    ordered = sorted(shots, key=lambda shot: shot.position)
    wanted = {at: list(some) for at, some in groupby(ordered, lambda shot: shot.position)}
    pictures: dict[Key, Picture] = {}
    for position, image in read(list(wanted)):
        here = wanted[position]
        ids = {number for shot in here for number in shot.ids}
        marked = _Marked(image, masks.crops(position, ids))
        for shot in here:
            pictures[shot.key] = encoded(marked.part(shot), shot.max_bytes)
    return pictures


class _Marked:
    """A frame of which parts are shown with their objects outlined."""

    def __init__(self, image: Image, crops: Mapping[int, Crop]) -> None:
        self._image, self._crops = image, crops

    def part(self, shot: Shot) -> Image:
        x0, y0, x1, y1 = shot.region
        part = self._image[y0:y1, x0:x1]
        scale = min(MAX_ENLARGEMENT, shot.side / max(part.shape[:2]))
        size = (max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale)))
        method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        small = np.asarray(cv2.resize(part, size, interpolation=method), np.uint8)
        for number in shot.ids:
            if number in self._crops:
                mask = _mask_in(self._crops[number], shot.region)
                outline(small, mask, color_of(number) if number > 0 else TRUTH_COLOR)
        return small


def _mask_in(crop: Crop, region: Region) -> NDArray[np.uint8]:
    """The mask inside a region, (y1 - y0, x1 - x0), 0 or 255."""
    rows, cols, mask = crop
    x0, y0, x1, y1 = region
    whole = np.zeros((y1 - y0, x1 - x0), np.uint8)
    top, bottom = max(rows.start, y0), min(rows.stop, y1)
    left, right = max(cols.start, x0), min(cols.stop, x1)
    if top < bottom and left < right:
        inside = mask[
            top - rows.start : bottom - rows.start, left - cols.start : right - cols.start
        ]
        whole[top - y0 : bottom - y0, left - x0 : right - x0] = inside * np.uint8(255)
    return whole


def outline(picture: Image, mask: NDArray[np.uint8], color: Color) -> None:
    """Draw the edge of the mask, scaled to the picture, in place: dark and, inside it, coloured."""
    fitted = cv2.resize(mask, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    _, binary = cv2.threshold(fitted, 127, 255, cv2.THRESH_BINARY)
    lines, _ = cv2.findContours(binary, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(picture, lines, -1, (0, 0, 0), 3, cv2.LINE_AA)
    cv2.drawContours(picture, lines, -1, color, 2, cv2.LINE_AA)


def encoded(image: Image, max_bytes: int) -> Picture:
    """The image as WebP in at most so many bytes: of less quality, and at last smaller."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    while True:
        for quality in QUALITIES:
            _, packed = cv2.imencode(".webp", bgr, (cv2.IMWRITE_WEBP_QUALITY, quality))
            if len(packed) <= max_bytes or max(bgr.shape[:2]) <= 16:
                height, width = bgr.shape[:2]
                return Picture(data_uri("image/webp", packed.tobytes()), width, height)
        half = [max(1, side * 3 // 4) for side in bgr.shape[1::-1]]
        bgr = cv2.resize(bgr, half, interpolation=cv2.INTER_AREA)
