"""vidseg train."""

import contextlib
import os
import shlex
import signal
import sys
from dataclasses import replace
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import click
from click.core import ParameterSource

from vidseg.cli.commands.data import Read, dataset_options
from vidseg.cli.console import say
from vidseg.cli.exit_codes import SIGNALS, CommandError
from vidseg.cli.options import WEIGHTS_URL, RunFlags, examples, option, run_options
from vidseg.cli.param_types import BatchSize, Device, FilePath
from vidseg.cli.progress import Download
from vidseg.cli.run_flags import ProgressFlags
from vidseg.cli.threads import limit_threads
from vidseg.cli.training_display import TrainingDisplay
from vidseg.cpu_budget import CORES_VARIABLE, cores
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
MAX_DEFAULT_WORKERS = 4


@click.command(
    epilog=examples(
        "vidseg train photos/ --weights everyday --steps 300",
        "vidseg train photos/ --out runs/photos --weights last",
        "vidseg splash --model runs/photos/best.pt party.mp4 party_splash.mp4",
    )
)
@click.argument("path", type=FilePath(), metavar="DATASET")
@option("--out", metavar="DIR", show_default="runs/NAME", help="Folder of the run.")
@option(
    "--weights",
    default="auto",
    show_default="coco; everyday where that cannot be downloaded",
    metavar="W",
    help="Initial weights: coco, imagenet (backbone only), everyday (bundled, small and fast), "
    "bundled (a small Mask R-CNN), none, a model file; or last, to resume the run in --out.",
)
@option(
    "--arch",
    type=click.Choice(ARCHITECTURES),
    show_default="that of the weights",
    help="Architecture; the first is that of --weights bundled.",
)
@option("--epochs", type=float, show_default="by --steps", help="Number of epochs.")
@option("--steps", type=int, show_default="1000", help="Number of training steps (batches).")
@option("--batch-size", type=BatchSize(), show_default="2", help="Images per step.")
@option(
    "--lr",
    type=float,
    show_default="0.0001, small models 0.0005",
    help="Highest learning rate, after a warm-up and before a cosine decay.",
)
@option(
    "--layers",
    type=click.Choice(["heads", "all"]),
    show_default="heads for a third of the steps, then all",
    help="Layers to train: all, or heads only (backbone frozen).",
)
@option(
    "--image-size",
    type=int,
    show_default="that of the weights",
    help="Shorter side of images, in pixels, in training and in use; less is faster.",
)
@option(
    "--augment",
    metavar="LIST",
    show_default="flip,scale,color,copy-paste",
    help="Random changes of the images: some of these, or none.",
)
@option(
    "--val",
    type=float,
    show_default="0.2",
    help="Share of the photos held out to measure AP, if the dataset has no val split; 0: none.",
)
@option(
    "--every",
    type=int,
    show_default="an epoch, or a twentieth of the run",
    help="Steps between two checkpoints with AP.",
)
@option("--seed", type=int, show_default="0", help="Random seed.")
@option(
    "--workers",
    type=click.IntRange(min=0),
    envvar="VIDSEG_LOADER_WORKERS",  # VIDSEG_WORKERS is for those that share a video
    show_default="one less than cores, at most 4",
    help="Processes that read photos.",
)
@option("--device", type=Device(), default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@option(
    "--devices",
    type=click.IntRange(min=1),
    metavar="N",
    default=1,
    help="Train on N GPUs of this machine, a process each; on a CPU in N processes.",
)
@option(
    "--precision",
    type=click.Choice(PRECISIONS),
    default="auto",
    help="Number format; auto: the fastest on the device without loss of accuracy.",
)
@WEIGHTS_URL
@dataset_options
@run_options
def train(
    *, path: str, out: str | None, weights: str, arch: str | None, epochs: float | None,
    steps: int | None, batch_size: int | None, lr: float | None, layers: Any,
    image_size: int | None, augment: str | None, val: float | None, every: int | None,
    seed: int | None, workers: int | None, device: str, devices: int, precision: str, read: Read,
    run: RunFlags,
) -> None:  # fmt: skip
    """Train a model on annotated photos; DATASET is anything that `vidseg data check` reads.

    The folder of the run gets best.pt and last.pt, which --model takes, metrics.jsonl and
    curves.png. Ctrl-C saves last.pt; --weights last resumes with the same result.
    """
    if devices > 1 and "WORLD_SIZE" not in os.environ:
        _launch(devices)
        return
    run = _of_this_process(run)
    limit_threads(several=False)
    from vidseg.datasets import Dataset
    from vidseg.training.loop import TrainCallbacks
    from vidseg.training.run_folder import RunFolder
    from vidseg.training.settings import TrainOptions
    from vidseg.training.train import after_restart, train

    folder = RunFolder(out or Path("runs", _name(path)))
    start, force = after_restart(folder, weights, run.force)
    folder.check(resume=start == "last", force=force)
    options = TrainOptions(
        arch=arch,
        epochs=epochs,
        steps=steps,
        batch_size=batch_size,
        lr=lr,
        layers=layers,
        image_size=image_size,
        augment=_augmentations(augment),
        precision=precision,
        every=every,
        seed=seed,
    )
    dataset = Dataset(read(path))

    with TrainingDisplay(run) as show, _SoftStop() as stop:
        outcome = train(
            dataset,
            folder,
            options,
            val=val,
            weights=start,
            device=device,
            workers=_default_workers() if workers is None else workers,
            force=force,
            callbacks=TrainCallbacks(
                on_step=show.on_step,
                on_result=show.on_result,
                on_download=Download().on_bytes if run.progress else None,
                stop=stop,
            ),
        )
    if not outcome.finished:
        raise CommandError(_stopped(outcome.step, outcome.steps, path, folder.path), stop.exit_code)
    if not run.quiet:
        ap = "" if outcome.best is None else f" (mask AP {outcome.best:.3f})"
        say(f"{folder.best}{ap} is a model: --model {shlex.quote(str(folder.best))}")


def _launch(devices: int) -> None:
    """Run this command in several processes, which share the cores."""
    from vidseg.training.launch import launch

    os.environ.setdefault(CORES_VARIABLE, str(max(1, cores() // devices)))
    click.get_current_context().exit(launch(sys.argv[1:], devices))


def _of_this_process(run: RunFlags) -> RunFlags:
    """Of several processes that train together, the first one speaks."""
    if os.environ.get("RANK", "0") == "0":
        return run
    return replace(run, telling=ProgressFlags(quiet=True, bar=False))


def _default_workers() -> int:
    here = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    share = cores() if CORES_VARIABLE in os.environ else cores() // here
    return max(0, min(share - 1, MAX_DEFAULT_WORKERS))


class _SoftStop:
    """Records the first signal, so that the step ends and is saved; a second one stops at once."""

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
        """Whether a signal came."""
        return self._number is not None

    @property
    def exit_code(self) -> int:
        return ExitCode.STOPPED + (self._number or signal.SIGINT)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._number = number
        self._restore()
        with contextlib.suppress(OSError):  # no print: the signal may have interrupted one
            os.write(2, b"\nStopping after this step; once more stops at once, unsaved.\n")

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()


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
    for name in ("format", "class_attribute", "class_name", "val", "devices"):
        source = context.get_parameter_source(name)
        if source in (ParameterSource.COMMANDLINE, ParameterSource.DEFAULT_MAP):
            words += [f"--{name.replace('_', '-')}", str(context.params[name])]
    return f"Stopped at step {step} of {steps}, which is saved; go on with: {shlex.join(words)}"
