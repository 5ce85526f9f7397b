"""vidseg models."""

import click

from vidseg.cli.options import examples, verbosity_options


@click.command(epilog=examples("vidseg models", "vidseg overlay --model balloon in.mp4 out.mp4"))
@verbosity_options
def models() -> None:
    """List the models that --model knows by name."""
    from vidseg.models.catalog import MODELS, class_names

    width = max(map(len, MODELS))
    for name, model in MODELS.items():
        known = list(class_names(name).values())
        count = f"{len(known)} classes" if len(known) > 1 else known[0]
        click.echo(f"{name:<{width}}  {model.about} ({count})")
