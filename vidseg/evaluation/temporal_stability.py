"""How steady the objects of a video are, where nobody annotated it.

Objects are followed without ids, so that results with and without tracking can be compared: each
mask is moved on to the next frame by optical flow (OpenCV's DIS, on frames of at most 640 pixels)
and is the same object as the mask there that it overlaps best, from an IoU of 0.3 on. What has no
partner is moved on for up to k frames more; if an object appears there that has no partner in the
frame before either, the first has flickered: it vanished and came back. What stays away longer, and
what a scene cut ends, did not flicker.

An empty result is perfectly steady: read the numbers beside the coverage.
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

LONGEST = 5
"""Frames that an object may be away and has flickered when it comes back."""
SAME = 0.3
"""Least IoU of a mask, moved on, with the same object."""
SIDE = 640
"""Longer side of the frames that motion is measured in, at most."""

Mask = NDArray[np.uint8]
"""(H, W) 0 or 255, of a reduced frame."""
Move = Callable[[Mask], Mask]


class Ghost(NamedTuple):
    """An object that is away, where it would be."""

    mask: Mask
    missed: int
    """Frames since it was last seen."""


@dataclass(slots=True)
class Counts:
    """What was counted so far."""

    frames: int = 0
    shown: int = 0
    """Frames with objects."""
    objects: int = 0
    """In all frames together."""
    covered: float = 0.0
    """Sum of the shares of the frames."""
    cuts: int = 0
    flickers: int = 0
    missed: int = 0
    """Frames that flickering objects were away for."""
    appearances: int = 0
    pairs: int = 0
    agreement: float = 0.0
    """Sum of the IoU of moved masks with their partners."""
    ids: set[int] = field(default_factory=set)
    births: int = 0
    """New ids after the first frame of a scene."""
    span: list[Fraction] = field(default_factory=list)
    """Start of the first frame and end of the last one, seconds."""


def steadiness(found: Iterable[Found], *, longest: int = LONGEST) -> Counts:
    """Counts over a video's frames with the objects that are shown; closes `found`."""
    counts, motion, cuts = Counts(), _Motion(), CutFinder()
    before: list[Mask] = []
    ghosts: list[Ghost] = []
    with closing_input(found) as pairs:
        for frame, instances in pairs:
            fresh = cuts.is_cut(frame.image) or not counts.frames
            move, size = motion.to(frame.image)
            now = _masks(instances, size)
            if fresh:
                counts.cuts += counts.frames > 0
                ghosts = []
            else:
                moved = [move(mask) for mask in before]
                away = [Ghost(move(ghost.mask), ghost.missed) for ghost in ghosts]
                ghosts = _compare(counts, moved, away, now, longest)
            _count(counts, frame, instances, now, fresh=fresh)
            before = now
    return counts


def report(counts: Counts) -> dict[str, float | int | None]:
    """The counts as rates; None where there is nothing to measure.

    `flickers_per_object_minute` is how often an object in view for a minute vanishes for at most k
    frames and comes back, `flicker_share` the share of the frames of objects that are missing so;
    `warped_iou` the mean IoU of masks, moved on, with the same object in the next frame;
    `id_births_per_minute` counts new ids, `appearances_per_minute` new objects by overlap, both
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
    counts: Counts, moved: list[Mask], away: list[Ghost], now: list[Mask], longest: int
) -> list[Ghost]:
    """What became of the objects of the frame before; returns those that are away now."""
    shared = overlaps(_rles(moved), _rles(now))
    seen, here = best_pairs(shared, shared >= SAME)
    counts.pairs += len(seen)
    counts.agreement += float(shared[seen, here].sum())
    new = np.setdiff1d(np.arange(len(now)), here)
    back = overlaps(_rles([ghost.mask for ghost in away]), _rles([now[n] for n in new]))
    returned, _ = best_pairs(back, back >= SAME)
    counts.flickers += len(returned)
    counts.missed += sum(away[n].missed for n in returned)
    counts.appearances += len(new) - len(returned)
    lost = [Ghost(moved[n], 1) for n in np.setdiff1d(np.arange(len(moved)), seen)]
    still = [away[n] for n in np.setdiff1d(np.arange(len(away)), returned)]
    return lost + [Ghost(g.mask, g.missed + 1) for g in still if g.missed < longest]


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
    """Moves masks from each frame to the next."""

    def __init__(self) -> None:
        self._finder = FlowFinder(cv2.DISOPTICAL_FLOW_PRESET_FAST)
        self._last: Grey | None = None

    def to(self, image: Image) -> tuple[Move, tuple[int, int]]:
        """What moves masks of the last frame to this one, and the reduced size."""
        last, self._last = self._last, reduced(image, SIDE)
        size = self._last.shape
        if last is None or last.shape != size:
            return lambda mask: np.zeros_like(mask, shape=size), size
        x, y = targets(self._finder.between(self._last, last))
        return lambda mask: _binary(cv2.remap(mask, x, y, cv2.INTER_LINEAR)), size


def _masks(instances: Instances, size: tuple[int, int]) -> list[Mask]:
    """Each object in the reduced frame."""
    factors = np.array([size[1] / instances.size[1], size[0] / instances.size[0]] * 2, np.float32)
    reduced = replace(instances, boxes=instances.boxes * factors, size=size)
    return [full_mask(reduced, row).view(np.uint8) * np.uint8(255) for row in range(len(reduced))]


def _binary(mask: Any) -> Mask:
    return np.where(mask >= 128, np.uint8(255), np.uint8(0))


def _rles(masks: Iterable[Mask]) -> list[RLE]:
    return [to_rle(mask > 0) for mask in masks]


def _over(count: float, of: float) -> float | None:
    return count / of if of else None
