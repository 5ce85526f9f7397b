"""CVAT's own XML 1.1: masks of a video, or of photos.

CVAT has no tracks of masks: of each, its importer keeps the first frame alone. So every mask is a
track of one frame, as CVAT itself writes masks of a video; `group_id` and the attribute `track_id`
say which are one object.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from xml.sax.saxutils import escape, quoteattr

import numpy as np
from numpy.typing import NDArray

from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.structures.frame import Instant
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import crop

TRACK_ID_DECLARATION = (
    "<attribute><name>track_id</name><mutable>False</mutable><input_type>text</input_type>"
    "<default_value></default_value><values></values></attribute>"
)
"""How a label declares the attribute."""


@contextmanager
def open_cvat(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """ "CVAT for video 1.1" of a video, "CVAT for images 1.1" of photos, to upload as annotations.

    The task's labels must have the same names; with an attribute `track_id` they keep it.
    """
    with path.open("w", encoding="utf-8") as file:
        file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n')
        file.write("<version>1.1</version>\n")
        writer = _PhotoWriter(file, context) if context.photos else _VideoWriter(file, context)
        yield writer.write
        writer.finish()
        file.write("</annotations>\n")


class _VideoWriter:
    """One track per mask; the head comes with the first frame, which tells the size."""

    def __init__(self, file: TextIO, context: ExportContext) -> None:
        self._file, self._context = file, context
        self._count = 0
        self._begun = False

    def write(self, moment: Instant, instances: Instances) -> None:
        self._begin(instances.size)
        for row, label in enumerate(instances.labels.tolist()):
            box = _mask_attributes(instances, row)
            if box is None:
                continue
            name = quoteattr(self._context.class_name(label))
            group = _group(instances, row)
            self._file.write(f'<track id="{self._count}" label={name} source="auto"{group}>\n')
            for frame, outside in ((moment.index, 0), (moment.index + 1, 1)):
                place = f'frame="{frame}" outside="{outside}" keyframe="1" occluded="0"'
                self._file.write(f"{_mask(place, box, instances, row)}\n")
            self._file.write("</track>\n")
            self._count += 1

    def finish(self) -> None:
        self._begin((0, 0))

    def _begin(self, size: tuple[int, int]) -> None:
        if self._begun:
            return
        self._begun = True
        height, width = size
        shape = f"<width>{width}</width><height>{height}</height>"
        facts = f"<original_size>{shape}</original_size>"
        self._file.write(_meta("interpolation", self._context, facts))


class _PhotoWriter:
    """One element per photo, with its masks."""

    def __init__(self, file: TextIO, context: ExportContext) -> None:
        self._file, self._context = file, context
        file.write(_meta("annotation", context))

    def write(self, moment: Instant, instances: Instances) -> None:
        height, width = instances.size
        name = quoteattr(self._context.image_name(moment.index))
        head = f'id="{moment.index}" name={name} width="{width}" height="{height}"'
        self._file.write(f"<image {head}>\n")
        for row, label in enumerate(instances.labels.tolist()):
            box = _mask_attributes(instances, row)
            if box is not None:
                place = f'label={quoteattr(self._context.class_name(label))} source="auto"'
                place += f' occluded="0"{_group(instances, row)}'
                self._file.write(f"{_mask(place, box, instances, row)}\n")
        self._file.write("</image>\n")

    def finish(self) -> None:
        """Nothing comes last."""


def _meta(mode: str, context: ExportContext, facts: str = "") -> str:
    labels = "".join(
        f"<label><name>{escape(name)}</name><type>mask</type>"
        f"<attributes>{TRACK_ID_DECLARATION}</attributes></label>\n"
        for name in context.class_names.values()
    )
    task = f"<mode>{mode}</mode>\n<labels>\n{labels}</labels>\n{facts}"
    return f"<meta><task>{task}</task></meta>\n"


def _mask(place: str, box: str, instances: Instances, row: int) -> str:
    track_id = int(instances.ids[row])
    known = f'<attribute name="track_id">{track_id}</attribute>' if track_id != UNTRACKED else ""
    return f'<mask {place} {box} z_order="0">{known}</mask>'


def _group(instances: Instances, row: int) -> str:
    track_id = int(instances.ids[row])
    return f' group_id="{track_id}"' if track_id > 0 else ""


def _mask_attributes(instances: Instances, row: int) -> str | None:
    """Runs along the rows of the mask's box, background first; None where there is no pixel."""
    rows, cols, mask = crop(instances, row)
    if not mask.any():
        return None
    down, across = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    tight = mask[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
    height, width = tight.shape
    left, top = cols.start + across[0], rows.start + down[0]
    place = f'left="{left}" top="{top}" width="{width}" height="{height}"'
    return f'rle="{", ".join(map(str, _runs(tight)))}" {place}'


def _runs(mask: NDArray[np.bool_]) -> list[int]:
    flat = np.concatenate([[False], mask.ravel()])
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    return np.diff(turns, prepend=0, append=mask.size).tolist()
