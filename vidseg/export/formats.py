"""The formats by name: each is a function that drinks up a stream of frames with their objects.

A further format is a module here, a line in `FORMATS`, and a name in `vidseg.cli.export`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from vidseg.export.about import About, Found
from vidseg.export.coco import coco_dataset, coco_results
from vidseg.export.labelme import labelme
from vidseg.export.mots import mots
from vidseg.export.npz import npz
from vidseg.export.pictures import davis, objects, png16
from vidseg.export.png import png
from vidseg.export.table import table
from vidseg.export.via import via
from vidseg.export.yolo import yolo
from vidseg.export.ytvis import ytvis
from vidseg.frame import Frame
from vidseg.video.landing import landing


class Format(NamedTuple):
    """A format to write."""

    write: Callable[[Found, Path, About], None]
    folder: bool
    """Whether it is a folder of files."""
    pictures: str = "."
    """Where in the folder the format looks for pictures."""


FORMATS = {
    "davis": Format(davis, True),
    "png16": Format(png16, True),
    "objects": Format(objects, True),
    "coco": Format(coco_results, False),
    "coco-dataset": Format(coco_dataset, False),
    "ytvis": Format(ytvis, False),
    "mots": Format(mots, False),
    "yolo": Format(yolo, True, "images"),
    "labelme": Format(labelme, True),
    "via": Format(via, False),
    "npz": Format(npz, False),
    "csv": Format(table, False),
}


def write_as(
    name: str,
    found: Found,
    target: str | Path,
    about: About,
    *,
    image: bool = False,
    force: bool = False,
) -> None:
    """Writes all of `found` to `target` in the format of that name; it appears when it is whole.

    With `image`, `found` has frames, and a format that is a folder gets their pictures too (where
    they are not photos that have files already).

    Raises:
        OutputError, OutputExistsError: it cannot be written, or the format cannot hold it.
    """
    wanted = FORMATS[name]
    with landing(target, force=force, folder=wanted.folder) as part:
        if image:
            found = _with_pictures(found, part / wanted.pictures, about)
        wanted.write(found, part, about)


def _with_pictures(found: Found, folder: Path, about: About) -> Found:
    """The same frames, each written as a picture in `folder`."""
    folder.mkdir(exist_ok=True)
    for frame, instances in found:
        if isinstance(frame, Frame) and not about.photos:
            (folder / about.picture(frame.index)).write_bytes(png(frame.image))
        yield frame, instances
