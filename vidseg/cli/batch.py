"""One run over one input or several: where each output goes, progress, and what failed."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from vidseg.cli.console import say
from vidseg.cli.exit_codes import CommandError, sentence_for
from vidseg.cli.options import Run
from vidseg.cli.progress import Download, Progress, duration
from vidseg.errors import OptionError, OutputError

if TYPE_CHECKING:
    from vidseg.pipeline.search import Search

OnFrame = Callable[[int, int | None], None]
FOREIGN = ".mp4"
"""Container of an output whose input's container cannot be written."""
DETECTIONS = ".vidseg"


class Job(NamedTuple):
    """One input and where its output goes."""

    source: Path
    target: Path
    others: tuple[Path, ...] = ()
    """Outputs beside the first, where there are several."""


class Plan(NamedTuple):
    """What to do, checked for everything that names alone can tell."""

    jobs: list[Job]
    folder: Path | None = None
    """The folder that outputs are collected in; made where it is missing."""


def several_frames(sources: Sequence[str]) -> bool:
    """Whether an input may have more than one, as its name tells."""
    from vidseg.video.codecs import PHOTO_SUFFIXES

    return any(Path(source).suffix.lower() not in PHOTO_SUFFIXES for source in sources)


def media_plan(sources: Sequence[str], target: str) -> Plan:
    """`IN OUT`, or each of `IN... OUTDIR/` under its own name in the folder."""
    from vidseg.video.codecs import CONTAINERS, PHOTO_SUFFIXES

    paths = [Path(source) for source in sources]
    if len(paths) == 1 and (paths[0].is_dir() or not target.endswith("/")):
        return Plan([Job(paths[0], Path(target))])
    _check_several(paths, target)
    known = {*CONTAINERS, *PHOTO_SUFFIXES}
    names = [
        path.name if path.is_dir() or path.suffix.lower() in known else f"{path.stem}{FOREIGN}"
        for path in paths
    ]
    return _collected(paths, names, Path(target))


def folder_plan(sources: Sequence[str], target: str) -> Plan:
    """`IN OUTDIR`, or each of `IN... OUTDIR` in a folder of its own in there."""
    paths = [Path(source) for source in sources]
    if len(paths) == 1:
        return Plan([Job(paths[0], Path(target))])
    return _collected(paths, [p.name if p.is_dir() else p.stem for p in paths], Path(target))


def detections_plan(sources: Sequence[str], target: str) -> Plan:
    """`IN OUT`, or each of `IN... OUTDIR/` as a file of detections under its own name in there."""
    paths = [Path(source) for source in sources]
    if len(paths) == 1 and not target.endswith("/"):
        return Plan([Job(paths[0], Path(target))])
    _check_several(paths, target)
    names = [f"{path.name if path.is_dir() else path.stem}{DETECTIONS}" for path in paths]
    return _collected(paths, names, Path(target))


def check_one_input(plan: Plan, search: "Search") -> None:
    """Raises OptionError: one file of detections for several inputs."""
    if len(plan.jobs) > 1 and (search.saved or search.save):
        raise OptionError(
            f"One file of detections belongs to one input and there are {len(plan.jobs)}; "
            "run them apart."
        )


def _check_several(paths: Sequence[Path], target: str) -> None:
    if Path(target).suffix and not target.endswith("/") and not Path(target).is_dir():
        raise OptionError(
            f"{len(paths)} inputs need a folder for their outputs; {target} names a file. "
            "Write a folder's name, with a slash at its end."
        )


def _collected(paths: Sequence[Path], names: Sequence[str], folder: Path) -> Plan:
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise OptionError(
            f"Several inputs would be written to {folder / min(twice)}; "
            "rename them or run them apart."
        )
    jobs = [Job(path, folder / name) for path, name in zip(paths, names, strict=True)]
    return Plan(jobs, folder)


def run_jobs(jobs: Sequence[Job], do: Callable[[Job, OnFrame], None], run: Run) -> None:
    """Do one job after the other; where there are several, go on after a failure.

    Raises CommandError, naming those that failed.
    """
    if len(jobs) == 1:
        _run_one(jobs[0], do, run)
        return
    failed: list[str] = []
    for job in jobs:
        try:
            _run_one(job, do, run)
        except Exception as error:
            sentence = sentence_for(error)
            if sentence is None:
                raise
            where = "" if str(job.source) in sentence else f"{job.source}: "
            say(f"Error: {where}{sentence}")
            failed.append(str(job.source))
    if failed:
        raise CommandError(f"{len(failed)} of {len(jobs)} inputs failed: {', '.join(failed)}")


def introduce(search: "Search", run: Run) -> None:
    """Say which model was chosen where that may surprise, and show its download."""
    if search.message and not run.quiet:
        say(search.message)
    if run.progress:
        search.on_download = Download().on_bytes


def _run_one(job: Job, do: Callable[[Job, OnFrame], None], run: Run) -> None:
    began = time.monotonic()
    with Progress(bar=run.progress, quiet=run.quiet) as progress:
        do(job, progress.on_frame)
    if not run.quiet:
        frames = "1 frame" if progress.done == 1 else f"{progress.done} frames"
        targets = ", ".join(map(str, (job.target, *job.others)))
        say(f"{targets}: {frames} in {duration(time.monotonic() - began)}")


@contextmanager
def outputs_checked(plan: Plan, *, force: bool, folders: bool = False) -> Iterator[None]:
    """Refuse outputs that cannot be written, before anything heavy.

    A folder that was made for them is removed again if it stays empty.
    """
    from vidseg.atomic_output import check_output
    from vidseg.video.codecs import output_kind

    with folder_made(plan):
        sources = [job.source for job in plan.jobs]
        for job in plan.jobs:
            folder = folders or output_kind(job.target) == "folder"
            check_output(job.target, sources, force=force, folder=folder)
        yield


@contextmanager
def folder_made(plan: Plan) -> Iterator[None]:
    """The folder for the outputs is made, and removed again if it stays empty."""
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
