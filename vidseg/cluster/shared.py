"""One video found by many workers, or many files with one worker each."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from vidseg.cluster._pool import MAX_ATTEMPTS, OnFrames
from vidseg.cluster._ray import Ray, load_ray
from vidseg.cluster._spans import (
    has_parts,
    kept_plan,
    open_folder,
    parts_folder,
    plan_spans,
    remove_folder,
)
from vidseg.cluster._start import started_pool
from vidseg.cluster.options import ClusterOptions
from vidseg.cluster.worker import Outcome, Task
from vidseg.errors import OptionError, VidsegError
from vidseg.pipeline.detect_part import alignment, check_frames, detect_part
from vidseg.pipeline.merge import merge
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.remote.paths import as_path, url_of
from vidseg.results.parts import Frames, known_input
from vidseg.results.vidseg_writer import check_detections_output


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
    `options.on_frame` is called first for frames that were found, then for those tracked.

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
    ray, folder = load_ray(), parts_folder(target)
    open_folder(folder, resume=options.resume, force=options.force)
    try:
        _find(source, folder, ray, search=search, cluster=cluster, options=options, compact=compact)
        check_detections_output(target, [source], resume=options.resume, force=options.force)
        force = options.force or options.resume  # what an interrupted merge left is made again
        merging = RunOptions(force=force, on_frame=options.on_frame)
        result = merge(folder, target, source=source, options=merging)
    except BaseException:
        if not has_parts(folder):
            remove_folder(folder)
        raise
    remove_folder(folder)
    return result


def run_tasks(
    tasks: Sequence[Task],
    *,
    search: Search,
    cluster: ClusterOptions,
    options: RunOptions | None = None,
) -> Iterator[tuple[int, Outcome]]:
    """Do the tasks, each on one worker; gives number and outcome of each as soon as it ends.

        tasks = [Task(a, partial(vidseg.detect_to_file, a, f"{a}.vidseg")) for a in names]
        for number, outcome in run_tasks(tasks, search=search, cluster=ClusterOptions(workers=4)):

    A task that fails leaves the others alone. Of `options`, the calls for progress count.

    Raises VidsegError: Ray is missing or cannot be reached, or no worker starts.
    """
    options = options or RunOptions()
    with started_pool(load_ray(), search, cluster, options, most=len(tasks)) as pool:
        yield from pool.outcomes(tasks, _on_frames(options, None))


def _find(
    source: Path,
    folder: Path,
    ray: Ray,
    *,
    search: Search,
    cluster: ClusterOptions,
    options: RunOptions,
    compact: bool,
) -> None:
    """Fill the folder with the parts of the video."""
    info = known_input(source, folder)
    if info.kind != "video":
        raise OptionError(f"Workers share the frames of a video, and {source} is none.")
    check_frames(info, 0, None)
    with started_pool(ray, search, cluster, options) as pool:
        step = alignment(search.every_in(info.kind), pool.agree()["batch_size"])
        spans = kept_plan(folder, plan_spans(info.frames, step, pool.count))
        tasks = [_span_task(source, folder, frames, compact) for frames in spans]
        for number, outcome in pool.outcomes(tasks, _on_frames(options, info.frames)):
            if outcome.error is not None:
                name, cause = tasks[number].name, outcome.error
                raise VidsegError(f"The {name} failed {MAX_ATTEMPTS} times: {cause}")


def _span_task(source: Path, folder: Path, frames: Frames, compact: bool) -> Task:
    first, end = frames
    name = f"frames {first} to {'the end' if end is None else end - 1} of {source}"
    do = partial(detect_part, source, folder, frames, compact=compact)
    return Task(name, do, RunOptions(resume=True), RunOptions(resume=True), retry_errors=True)


def _on_frames(options: RunOptions, total: int | None) -> OnFrames | None:
    tell = options.on_frame
    return None if tell is None else lambda done: tell(done, total)
