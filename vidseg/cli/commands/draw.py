"""vidseg draw."""

from functools import wraps
from typing import Any

import click
from click.shell_completion import CompletionItem

from vidseg.cli.batch import several_frames
from vidseg.cli.drawing import Request, drawing_options
from vidseg.cli.drawing import draw as draw_all
from vidseg.cli.options import Command, examples, option
from vidseg.cli.threads import limit_threads


class EffectText(click.ParamType):
    """The description of an effect; several in a variable of the environment stand between ;."""

    name = "effect"
    envvar_list_splitter = ";"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from vidseg.effects.parse import EFFECT_PRESETS, EFFECTS

        names = (*EFFECTS, *EFFECT_PRESETS)
        return [CompletionItem(name) for name in names if name.startswith(incomplete)]


def effect_option(command: Command) -> Command:
    """What to draw: gives `effects`. Without --class, the classes that all of them name count."""

    @option(
        "--effect",
        "effects",
        type=EffectText(),
        multiple=True,
        required=True,
        show_default=False,
        metavar="NAME[:KEY=VALUE,...]",
        help="What to draw, see Effects below. Repeat it to draw several in order.",
    )
    @wraps(command)
    def wrapper(*, effects: tuple[str, ...], classes: tuple[str, ...], **others: Any) -> Any:
        limit_threads(several=several_frames(others["sources"]))
        from vidseg.effects.parse import classes_of

        named = classes_of(effects)
        return command(effects=effects, classes=classes or named, **others)

    return wrapper


class EffectsCommand(click.Command):
    """Lists the effects and their settings in its help."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        from vidseg.effects.describe import effects_in_words, presets_in_words

        with formatter.section("Effects (NAME, and KEY=VALUE with the defaults)"):
            formatter.write_dl(
                [
                    (each.name, f"{each.summary} Settings: {', '.join(each.settings)}.")
                    for each in effects_in_words()
                ]
            )
        with formatter.section("Presets, which stand for effects"):
            formatter.write_dl([(each.name, each.summary) for each in presets_in_words()])


@click.command(
    cls=EffectsCommand,
    epilog=examples(
        'vidseg draw --effect "pixelate:class=person,cells=8" street.mp4 street_safe.mp4',
        "vidseg draw --effect blur-background --effect contour:color=white dog.mp4 dog_focus.mp4",
    ),
)
@effect_option
@drawing_options
def draw(*, effects: tuple[str, ...], request: Request) -> None:
    """Draw effects on IN, one after the other, for all objects or some.

    With every effect but split, class=A+B and id=1+2 select the objects it applies to; ids are
    those that `vidseg overlay` shows. A lower --score finds, and hides, more objects. OUT is named
    as for `vidseg overlay`.
    """
    from vidseg.effects.parse import parse_effects

    effect = parse_effects(effects, request.search.names)
    draw_all(request, lambda: effect)
