"""MOTS: the text that KITTI MOTS and TrackEval read, and the PNG that CVAT and Datumaro read."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vidseg.errors import OutputError
from vidseg.results.formats._png_bytes import encode_png
from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.results.formats.track_ids import TrackNumbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import label_map, to_rle

MOTS_CLASS_NUMBERS = {"car": 1, "person": 2, "pedestrian": 2}
"""MOTS' own class numbers."""
FIRST_CUSTOM_CLASS = 11
"""10 is MOTS' ignore region; other classes come after it, in the order of their labels."""
IDS_PER_CLASS = 1000
MAX_TRACKS_PER_CLASS = IDS_PER_CLASS - 1
"""An id is class x 1000 + number."""
MAX_PNG_CLASSES = 64
"""The largest class number whose ids fit in 16 bits."""


@contextmanager
def open_mots(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`frame id class height width rle`, one object per line; an id is class x 1000 + number.

    MOTS allows no overlap: the highest score is on top, and an object that is fully hidden is left
    out. An untracked object is a track of one frame.

    Raises:
        OutputError: more than 999 tracks of a class.
    """
    ids = _Ids(context, class_numbers(context).__getitem__)
    with path.open("w", encoding="utf-8") as file:

        def write(moment: Instant, instances: Instances) -> None:
            height, width = instances.size
            for mask, id in ids.visible(instances):
                text = f"{id} {id // IDS_PER_CLASS} {height} {width} {to_rle(mask)['counts']}"
                file.write(f"{moment.index} {text}\n")

        yield write


@contextmanager
def open_mots_png(folder: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """MOTS PNG, as CVAT and Datumaro read it: `train/instances/00000.png` and so on, 16-bit images
    whose values are class x 1000 + number, and `labels.txt` with the classes.

    Classes count from 1 in the order in which they appear, which is that of `labels.txt`. Images
    belong into `train/images`.

    Raises:
        OutputError: more than 999 tracks of a class, or more than 64 classes.
    """
    place = folder / "train" / "instances"
    place.mkdir(parents=True)
    appeared = list[int]()

    def number_of(label: int) -> int:
        if label not in appeared:
            appeared.append(label)
        if len(appeared) > MAX_PNG_CLASSES:
            raise OutputError(
                f"MOTS PNG holds {MAX_PNG_CLASSES} classes and there are more; look for fewer "
                "classes, or use `format='mots'`."
            )
        return appeared.index(label) + 1

    ids = _Ids(context, number_of)

    def write(moment: Instant, instances: Instances) -> None:
        picture = np.zeros(instances.size, np.uint16)
        for mask, id in ids.visible(instances):
            picture[mask] = id
        name = Path(context.image_name(moment.index)).stem
        (place / f"{name}.png").write_bytes(encode_png(picture))

    yield write
    names = "".join(f"{context.class_name(label)}\n" for label in appeared)
    (place / "labels.txt").write_text(names, encoding="utf-8")


class _Ids:
    """Gives each track an id, class x 1000 + number."""

    def __init__(self, context: ExportContext, number_of: Callable[[int], int]) -> None:
        """`number_of` gives the number of a label's class."""
        self._context, self._number_of = context, number_of
        self._tracks, self._known = TrackNumbers(), dict[tuple[int, int], int]()
        self._used = Counter[int]()

    def visible(self, instances: Instances) -> Iterator[tuple[NDArray[np.bool_], int]]:
        """(H, W) visible pixels and id of each object that is not fully hidden."""
        visible = label_map(instances, np.arange(1, len(instances) + 1))
        for row, track_number in enumerate(self._tracks.of(instances)):
            mask = visible == row + 1
            if mask.any():
                yield mask, self._id(int(instances.labels[row]), track_number)

    def _id(self, label: int, track_number: int) -> int:
        number = self._number_of(label)
        if (number, track_number) not in self._known:
            self._used[number] += 1
            self._known[number, track_number] = self._used[number]
        if self._used[number] > MAX_TRACKS_PER_CLASS:
            raise OutputError(_too_many(self._context.class_name(label)))
        return number * IDS_PER_CLASS + self._known[number, track_number]


def class_numbers(context: ExportContext) -> dict[int, int]:
    """Label to MOTS' number of the class."""
    others = sorted(
        label for label, name in context.class_names.items() if name not in MOTS_CLASS_NUMBERS
    )
    numbers = {label: FIRST_CUSTOM_CLASS + place for place, label in enumerate(others)}
    return numbers | {
        label: MOTS_CLASS_NUMBERS[n]
        for label, n in context.class_names.items()
        if n in MOTS_CLASS_NUMBERS
    }


def _too_many(name: str) -> str:
    return (
        f"MOTS holds {MAX_TRACKS_PER_CLASS} tracks of a class and there are more of {name}; an "
        "untracked object counts anew in every frame. Use `format='coco'`, or a higher `score`."
    )
