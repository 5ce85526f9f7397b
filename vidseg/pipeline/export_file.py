"""From saved detections alone, without their video, to a file in any format."""

from collections.abc import Generator, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from vidseg.atomic_output import check_output
from vidseg.errors import OptionError
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import shown_objects
from vidseg.results.formats.by_name import check_format, check_photos, open_format
from vidseg.results.formats.context import ExportContext
from vidseg.results.formats.names import FORMATS
from vidseg.results.vidseg_file import SavedFrame
from vidseg.tracking.stages import without_tracks


def export(
    target: str | Path,
    name: str,
    *,
    search: Search,
    options: RunOptions | None = None,
    tolerance: float | None = None,
) -> RunResult:
    """Write the saved detections of `search` to `target` in the format called `name`.

    The formats are those of `vidseg.results.formats.by_name`. Tracks are those that were saved.
    `tolerance` is how many pixels outlines may miss masks by; None suits each object's size.

    Raises:
        OptionError: no such format, or a search without saved detections.
        InputError: the saved detections cannot be read.
        OutputError, OutputExistsError: the output cannot be written.
    """
    options = options or RunOptions()
    if search.saved is None:
        raise OptionError("There are no saved detections to export.")
    check_format(name, tolerance=tolerance)
    force = options.force
    check_output(target, [search.saved.path], force=force, folder=FORMATS[name].folder)
    about, counter = _about(search, search.saved.header.source, tolerance), ObjectCounter()
    check_photos(name, about.photos)
    with (
        closing(iter(search.saved)) as saved,
        closing(shown_of_saved(saved, search)) as found,
        open_format(name, target, about, force=force) as write,
    ):
        for done, (moment, instances) in enumerate(found, 1):
            write(moment, instances)
            counter.add(instances)
            if options.on_frame is not None:
                options.on_frame(done, about.frame_count)
    return counter.result()


def _about(search: Search, source: dict[str, Any], tolerance: float | None) -> ExportContext:
    return ExportContext(
        class_names=search.names,
        source_name=source["name"],
        frame_count=source["frames"],
        photos=tuple(map(Path, source.get("photos", ()))),
        tolerance=tolerance,
    )


def shown_of_saved(
    saved: Iterable[SavedFrame], search: Search
) -> Generator[SavedFrame, None, None]:
    """Of the saved detections of `search`, what it asks for, under the ids that were saved.

    Tracks are not confirmed anew without the video: at another score than theirs, they lose the
    objects below it.
    """
    assert search.saved is not None
    options = search.saved.header.options
    tracking = options.get("tracking") if search.tracking.enabled else None
    if tracking:
        score = 0.0 if tracking["score"] == search.score else search.score
        return shown_objects(search, saved, tracked=True, score=score)
    keep_filled = options.get("every", 1) != 1
    return shown_objects(search, without_tracks(saved, keep_filled=keep_filled), tracked=False)
