"""Colour splash: the objects keep their colours, the rest turns grey."""

from dataclasses import dataclass

import cv2
import numpy as np

from vidseg.effects._alpha_masks import Opacity, blend_into, hard_alpha, soft_alpha
from vidseg.errors import OptionError
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, check_fits

MAX_FEATHER = 250
"""Pixels; the largest radius of OpenCV's stack blur."""


@dataclass(frozen=True, slots=True)
class Splash:
    """Keeps the objects in colour and turns the rest grey (BT.601 luma)."""

    feather: float | None = None
    """Pixels (rounded) over which colour fades on both sides of an edge; 0 is a hard edge. None
    follows the masks' own softness, which grows with the object."""

    def __post_init__(self) -> None:
        if self.feather is not None and not 0 <= self.feather <= MAX_FEATHER:
            raise OptionError(f"feather must lie in 0..{MAX_FEATHER} pixels, got {self.feather}.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        image = np.ascontiguousarray(image)
        luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        picture = np.asarray(cv2.cvtColor(luma, cv2.COLOR_GRAY2RGB), np.uint8)
        blend_into(picture, image, self._opacity(instances))
        return picture

    def _opacity(self, instances: Instances) -> Opacity:
        """(H, W) from 0 for grey to 255 for colour."""
        if self.feather is None:
            return soft_alpha(instances)
        opacity, radius = hard_alpha(instances), round(self.feather)
        if not radius or not len(instances):
            return opacity
        return np.asarray(cv2.stackBlur(opacity, (2 * radius + 1, 2 * radius + 1)), np.uint8)
