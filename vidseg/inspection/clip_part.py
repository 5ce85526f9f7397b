"""An annotated clip as a part of a page: the truth beside what was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco

from vidseg.evaluation.clips import ANY_CLASS, Clip, MaskTrack
from vidseg.inspection._track_pictures import (
    STRIP_SIDE_PIXELS,
    Budget,
    Shot,
    around,
    budget_for,
)
from vidseg.inspection.found_video import ReadFrames, pictures_of
from vidseg.inspection.track_records import TrackRecord, VideoRecord
from vidseg.inspection.truth_pairs import TruePairs, pair_with_truth
from vidseg.inspection.video_facts import About, Facts, untimed, video_facts
from vidseg.inspection.video_page import VideoPart
from vidseg.inspection.worst_moments import worst_moments
from vidseg.structures.masks import RLE, Crop, from_rle

MAX_TRUE_VIEWS = 3
"""Frames in which an annotated track is shown beside what was found."""
MAX_CURVE_POINTS = 120
NO_CLASS_NAME = "object"


def clip_part(
    clip: Clip,
    tracks: Sequence[MaskTrack],
    about: About,
    read: ReadFrames | None,
    *,
    share: float = 1.0,
) -> VideoPart:
    """The part of a page about a clip and the tracks found in it.

    Found tracks are numbered from 1 in the order in which they appear. `share` is that of the
    page's bytes that the pictures may take.
    """
    order = sorted((track for track in tracks if track.masks), key=lambda each: min(each.masks))
    found = dict(enumerate(order, 1))
    record = _record(clip, found)
    paired = pair_with_truth(clip, found)
    moments = worst_moments(record, score=about.score)
    budget = budget_for(len(record.tracks) + len(paired.true), share)
    views = [_views(pairs) for pairs in paired.true]
    shots = [
        shot
        for number, pairs in enumerate(paired.true)
        for shot in _true_shots(number, pairs, found, views[number], record, budget)
    ]
    masks = _ClipMasks(found, [pairs.track for pairs in paired.true])
    pictures = pictures_of(record, moments, budget, masks, read, shots)
    facts = untimed(video_facts(record, moments, about, strip_frames=budget.strip_frames))
    facts["truth"] = [
        _true_facts(number, pairs, record, views[number])
        for number, pairs in enumerate(paired.true)
    ]
    if not clip.single:  # else other objects are there that nobody annotated
        for track in facts["tracks"]:
            track["unmatched"] = paired.unmatched[track["id"]]
    return VideoPart(facts, pictures)


def _record(clip: Clip, found: Mapping[int, MaskTrack]) -> VideoRecord:
    """The tracks of a clip as those of a video of a frame a second."""
    frames = np.arange(clip.frames)
    counts = {
        number: np.zeros(clip.frames, np.int64)
        for number in sorted({track.number for track in found.values()})
    }
    together: dict[int, list[RLE]] = {}
    for track in found.values():
        for frame, rle in track.masks.items():
            counts[track.number][frame] += 1
            together.setdefault(frame, []).append(rle)
    coverage = np.zeros(clip.frames, np.float32)
    for frame, masks in together.items():
        as_they_type_it: Any = masks
        coverage[frame] = coco.area(coco.merge(as_they_type_it)) / (clip.size[0] * clip.size[1])
    return VideoRecord(
        clip.size,
        clip.classes or {ANY_CLASS: NO_CLASS_NAME},
        frames,
        frames.astype(np.float64),
        float(clip.frames),
        counts,
        coverage,
        [_track_record(number, track) for number, track in found.items()],
    )


def _track_record(number: int, track: MaskTrack) -> TrackRecord:
    frames = sorted(track.masks)
    masks: Any = [track.masks[frame] for frame in frames]
    boxes = np.asarray(coco.toBbox(masks), np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    whole = np.nan if track.score is None else track.score
    return TrackRecord(
        number,
        track.number,
        np.array(frames, np.int64),
        np.array([track.scores.get(frame, whole) for frame in frames], np.float32),
        np.asarray(coco.area(masks), np.int64),
        boxes,
        np.zeros(len(frames), np.bool_),
    )


def _views(pairs: TruePairs) -> list[int]:
    """Rows of the frames that are shown: in the middle of where it was missed, then the worst and
    the best of where it was found."""
    missed = np.flatnonzero(pairs.ids == 0)
    there = np.flatnonzero(pairs.ids)
    rows = [int(missed[len(missed) // 2])] if len(missed) else []
    if len(there):
        rows += [int(there[pairs.ious[there].argmin()]), int(there[pairs.ious[there].argmax()])]
    return sorted({*rows})[:MAX_TRUE_VIEWS]


def _true_shots(
    number: int,
    pairs: TruePairs,
    found: Mapping[int, MaskTrack],
    rows: list[int],
    record: VideoRecord,
    budget: Budget,
) -> list[Shot]:
    """Truth and found in each of the frames, of the same part of the frame."""
    shots = []
    for view, row in enumerate(rows):
        frame, near = int(pairs.frames[row]), int(pairs.nearest[row])
        boxes = [_box(pairs.track.masks[frame])]
        if near:
            boxes.append(_box(found[near].masks[frame]))
        region = around(np.array(boxes, np.float32), record.size)
        for side, ids in enumerate(((-1 - number,), (near,) if near else ())):
            key = ("truth", number, 2 * view + side)
            place = (region, STRIP_SIDE_PIXELS * 2, budget.strip_bytes)
            shots.append(Shot(frame, key, ids, *place))
    return shots


def _box(rle: RLE) -> NDArray[np.float32]:
    as_they_type_it: Any = rle
    x, y, width, height = coco.toBbox(as_they_type_it)
    return np.array([x, y, x + width, y + height], np.float32)


def _true_facts(number: int, pairs: TruePairs, record: VideoRecord, views: list[int]) -> Facts:
    parts = np.array_split(np.arange(len(pairs.frames)), min(len(pairs.frames), MAX_CURVE_POINTS))
    ends = np.flatnonzero(np.diff(pairs.frames) > 1)
    starts = [0, *(ends + 1).tolist()]
    stops = [*ends.tolist(), len(pairs.frames) - 1]
    there = pairs.ids > 0
    return {
        "number": number + 1,
        "name": record.names.get(pairs.track.number, str(pairs.track.number)),
        "start": int(pairs.frames[0]),
        "end": int(pairs.frames[-1]) + 1,
        "frames": len(pairs.frames),
        "found": pairs.found,
        "mean_iou": round(float(pairs.ious[there].mean()), 4) if there.any() else None,
        "ids": pairs.found_ids,
        "spans": [
            [int(pairs.frames[a]), int(pairs.frames[b]) + 1]
            for a, b in zip(starts, stops, strict=True)
        ],
        "curve": {
            "times": [int(pairs.frames[rows[len(rows) // 2]]) for rows in parts],
            "ious": [round(float(pairs.ious[rows].mean()), 4) for rows in parts],
            "breaks": [],
        },
        "views": [
            {
                "frame": int(pairs.frames[row]),
                "iou": round(float(pairs.ious[row]), 4),
                "id": int(pairs.ids[row]),
            }
            for row in views
        ],
    }


@dataclass(frozen=True, slots=True)
class _ClipMasks:
    """Found tracks by their ids, and annotated ones as -1, -2 and so on."""

    found: Mapping[int, MaskTrack]
    true: list[MaskTrack]

    def crops(self, position: int, ids: Collection[int]) -> dict[int, Crop]:
        tracks = {i: self.found[i] if i > 0 else self.true[-1 - i] for i in ids}
        return {
            number: _crop(track.masks[position])
            for number, track in tracks.items()
            if position in track.masks
        }


def _crop(rle: RLE) -> Crop:
    x0, y0, x1, y1 = (int(side) for side in _box(rle))
    rows, cols = slice(y0, y1), slice(x0, x1)
    return Crop(rows, cols, from_rle(rle)[rows, cols])
