"""The parts of one video, found by workers and used in order while later ones are still found."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Event

from vidseg.cluster._arrivals import by_number, run_ahead
from vidseg.cluster._pool import MAX_ATTEMPTS, told
from vidseg.cluster._spans import kept_plan, plan_spans
from vidseg.cluster._start import StartPool, workplace
from vidseg.cluster.options import ClusterOptions
from vidseg.cluster.worker import Task
from vidseg.errors import OptionError, VidsegError
from vidseg.pipeline.detect_part import alignment, check_frames, detect_part
from vidseg.pipeline.detected_frames import header_of
from vidseg.pipeline.run_options import OnFrame, RunOptions
from vidseg.pipeline.search import Search
from vidseg.remote.fetch import origin
from vidseg.results.parts import Frames, JoinedParts, alike_parts, keep_input, part_path
from vidseg.results.vidseg_file import read_detections
from vidseg.structures.span import Span
from vidseg.video.info import VideoInfo


@contextmanager
def found_parts(
    info: VideoInfo,
    folder: Path,
    *,
    search: Search,
    cluster: ClusterOptions,
    options: RunOptions,
    compact: bool = False,
    stop: Event | None = None,
) -> Iterator[JoinedParts]:
    """The parts of a video, to be iterated once while workers fill `folder` with them.

    `options.on_found` is told of frames that they found. Once `stop` is set, they do no more.

    Raises OptionError, InputError: the input is no video, or damaged.
    """
    if info.kind != "video":
        raise OptionError(f"Workers share the frames of a video, and {info.path} is none.")
    check_frames(info, 0, None)
    keep_input(info, folder)
    ended, header = Event(), header_of(info, search, Span(), compact=compact)
    finder = copy(search)
    finder.tracking = replace(search.tracking, tracker=None)  # which need not be picklable
    with workplace(finder, cluster, options) as start:
        finding = _Finding(info, folder, finder, compact, options.on_found)
        paths = by_number(run_ahead(finding.parts(start, ended), ended, stop))
        with closing(paths) as arrived:
            yield JoinedParts(folder, header, alike_parts(map(read_detections, arrived)))


@dataclass(frozen=True, slots=True)
class _Finding:
    """What workers are to find, and where they put it."""

    info: VideoInfo
    folder: Path
    search: Search
    compact: bool
    on_found: OnFrame | None

    def parts(self, start: StartPool, ended: Event) -> Iterator[tuple[int, Path]]:
        """Number and file of each part, as soon as it is whole."""
        with start(ended) as pool:
            every, batch = self.search.every_in(self.info.kind), pool.agree()["batch_size"]
            planned = plan_spans(self.info.frames, alignment(every, batch), pool.count)
            spans = kept_plan(self.folder, planned)
            tasks = [self._task(frames) for frames in spans]
            for number, outcome in pool.outcomes(tasks, told(self.on_found, self.info.frames)):
                if outcome.error is not None:
                    name, cause = tasks[number].name, outcome.error
                    raise VidsegError(f"The {name} failed {MAX_ATTEMPTS} times: {cause}")
                yield number, part_path(self.folder, spans[number])

    def _task(self, frames: Frames) -> Task:
        first, end = frames
        source = origin(self.info.path)
        name = f"frames {first} to {'the end' if end is None else end - 1} of {source}"
        do = partial(detect_part, source, self.folder, frames, compact=self.compact)
        return Task(name, do, RunOptions(resume=True), RunOptions(resume=True), retry_errors=True)
