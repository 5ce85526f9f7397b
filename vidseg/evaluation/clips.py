"""Annotated clips and the tracks that were found in them, whatever file they come from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from vidseg.results.formats.track_ids import TrackNumbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import RLE, instance_rle

ANY = 1
"""Number of the one class of truths that have no classes."""


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One object over time."""

    number: int
    """Of the class, among those of the truth."""
    masks: dict[int, RLE]
    """Frame index, from 0, to mask; frames where it is not seen are missing."""
    score: float | None = None
    """Mean of its frames; None where the file has no scores."""
    crowd: bool = False
    area: float | None = None
    """Mean square pixels as stated by the truth; None to count."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip with its truth."""

    name: str
    size: tuple[int, int]
    """(height, width)"""
    frames: int
    tracks: list[Track]
    classes: dict[int, str]
    """Number to name; empty where the truth has no classes, and every track is `ANY`."""
    pictures: tuple[Path, ...] = ()
    """One file a frame; empty where they are not there."""
    judged: tuple[int, ...] | None = None
    """Indexes of the annotated frames; None is all."""
    ignored: dict[int, RLE] = field(default_factory=dict)
    """Frame to region where nothing found is a false alarm (MOTS)."""
    void: dict[int, RLE] = field(default_factory=dict)
    """Frame to pixels that do not count (DAVIS)."""
    single: bool = False
    """One object is annotated and others that may be seen are not (DAVIS 2016)."""
    number: int = 1
    """Of the video, in files that number their videos."""

    @property
    def counted(self) -> tuple[int, ...]:
        """The frames that are judged."""
        return tuple(range(self.frames)) if self.judged is None else self.judged


def tracks_of(
    found: Iterable[tuple[Instant, Instances]], numbers: dict[int, int] | None
) -> list[Track]:
    """The tracks in a stream of frames; an object without an id is a track of one frame.

    A track's score is the mean of its frames', its class the most frequent one (as in MaskTrack
    R-CNN and `vidseg.results.formats.ytvis`).

    Args:
        numbers: label to number of the truth's class, other labels being left out; None where
            classes do not count.
    """
    masks: dict[int, dict[int, RLE]] = {}
    labels: dict[int, Counter[int]] = {}
    scores: dict[int, list[float]] = {}
    track_numbers = TrackNumbers()
    for moment, instances in found:
        for row, track in enumerate(track_numbers.of(instances)):
            masks.setdefault(track, {})[moment.index] = instance_rle(instances, row)
            labels.setdefault(track, Counter())[int(instances.labels[row])] += 1
            scores.setdefault(track, []).append(float(instances.scores[row]))
    tracks = []
    for name, seen in masks.items():
        label = labels[name].most_common(1)[0][0]
        number = ANY if numbers is None else numbers.get(label)
        if number is not None:
            tracks.append(Track(number, seen, sum(scores[name]) / len(scores[name])))
    return tracks
