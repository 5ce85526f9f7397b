"""Options about classes and models: `model_flags` gives `model`, `ModelFlags`."""

import os
from dataclasses import dataclass, replace
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.option import Command, option
from vidseg.cli.param_types import BatchSize, ClassNames, Device, ModelName, split_names
from vidseg.models.names import PRECISIONS

if TYPE_CHECKING:
    from vidseg.models.options import ModelOptions
    from vidseg.pipeline.search import Search


@dataclass(frozen=True, slots=True)
class ModelFlags:
    """Which classes to find, with which model, and how it runs."""

    classes: tuple[str, ...]
    model: str | None
    device: str
    precision: str
    size: int | None
    batch_size: int | None = None
    tiles: str | None = None

    def options(self) -> "ModelOptions":
        """How the model runs, for the library."""
        from vidseg.models.options import ModelOptions

        return ModelOptions(self.device, self.precision, self.size, self.batch_size, self.tiles)

    def search(self, **others: Any) -> "Search":
        """A search for these classes with this model; `others` are further options of `Search`."""
        from vidseg.pipeline.search import Search

        return Search(
            self.classes,
            model=self.model,
            model_options=self.options(),
            **others,
        )


CLASS_OPTION = option(
    "--class",
    "classes",
    type=ClassNames(),
    multiple=True,
    show_default="all classes",
    help="Class to look for, by name; repeat the option, or separate names by commas.",
)


def _use_mirror(_: click.Context, __: click.Parameter, url: str | None) -> None:
    """The library reads the mirror from the environment, so that it need not be passed along."""
    if url:
        os.environ["VIDSEG_WEIGHTS_URL"] = url


WEIGHTS_URL = option(
    "--weights-url",
    metavar="URL",
    callback=_use_mirror,
    expose_value=False,
    show_default="torchvision's server",
    help="Download weights that are missing from this folder of a mirror.",
)

TILES_OPTION = option(
    "--tiles",
    metavar="auto|NxM",
    show_default="none",
    help="Look at N columns and M rows of overlapping tiles too, for small objects; auto: as many "
    "as the frame needs. Each tile takes as long as a frame.",
)


def model_flags(command: Command) -> Command:
    """Which classes to find, with which model, in batches: gives `model`, `ModelFlags`."""

    @unbatched_model_flags
    @option(
        "--batch-size",
        type=BatchSize(),
        default="auto",
        help="Frames in one call of the model.",
    )
    @wraps(command)
    def wrapper(*, model: ModelFlags, batch_size: int | None, **others: Any) -> Any:
        return command(model=replace(model, batch_size=batch_size), **others)

    return wrapper


def unbatched_model_flags(command: Command) -> Command:
    """Which classes to find, with which model: gives `model`, `ModelFlags`."""

    @CLASS_OPTION
    @option(
        "--model",
        type=ModelName(),
        show_default="one that knows the classes",
        help="Name of a model (see `vidseg models`), a model file, or a predictor of your own: "
        "module:object or file.py:object.",
    )
    @WEIGHTS_URL
    @option(
        "--device",
        type=Device(),
        default="auto",
        help="auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one.",
    )
    @option(
        "--precision",
        type=click.Choice(PRECISIONS),
        default="auto",
        help="Number format of the model; auto is the fastest without loss of accuracy.",
    )
    @option(
        "--size",
        type=int,
        show_default="the model's own",
        help="Shorter side, in pixels, at which the model sees frames; smaller is faster.",
    )
    @TILES_OPTION
    @wraps(command)
    def wrapper(
        *,
        classes: tuple[str, ...],
        model: str | None,
        device: str,
        precision: str,
        size: int | None,
        tiles: str | None,
        **others: Any,
    ) -> Any:
        names = split_names(classes)
        flags = ModelFlags(names, model, device, precision, size, tiles=tiles)
        return command(model=flags, **others)

    return wrapper
