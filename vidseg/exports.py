"""From saved detections alone, without their video, to a file in any format."""

from contextlib import closing
from pathlib import Path
from typing import Any

from vidseg.errors import OptionError
from vidseg.export.about import About
from vidseg.export.formats import check_format, check_photos, open_format
from vidseg.instances import Instances, shown
from vidseg.pipeline import OnFrame
from vidseg.search import Search


def export(
    target: str | Path,
    name: str,
    *,
    search: Search,
    force: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write the saved detections of `search` to `target` in the format called `name`, see
    `vidseg.export.formats`; returns the number of frames. Without the video, nothing is tracked.

    Raises:
        OptionError: no such format, or a search without saved detections.
        InputError: the saved detections cannot be read.
        OutputError, OutputExistsError: the output cannot be written.
    """
    if search.saved is None:
        raise OptionError("There are no saved detections to export.")
    check_format(name)
    about, done = _about(search, search.saved.header.source), 0
    check_photos(name, about.photos)
    with (
        closing(iter(search.saved)) as found,
        open_format(name, target, about, force=force) as write,
    ):
        for done, (moment, instances) in enumerate(found, 1):
            write(moment, _shown(instances, search))
            if on_frame is not None:
                on_frame(done, about.frames)
    return done


def _about(search: Search, source: dict[str, Any]) -> About:
    return About(
        names=search.names,
        video=source["name"],
        frames=source["frames"],
        photos=tuple(map(Path, source.get("photos", ()))),
    )


def _shown(instances: Instances, search: Search) -> Instances:
    return shown(
        instances, score=search.score, labels=search.labels, max_objects=search.max_objects
    )
