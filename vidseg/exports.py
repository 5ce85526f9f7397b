"""From a video, or from saved detections alone, to a file in any format."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from vidseg.errors import OptionError
from vidseg.export.about import About
from vidseg.export.formats import FORMATS, write_as
from vidseg.instances import Instances, shown
from vidseg.pipeline import OnFrame, exact, expected_frames, search_in
from vidseg.search import Search, Seconds
from vidseg.video.info import VideoInfo
from vidseg.video.landing import check_output
from vidseg.video.probe import probe

T = TypeVar("T")


def save_as(
    source: str | Path,
    target: str | Path,
    name: str,
    *,
    search: Search,
    image: bool = False,
    start: Seconds | None = None,
    end: Seconds | None = None,
    force: bool = False,
    keep_going: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write the objects of `source` to `target` in the format called `name`, see
    `vidseg.export.formats`; returns the number of frames. Errors as of `render`."""
    start, end = exact(start, end)
    check_format(name, image=image)
    check_output(target, [source], force=force, folder=FORMATS[name].folder)
    info = probe(source)
    counter = _Counter(expected_frames(info, start, end), on_frame)
    with search_in(info, search, start=start, end=end, force=force, keep_going=keep_going) as found:
        about = _about(info, search)
        write_as(name, counter.counted(found), target, about, image=image, force=force)
    return counter.done


def export(
    target: str | Path,
    name: str,
    *,
    search: Search,
    force: bool = False,
    on_frame: OnFrame | None = None,
) -> int:
    """Write the saved detections of `search` to `target` in the format called `name`; returns the
    number of frames. The video is not needed; without it, nothing is tracked."""
    if search.saved is None:
        raise OptionError("There are no saved detections to export.")
    check_format(name)
    source = search.saved.header.source
    about = About(
        names=search.names,
        video=source["name"],
        frames=source["frames"],
        photos=tuple(source.get("photos", ())),
    )
    counter = _Counter(source["frames"], on_frame)
    with closing(iter(search.saved)) as found:
        wanted = ((moment, _shown(instances, search)) for moment, instances in found)
        write_as(name, counter.counted(wanted), target, about, force=force)
    return counter.done


def check_format(name: str, *, image: bool = False) -> None:
    """Raises OptionError: no such format, or pictures for one that is a single file."""
    if name not in FORMATS:
        raise OptionError(f"There is no format {name!r}; use {', '.join(FORMATS)}.")
    if image and not FORMATS[name].folder:
        raise OptionError(f"The format {name} is one file, with no place for --image.")


def _about(info: VideoInfo, search: Search) -> About:
    photos = tuple(photo.name for photo in info.photos)
    return About(names=search.names, video=info.path.name, frames=info.frames, photos=photos)


def _shown(instances: Instances, search: Search) -> Instances:
    return shown(
        instances, score=search.score, labels=search.labels, max_objects=search.max_objects
    )


class _Counter:
    """Counts frames as they pass."""

    def __init__(self, total: int | None, on_frame: OnFrame | None) -> None:
        self.done = 0
        self._total, self._on_frame = total, on_frame

    def counted(self, found: Iterable[tuple[T, Instances]]) -> Iterator[tuple[T, Instances]]:
        for item in found:
            yield item
            self.done += 1
            if self._on_frame is not None:
                self._on_frame(self.done, self._total)
