"""YOLO-seg: one text file per image, one line per object, and `data.yaml` with the classes."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from vidseg.results.formats.context import ExportContext, WriteInstances, polygon
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances

FRAMES_PER_HELD_OUT = 5
"""One image in this many is for validation."""


@contextmanager
def open_yolo(folder: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`labels/00000.txt`: the class from 0, then x y of the outline in fractions of the size.

    The format has one polygon an object, so parts and holes are joined by seams. An image without
    objects has an empty file. `data.yaml` has no `path`, so that Ultralytics finds the images from
    any working directory; `train.txt` and `val.txt` list them, no image in both.
    """
    numbers = {label: place for place, label in enumerate(sorted(context.class_names))}
    images: list[str] = []
    (folder / "labels").mkdir()

    def write(moment: Instant, instances: Instances) -> None:
        height, width = instances.size
        lines = []
        for row, label in enumerate(instances.labels.tolist()):
            corners = polygon(instances, row, context.tolerance)
            if corners is not None:
                fractions = (corners / (width, height)).ravel().tolist()
                lines.append(" ".join([str(numbers[label]), *(f"{v:.6f}" for v in fractions)]))
        image = context.image_name(moment.index)
        text = "".join(f"{line}\n" for line in lines)
        (folder / "labels" / Path(image).with_suffix(".txt")).write_text(text, encoding="utf-8")
        images.append(image)

    yield write
    train, held_out = _split(images, photos=bool(context.photos))
    for name, part in (("train", train), ("val", held_out)):
        text = "".join(f"./images/{image}\n" for image in part)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8", errors="surrogateescape")
    names = (f"  {n}: {_quoted(context.class_names[label])}\n" for label, n in numbers.items())
    head = "train: train.txt\nval: val.txt\nnames:\n"
    (folder / "data.yaml").write_text(head + "".join(names), encoding="utf-8")


def _split(images: Sequence[str], *, photos: bool) -> tuple[Sequence[str], Sequence[str]]:
    """(train, validation): every fifth photo, or the last fifth of a video, whose neighbouring
    frames are alike."""
    if photos:
        held_out = images[FRAMES_PER_HELD_OUT - 1 :: FRAMES_PER_HELD_OUT] or images[1:][-1:]
        apart = set(held_out)
        return [image for image in images if image not in apart], held_out
    start = len(images) - (len(images) + FRAMES_PER_HELD_OUT - 2) // FRAMES_PER_HELD_OUT
    return images[:start], images[start:]


def _quoted(name: str) -> str:
    """A YAML string in double quotes."""
    return '"{}"'.format(
        "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in name)
    )
