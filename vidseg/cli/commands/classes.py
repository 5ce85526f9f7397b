"""vidseg classes."""

import click

from vidseg.cli.options import examples, option, verbosity_options
from vidseg.cli.param_types import ModelName


@click.command(epilog=examples("vidseg classes", "vidseg classes --model balloon"))
@option(
    "--model",
    type=ModelName(),
    show_default="the default model",
    help="Name of a model, or a file.",
)
@verbosity_options
def classes(*, model: str | None) -> None:
    """List the classes that a model knows, one on a line."""
    from vidseg.detection.plugin import is_plugin, load_plugin
    from vidseg.models.catalog import DEFAULT_MODEL, class_names

    if model is not None and is_plugin(model):
        names = load_plugin(model).classes
    else:
        names = class_names(DEFAULT_MODEL if model is None else model)
    for name in names.values():
        click.echo(name)
