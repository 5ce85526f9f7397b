"""Temporal stability of the objects of a video without annotations.

Objects are matched without ids, so that results with and without tracking can be compared: each
mask is warped to the next frame by optical flow (OpenCV's DIS, on frames of at most 640 pixels) and
matched with the mask there of the highest IoU, if that is at least 0.3. An unmatched object is
warped on for up to k frames; if it matches a new object there, it has flickered: it vanished and
came back. Objects that stay away longer, or that a scene cut ends, do not flicker.

An empty result is perfectly stable: read the numbers beside the coverage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.concurrency import closing_input
from vidseg.evaluation.trackeval_sequence import overlaps
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Found, Instances
from vidseg.structures.mask_overlap import best_pairs
from vidseg.structures.masks import RLE, full_mask, to_rle
from vidseg.video.analysis.optical_flow import FlowFinder, Grey, reduced, targets
from vidseg.video.analysis.scene_cuts import CutFinder

MAX_GAP_FRAMES = 5
"""An object that is away for at most this many frames and comes back has flickered."""
MIN_SAME_IOU = 0.3
"""Minimum IoU of a warped mask with the same object."""
FLOW_SIDE_PIXELS = 640
"""Longest side of frames for optical flow."""

Mask = NDArray[np.uint8]
"""(H, W) uint8, 0 or 255, of a reduced frame."""
Move = Callable[[Mask], Mask]


class LostObject(NamedTuple):
    """An object that is away, warped to where it would be."""

    mask: Mask
    missed: int
    """Frames since it was last seen."""


@dataclass(slots=True)
class Counts:
    """Counts over the frames so far."""

    frames: int = 0
    shown: int = 0
    """Frames with objects."""
    objects: int = 0
    """In all frames together."""
    covered: float = 0.0
    """Sum of the covered shares of the frames."""
    cuts: int = 0
    flickers: int = 0
    missed: int = 0
    """Frames that flickering objects were away."""
    appearances: int = 0
    pairs: int = 0
    agreement: float = 0.0
    """Sum of the IoU of warped masks with their matches."""
    ids: set[int] = field(default_factory=set)
    births: int = 0
    """New ids after the first frame of a scene."""
    span: list[Fraction] = field(default_factory=list)
    """Start of the first frame and end of the last one, seconds."""


def measure_stability(found: Iterable[Found], *, longest: int = MAX_GAP_FRAMES) -> Counts:
    """Counts over the frames of a video with the objects that are shown; closes `found`."""
    counts, motion, cuts = Counts(), _Motion(), CutFinder()
    before: list[Mask] = []
    lost_objects: list[LostObject] = []
    with closing_input(found) as pairs:
        for frame, instances in pairs:
            fresh = cuts.is_cut(frame.image) or not counts.frames
            move, size = motion.to(frame.image)
            now = _masks(instances, size)
            if fresh:
                counts.cuts += counts.frames > 0
                lost_objects = []
            else:
                moved = [move(mask) for mask in before]
                away = [LostObject(move(lost.mask), lost.missed) for lost in lost_objects]
                lost_objects = _compare(counts, moved, away, now, longest)
            _count(counts, frame, instances, now, fresh=fresh)
            before = now
    return counts


def rates(counts: Counts) -> dict[str, float | int | None]:
    """The counts as rates; None where there is nothing to measure.

    `flickers_per_object_minute` is how often an object that is visible for a minute vanishes for at
    most k frames and comes back, `flicker_share` the share of object frames lost that way.
    `warped_iou` is the mean IoU of warped masks with the same object in the next frame.
    `id_births_per_minute` counts new ids, `appearances_per_minute` unmatched new objects, both
    after the first frame of a scene.
    """
    minutes = float(counts.span[1] - counts.span[0]) / 60 if counts.span else 0.0
    object_minutes = minutes * counts.objects / counts.frames if counts.frames else 0.0
    return {
        "frames": counts.frames,
        "seconds": minutes * 60,
        "cuts": counts.cuts,
        "coverage": _over(counts.covered, counts.frames),
        "objects_per_frame": _over(counts.objects, counts.frames),
        "frames_with_objects": _over(counts.shown, counts.frames),
        "flickers": counts.flickers,
        "flickers_per_object_minute": _over(counts.flickers, object_minutes),
        "flicker_share": _over(counts.missed, counts.objects + counts.missed),
        "warped_iou": _over(counts.agreement, counts.pairs),
        "appearances_per_minute": _over(counts.appearances, minutes),
        "ids": len(counts.ids) or None,
        "id_births_per_minute": _over(counts.births, minutes) if counts.ids else None,
    }


def _compare(
    counts: Counts, moved: list[Mask], away: list[LostObject], now: list[Mask], longest: int
) -> list[LostObject]:
    """Match the objects of the previous frame; returns those that are away now."""
    shared = overlaps(_rles(moved), _rles(now))
    seen, here = best_pairs(shared, shared >= MIN_SAME_IOU)
    counts.pairs += len(seen)
    counts.agreement += float(shared[seen, here].sum())
    new = np.setdiff1d(np.arange(len(now)), here)
    back = overlaps(_rles([lost.mask for lost in away]), _rles([now[n] for n in new]))
    returned, _ = best_pairs(back, back >= MIN_SAME_IOU)
    counts.flickers += len(returned)
    counts.missed += sum(away[n].missed for n in returned)
    counts.appearances += len(new) - len(returned)
    lost = [LostObject(moved[n], 1) for n in np.setdiff1d(np.arange(len(moved)), seen)]
    still = [away[n] for n in np.setdiff1d(np.arange(len(away)), returned)]
    return lost + [LostObject(g.mask, g.missed + 1) for g in still if g.missed < longest]


def _count(
    counts: Counts, frame: Frame, instances: Instances, now: list[Mask], *, fresh: bool
) -> None:
    counts.frames += 1
    counts.shown += bool(len(instances))
    counts.objects += len(instances)
    if now:
        counts.covered += float(np.any(now, axis=0).mean())
    ids = set(instances.ids[instances.ids > 0].tolist())
    counts.births += 0 if fresh else len(ids - counts.ids)
    counts.ids |= ids
    start = counts.span[0] if counts.span else frame.time
    counts.span = [start, frame.time + frame.duration]


class _Motion:
    """Warps masks from each frame to the next."""

    def __init__(self) -> None:
        self._finder = FlowFinder(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._last: Grey | None = None

    def to(self, image: Image) -> tuple[Move, tuple[int, int]]:
        """A function that warps masks of the last frame to this one, and the reduced size."""
        last, self._last = self._last, reduced(image, FLOW_SIDE_PIXELS)
        size = self._last.shape
        if last is None or last.shape != size:
            return lambda mask: np.zeros_like(mask, shape=size), size
        x, y = targets(self._finder.between(self._last, last))
        return lambda mask: _binary(cv2.remap(mask, x, y, cv2.INTER_LINEAR)), size


def _masks(instances: Instances, size: tuple[int, int]) -> list[Mask]:
    """The mask of each object in the reduced frame."""
    factors = np.array([size[1] / instances.size[1], size[0] / instances.size[0]] * 2, np.float32)
    reduced = replace(instances, boxes=instances.boxes * factors, size=size)
    return [full_mask(reduced, row).view(np.uint8) * np.uint8(255) for row in range(len(reduced))]


def _binary(mask: Any) -> Mask:
    return np.where(mask >= 128, np.uint8(255), np.uint8(0))


def _rles(masks: Iterable[Mask]) -> list[RLE]:
    return [to_rle(mask > 0) for mask in masks]


def _over(count: float, of: float) -> float | None:
    return count / of if of else None
