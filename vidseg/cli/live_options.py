"""Options of `vidseg live`: `raw_options` gives `raw`, `view_options` gives `views`."""

import re
from dataclasses import dataclass
from fractions import Fraction
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.console import say
from vidseg.cli.option import Command, option

if TYPE_CHECKING:
    from vidseg.video.live.output import LiveOutput


class RawSize(click.ParamType):
    """WIDTHxHEIGHT, as (height, width)."""

    name = "WxH"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        if isinstance(value, tuple):
            return value
        match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", str(value))
        if match is None:
            self.fail(f"{value!r} is not a size; write WIDTHxHEIGHT, as in 640x360", param, ctx)
        return int(match[2]), int(match[1])


class Rate(click.ParamType):
    """Frames a second: 25, 29.97 or 30000/1001."""

    name = "fps"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Fraction:
        try:
            return Fraction(str(value))
        except (ValueError, ZeroDivisionError):
            self.fail(f"{value!r} is not a rate; write 25, 29.97 or 30000/1001", param, ctx)


def raw_options(command: Command) -> Command:
    """How raw frames in a pipe are laid out: gives `raw`, `RawFrames` or None."""

    @option(
        "--raw",
        "raw_size",
        type=RawSize(),
        show_default="a video in a container",
        help="The pipe holds bare frames of this size.",
    )
    @option(
        "--raw-rate",
        type=Rate(),
        show_default="each has the time of its arrival",
        help="Frames a second of --raw.",
    )
    @option(
        "--raw-format",
        type=click.Choice(["rgb24", "bgr24", "gray", "yuv420p", "nv12"]),
        default="rgb24",
        help="Pixel format of --raw.",
    )
    @wraps(command)
    def wrapper(
        *,
        raw_size: tuple[int, int] | None,
        raw_rate: Fraction | None,
        raw_format: str,
        **others: Any,
    ) -> Any:
        if raw_size is None:
            if raw_rate is not None:
                raise click.UsageError("--raw-rate needs the size of the frames: --raw WxH.")
            return command(raw=None, **others)
        from vidseg.video.live.connections import RawFrames

        return command(raw=RawFrames(raw_size, raw_rate, raw_format), **others)

    return wrapper


@dataclass(frozen=True, slots=True)
class Views:
    """Where to show a live source."""

    window: bool | None
    hls: str | None
    port: int | None
    host: str
    record: str | None
    force: bool

    def outputs(self) -> "list[LiveOutput]":
        """The outputs; a window where no other was asked for."""
        outputs: list[LiveOutput] = []
        if self.record is not None:
            from vidseg.video.live.recording import Recording

            outputs.append(Recording(self.record, force=self.force))
        if self.hls is not None:
            from vidseg.video.live.hls import HlsFolder

            outputs.append(HlsFolder(self.hls, force=self.force))
        if self.port is not None:
            from vidseg.video.live.page import LivePage

            outputs.append(LivePage(self.port, self.host, on_open=_say_where))
        if self.window or (self.window is None and not outputs):
            from vidseg.video.live.window import Window

            outputs.append(Window())
        return outputs


def view_options(command: Command) -> Command:
    """Where to show: gives `views`, `Views`."""

    @option(
        "--window/--no-window",
        default=None,
        show_default="where nothing else is asked for",
        help="Show it in a window; q or Escape ends.",
    )
    @option(
        "--port",
        type=int,
        show_default="none",
        help="Show it on a page in the browser, at http://127.0.0.1:PORT; 0 is any free port.",
    )
    @option(
        "--host",
        default="127.0.0.1",
        metavar="ADDRESS",
        help="Address that the page of --port listens on; 0.0.0.0 shows it to the whole network.",
    )
    @option(
        "--hls",
        metavar="DIR",
        show_default="none",
        help="Write it as an HLS stream, live.m3u8, into this folder, for a web server; players "
        "show it some seconds late.",
    )
    @option(
        "--record",
        metavar="OUT",
        show_default="none",
        help="Record it to this video, each frame at its true time.",
    )
    @option("-f", "--force", is_flag=True, help="Overwrite the outputs where they exist.")
    @wraps(command)
    def wrapper(
        *,
        window: bool | None,
        port: int | None,
        host: str,
        hls: str | None,
        record: str | None,
        force: bool,
        **others: Any,
    ) -> Any:
        return command(views=Views(window, hls, port, host, record, force), **others)

    return wrapper


def _say_where(url: str) -> None:
    say(f"The picture is at {url}")
