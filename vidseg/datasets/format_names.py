"""The formats of annotations, by name; imports nothing heavy."""

from typing import Literal, get_args

Format = Literal[
    "via",
    "via3",
    "coco",
    "labelme",
    "labelme-xml",
    "yolo",
    "masks",
    "nuclei",
    "voc",
    "cvat",
    "rectlabel",
    "labelbox",
    "label-studio",
    "datumaro",
    "frames",
]
FORMATS: tuple[Format, ...] = get_args(Format)
