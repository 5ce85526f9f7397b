"""The formats' names and what a command line must know of them; light to import."""

from typing import NamedTuple


class Format(NamedTuple):
    """What a format looks like on disk."""

    folder: bool = False
    """Whether it is a folder of files; else it is one file."""
    images: str = "."
    """Where in the folder the format expects the images."""
    stems: bool = False
    """Whether the file about an image has the image's name without its extension."""


FORMATS = {
    "davis": Format(folder=True),
    "png16": Format(folder=True),
    "objects": Format(folder=True),
    "coco": Format(),
    "coco-dataset": Format(),
    "ytvis": Format(),
    "mots": Format(),
    "yolo": Format(folder=True, images="images", stems=True),
    "labelme": Format(folder=True, stems=True),
    "via": Format(),
    "npz": Format(),
    "csv": Format(),
}
"""Name, as `--format` takes it, to what it looks like."""
