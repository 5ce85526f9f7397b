"""What to do before a run: show a few moments, or tell what would be written and how long it takes.

`trial_options` gives `trial`, a `Trial`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidseg.cli.batch import Job, Plan, introduce, run_jobs, sort_jobs
from vidseg.cli.option import Command, option
from vidseg.cli.options import RunFlags, Span
from vidseg.cli.threads import limit_threads
from vidseg.errors import OptionError

if TYPE_CHECKING:
    from vidseg.effects import Effect
    from vidseg.pipeline.run_options import RunOptions, RunResult
    from vidseg.pipeline.search import Search


@dataclass(frozen=True, slots=True)
class Trial:
    """What to do in place of the run."""

    preview: str | None = None
    """Where to draw a few moments of the input."""


def trial_options(command: Command) -> Command:
    """Whether to look before the run: gives `trial`, a `Trial`."""

    @option(
        "--preview",
        metavar="FILE.png",
        show_default="none",
        help="Only draw nine moments of IN side by side into this picture; OUT is not written. "
        "Each moment stands by itself, without tracking.",
    )
    @wraps(command)
    def wrapper(*, preview: str | None, **others: Any) -> Any:
        return command(trial=Trial(preview), **others)

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

    todo = sort_jobs(Plan([Job(source, Path(target))]), run, check)
    limit_threads()
    from vidseg.pipeline.preview import preview

    introduce(search, run)
    run_jobs(todo, do, run)
