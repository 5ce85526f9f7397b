"""From saved detections alone, without their video, to a file in any format."""

from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from vidseg.atomic_output import check_output
from vidseg.errors import OptionError
from vidseg.pipeline.run import OnFrame
from vidseg.pipeline.search import Search
from vidseg.results.formats.by_name import check_format, check_photos, open_format
from vidseg.results.formats.context import ExportContext
from vidseg.results.formats.names import FORMATS
from vidseg.results.vidseg_file import SavedFrame
from vidseg.structures.instances import shown
from vidseg.tracking.stages import (
    DEFAULT_SMOOTHING_RADIUS,
    shown_tracks,
    without_tracks,
)


def export(
    target: str | Path,
    name: str,
    *,
    search: Search,
    tolerance: float | None = None,
    force: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write the saved detections of `search` to `target` in the format called `name`, see
    `vidseg.results.formats.by_name`; returns the number of frames. Tracks are
    those that were saved. `tolerance` is how many pixels outlines may miss masks by; None suits
    each object's size.

    Raises:
        OptionError: no such format, or a search without saved detections.
        InputError: the saved detections cannot be read.
        OutputError, OutputExistsError: the output cannot be written.
    """
    if search.saved is None:
        raise OptionError("There are no saved detections to export.")
    check_format(name, tolerance=tolerance)
    check_output(target, [search.saved.path], force=force, folder=FORMATS[name].folder)
    about, done = _about(search, search.saved.header.source, tolerance), 0
    check_photos(name, about.photos)
    with (
        closing(iter(search.saved)) as saved,
        closing(_shown(saved, search)) as found,
        open_format(name, target, about, force=force) as write,
    ):
        for done, (moment, instances) in enumerate(found, 1):
            write(moment, instances)
            if on_frame is not None:
                on_frame(done, about.frame_count)
    return done


def _about(search: Search, source: dict[str, Any], tolerance: float | None) -> ExportContext:
    return ExportContext(
        class_names=search.names,
        source_name=source["name"],
        frame_count=source["frames"],
        photos=tuple(map(Path, source.get("photos", ()))),
        tolerance=tolerance,
    )


def _shown(saved: Iterable[SavedFrame], search: Search) -> Generator[SavedFrame, None, None]:
    """The objects that were asked for; those of tracks, where they were followed when saved.

    Without the video nothing can be followed anew: at another score than theirs, tracks lose the
    objects below it.
    """
    assert search.saved is not None
    tracking = search.saved.header.options.get("tracking") if search.track else None
    moved = search.saved.header.options.get("every", 1) != 1
    if tracking:
        pairs = shown_tracks(saved, radius=DEFAULT_SMOOTHING_RADIUS)
    else:
        pairs = without_tracks(saved, keep_filled=moved)
    score = 0.0 if tracking and tracking["score"] == search.score else search.score
    with closing(pairs) as found:
        for moment, instances in found:
            yield (
                moment,
                shown(instances, score=score, labels=search.labels, max_objects=search.max_objects),
            )
