"""One clip and one class in the form of TrackEval's metrics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco
from scipy.optimize import linear_sum_assignment

from vidseg.evaluation.clips import Clip, MaskTrack
from vidseg.structures.masks import RLE

MIN_MATCH_IOU = 0.5
"""Minimum IoU of a mask with an annotated object that it matches, in MOTS."""
MAX_IGNORED_SHARE = 0.5
"""An unmatched mask with a larger share inside a region to ignore does not count."""

MIN_DIVISOR = float(np.finfo(np.float64).eps)

Data = dict[str, Any]
Ids = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class EvaluatedClip:
    """A clip and the tracks found in it."""

    clip: Clip
    tracks: Sequence[MaskTrack]


def sequence(evaluated: EvaluatedClip, number: int) -> Data:
    """The true and the found tracks of class `number`, in the frames that are evaluated.

    They are prepared as by TrackEval's own readers: in DAVIS, void pixels are removed from found
    masks after the IoU is measured; in MOTS, masks in a region to ignore are left out, unless they
    match a true object.
    """
    clip = evaluated.clip
    true = [track for track in clip.tracks if track.number == number]
    found = [track for track in evaluated.tracks if track.number == number]
    frames = [_frame(clip, true, found, index) for index in clip.counted]
    true_ids, found_ids = [frame[0] for frame in frames], [frame[1] for frame in frames]
    return {
        "num_timesteps": len(frames),
        "gt_dets": [
            [true[i].masks[t] for i in ids] for t, ids in zip(clip.counted, true_ids, strict=True)
        ],
        "tracker_dets": [
            [without(found[i].masks[t], clip.void.get(t)) for i in ids]
            for t, ids in zip(clip.counted, found_ids, strict=True)
        ],
        "similarity_scores": [frame[2] for frame in frames],
        **_numbered("gt", true_ids),
        **_numbered("tracker", found_ids),
        **_whole("gt", clip, true),
        "gt_track_iscrowd": [track.crowd for track in true],
        **_whole("dt", clip, sorted(found, key=lambda t: -(t.score or 0))),
        "iou_type": "mask",
    }


def best_alone(evaluated: EvaluatedClip) -> EvaluatedClip:
    """Only the track with the highest mean IoU with the one true object, over all frames."""
    (true,) = evaluated.clip.tracks
    means = [
        np.mean([_iou(true.masks.get(t), track.masks.get(t)) for t in evaluated.clip.counted])
        for track in evaluated.tracks
    ]
    best = [evaluated.tracks[int(np.argmax(means))]] if means else []
    return EvaluatedClip(evaluated.clip, best)


def overlaps(a: Sequence[RLE], b: Sequence[RLE], *, of_first: bool = False) -> NDArray[np.float64]:
    """(N, M) intersection over union, or over the area of the first."""
    if not a or not b:
        return np.zeros((len(a), len(b)))
    first: Any = list(a)
    second: Any = list(b)
    return np.asarray(coco.iou(first, second, [int(of_first)] * len(b)))


def without(mask: RLE, void: RLE | None) -> RLE:
    """The mask without the void pixels."""
    if void is None:
        return mask
    masks: Any = (mask, void)
    if not coco.area(coco.merge(list(masks), intersect=True)):
        return mask
    pixels, others = (coco.decode(each) for each in masks)
    pixels[others > 0] = 0
    return coco.encode(pixels)  # pyright: ignore[reportReturnType]


def area(mask: RLE) -> int:
    """Pixels."""
    as_they_type_it: Any = mask
    return int(coco.area(as_they_type_it))


def _frame(
    clip: Clip, true: list[MaskTrack], found: list[MaskTrack], index: int
) -> tuple[Ids, Ids, NDArray[np.float64]]:
    """The indexes of the true and of the found tracks in a frame, and their IoU."""
    here = np.array([n for n, track in enumerate(true) if index in track.masks], np.intp)
    seen = np.array([n for n, track in enumerate(found) if index in track.masks], np.intp)
    masks = [found[n].masks[index] for n in seen]
    shared = overlaps([true[n].masks[index] for n in here], masks)
    if (region := clip.ignored.get(index)) is not None:
        kept = overlaps(masks, [region], of_first=True)[:, 0] <= MAX_IGNORED_SHARE + MIN_DIVISOR
        kept[_matched(shared)] = True
        seen, shared = seen[kept], shared[:, kept]
    return here, seen, shared


def _matched(shared: NDArray[np.float64]) -> NDArray[np.intp]:
    """The found objects that match a true one."""
    worth = np.where(shared < MIN_MATCH_IOU - MIN_DIVISOR, -10000, shared)
    rows, cols = linear_sum_assignment(worth, maximize=True)
    return cols[worth[rows, cols] > 0]


def _numbered(side: str, ids: Sequence[Ids]) -> Data:
    """Ids renumbered from 0 without gaps, and counts."""
    names = np.unique(np.concatenate([*ids, np.zeros(0, np.intp)]))
    return {
        f"{side}_ids": [np.searchsorted(names, frame) for frame in ids],
        f"num_{side}_ids": len(names),
        f"num_{side}_dets": sum(map(len, ids)),
    }


def _whole(side: str, clip: Clip, tracks: Sequence[MaskTrack]) -> Data:
    """Whole tracks, in order, for the AP of tracks."""
    masks = [{t: track.masks.get(t) for t in clip.counted} for track in tracks]
    areas = [
        _mean_area(seen) if track.area is None else track.area
        for track, seen in zip(tracks, masks, strict=True)
    ]
    return {
        f"{side}_tracks": masks,
        f"{side}_track_ids": list(range(1, len(tracks) + 1)),
        f"{side}_track_areas": areas,
        f"{side}_track_scores": np.array([track.score or 0 for track in tracks], np.float64),
    }


def _mean_area(seen: dict[int, RLE | None]) -> float:
    """TrackEval takes the mean over frames with pixels of the object."""
    areas = [count for rle in seen.values() if rle and (count := area(rle))]
    return float(np.mean(areas)) if areas else 0.0


def _iou(a: RLE | None, b: RLE | None) -> float:
    """1 if both are missing, as in DAVIS."""
    if a is None or b is None:
        return float(a is b)
    return float(overlaps([a], [b])[0, 0])
