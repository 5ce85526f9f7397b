"""Join the parts of an object that a tool keeps as shapes of one group."""

from collections.abc import Hashable, Iterable
from itertools import chain

import numpy as np

from vidseg.datasets.rasterize import rasterize, why_not_drawn
from vidseg.datasets.records import Shape, Skipped
from vidseg.structures.masks import from_rle, to_rle


def joined(
    parts: Iterable[tuple[Hashable | None, Shape | Skipped]], size: tuple[int, int] | None
) -> list[Shape | Skipped]:
    """One shape per group and label, after the parts that cannot be used; None is no group.

    `size` is the (height, width) of the photo; masks in groups need it.
    """
    lost: list[Shape | Skipped] = []
    groups: dict[Hashable, list[Shape]] = {}
    for number, (group, part) in enumerate(parts):
        if isinstance(part, Skipped):
            lost.append(part)
        else:
            key = ("alone", number) if group is None else ("group", part.label, group)
            groups.setdefault(key, []).append(part)
    return lost + [_merged(parts, size) for parts in groups.values()]


def _merged(parts: list[Shape], size: tuple[int, int] | None) -> Shape | Skipped:
    if len(parts) == 1:
        return parts[0]
    label, item = parts[0].label, ", ".join(part.item for part in parts)
    polygons = [part.geometry for part in parts if isinstance(part.geometry, tuple)]
    if len(polygons) == len(parts):
        return Shape(label, tuple(chain.from_iterable(polygons)), item)
    size = size or next(
        (part.geometry["size"][0], part.geometry["size"][1])
        for part in parts
        if isinstance(part.geometry, dict)
    )
    if reason := why_not_drawn(tuple(chain.from_iterable(polygons)), size):
        return Skipped("", item, reason)
    masks = [
        from_rle(
            rasterize(part.geometry, size) if isinstance(part.geometry, tuple) else part.geometry
        )
        for part in parts
    ]
    if len({mask.shape for mask in masks}) > 1:
        return Skipped("", item, "its parts have masks of different sizes")
    return Shape(label, to_rle(np.logical_or.reduce(masks)), item)
