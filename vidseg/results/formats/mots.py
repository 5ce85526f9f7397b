"""MOTS text, as KITTI MOTS and TrackEval read it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vidseg.errors import OutputError
from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.results.formats.track_ids import TrackNumbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import label_map, to_rle

MOTS_CLASS_NUMBERS = {"car": 1, "person": 2, "pedestrian": 2}
"""MOTS' own class numbers."""
FIRST_CUSTOM_CLASS = 11
"""10 is MOTS' ignore region; other classes come after it, in the order of their labels."""
MAX_TRACKS_PER_CLASS = 999
"""An id is class x 1000 + number."""


@contextmanager
def open_mots(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`frame id class height width rle`, one object per line; an id is class x 1000 + number.

    MOTS allows no overlap: the highest score is on top, and an object that is fully hidden is left
    out. An untracked object is a track of one frame.

    Raises:
        OutputError: more than 999 tracks of a class.
    """
    classes = class_numbers(context)
    track_numbers, known, used = TrackNumbers(), dict[tuple[int, int], int](), Counter[int]()
    with path.open("w", encoding="utf-8") as file:

        def write(moment: Instant, instances: Instances) -> None:
            rows = np.arange(1, len(instances) + 1)
            visible = label_map(instances, rows)
            for row, track_number in enumerate(track_numbers.of(instances)):
                number = classes[int(instances.labels[row])]
                mask = visible == row + 1
                if not mask.any():
                    continue
                if (number, track_number) not in known:
                    used[number] += 1
                    known[number, track_number] = used[number]
                if used[number] > MAX_TRACKS_PER_CLASS:
                    raise OutputError(_too_many(context.class_name(int(instances.labels[row]))))
                height, width = instances.size
                text = f"{number * 1000 + known[number, track_number]} {number} {height} {width}"
                file.write(f"{moment.index} {text} {to_rle(mask)['counts']}\n")

        yield write


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
