"""What to do before a run: show a few moments, or tell what would be written and what it takes.

`trial_options` gives `trial`, a `Trial`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.batch import Job, Plan, Todo, introduce, run_jobs, sort_jobs
from vidseg.cli.console import warnings_muted
from vidseg.cli.json_or_table import print_report
from vidseg.cli.option import Command, option
from vidseg.cli.options import RunFlags, Span
from vidseg.cli.progress import Download, bytes_text, duration
from vidseg.cli.threads import limit_threads
from vidseg.errors import OptionError
from vidseg.remote.paths import as_path

if TYPE_CHECKING:
    from vidseg.effects import Effect
    from vidseg.pipeline.estimate import Estimate, Spread
    from vidseg.pipeline.outputs import Output
    from vidseg.pipeline.run_options import RunOptions, RunResult
    from vidseg.pipeline.search import Search


@dataclass(frozen=True, slots=True)
class Trial:
    """What to do in place of the run."""

    preview: str | None = None
    """Where to draw a few moments of the input."""
    dry_run: bool = False
    """Whether only to tell what would be written, and what that takes."""


def trial_options(command: Command) -> Command:
    """Whether to look before the run: gives `trial`, a `Trial`."""

    @option(
        "--preview",
        metavar="FILE.png",
        show_default="none",
        help="Only draw nine moments of IN side by side into this picture; OUT is not written. "
        "Each moment stands by itself, without tracking.",
    )
    @option(
        "--dry-run",
        is_flag=True,
        help="Only tell what would be written, and how long it would take, how large it would be "
        "and how much memory it needs, measured on some frames; nothing is written.",
    )
    @wraps(command)
    def wrapper(*, preview: str | None, dry_run: bool, **others: Any) -> Any:
        if preview is not None and dry_run:
            raise click.UsageError("--preview draws and --dry-run does not; choose one.")
        return command(trial=Trial(preview, dry_run), **others)

    return wrapper


def draw_preview(
    plan: Plan,
    target: str,
    effect: "Callable[[], Effect]",
    *,
    search: "Search",
    span: Span,
    run: RunFlags,
) -> None:
    """Draw a few moments of the only input of `plan` into `target`, a picture."""
    from vidseg.atomic_output import check_output

    if len(plan.jobs) > 1:
        raise OptionError(f"A preview shows one input, and there are {len(plan.jobs)}; name one.")
    source = plan.jobs[0].source

    def check(job: Job) -> None:
        check_output(job.target, [job.source], force=run.force)

    def do(job: Job, options: "RunOptions") -> "RunResult":
        return preview(source, job.target, effect(), search=search, span=span, options=options)

    todo = sort_jobs(Plan([Job(source, as_path(target))]), run, check)
    limit_threads()
    from vidseg.pipeline.preview import preview

    introduce(search, run)
    run_jobs(todo, do, run)


def tell_estimates(
    todo: Todo,
    output: "Callable[[Job, Path], Output]",
    *,
    search: "Search",
    span: Span,
    run: RunFlags,
) -> None:
    """Print what each job would write, and what it would take; `output` makes the output of a
    job under a path of its own."""
    from vidseg.pipeline.estimate import estimate

    introduce(search, run)
    on_download = Download().on_bytes if run.progress else None
    facts: list[dict[str, Any]] = []
    for job in todo.jobs:

        def outputs(folder: Path, job: Job = job) -> "list[Output]":
            return [output(job, folder / job.target.name)]

        with warnings_muted():  # warnings are about the whole input, and these are parts of it
            found = estimate(job.source, outputs, search=search, span=span, on_download=on_download)
        facts.append(_facts(job, found))
    report = {"outputs": facts, "saved_detections": str(search.save) if search.save else None}
    print_report(report, _table(facts, report["saved_detections"]), as_json=False)


def _facts(job: Job, found: "Estimate") -> dict[str, Any]:
    def spread(value: "Spread | None", digits: int | None = 4) -> dict[str, float] | None:
        return None if value is None else {k: round(v, digits) for k, v in asdict(value).items()}

    return {
        "source": str(job.source),
        "target": str(job.target),
        "frames": found.frames,
        "size": {"width": found.size[1], "height": found.size[0]},
        "seconds": spread(found.seconds),
        "seconds_per_frame": spread(found.seconds_per_frame),
        "bytes": spread(found.output_bytes, None),
        "peak_memory_bytes": found.peak_memory,
        "measured_frames": found.measured_frames,
    }


def _table(facts: list[dict[str, Any]], saved: str | None) -> list[str]:
    lines = [_line(each) for each in facts]
    if len(facts) > 1 and all(each["seconds"] for each in facts):
        lines.append(f"all: about {duration(sum(each['seconds']['median'] for each in facts))}")
    if saved is not None:
        lines.append(f"{saved}: the detections")
    return [*lines, "Nothing was written."]


def _line(each: dict[str, Any]) -> str:
    count = each["frames"]
    frames = {None: "frames of unknown number", 1: "1 frame"}.get(count, f"{count} frames")
    size = f"{each['size']['width']} x {each['size']['height']}"
    count = each["measured_frames"]
    measured = f"measured on {'it' if count == 1 else f'{count} frames'}"
    return f"{each['target']}: {frames} of {size}; {_cost(each)}; {measured}"


def _cost(each: dict[str, Any]) -> str:
    memory = f"{bytes_text(each['peak_memory_bytes'])} of memory"
    per_frame, whole, size = each["seconds_per_frame"], each["seconds"], each["bytes"]
    if whole is None and per_frame is None:
        return f"its time could not be measured; {memory}"
    if whole is None:
        time = "about {median:.0f} ms a frame ({lowest:.0f} to {highest:.0f})".format(
            **{name: 1000 * value for name, value in per_frame.items()}
        )
        return f"{time}; {memory}"
    return f"about {_spread(whole, duration)}; {_spread(size, bytes_text)}; {memory}"


def _spread(value: dict[str, float], text: Callable[[float], str]) -> str:
    """`2.1 GB (1.9 GB to 2.4 GB)`; without what is in brackets where all are equal."""
    lowest, middle, highest = (text(value[name]) for name in ("lowest", "median", "highest"))
    return middle if lowest == highest else f"{middle} ({lowest} to {highest})"
