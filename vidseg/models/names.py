"""Class names of torchvision's COCO models, and other names, readable without importing torch."""

from vidseg.errors import OptionError

BACKGROUND = "__background__"

UNUSED = "N/A"
"""Holds the place of the 10 labels that COCO published no objects for."""

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
"""Name by label, as torchvision's weights carry it in ``meta["categories"]``."""

COCO = {
    label: name for label, name in enumerate(COCO_CATEGORIES) if name not in (BACKGROUND, UNUSED)
}
"""Label, 1 to 90 with gaps, to name: the 80 classes of COCO."""

PRECISIONS = ("auto", "float32", "bfloat16", "float16")
"""Number formats that a model can run in."""

SMALLEST_SIZE = 32
"""Pixels: the coarsest feature maps of a smaller input have nothing left to look at."""
LARGEST_SIZE = 8192
"""Pixels, above the shorter side of 8K video."""


def check_precision(name: str) -> None:
    """Raises OptionError: no precision is called so."""
    if name not in PRECISIONS:
        raise OptionError(f"There is no precision {name!r}; use {', '.join(PRECISIONS)}.")


def check_size(size: int | None) -> None:
    """Raises OptionError: a model cannot look at frames so small or so large."""
    if size is not None and size < SMALLEST_SIZE:
        raise OptionError(f"The size {size} is too small; use {SMALLEST_SIZE} or more.")
    if size is not None and size > LARGEST_SIZE:
        raise OptionError(f"The size {size} is too large; use {LARGEST_SIZE} or less.")
