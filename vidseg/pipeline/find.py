"""The objects of an input as a stream: read, detect, track, and of that what was asked for.

An object at a point is searched for first: the input is read up to that time, and everything found
so far waits without its pictures.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event

from vidseg.concurrency import until
from vidseg.detection.batched import detect
from vidseg.errors import OptionError
from vidseg.pipeline._own_frames import OwnFrame, numbered_frames
from vidseg.pipeline._point_selection import object_at_point
from vidseg.pipeline._saved_frames import SaveOptions, check_saving, saved_frames
from vidseg.pipeline.detected_frames import detected_frames
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import OnDownload, Search
from vidseg.pipeline.stages import shown_objects, tracked_objects, with_ids
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found
from vidseg.structures.span import Seconds, Span
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

Wanted = Search | str | Iterable[str]
"""What to look for: a whole search, or class names alone."""


def find(
    source: str | Path | Iterable[OwnFrame],
    search: Wanted = (),
    *,
    span: Span | None = None,
    rate: Seconds = 30,
    options: RunOptions | None = None,
) -> Generator[Found, None, None]:
    """Each frame of `source` with its objects: tracked, filled and smoothed as the commands show
    them.

        for frame, objects in vidseg.find("street.mp4", "person"):
            print(frame.time, objects.ids, objects.boxes)

    Args:
        source: a video, an animation, a photo, a folder of photos; or frames of your own, in order:
            (H, W, 3) uint8 RGB arrays, (seconds, array) pairs, or `Frame`s.
        search: class names, or a whole `Search`.
        span: the part of a file to look at.
        rate: frames a second of arrays without times.

    The model runs ahead of the caller on other threads. Tracking looks `frames_ahead` frames ahead,
    7 by default; `Search(fill=0, smooth=0, ...)` shortens that for a live source. Leaving the loop
    early, or closing the generator, ends the threads and closes the source.

    Raises:
        OptionError: an unknown class, model or option, or one that own frames do not allow.
        InputError: the input cannot be read.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    search, span, options = as_search(search), span or Span(), options or RunOptions()
    if isinstance(source, str | Path):
        info = probe(source)
        search.check_kind(info.kind)
        check_saving(search, source, options)
        return _found_in_file(info, search, span, options)
    _check_own(search, span)
    return _found_in_frames(numbered_frames(source, rate), search, options.on_download)


def as_search(wanted: Wanted) -> Search:
    return wanted if isinstance(wanted, Search) else Search(wanted)


def _found_in_file(
    info: VideoInfo, search: Search, span: Span, options: RunOptions
) -> Generator[Found, None, None]:
    with shown_frames(info, search, span, options) as shown:
        yield from shown


def _found_in_frames(
    frames: Iterable[Frame], search: Search, on_download: OnDownload | None
) -> Generator[Found, None, None]:
    model = search.predictor(on_download)
    size = search.model_options.batch_size
    found = detect(frames, model, batch_size=size, every=search.every)
    with closing(tracked_objects(search, found, "video")) as shown:
        yield from shown


def _check_own(search: Search, span: Span) -> None:
    if search.saved is not None or search.save is not None:
        raise OptionError("Detections are saved of files; frames of your own are not recognised.")
    if search.selection.at is not None:
        raise OptionError("An object at a point is selected in files, which are read twice.")
    if not span.is_whole:
        raise OptionError("A span is a part of a file; pass only the frames to look at.")


@contextmanager
def shown_frames(
    info: VideoInfo,
    search: Search,
    span: Span,
    options: RunOptions,
    *,
    stop: Event | None = None,
    pictures: bool = True,
) -> Iterator[Iterator[Found]]:
    """The frames with the objects to show, everything found being saved where that is asked for.

    Once `stop` is set, as by another thread, no further frame is looked for. Without `pictures`,
    frames may come without theirs.
    """
    tracked = search.tracking_facts(info.kind) is not None
    stop = stop or Event()
    with _known_frames(info, search, span, options, stop, pictures=pictures) as known:
        point_id = None
        if search.selection.at is not None:
            point_id, known = object_at_point(known, info, search, span)
        with closing(shown_objects(search, known, tracked=tracked, point_id=point_id)) as shown:
            yield shown


@contextmanager
def _known_frames(
    info: VideoInfo,
    search: Search,
    span: Span,
    options: RunOptions,
    stop: Event,
    *,
    pictures: bool,
) -> Iterator[Iterable[Found]]:
    """Every frame with all that was found in it, under the ids of its tracks."""
    if search.save is not None:
        saving = SaveOptions(search.save, replay=True, pictures=pictures)
        with saved_frames(info, search, span, options, saving, stop=stop) as (_, known):
            yield known
        return
    with detected_frames(info, search, span, options, stop=stop, pictures=pictures) as found:
        yield with_ids(search, until(stop, found), info.kind)
