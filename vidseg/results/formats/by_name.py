"""Opens a format by its name. What has to come last is written when the block ends well.

A further format is a module here, a line in `names.FORMATS` and one in `_OPEN`, and a row in
`vidseg/results/README.md`.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from vidseg.atomic_output import atomic_output
from vidseg.errors import OptionError, OutputError
from vidseg.results.formats._png_bytes import encode_png
from vidseg.results.formats.coco import open_coco_dataset, open_coco_results
from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.results.formats.csv_table import open_csv
from vidseg.results.formats.cvat import open_cvat
from vidseg.results.formats.label_studio import open_label_studio
from vidseg.results.formats.labelme import open_labelme
from vidseg.results.formats.mask_png import open_davis, open_object_masks, open_png16
from vidseg.results.formats.mots import open_mots, open_mots_png
from vidseg.results.formats.names import FORMATS
from vidseg.results.formats.npz import open_npz
from vidseg.results.formats.via import open_via
from vidseg.results.formats.yolo import open_yolo
from vidseg.results.formats.ytvis import open_ytvis, open_ytvis_dataset
from vidseg.structures.frame import Frame, Instant
from vidseg.structures.instances import Instances

_OPEN: dict[str, Callable[[Path, ExportContext], AbstractContextManager[WriteInstances]]] = {
    "davis": open_davis,
    "png16": open_png16,
    "objects": open_object_masks,
    "coco": open_coco_results,
    "coco-dataset": open_coco_dataset,
    "ytvis": open_ytvis,
    "ytvis-dataset": open_ytvis_dataset,
    "mots": open_mots,
    "mots-png": open_mots_png,
    "yolo": open_yolo,
    "labelme": open_labelme,
    "via": open_via,
    "cvat": open_cvat,
    "label-studio": open_label_studio,
    "npz": open_npz,
    "csv": open_csv,
}

MAX_TOLERANCE = 100
"""Pixels; an outline that may miss its mask by more is none."""


def check_photos(name: str, photos: Iterable[Path]) -> None:
    """Raises OutputError: two photos would be described in one file of this format."""
    known: dict[str, str] = {}
    for photo in photos if FORMATS[name].stems else ():
        other = known.setdefault(photo.stem, photo.name)
        if other != photo.name:
            raise OutputError(
                f"{other} and {photo.name} would be described in one file of {name}; rename one."
            )


def check_format(name: str, *, image: bool = False, tolerance: float | None = None) -> None:
    """Raises OptionError: no such format, `image` for one that is a single file, or a `tolerance`
    below 0 or for one without outlines."""
    if name not in FORMATS:
        raise OptionError(f"There is no format {name!r}; use {', '.join(FORMATS)}.")
    if image and not FORMATS[name].folder:
        raise OptionError(
            f"The format {name} is one file, with no place for images; leave image out."
        )
    if tolerance is not None and not FORMATS[name].outlines:
        raise OptionError(f"The format {name} holds exact masks; leave the tolerance out.")
    if tolerance is not None and not 0 <= tolerance <= MAX_TOLERANCE:
        raise OptionError(f"The tolerance must be 0 to {MAX_TOLERANCE} pixels, got {tolerance:g}.")


@contextmanager
def open_format(
    name: str,
    target: str | Path,
    context: ExportContext,
    *,
    image: bool = False,
    force: bool = False,
) -> Iterator[WriteInstances]:
    """Writes to `target` in the format of that name; it appears when the block ends well.

    With `image`, `Frame`s must be written, and a format that is a folder gets their images too:
    photos as copies of their files, under their own names.

    Raises:
        OutputError, OutputExistsError: it cannot be written, or the format cannot hold it.
    """
    look = FORMATS[name]
    with (
        atomic_output(target, force=force, folder=look.folder) as part,
        _OPEN[name](part, context) as write,
    ):
        yield _with_images(write, part / look.images, context) if image else write


def _with_images(write: WriteInstances, folder: Path, context: ExportContext) -> WriteInstances:
    """Writes each frame as an image in `folder` too."""
    folder.mkdir(exist_ok=True)

    def write_both(frame: Instant, instances: Instances) -> None:
        place = folder / context.image_name(frame.index)
        if context.photos:
            shutil.copyfile(context.photos[frame.index], place)
        elif isinstance(frame, Frame):
            place.write_bytes(encode_png(frame.image))
        write(frame, instances)

    return write_both
