"""vidseg live."""

import sys
from dataclasses import replace
from threading import Event
from typing import TYPE_CHECKING

import click

from vidseg.cli.commands.draw import EffectsCommand, EffectText
from vidseg.cli.console import say
from vidseg.cli.exit_codes import ending_on_signals
from vidseg.cli.live_options import Views, raw_options, view_options
from vidseg.cli.model_options import unbatched_model_flags
from vidseg.cli.options import (
    MAX_OBJECTS,
    SCORE_OPTION,
    ModelFlags,
    ProgressFlags,
    examples,
    option,
    progress_options,
)
from vidseg.cli.progress import Progress
from vidseg.cli.threads import limit_threads
from vidseg.errors import OptionError

if TYPE_CHECKING:
    from vidseg.pipeline.live import LiveResult
    from vidseg.pipeline.search import Search
    from vidseg.video.live.connections import Connect, RawFrames

PIPE = "-"
STANDARD_INPUT = 0
LIVE_MODEL = "everyday"
"""The model where none is named and this one knows the classes: the default of other commands
needs seconds a frame on a processor."""


@click.command(
    cls=EffectsCommand,
    epilog=examples(
        "vidseg live 0",
        "vidseg live rtsp://camera.local/stream --class person --port 8000 --record door.mp4",
        "ffmpeg -re -i IN -f mpegts - | vidseg live - --effect pixelate:class=person --hls hls",
    ),
)
@click.argument("source", metavar="SOURCE")
@option(
    "--effect",
    "effects",
    type=EffectText(),
    multiple=True,
    default=("overlay",),
    show_default="overlay",
    metavar="NAME[:KEY=VALUE,...]",
    help="What to draw, see Effects below. Repeat it to draw several in order.",
)
@view_options
@raw_options
@option(
    "--timeout",
    type=click.FloatRange(0.1, 3600),
    default=5.0,
    metavar="SECONDS",
    help="A stream that is silent for so long has broken off.",
)
@option(
    "--retries",
    type=click.IntRange(min=0),
    default=10,
    help="Attempts in a row to connect again before giving up, with pauses that grow to 30 s.",
)
@SCORE_OPTION
@MAX_OBJECTS
@option("--track/--no-track", default=True, help="Track the objects: ids and steady colours.")
@unbatched_model_flags
@progress_options
def live(
    *,
    source: str,
    effects: tuple[str, ...],
    views: Views,
    raw: "RawFrames | None",
    timeout: float,
    retries: int,
    score: float,
    max_objects: int | None,
    track: bool,
    model: ModelFlags,
    telling: ProgressFlags,
) -> None:
    """Find objects in a live source, and show them as they come.

    SOURCE is the number of a camera, the URL of a stream (rtsp, http, rtmp, srt, udp), or - for a
    pipe. Frames that come while the model is busy are dropped, so the picture never lags behind.
    Ctrl-C, SIGTERM or the end of the stream finish what is written; the exit code is then 0.
    """
    limit_threads(several=False)
    from vidseg.effects.parse import classes_of, parse_effects
    from vidseg.pipeline.live import live as show_live
    from vidseg.video.live.source import LiveSource

    search = _search(model, model.classes or classes_of(effects), score, max_objects, track=track)
    effect = parse_effects(effects, search.names)
    live_source = LiveSource(*_named_connection(source, raw, timeout), retries=retries)
    outputs, stop = views.outputs(), Event()
    with (
        ending_on_signals(stop),
        Progress(bar=telling.bar, quiet=True, lines=telling.lines(live_source.name)) as progress,
    ):
        result = show_live(
            live_source,
            outputs,
            lambda: effect,
            search=search,
            stop=stop,
            on_frame=progress.on_frame,
        )
    if not telling.quiet:
        _say_result(live_source.name, result, views)


def _search(
    model: ModelFlags,
    classes: tuple[str, ...],
    score: float,
    max_objects: int | None,
    *,
    track: bool,
) -> "Search":
    from vidseg.models.catalog import offline_models

    chosen = model.model
    if chosen is None and LIVE_MODEL in offline_models(classes):
        chosen = LIVE_MODEL
    flags = replace(model, classes=classes, model=chosen)
    return flags.search(score=score, max_objects=max_objects, track=track)


def _named_connection(
    source: str, raw: "RawFrames | None", timeout: float
) -> "tuple[str, Connect]":
    """What messages call the source, and how to connect to it.

    Raises OptionError: no live source.
    """
    from vidseg.video.live import connections

    if source == PIPE:
        if sys.stdin is not None and sys.stdin.isatty():
            raise OptionError("- reads a pipe, and standard input is a terminal; pipe a video in.")
        if raw is not None:
            return "the pipe", connections.raw_pipe(STANDARD_INPUT, raw)
        return "the pipe", connections.video_pipe(STANDARD_INPUT)
    if raw is not None:
        raise OptionError(f"--raw describes what comes in a pipe, and {source} is none.")
    if source.isdecimal():
        return f"camera {source}", connections.camera(int(source))
    if source.startswith("/dev/video"):
        return source, connections.camera(source)
    if connections.is_stream(source):
        stream = connections.stream(source, timeout=timeout)
        return connections.without_password(source), stream
    raise OptionError(
        f"{source} is no live source: give the number of a camera, a URL, or - for a pipe. For a "
        "file, use vidseg overlay or vidseg draw."
    )


def _say_result(name: str, result: "LiveResult", views: Views) -> None:
    frames = "1 frame" if result.frames == 1 else f"{result.frames} frames"
    again = f", connected again {result.reconnects} times" if result.reconnects else ""
    say(f"{name}: {frames} shown, {result.dropped} dropped{again}.")
    if views.record is not None and result.frames:
        say(f"{views.record}: {frames}")
