"""Damage that demuxers skip in silence, found by the container's own lengths and checksums."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from vidseg.video.damage import _asf as asf
from vidseg.video.damage import _matroska as matroska
from vidseg.video.damage import _ogg as ogg
from vidseg.video.damage import element_chain as chains
from vidseg.video.damage.element_chain import Data, Flaw, mapped

FINDERS: dict[str, Callable[[Data], list[Flaw]]] = {
    "matroska": matroska.flaws, "ogg": ogg.flaws, "asf": asf.flaws, "avi": chains.avi,
    "flv": chains.flv, "ivf": chains.ivf, "mxf": chains.mxf, "mov": chains.fragments,
}  # fmt: skip
"""By ffmpeg's name of the container. The others have neither lengths that lead on nor checksums,
or, as transport streams, ffmpeg itself checks them."""


def find_flaws(path: Path, container: str) -> list[Flaw]:
    """Parts of a file that cannot be trusted, in order; `container` is ffmpeg's list of names."""
    finders = [FINDERS[name] for name in container.split(",") if name in FINDERS]
    if not finders:
        return []
    with closing(mapped(path)) as data:
        return sorted(flaw for find in finders for flaw in find(data))
