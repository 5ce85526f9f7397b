"""Annotated clips and the tracks found in them, independent of the file format."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vidseg.results.formats.track_ids import TrackNumbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import RLE, instance_rle

ANY_CLASS = 1
"""Number of the only class of ground truth without classes."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskTrack:
    """One object over time."""

    number: int
    """Of the class, in the ground truth."""
    masks: dict[int, RLE]
    """Frame index, from 0, to mask; frames without the object are missing."""
    score: float | None = None
    """Mean over its frames; None if the file has no scores."""
    crowd: bool = False
    area: float | None = None
    """Mean square pixels as the ground truth states it; None to count."""
    scores: dict[int, float] = field(default_factory=dict)
    """Frame index to the score there, where it is known."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip with its ground truth."""

    name: str
    size: tuple[int, int]
    """(height, width)"""
    frames: int
    tracks: list[MaskTrack]
    classes: dict[int, str]
    """Number to name; empty if the ground truth has no classes, and every track is `ANY_CLASS`."""
    pictures: tuple[Path, ...] = ()
    """One file per frame; empty if they are missing."""
    annotated: tuple[int, ...] | None = None
    """Indexes of the annotated frames; None is all."""
    ignored: dict[int, RLE] = field(default_factory=dict)
    """Frame to region where detections are no false positives (MOTS)."""
    void: dict[int, RLE] = field(default_factory=dict)
    """Frame to pixels that do not count (DAVIS)."""
    single: bool = False
    """Only one of the visible objects is annotated (DAVIS 2016)."""
    number: int = 1
    """Of the video, in files that number their videos."""

    @property
    def counted(self) -> tuple[int, ...]:
        """The frames that are evaluated."""
        return tuple(range(self.frames)) if self.annotated is None else self.annotated


def collect_tracks(
    found: Iterable[tuple[Instant, Instances]], numbers: dict[int, int] | None
) -> list[MaskTrack]:
    """The tracks in a stream of frames; an object without an id is a track of one frame.

    A track's score is the mean of its frames, its class the most frequent one (as in MaskTrack
    R-CNN and `vidseg.results.formats.ytvis`).

    Args:
        numbers: label to number of the class in the ground truth, other labels being left out;
            None if classes do not count.
    """
    masks: dict[int, dict[int, RLE]] = {}
    labels: dict[int, Counter[int]] = {}
    scores: dict[int, dict[int, float]] = {}
    track_numbers = TrackNumbers()
    for moment, instances in found:
        for row, track in enumerate(track_numbers.of(instances)):
            masks.setdefault(track, {})[moment.index] = instance_rle(instances, row)
            labels.setdefault(track, Counter())[int(instances.labels[row])] += 1
            scores.setdefault(track, {})[moment.index] = float(instances.scores[row])
    tracks = []
    for track_id, seen in masks.items():
        label = labels[track_id].most_common(1)[0][0]
        number = ANY_CLASS if numbers is None else numbers.get(label)
        if number is not None:
            here = scores[track_id]
            mean = sum(here.values()) / len(here)
            tracks.append(MaskTrack(number, seen, mean, scores=here))
    return tracks
