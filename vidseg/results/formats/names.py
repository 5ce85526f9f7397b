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
    text: bool = False
    """Whether it is one file of text, which standard output can take."""
    outlines: bool = False
    """Whether objects are outlines, to which a tolerance applies."""


FORMATS = {
    "davis": Format(folder=True),
    "png16": Format(folder=True),
    "objects": Format(folder=True),
    "coco": Format(text=True),
    "coco-dataset": Format(text=True),
    "ytvis": Format(text=True),
    "ytvis-dataset": Format(text=True),
    "mots": Format(text=True),
    "mots-png": Format(folder=True, images="train/images", stems=True),
    "yolo": Format(folder=True, images="images", stems=True, outlines=True),
    "labelme": Format(folder=True, stems=True, outlines=True),
    "via": Format(text=True, outlines=True),
    "cvat": Format(text=True),
    "label-studio": Format(text=True),
    "npz": Format(),
    "csv": Format(text=True),
}
"""Name, as `--format` takes it, to what it looks like."""
