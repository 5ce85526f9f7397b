"""The formats by name. Each is a context manager that gives a function to write a frame with its
objects; what has to come last is written when the block ends well.

A further format is a module here, a line in `FORMATS`, and a name in `vidseg.cli.commands.export`.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

from vidseg.atomic_output import atomic_output
from vidseg.errors import OptionError, OutputError
from vidseg.results.formats._png_bytes import png
from vidseg.results.formats.coco import coco_dataset, coco_results
from vidseg.results.formats.context import About, Write
from vidseg.results.formats.csv_table import table
from vidseg.results.formats.labelme import labelme
from vidseg.results.formats.mask_png import davis, objects, png16
from vidseg.results.formats.mots import mots
from vidseg.results.formats.npz import npz
from vidseg.results.formats.via import via
from vidseg.results.formats.yolo import yolo
from vidseg.results.formats.ytvis import ytvis
from vidseg.structures.frame import Frame, Instant
from vidseg.structures.instances import Instances


class Format(NamedTuple):
    """A format to write."""

    open: Callable[[Path, About], AbstractContextManager[Write]]
    folder: bool
    """Whether it is a folder of files."""
    pictures: str = "."
    """Where in the folder the format looks for pictures."""
    stems: bool = False
    """Whether a picture's file has its name up to the ending."""


FORMATS = {
    "davis": Format(davis, True),
    "png16": Format(png16, True),
    "objects": Format(objects, True),
    "coco": Format(coco_results, False),
    "coco-dataset": Format(coco_dataset, False),
    "ytvis": Format(ytvis, False),
    "mots": Format(mots, False),
    "yolo": Format(yolo, True, "images", stems=True),
    "labelme": Format(labelme, True, stems=True),
    "via": Format(via, False),
    "npz": Format(npz, False),
    "csv": Format(table, False),
}


def check_photos(name: str, photos: Iterable[Path]) -> None:
    """Raises OutputError: two photos whose files in this format would have one name."""
    known: dict[str, str] = {}
    for photo in photos if FORMATS[name].stems else ():
        other = known.setdefault(photo.stem, photo.name)
        if other != photo.name:
            raise OutputError(
                f"{other} and {photo.name} would be described in one file of {name}; rename one."
            )


def check_format(name: str, *, image: bool = False) -> None:
    """Raises OptionError: no such format, or pictures for one that is a single file."""
    if name not in FORMATS:
        raise OptionError(f"There is no format {name!r}; use {', '.join(FORMATS)}.")
    if image and not FORMATS[name].folder:
        raise OptionError(
            f"The format {name} is one file, with no place for pictures; leave image out."
        )


@contextmanager
def open_format(
    name: str, target: str | Path, about: About, *, image: bool = False, force: bool = False
) -> Iterator[Write]:
    """Writes to `target` in the format of that name; it appears when the block ends well.

    With `image`, what is written must be frames, and a format that is a folder gets their pictures
    too: photos as copies of their files, under their own names.

    Raises:
        OutputError, OutputExistsError: it cannot be written, or the format cannot hold it.
    """
    wanted = FORMATS[name]
    with (
        atomic_output(target, force=force, folder=wanted.folder) as part,
        wanted.open(part, about) as write,
    ):
        yield _with_pictures(write, part / wanted.pictures, about) if image else write


def _with_pictures(write: Write, folder: Path, about: About) -> Write:
    """Writes each frame as a picture in `folder` too."""
    folder.mkdir(exist_ok=True)

    def write_both(frame: Instant, instances: Instances) -> None:
        place = folder / about.picture(frame.index)
        if about.photos:
            shutil.copyfile(about.photos[frame.index], place)
        elif isinstance(frame, Frame):
            place.write_bytes(png(frame.image))
        write(frame, instances)

    return write_both
