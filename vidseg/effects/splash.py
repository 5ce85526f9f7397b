"""Colour splash: the objects keep their colours, the rest turns grey."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from vidseg.effects.blend import mix
from vidseg.errors import OptionError
from vidseg.frame import Image
from vidseg.instances import Instances, check_fits
from vidseg.masks import crop, soft_crop

MAX_FEATHER = 250
"""Pixels; OpenCV's stack blur reaches no further."""

Region = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Splash:
    """The union of all objects in colour on BT.601 luma grey; all grey where there is no object."""

    feather: float | None = None
    """Pixels (rounded) over which colour fades at either side of an edge: 0 is hard; None follows
    the masks' own softness, which grows with the object."""

    def __post_init__(self) -> None:
        if self.feather is not None and not 0 <= self.feather <= MAX_FEATHER:
            raise OptionError(f"feather must lie in 0..{MAX_FEATHER} pixels, got {self.feather}.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        image = np.ascontiguousarray(image)
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        picture = cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB)
        opacity, regions = self._opacity(instances)
        for region in regions:
            grey = cv2.cvtColor(luma[region], cv2.COLOR_GRAY2RGB)
            picture[region] = mix(grey, image[region], opacity[region])
        return np.asarray(picture, np.uint8)

    def _opacity(self, instances: Instances) -> tuple[MatLike, list[Region]]:
        """(H, W) 0 for grey to 255 for colour, and the regions outside of which it is 0."""
        draw = _soft if self.feather is None else _hard
        opacity = np.zeros(instances.size, np.uint8)
        regions = [draw(opacity, instances, row) for row in range(len(instances))]
        radius = round(self.feather or 0)
        if radius and regions:
            opacity = cv2.stackBlur(opacity, (2 * radius + 1, 2 * radius + 1))
            regions = [(_grown(rows, radius), _grown(cols, radius)) for rows, cols in regions]
        return opacity, [region for region in regions if opacity[region].size]


def _soft(opacity: NDArray[np.uint8], instances: Instances, row: int) -> Region:
    """Add the object, opaque from probability 1/4 (not at all) to 3/4 (fully).

    Opacities add up, so that no grey seam shows where one object meets another.
    """
    rows, cols, soft = soft_crop(instances, row)
    if soft.size:
        steeper = cv2.addWeighted(soft, 2, soft, 0, -127.5)
        opacity[rows, cols] = cv2.add(opacity[rows, cols], steeper)
    return rows, cols


def _hard(opacity: NDArray[np.uint8], instances: Instances, row: int) -> Region:
    """Make the object's pixels opaque."""
    rows, cols, mask = crop(instances, row)
    opacity[rows, cols] |= mask.view(np.uint8) * np.uint8(255)
    return rows, cols


def _grown(pixels: slice, margin: int) -> slice:
    return slice(max(pixels.start - margin - 1, 0), pixels.stop + margin + 1)
