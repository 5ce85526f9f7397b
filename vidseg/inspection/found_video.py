"""Collects what is found in a video while it passes, and makes its part of a page afterwards."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import TypeVar

from vidseg.concurrency import closing_input
from vidseg.inspection._mask_spool import MaskSource, MaskSpool
from vidseg.inspection._track_pictures import (
    Budget,
    Key,
    Picture,
    Shot,
    budget_for,
    moment_shots,
    pictured,
    take_pictures,
    track_shots,
)
from vidseg.inspection.track_records import Recorder, VideoRecord
from vidseg.inspection.video_facts import About, video_facts
from vidseg.inspection.video_page import VideoPart
from vidseg.inspection.worst_moments import WorstMoments, worst_moments
from vidseg.structures.frame import Frame, Image, Instant
from vidseg.structures.instances import Instances

T = TypeVar("T", bound=Instant)

ReadFrames = Callable[[Sequence[int]], Generator[Frame, None, None]]
"""The frames of these ascending indexes; what cannot be read is left out."""


class FoundVideo:
    """A context manager that takes the frames of a video one after another.

    Some 30 bytes an object and frame stay in memory, and 60 in a temporary file.
    """

    def __init__(self, names: Mapping[int, str]) -> None:
        """`names` is label to class name."""
        self._recorder, self._spool = Recorder(names), MaskSpool()

    def __enter__(self) -> FoundVideo:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._spool.close()

    def add(self, moment: Instant, instances: Instances) -> None:
        """The next frame with the objects that are shown in it."""
        self._recorder.add(moment, instances)
        self._spool.add(instances)

    def passing(
        self, found: Iterable[tuple[T, Instances]]
    ) -> Generator[tuple[T, Instances], None, None]:
        """The same frames, each collected on its way; closes `found`."""
        with closing_input(found) as pairs:
            for moment, instances in pairs:
                self.add(moment, instances)
                yield moment, instances

    def record(self) -> VideoRecord:
        """The numbers of everything so far."""
        return self._recorder.record()

    def part(
        self,
        record: VideoRecord,
        about: About,
        read: ReadFrames | None,
        *,
        filled_is_missed: bool = True,
    ) -> VideoPart:
        """The part of a page about `record`; `read` gives frames for pictures, None goes without.

        `filled_is_missed` is False where objects were also moved between keyframes.
        """
        moments = worst_moments(record, score=about.score, filled_is_missed=filled_is_missed)
        budget = budget_for(len(record.tracks))
        return VideoPart(
            video_facts(record, moments, about, strip_frames=budget.strip_frames),
            pictures_of(record, moments, budget, self._spool, read),
        )


def pictures_of(
    record: VideoRecord,
    moments: WorstMoments,
    budget: Budget,
    masks: MaskSource,
    read: ReadFrames | None,
    others: Iterable[Shot] = (),
) -> dict[Key, Picture]:
    """The pictures of the tracks and of the worst moments, and `others`, in one pass."""
    if read is None:
        return {}
    shots = [
        *track_shots(pictured(record.tracks), record.size, budget),
        *moment_shots(moments.shown, record.size),
        *others,
    ]
    positions = {int(index): place for place, index in enumerate(record.indexes)}

    def frames(places: Sequence[int]) -> Generator[tuple[int, Image], None, None]:
        with closing(read([int(record.indexes[place]) for place in places])) as reading:
            for frame in reading:
                yield positions[frame.index], frame.image

    return take_pictures(frames, shots, masks)
