"""Several inputs shared among workers, a whole input each."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from vidseg.cli.batch import Job, Todo, check_failed, say_done, say_failure
from vidseg.cli.cluster_options import ClusterFlags
from vidseg.cli.console import say
from vidseg.cli.options import RunFlags
from vidseg.cli.progress import Download, Progress

if TYPE_CHECKING:
    from vidseg.cluster.worker import Do
    from vidseg.pipeline.run_options import RunOptions
    from vidseg.pipeline.search import Search

TaskOf = Callable[[Job], "Do"]
"""What to do for a job, as `vidseg.cluster.Task` takes it."""


def share_jobs(
    todo: Todo,
    task_of: TaskOf,
    *,
    search: "Search",
    run: RunFlags,
    cluster: ClusterFlags,
    options_again: "RunOptions | None" = None,
) -> None:
    """Do the jobs on workers; each is told when it ends. `options_again` are those of a job whose
    worker died.

    Raises CommandError, naming those that failed.
    """
    from vidseg.cluster.shared import run_tasks
    from vidseg.cluster.worker import Task
    from vidseg.pipeline.run_options import RunOptions

    options = RunOptions(run.force, resume=run.resume)
    again = options_again or options
    tasks = [Task(str(job.source), task_of(job), options, again) for job in todo.jobs]
    failed = list(todo.failed)
    lines = run.telling.lines()
    with Progress(bar=run.progress, quiet=run.quiet, lines=lines) as progress:
        on_download = Download().on_bytes if run.progress else None
        telling = RunOptions(on_frame=progress.on_frame, on_download=on_download)
        where = cluster.options()
        for number, outcome in run_tasks(tasks, search=search, cluster=where, options=telling):
            job = todo.jobs[number]
            if outcome.error is not None:
                failed.append(say_failure(job, outcome.error))
            elif not run.quiet:
                for warning in outcome.warnings:
                    say(f"Warning: {job.source}: {warning}")
                say_done(job, outcome.frames, outcome.seconds, outcome.result)
    check_failed(failed, todo)
