"""From detections to the objects that a search asked for: tracked, selected, by score and class."""

from collections.abc import Collection, Generator, Iterable
from typing import TypeVar

from vidseg.concurrency import closing_input
from vidseg.pipeline.search import Search
from vidseg.structures.instances import Found, Instances, shown
from vidseg.tracking.selection import follow_one, select_ids
from vidseg.tracking.stages import assign_ids, shown_tracks, without_tracks
from vidseg.video.info import Kind

T = TypeVar("T")


def with_ids(search: Search, found: Iterable[Found], kind: Kind) -> Iterable[Found]:
    """The frames of such an input with everything that was found, under track ids where objects are
    tracked. Saved ids are kept if they were made as they would be now."""
    tracking = search.tracking_facts(kind)
    if search.saved is not None:
        options = search.saved.header.options
        if tracking and tracking == options.get("tracking"):
            return found
        found = without_tracks(found, keep_filled=options.get("every", 1) != 1)
    if tracking is None:
        return found
    make = search.tracking.tracker
    fill = int(tracking["fill"])
    return assign_ids(found, score=search.score, fill=fill, tracker=make() if make else None)


def shown_objects(
    search: Search,
    pairs: Iterable[tuple[T, Instances]],
    *,
    tracked: bool,
    score: float | None = None,
    point_id: int | None = None,
    radius: int | None = None,
) -> Generator[tuple[T, Instances], None, None]:
    """Of what `with_ids` gives, the objects that were asked for; closes `pairs`.

    Args:
        tracked: tracks decide which objects are confident enough, not each detection.
        score: lowest score of a single object; by default 0 where `tracked`, else the search's.
        point_id: the id of the object at the point that was asked for.
        radius: frames before and after that smooth a frame; by default those of the search.
    """
    if score is None:
        score = 0.0 if tracked else search.score
    if tracked:
        pairs = shown_tracks(pairs, radius=search.tracking.smooth if radius is None else radius)
    if search.selection:
        pairs = _selected(search, _filtered(pairs, score, search.labels), point_id)
    return _filtered(pairs, score, search.labels, search.max_objects)


def tracked_objects(
    search: Search, found: Iterable[Found], kind: Kind
) -> Generator[Found, None, None]:
    """The frames of such an input with the objects to show; closes `found`."""
    tracked = search.tracking_facts(kind) is not None
    return shown_objects(search, with_ids(search, found, kind), tracked=tracked)


def selectable(search: Search, known: Instances) -> Instances:
    """Of what `with_ids` gives for a frame, the objects that may be selected."""
    return shown(known[known.ids > 0], score=0.0, labels=search.labels)


def _selected(
    search: Search, pairs: Iterable[tuple[T, Instances]], point_id: int | None
) -> Generator[tuple[T, Instances], None, None]:
    if search.selection.follow:
        return follow_one(pairs, search.selection.follow)
    return select_ids(pairs, search.selection.ids if point_id is None else (point_id,))


def _filtered(
    pairs: Iterable[tuple[T, Instances]],
    score: float,
    labels: Collection[int] | None,
    max_objects: int | None = None,
) -> Generator[tuple[T, Instances], None, None]:
    with closing_input(pairs) as source:
        for frame, instances in source:
            yield frame, shown(instances, score=score, labels=labels, max_objects=max_objects)
