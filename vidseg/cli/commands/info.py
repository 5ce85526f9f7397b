"""vidseg info."""

import json
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.options import examples, verbosity_options
from vidseg.cli.param_types import FilePath
from vidseg.remote.paths import url_of

if TYPE_CHECKING:
    from vidseg.video.info import VideoInfo


@click.command(epilog=examples("vidseg info clip.mp4", "vidseg info clip.mp4 | jq .frames"))
@click.argument("source", type=FilePath(), metavar="IN")
@verbosity_options
def info(*, source: str) -> None:
    """Print what IN is, as JSON: size, exact rate, frames, times, rotation, streams."""
    from vidseg.video.probe import probe

    facts = as_json(probe(source)) | ({"path": source} if url_of(source) else {})
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False))


def as_json(info: "VideoInfo") -> dict[str, Any]:
    """Exact numbers as strings such as "30000/1001", with seconds beside the times."""
    height, width = info.size
    facts = {field.name: getattr(info, field.name) for field in fields(info) if field.repr}
    facts |= {
        "size": {"width": width, "height": height},
        "photos": len(info.photos),
        "color": _values(info.color),
        "streams": [_values(stream) for stream in info.streams],
        "frames_per_second": float(info.rate),
        "duration_seconds": None if info.duration is None else float(info.duration),
        "start_seconds": float(info.start),
    }
    return {name: _plain(value) for name, value in facts.items()}


def _values(record: Any) -> dict[str, Any]:
    return {field.name: _plain(getattr(record, field.name)) for field in fields(record)}


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Fraction | Path) else value
