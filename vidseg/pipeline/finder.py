"""The seam between the pipeline and other processes that find objects for it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from vidseg.pipeline.run_options import RunOptions
from vidseg.results.parts import JoinedParts
from vidseg.video.info import VideoInfo

if TYPE_CHECKING:
    from vidseg.pipeline.search import Search

Call = Callable[..., Any]
"""Called by another process with `search` and `options`. Both it and its result are pickled."""


class Finder(Protocol):
    """Finds objects by other processes, `Search(workers=...)`; `vidseg.cluster.Workers` is one."""

    def found(
        self, info: VideoInfo, search: "Search", options: RunOptions, stop: Event
    ) -> AbstractContextManager[JoinedParts]:
        """What the search finds in a video, to be iterated once while it is being found.

        `options.on_found` is told of it. Once `stop` is set, no more is looked for.

        Raises OptionError, InputError: the input is no video, or damaged.
        """
        ...

    def results(
        self, calls: Sequence[Call], search: "Search", options: RunOptions
    ) -> Iterator[Any]:
        """The results of the calls in their order, each made by one of the processes.

        Raises VidsegError: a call failed.
        """
        ...
