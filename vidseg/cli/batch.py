"""One input or several: where each output goes, progress, and what failed."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vidseg.cli.console import say
from vidseg.cli.exit_codes import CommandError, sentence_for
from vidseg.cli.options import RunFlags
from vidseg.cli.progress import Download, Progress, duration
from vidseg.errors import OptionError, OutputError, OutputExistsError
from vidseg.remote.fetch import listing, local
from vidseg.remote.paths import as_path, url_of

if TYPE_CHECKING:
    from vidseg.pipeline.run_options import RunOptions, RunResult
    from vidseg.pipeline.search import Search

FALLBACK_SUFFIX = ".mp4"
"""Container of an output whose input's container cannot be written."""
DETECTIONS_SUFFIX = ".vidseg"
VIDEO_SUFFIXES = frozenset(
    {
        *(".3gp", ".asf", ".avi", ".flv", ".gif", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"),
        *(".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".ts", ".vob", ".webm", ".wmv"),
    }
)
"""Files that are inputs where a whole folder is given."""

Make = Callable[["Job", "RunOptions"], "RunResult | None"]
"""Does one job."""


class Job(NamedTuple):
    """One input and where its output goes."""

    source: Path
    target: Path
    others: tuple[Path, ...] = ()
    """Outputs beside the first, where there are several."""


class Plan(NamedTuple):
    """What to do, checked as far as names alone tell."""

    jobs: list[Job]
    folder: Path | None = None
    """The folder that collects the outputs; made if it is missing."""


def several_frames(sources: Sequence[str]) -> bool:
    """Whether an input may have more than one frame, by its name."""
    from vidseg.video.codecs import PHOTO_SUFFIXES

    return any(as_path(source).suffix.lower() not in PHOTO_SUFFIXES for source in sources)


def _inputs(sources: Sequence[str]) -> list[Path]:
    """The inputs: a folder that holds videos, and no photos, stands for its videos, by name."""
    paths: list[Path] = []
    for source in map(as_path, sources):
        paths += _videos_in(source) or [source]
    return paths


def _is_one(paths: Sequence[Path], sources: Sequence[str], target: str) -> bool:
    """Whether there is one input. A folder with a single video is several inputs, unless `target`
    has a file's suffix: what is written does not depend on how many videos a folder holds."""
    alone = len(paths) == 1
    return alone and (paths[0] == as_path(sources[0]) or bool(as_path(target).suffix))


def _videos_in(folder: Path) -> list[Path]:
    from vidseg.video.codecs import PHOTO_SUFFIXES

    if url_of(folder) is not None:
        files = [] if folder.suffix else listing(folder) or []
    else:
        files = sorted(folder.iterdir()) if folder.is_dir() else []
    files = [path for path in files if not path.name.startswith(".")]
    if any(path.suffix.lower() in PHOTO_SUFFIXES for path in files):
        return []
    return [path for path in files if path.suffix.lower() in VIDEO_SUFFIXES]


def media_plan(sources: Sequence[str], target: str) -> Plan:
    """`IN OUT`, or each of `IN... OUTDIR/` under its own name in the folder."""
    from vidseg.video.codecs import CONTAINERS, PHOTO_SUFFIXES

    paths = _inputs(sources)
    if _is_one(paths, sources, target) and (paths[0].is_dir() or not target.endswith("/")):
        return Plan([Job(paths[0], as_path(target))])
    _check_several(paths, target)
    known = {*CONTAINERS, *PHOTO_SUFFIXES}
    names = [
        path.name
        if path.is_dir() or path.suffix.lower() in known
        else f"{path.stem}{FALLBACK_SUFFIX}"
        for path in paths
    ]
    return _collected(paths, names, as_path(target))


def folder_plan(sources: Sequence[str], target: str) -> Plan:
    """`IN OUTDIR`, or each of `IN... OUTDIR` in a folder of its own in there."""
    paths = _inputs(sources)
    if _is_one(paths, sources, target):
        return Plan([Job(paths[0], as_path(target))])
    return _collected(paths, [p.name if p.is_dir() else p.stem for p in paths], as_path(target))


def detections_plan(sources: Sequence[str], target: str) -> Plan:
    """`IN OUT`, or each of `IN... OUTDIR/` as a file of detections under its own name in there."""
    paths = _inputs(sources)
    if _is_one(paths, sources, target) and not target.endswith("/"):
        return Plan([Job(paths[0], as_path(target))])
    _check_several(paths, target)
    names = [f"{path.name if path.is_dir() else path.stem}{DETECTIONS_SUFFIX}" for path in paths]
    return _collected(paths, names, as_path(target))


def check_one_input(plan: Plan, search: "Search") -> None:
    """Raises OptionError: one file of detections for several inputs."""
    if len(plan.jobs) > 1 and (search.saved or search.save):
        raise OptionError(
            f"A file of detections belongs to one input, and there are {len(plan.jobs)}; "
            "run the command once for each."
        )


def _check_several(paths: Sequence[Path], target: str) -> None:
    if as_path(target).suffix and not target.endswith("/") and not as_path(target).is_dir():
        raise OptionError(
            f"{len(paths)} inputs need a folder for their outputs; {target} names a file. "
            "Write a folder's name, with a slash at its end."
        )


def _collected(paths: Sequence[Path], names: Sequence[str], folder: Path) -> Plan:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise OptionError(
            f"Several inputs would be written to {folder / min(twice)}; "
            "rename them, or run the command once for each."
        )
    jobs = [Job(path, folder / name) for path, name in zip(paths, names, strict=True)]
    return Plan(jobs, folder)


def run_jobs(todo: "Todo", do: Make, run: RunFlags) -> None:
    """Do one job after the other; where there are several, go on after a failure.

    Raises CommandError, naming those that failed.
    """
    if todo.single:
        for job in todo.jobs:
            _run_one(job, do, run)
        return
    failed = list(todo.failed)
    for job in todo.jobs:
        try:
            _run_one(job, do, run)
        except Exception as error:
            sentence = sentence_for(error)
            if sentence is None:
                raise
            failed.append(say_failure(job, sentence))
    check_failed(failed, todo)


def check_failed(failed: Sequence[str], todo: "Todo") -> None:
    """Raises CommandError, naming the inputs that failed, if there are any."""
    if failed:
        count = len(todo.failed) + len(todo.jobs)
        raise CommandError(f"{len(failed)} of {count} inputs failed: {', '.join(failed)}")


def introduce(search: "Search", run: RunFlags) -> None:
    """Say which model was chosen if that may surprise."""
    if search.choice.message and not run.quiet:
        say(search.choice.message)


def say_failure(job: Job, sentence: str) -> str:
    """Tell why a job failed; gives the name of its input."""
    where = "" if str(job.source) in sentence else f"{job.source}: "
    say(f"Error: {where}{sentence}")
    return str(job.source)


def _run_one(job: Job, do: Make, run: RunFlags) -> None:
    from vidseg.pipeline.run_options import RunOptions

    began = time.monotonic()
    local(job.source, Download(job.source.name).on_bytes if run.progress else None)
    lines = run.telling.lines(job.source)
    with Progress(bar=run.progress, quiet=run.quiet, lines=lines) as progress:
        on_download = Download().on_bytes if run.progress else None
        telling = progress.on_frame, on_download, run.resume, progress.on_found
        result = do(job, RunOptions(run.force, *telling, run.watch))
    if not run.quiet:
        say_done(job, progress.done, time.monotonic() - began, result)


def say_done(job: Job, done: int, seconds: float, result: "RunResult | None") -> None:
    """Tell what a job wrote, and what was found."""
    frames = "1 frame" if done == 1 else f"{done} frames"
    targets = ", ".join(map(str, (job.target, *job.others)))
    found = "" if result is None else f"; {result}"
    say(f"{targets}: {frames} in {duration(seconds)}{found}")


class Todo(NamedTuple):
    """The jobs of a plan that can be done."""

    jobs: list[Job]
    failed: list[str]
    """Inputs whose output exists."""
    single: bool
    """Whether the plan has a single input."""


@contextmanager
def outputs_checked(plan: Plan, run: RunFlags, *, folders: bool | None = None) -> Iterator[Todo]:
    """The jobs whose outputs can be written, before anything heavy.

    `folders` says whether the outputs are folders; by default their names say so.

    Raises OutputError: an output cannot be written. Of several inputs, those whose output exists
    are reported and left out. A folder that was made for the outputs is removed again if it stays
    empty.
    """
    from vidseg.atomic_output import check_output
    from vidseg.video.codecs import output_kind

    sources = [job.source for job in plan.jobs]

    def check(job: Job) -> None:
        folder = output_kind(job.target) == "folder" if folders is None else folders
        if folders is None and folder and not run.force and not job.source.is_dir():
            _refuse_existing_folder(job)
        check_output(job.target, sources, force=run.force, folder=folder)

    with folder_made(plan):
        yield sort_jobs(plan, run, check)


def _refuse_existing_folder(job: Job) -> None:
    """Raises OutputExistsError: `OUT` may mean frames in that folder, or a file in it."""
    if as_path(job.target).is_dir():
        raise OutputExistsError(
            f"{job.target} is a folder that exists: write {job.target}/ for a file in it, or "
            "`force=True` for the frames in it."
        )


def _is_interrupted(job: Job) -> bool:
    from vidseg.results.vidseg_writer import is_interrupted

    return is_interrupted(job.target)


def sort_jobs(plan: Plan, run: RunFlags, check: Callable[[Job], None]) -> Todo:
    """The jobs that pass `check`; of several, those that raise OutputExistsError are reported."""
    single = len(plan.jobs) == 1
    todo = Todo([], [], single)
    for job in plan.jobs:
        try:
            check(job)
        except OutputExistsError as error:
            if run.skip_existing or (run.resume and not _is_interrupted(job)):
                say(f"{job.target} exists, so {job.source} is left out.")
            elif single:
                raise
            else:
                todo.failed.append(say_failure(job, sentence_for(error) or str(error)))
        else:
            todo.jobs.append(job)
    return todo


@contextmanager
def folder_made(plan: Plan) -> Iterator[None]:
    """Makes the folder for the outputs, and removes it again if it stays empty."""
    folder = plan.folder
    if folder is None or folder.exists() or not folder.parent.is_dir():
        yield
        return
    try:
        folder.mkdir()
    except OSError as error:
        raise OutputError(f"The folder {folder} cannot be made: {error.strerror}.") from error
    try:
        yield
    finally:
        with suppress(OSError):  # not empty: outputs are in it
            folder.rmdir()
