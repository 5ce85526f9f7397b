"""Names of classes and architectures, and values of options, readable without torch."""

import re
import unicodedata
from collections import Counter

from vidseg.errors import OptionError

EVERYDAY = "nanodet_plus_m_masks"
"""The architecture of `vidseg.models.everyday`; all others are Mask R-CNN."""

BACKGROUND = "__background__"

UNUSED_NAME = "N/A"
"""Stands for the 10 labels for which COCO published no objects."""

COCO_CATEGORIES = (
    "__background__",
    "person",
    "bicycle",
    "car",
    "motorcycle",
    "airplane",
    "bus",
    "train",
    "truck",
    "boat",
    "traffic light",
    "fire hydrant",
    "N/A",
    "stop sign",
    "parking meter",
    "bench",
    "bird",
    "cat",
    "dog",
    "horse",
    "sheep",
    "cow",
    "elephant",
    "bear",
    "zebra",
    "giraffe",
    "N/A",
    "backpack",
    "umbrella",
    "N/A",
    "N/A",
    "handbag",
    "tie",
    "suitcase",
    "frisbee",
    "skis",
    "snowboard",
    "sports ball",
    "kite",
    "baseball bat",
    "baseball glove",
    "skateboard",
    "surfboard",
    "tennis racket",
    "bottle",
    "N/A",
    "wine glass",
    "cup",
    "fork",
    "knife",
    "spoon",
    "bowl",
    "banana",
    "apple",
    "sandwich",
    "orange",
    "broccoli",
    "carrot",
    "hot dog",
    "pizza",
    "donut",
    "cake",
    "chair",
    "couch",
    "potted plant",
    "bed",
    "N/A",
    "dining table",
    "N/A",
    "N/A",
    "toilet",
    "N/A",
    "tv",
    "laptop",
    "mouse",
    "remote",
    "keyboard",
    "cell phone",
    "microwave",
    "oven",
    "toaster",
    "sink",
    "refrigerator",
    "N/A",
    "book",
    "clock",
    "vase",
    "scissors",
    "teddy bear",
    "hair drier",
    "toothbrush",
)
"""Name by label, as in ``meta["categories"]`` of torchvision's weights."""

COCO_CLASSES = {
    label: name
    for label, name in enumerate(COCO_CATEGORIES)
    if name not in (BACKGROUND, UNUSED_NAME)
}
"""Label (1 to 90, with gaps) to name: the 80 classes of COCO."""

MAX_LABEL = 20_000
"""Largest label of a class; the largest published vocabulary, V3Det's, has 13,204 classes."""

MAX_NAME_LENGTH = 200
"""Characters of a class name."""

UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that no class name may hold: control characters, lone surrogates (which cannot
be encoded), and separators of lines and paragraphs."""

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
"""Number formats in which a model can run."""

MIN_INPUT_SIZE = 32
"""Pixels of the shorter side; below that the coarsest feature map has less than one pixel."""

MAX_INPUT_SIZE = 8192
"""Pixels of the shorter side; 8K video has 4320."""

MAX_TILES_PER_SIDE = 16
"""Most columns, and most rows, of tiles: 8K video has 16 x 9 tiles of 480 x 480 pixels."""

TILES = re.compile(r"([1-9]\d?)x([1-9]\d?)")

DEVICE_NAME = re.compile(r"auto|cpu|cuda(:\d+)?|mps")


def check_device(name: str) -> None:
    """Raises OptionError: no device can have this name."""
    if not DEVICE_NAME.fullmatch(name):
        raise OptionError(f"There is no device {name!r}; use auto, cpu, cuda, cuda:N or mps.")


def check_precision(name: str) -> None:
    """Raises OptionError: there is no precision `name`."""
    if name not in PRECISIONS:
        raise OptionError(f"There is no precision {name!r}; use {', '.join(PRECISIONS)}.")


def check_size(size: int | None) -> None:
    """Raises OptionError: the shorter side of a model's input cannot be `size` pixels."""
    if size is not None and size < MIN_INPUT_SIZE:
        raise OptionError(f"The size {size} is too small; use {MIN_INPUT_SIZE} or more.")
    if size is not None and size > MAX_INPUT_SIZE:
        raise OptionError(f"The size {size} is too large; use {MAX_INPUT_SIZE} or less.")


def check_tiles(tiles: str | None) -> None:
    """Raises OptionError: neither None, nor `auto`, nor a number of columns and rows in range."""
    if tiles is not None and tiles != "auto":
        parse_tiles(tiles)


def parse_tiles(tiles: str) -> tuple[int, int]:
    """Columns and rows of tiles of this text, as in `4x3`.

    Raises OptionError: it has another form, or a number is out of range.
    """
    match = TILES.fullmatch(str(tiles))
    if match is None or max(map(int, match.groups())) > MAX_TILES_PER_SIDE:
        raise OptionError(
            f"The tiles {tiles!r} are not auto or COLUMNSxROWS, as in 4x3, with numbers of 1 to "
            f"{MAX_TILES_PER_SIDE}."
        )
    return int(match[1]), int(match[2])


def parse_classes(value: object) -> dict[int, str]:
    """Label to name, from a JSON object of a header whose keys are labels in decimal digits.

    Raises ValueError: half a sentence about what is wrong, which follows the file's name.
    """
    if not isinstance(value, dict) or not value:
        raise ValueError("names no classes")
    classes: dict[int, str] = {}
    for label, name in value.items():
        if not re.fullmatch(r"[1-9][0-9]{0,4}", str(label)) or int(label) > MAX_LABEL:
            raise ValueError(f"has the label {str(label)[:20]!r}, not a number of 1 to {MAX_LABEL}")
        if fault := _fault_of_name(name):
            raise ValueError(f"has a name for class {label} that {fault}")
        classes[int(label)] = name
    name, count = Counter(classes.values()).most_common(1)[0]
    if count > 1:
        raise ValueError(f"has {count} classes called {name!r}")
    return classes


def _fault_of_name(name: object) -> str | None:
    if not isinstance(name, str):
        return "is not text"
    if not name.strip():
        return "is empty"
    if len(name) > MAX_NAME_LENGTH:
        return f"has more than {MAX_NAME_LENGTH} characters"
    if any(unicodedata.category(character) in UNPRINTABLE for character in name):
        return "holds control characters, or cannot be encoded"
    return None
