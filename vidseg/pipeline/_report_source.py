"""What a report is about: a video or saved detections, and the objects in it."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from vidseg.concurrency import closing_input
from vidseg.errors import OptionError
from vidseg.pipeline.export_file import shown_of_saved
from vidseg.pipeline.find import Wanted, as_search, shown_frames
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.results.replay import check_same_input
from vidseg.results.vidseg_file import Detections, SavedFrame
from vidseg.results.vidseg_header import is_detections
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.span import Span
from vidseg.video.info import VideoInfo

Shown = Iterable[tuple[Instant, Instances]]


def search_and_video(
    source: Path, wanted: Wanted, video: Path | None
) -> tuple[Search, Path | None]:
    """What to look for, or the saved detections, and the video; None where it is not found.

    Raises:
        OptionError: a video beside a video; a `Search` without the saved detections of `source`.
        InputError: there is no such file, or it is not one of detections.
    """
    if not is_detections(source):
        if video is not None:
            raise OptionError("`video` says where the video of saved detections is; leave it out.")
        return as_search(wanted), source
    if not isinstance(wanted, Search):
        wanted = Search(wanted, detections=source)
    if wanted.saved is None:
        raise OptionError(f"{source} holds detections; pass Search(detections={str(source)!r}).")
    if video is not None:
        return wanted, video
    return wanted, find_video(wanted.saved)


def find_video(saved: Detections) -> Path | None:
    """The input of saved detections, beside their file or in the working folder."""
    name = Path(saved.header.source["name"]).name
    return next((path for path in (saved.path.parent / name, Path(name)) if path.exists()), None)


@contextmanager
def shown_in(
    search: Search, info: VideoInfo | None, span: Span, options: RunOptions
) -> Iterator[Shown]:
    """The frames with the objects to show; only as much of the video is read as has to be.

    Saved objects whose ids stay are shown without it.
    """
    if search.saved is None or (info is not None and _needs_frames(search, info)):
        assert info is not None
        with shown_frames(info, search, span, options) as shown:
            yield shown
        return
    if info is not None:
        check_same_input(search.saved, info)
    elif search.selection.at is not None:
        raise OptionError("`at` needs the video of the detections; say where it is with `video`.")
    with closing(_inside(search.saved.frames(), span)) as saved:
        yield shown_of_saved(saved, search)


def _needs_frames(search: Search, info: VideoInfo) -> bool:
    """Whether ids have to be found anew, or an object at a point, which takes the pictures."""
    assert search.saved is not None
    tracking = search.tracking_facts(info.kind)
    kept = tracking is None or tracking == search.saved.header.options.get("tracking")
    return not kept or search.selection.at is not None


def _inside(saved: Iterable[SavedFrame], span: Span) -> Generator[SavedFrame, None, None]:
    with closing_input(saved) as frames:
        for moment, instances in frames:
            if span.end is not None and moment.time >= span.end:
                return
            if moment.time >= (span.start or 0):
                yield moment, instances
