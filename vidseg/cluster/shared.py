"""One video found by many workers, or many files with one worker each."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from vidseg.cluster._arrivals import by_number, run_ahead
from vidseg.cluster._finding import found_parts
from vidseg.cluster._pool import told
from vidseg.cluster._ray import load_ray
from vidseg.cluster._spans import has_parts, open_folder, parts_folder, remove_folder
from vidseg.cluster._start import StartPool, workplace
from vidseg.cluster.options import ClusterOptions
from vidseg.cluster.worker import Outcome, Task
from vidseg.errors import OptionError, OutputError, VidsegError
from vidseg.pipeline.finder import Call
from vidseg.pipeline.merge import write_joined
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.remote.paths import as_path, url_of
from vidseg.results.parts import JoinedParts, known_input
from vidseg.results.vidseg_writer import check_detections_output
from vidseg.video.info import VideoInfo


def detect(
    source: str | Path,
    target: str | Path,
    *,
    search: Search,
    cluster: ClusterOptions,
    options: RunOptions | None = None,
    compact: bool = False,
) -> RunResult:
    """Write everything found in the video `source` to the file `target`, by several workers.

    The file equals that of `vidseg.detect_to_file` byte for byte. Until it is complete, its parts
    lie in the folder TARGET.parts, which a run with `RunOptions(resume=True)` continues.
    `options.on_found` is called for frames that were found, `options.on_frame` for those tracked.

    Raises:
        VidsegError: Ray is missing or cannot be reached, no worker starts, workers are unlike, or
            the same frames failed four times.
        OptionError, InputError, OutputError, ModelError: as `vidseg.detect_part` and
            `vidseg.merge`.
    """
    source, target, options = as_path(source), as_path(target), options or RunOptions()
    if search.tracking.tracker is not None:
        raise OptionError("Workers cannot use a tracker of your own; leave workers out.")
    if cluster.address is not None and url_of(target) is not None:
        raise OptionError(
            f"Machines share a video's parts in a folder beside OUT, and {target} is a URL; give a "
            "path in a folder that all of them see, or use vidseg detect --frames and merge."
        )
    check_detections_output(target, [source], resume=options.resume, force=options.force)
    load_ray()
    folder = parts_folder(target)
    open_folder(folder, resume=options.resume, force=options.force)
    try:
        info = known_input(source, folder)
        with found_parts(
            info, folder, search=search, cluster=cluster, options=options, compact=compact
        ) as parts:
            # what an interrupted run wrote beside its parts is made again
            again = RunOptions(options.force or options.resume, options.on_frame)
            result = write_joined(parts, target, total=info.frames, options=again)
    except BaseException:
        if not has_parts(folder):
            remove_folder(folder)
        raise
    remove_folder(folder)
    return result


class Workers:
    """Processes that find the objects of a video for this one.

        search = Search("person", workers=Workers(8))
        for frame, objects in vidseg.find("street.mp4", search): ...

    What is found, drawn or saved is the same as without workers. This process tracks, draws and
    encodes the first frames while the workers look at later ones.
    """

    def __init__(
        self,
        count: int | None = None,
        address: str | None = None,
        *,
        folder: str | Path | None = None,
    ) -> None:
        """
        Args:
            count, address: how many workers, and where: see `ClusterOptions`.
            folder: where what was found lies until it is used; every worker must see it. None: that
                of temporary files on this machine, and else the one that the program runs in.
        """
        self.where = ClusterOptions(count, address)
        here = None if address is None else Path.cwd()
        self._folder = here if folder is None else Path(folder).absolute()

    @contextmanager
    def found(
        self, info: VideoInfo, search: Search, options: RunOptions, stop: Event
    ) -> Iterator[JoinedParts]:
        """See `vidseg.pipeline.finder`."""
        with (
            self.parts_folder() as folder,
            found_parts(
                info, folder, search=search, cluster=self.where, options=options, stop=stop
            ) as parts,
        ):
            yield parts

    def results(self, calls: Sequence[Call], search: Search, options: RunOptions) -> Iterator[Any]:
        """See `vidseg.pipeline.finder`."""
        tasks = [
            Task(f"part {number} of {len(calls)}", call) for number, call in enumerate(calls, 1)
        ]
        outcomes = run_tasks(tasks, search=search, cluster=self.where, options=options)
        with closing(by_number(outcomes)) as in_order:
            for outcome in in_order:
                if outcome.error is not None:
                    raise VidsegError(outcome.error)
                yield outcome.result

    @contextmanager
    def parts_folder(self) -> Iterator[Path]:
        """A folder that all workers see, until the block ends."""
        try:
            made = tempfile.TemporaryDirectory(
                prefix="vidseg-parts-", dir=self._folder, ignore_cleanup_errors=True
            )
        except OSError as error:
            where = self._folder or tempfile.gettempdir()
            raise OutputError(f"No folder can be made in {where}: {error.strerror}.") from error
        with made as folder:
            yield Path(folder)


def run_tasks(
    tasks: Sequence[Task],
    *,
    search: Search,
    cluster: ClusterOptions,
    options: RunOptions | None = None,
    total: int | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Do the tasks, each on one worker; gives number and outcome of each as soon as it ends.

        tasks = [Task(a, partial(vidseg.detect_to_file, a, f"{a}.vidseg")) for a in names]
        for number, outcome in run_tasks(tasks, search=search, cluster=ClusterOptions(workers=4)):

    A task that fails leaves the others alone. Of `options`, the calls for progress count; they are
    told of `total` frames in all tasks.

    Raises VidsegError: Ray is missing or cannot be reached, or no worker starts.
    """
    options, ended = options or RunOptions(), Event()

    def outcomes(start: StartPool) -> Iterator[tuple[int, Outcome]]:
        with start(ended) as pool:
            yield from pool.outcomes(tasks, told(options.on_frame, total))

    with (
        workplace(search, cluster, options, most=len(tasks)) as start,
        closing(run_ahead(outcomes(start), ended)) as arrived,
    ):
        yield from arrived
