"""MOTS text, as KITTI MOTS and TrackEval read it."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vidseg.errors import OutputError
from vidseg.results.formats.context import About, Write
from vidseg.results.formats.track_ids import Identities
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import label_map, to_rle

KNOWN = {"car": 1, "person": 2, "pedestrian": 2}
"""MOTS' own numbers of classes."""
FIRST_OTHER = 11
"""10 is MOTS' region to ignore; other classes come after it, in the order of their labels."""
MOST = 999


@contextmanager
def mots(path: Path, about: About) -> Iterator[Write]:
    """`frame id class height width rle`, one object a line; an id is class x 1000 + number.

    Masks must not overlap: where they do, the best score is on top, and what is all hidden is left
    out. An object of no track is a track of one frame.

    Raises:
        OutputError: more than 999 tracks of a class.
    """
    classes = class_numbers(about)
    identities, known, used = Identities(), dict[tuple[int, int], int](), Counter[int]()
    with path.open("w", encoding="utf-8") as file:

        def write(moment: Instant, instances: Instances) -> None:
            rows = np.arange(1, len(instances) + 1)
            visible = label_map(instances, rows)
            for row, track in enumerate(identities.of(instances)):
                number = classes[int(instances.labels[row])]
                mask = visible == row + 1
                if not mask.any():
                    continue
                if (number, track) not in known:
                    used[number] += 1
                    known[number, track] = used[number]
                if used[number] > MOST:
                    raise OutputError(_too_many(about.name(int(instances.labels[row]))))
                height, width = instances.size
                text = f"{number * 1000 + known[number, track]} {number} {height} {width}"
                file.write(f"{moment.index} {text} {to_rle(mask)['counts']}\n")

        yield write


def class_numbers(about: About) -> dict[int, int]:
    """Label to MOTS' number of the class."""
    others = sorted(label for label, name in about.names.items() if name not in KNOWN)
    numbers = {label: FIRST_OTHER + place for place, label in enumerate(others)}
    return numbers | {label: KNOWN[n] for label, n in about.names.items() if n in KNOWN}


def _too_many(name: str) -> str:
    return (
        f"MOTS holds {MOST} tracks of a class and there are more of {name}; objects without an id "
        "count anew in every frame. Use --format coco, or ask for a higher --score."
    )
