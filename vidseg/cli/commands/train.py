"""vidseg train."""

import contextlib
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click

from vidseg.cli.commands.data import Read, dataset_options
from vidseg.cli.console import Bar, say
from vidseg.cli.exit_codes import SIGNALS, CommandError
from vidseg.cli.options import Run, examples, option, run_options
from vidseg.cli.param_types import BatchSize, Device, FilePath
from vidseg.cli.progress import Download, duration
from vidseg.cli.threads import limit_threads
from vidseg.cpu_budget import cores
from vidseg.errors import ExitCode
from vidseg.models.names import PRECISIONS

ARCHITECTURES = (
    "maskrcnn_shufflenet_v2_x0_5_fpn",
    "maskrcnn_mobilenet_v3_large_fpn",
    "maskrcnn_resnet50_fpn",
    "maskrcnn_resnet50_fpn_v2",
    "maskrcnn_resnet101_fpn",
)
"""As in `vidseg.models.architectures`, which is too heavy to import for a help text."""
MOST_WORKERS = 4


@click.command(
    epilog=examples(
        "vidseg train photos/ --weights bundled --steps 300",
        "vidseg train photos/ --out runs/photos --weights last",
        "vidseg splash --model runs/photos/best.pt party.mp4 party_splash.mp4",
    )
)
@click.argument("path", type=FilePath(), metavar="DATASET")
@option("--out", metavar="DIR", show_default="runs/NAME", help="Folder of the run.")
@option(
    "--weights",
    default="coco",
    metavar="W",
    help="Start: coco, imagenet (the trunk alone), bundled (the small model of the package), none, "
    "a model file; or last, to go on with the run in --out.",
)
@option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    show_default="that of the weights",
    help="Architecture; the first is the bundled model's.",
)
@option("--epochs", type=float, show_default="by --steps", help="How often to show each photo.")
@option("--steps", type=int, show_default="1000", help="How many batches to learn from.")
@option(
    "--batch-size", type=BatchSize(), show_default="2", help="Pictures that a step learns from."
)
@option(
    "--lr",
    type=float,
    show_default="0.0001, small models 0.0005",
    help="Highest learning rate; it rises at first and then falls as a cosine.",
)
@option(
    "--layers",
    type=click.Choice(["heads", "all"]),
    show_default="heads for a third of the steps, then all",
    help="What learns: all, or all but the trunk.",
)
@option(
    "--image-size",
    type=int,
    show_default="that of the weights",
    help="Shorter side of pictures, in pixels, in training and in use; less is faster.",
)
@option(
    "--augment",
    metavar="LIST",
    show_default="flip,scale,color,copy-paste",
    help="Random changes of the pictures: some of these, or none.",
)
@option(
    "--val",
    type=float,
    show_default="0.2",
    help="Share of the photos held out to measure AP, where the dataset has no val split; 0: none.",
)
@option(
    "--every",
    type=int,
    show_default="an epoch, or a twentieth of the run",
    help="Steps between two checkpoints with AP.",
)
@option("--seed", type=int, show_default="0", help="Another seed, another course.")
@option(
    "--workers",
    type=click.IntRange(min=0),
    show_default="one less than cores, at most 4",
    help="Processes that read photos beside the one that trains.",
)
@option("--device", type=Device(), default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    help="Number format; auto takes the fastest that trains as well on the device.",
)
@dataset_options
@run_options
def train(
    *, path: str, out: str | None, weights: str, arch: str | None, epochs: float | None,
    steps: int | None, batch_size: int | None, lr: float | None, layers: Any,
    image_size: int | None, augment: str | None, val: float | None, every: int | None,
    seed: int | None, workers: int | None, device: str, precision: str, read: Read, run: Run,
) -> None:  # fmt: skip
    """Train a model on annotated photos; DATASET is what `vidseg data check` reads.

    The folder of the run gets best.pt and last.pt, which --model takes, metrics.jsonl and
    curves.png. Ctrl-C saves last.pt; --weights last goes on from there, as if nothing had happened.
    """
    limit_threads(several=False)
    folder = Path(out) if out else Path("runs", _name(path))
    from vidseg.datasets import Dataset
    from vidseg.training.run_folder import RunFolder

    RunFolder(folder).check(resume=weights == "last", force=run.force)
    dataset = Dataset(read(path))
    from vidseg.training.train import train

    with _Show(run) as show, _SoftStop() as stop:
        outcome = train(
            dataset,
            folder,
            val=val,
            weights=weights,
            arch=arch,
            epochs=epochs,
            steps=steps,
            batch_size=batch_size,
            lr=lr,
            layers=layers,
            image_size=image_size,
            augment=_augmentations(augment),
            device=device,
            precision=precision,
            every=every,
            seed=seed,
            workers=min(cores() - 1, MOST_WORKERS) if workers is None else workers,
            force=run.force,
            on_step=show.on_step,
            on_result=show.on_result,
            on_download=Download().on_bytes if run.progress else None,
            stop=stop,
        )
    if not outcome.finished:
        raise CommandError(_stopped(outcome.step, outcome.steps, path, folder), stop.exit_code)
    if not run.quiet:
        ap = "" if outcome.best is None else f" (mask AP {outcome.best:.3f})"
        say(f"{folder / 'best.pt'}{ap} is a model: --model {shlex.quote(str(folder / 'best.pt'))}")


class _SoftStop:
    """Within: the first signal is noted, for the step to end and be saved; a second one stops."""

    def __init__(self) -> None:
        self._number: int | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "_SoftStop":
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def __call__(self) -> bool:
        """Whether to stop."""
        return self._number is not None

    @property
    def exit_code(self) -> int:
        return ExitCode.STOPPED + (self._number or signal.SIGINT)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._number = number
        self._restore()
        with contextlib.suppress(OSError):  # no print: the signal may have come within one
            os.write(2, b"\nStopping after this step; once more stops at once, unsaved.\n")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


class _Show:
    """The course of the run on stderr: a bar on a terminal, and a line for each measurement."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._bar: Bar | None = None
        self._first: tuple[int, float] | None = None
        self._step, self._steps, self._loss = 0, 0, 0.0

    def __enter__(self) -> "_Show":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def on_step(self, step: int, steps: int, losses: dict[str, float]) -> None:
        if self._first is None:
            self._first = step, time.monotonic()
            if self._run.progress:
                self._bar = Bar(
                    total=steps,
                    initial=step - 1,
                    unit=" steps",
                    file=sys.stderr,
                    dynamic_ncols=True,
                )
        # A mean, since the loss of one batch jumps about.
        mean = losses["loss"] if self._step == 0 else 0.95 * self._loss + 0.05 * losses["loss"]
        self._step, self._steps, self._loss = step, steps, mean
        if self._bar is not None:
            parts = {name.removeprefix("loss_"): f"{losses[name]:.2f}" for name in SHOWN}
            self._bar.set_postfix({"loss": f"{mean:.3f}", **parts}, refresh=False)
            self._bar.update()

    def on_result(self, step: int, figures: dict[str, Any]) -> None:
        if self._run.quiet:
            return
        told = ", ".join(
            f"{name.replace('_', ' ')} {'-' if value is None else f'{value:.3f}'}"
            for name, value in figures.items()
        )
        say(f"step {step} of {self._steps}: loss {self._loss:.3f}, {told}{self._left()}")

    def _left(self) -> str:
        if self._first is None or self._step == self._first[0] or self._step == self._steps:
            return ""
        pace = (time.monotonic() - self._first[1]) / (self._step - self._first[0])
        return f"; about {duration(pace * (self._steps - self._step))} left"


SHOWN = ("loss_classifier", "loss_box_reg", "loss_mask")


def _name(path: str) -> str:
    place = Path(path).resolve()
    return (place.parent if place.is_file() else place).name or "run"


def _augmentations(text: str | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    return () if names == ("none",) else names


def _stopped(step: int, steps: int, path: str, folder: Path) -> str:
    context = click.get_current_context()
    words = ["vidseg", "train", path, "--out", str(folder), "--weights", "last"]
    for name in ("format", "class_attribute", "class_name", "val"):
        source = context.get_parameter_source(name)
        if source == click.core.ParameterSource.COMMANDLINE:
            words += [f"--{name.replace('_', '-')}", str(context.params[name])]
    return f"Stopped at step {step} of {steps}, which is saved; go on with: {shlex.join(words)}"
