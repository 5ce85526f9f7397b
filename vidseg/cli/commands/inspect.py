"""vidseg inspect data and model."""

from typing import TYPE_CHECKING

import click

from vidseg.cli.commands.data import Read, dataset_options
from vidseg.cli.console import say
from vidseg.cli.json_or_table import is_quiet
from vidseg.cli.options import SCORE_OPTION, examples, option, verbosity_options
from vidseg.cli.param_types import FilePath, ModelName, OutputPath
from vidseg.cli.threads import limit_threads

if TYPE_CHECKING:
    from torchvision.models.detection import MaskRCNN

    from vidseg.structures.frame import Image


@click.group(
    epilog=examples(
        "vidseg inspect data photos/ photos.html",
        "vidseg inspect model --model balloon_maskrcnn party.jpg party.html",
    )
)
def inspect() -> None:
    """Show a dataset, or what a model does with a photo, as one HTML page with pictures."""


FORCE = option("-f", "--force", is_flag=True, help="Overwrite the page where it exists.")
PAGE = click.argument("target", type=OutputPath(), metavar="OUT.html")


@inspect.command(
    epilog=examples(
        "vidseg inspect data photos/ photos.html",
        "vidseg inspect data --model maskrcnn_resnet50_fpn --photos 30 coco/ coco.html",
    )
)
@click.argument("path", type=FilePath(), metavar="DATASET")
@PAGE
@option(
    "--model",
    type=ModelName(),
    default="balloon_maskrcnn",
    help="Whose anchors to lay over the objects: a name (see `vidseg models`) or a model file.",
)
@option("--photos", type=click.IntRange(min=0), default=12, help="How many photos to show.")
@option("--split", show_default="all", help="Only this split: train, val or test.")
@FORCE
@dataset_options
@verbosity_options
def data(
    *, path: str, target: str, model: str, photos: int, split: str | None, force: bool, read: Read
) -> None:
    """Photos with masks and boxes, sizes and shapes of the objects, and how anchors fit them."""
    from vidseg.atomic_output import check_output

    check_output(target, [path], force=force)
    content = read(path, split)
    limit_threads(several=False)
    from vidseg.inspection.anchors import Anchors
    from vidseg.inspection.dataset_page import inspect_data

    _write(
        target, inspect_data(content, Anchors(_network_for_anchors(model)), photos=photos), force
    )


@inspect.command(
    epilog=examples(
        "vidseg inspect model --model balloon_maskrcnn party.jpg party.html",
        "vidseg inspect model --model runs/mine/best.pt --score 0.3 party.jpg party.html",
    )
)
@click.argument("source", type=FilePath(), metavar="PHOTO")
@PAGE
@option(
    "--model",
    type=ModelName(),
    default="balloon_maskrcnn",
    help="Name of a model (see `vidseg models`) or a model file.",
)
@SCORE_OPTION
@FORCE
@verbosity_options
def model(*, source: str, target: str, model: str, score: float, force: bool) -> None:
    """Anchors, proposals, classes, masks, the picture, activations and weights, step by step."""
    from vidseg.atomic_output import check_output
    from vidseg.models.catalog import class_names
    from vidseg.pipeline.search import check_fraction

    check_fraction("score", score)
    names = class_names(model)
    check_output(target, [source], force=force)
    photo = _read(source)
    limit_threads(several=False)
    from vidseg.inspection.model_page import inspect_model
    from vidseg.models.predictor import load_network

    _write(target, inspect_model(load_network(model), names, photo, score=score), force)


def _read(source: str) -> "Image":
    from vidseg.errors import InputError
    from vidseg.video.decoding.image_reader import load_photo
    from vidseg.video.probe import probe

    info = probe(source)
    if info.kind != "photo":
        raise InputError(f"{source} is not a photo; give one, such as a frame of it.")
    return load_photo(info.path)


def _network_for_anchors(model: str) -> "MaskRCNN":
    """Anchors need no weights: a model that would have to be downloaded is made without."""
    from vidseg.errors import OptionError
    from vidseg.models.architectures import build
    from vidseg.models.catalog import find_model
    from vidseg.models.everyday.network import Everyday
    from vidseg.models.predictor import load_network

    found = find_model(model)
    network = load_network(model) if found.file else build(found.name, 2).eval()
    if isinstance(network, Everyday):
        raise OptionError(f"The model {model} has no anchors; use --model balloon_maskrcnn.")
    return network


def _write(target: str, html: str, force: bool) -> None:
    from vidseg.atomic_output import atomic_output

    with atomic_output(target, force=force) as part:
        part.write_text(html, encoding="utf-8")
    if not is_quiet():
        say(f"wrote {target}: open it in a browser")
