"""Effects on everything but the objects: blurred, darkened, or out of a spotlight."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike

from vidseg.effects._alpha_masks import Opacity, blend_into, soft_cover
from vidseg.effects._blending import enlarged, shrunk
from vidseg.effects.overlay import box_pixels
from vidseg.errors import OptionError
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, check_fits

SHRUNK = 2.5
"""Least standard deviation, in pixels, of a blur after the picture was made smaller for it."""
BAND = 32
"""Rows."""
MAX_RIM = 250
"""Pixels of it; OpenCV's stack blur reaches no further."""
COARSE = 8
"""Pixels of the frame to one of a spotlight's, which is soft anyway."""


@dataclass(frozen=True, slots=True)
class BlurBackground:
    """Blurs all but the objects, without their colours running out into the blur."""

    strength: float = 0.02
    """Standard deviation of the blur, as a share of the frame's shorter side: 0 to 0.2."""

    def __post_init__(self) -> None:
        check_share("strength", self.strength, 0.2)

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        image = np.ascontiguousarray(image)
        opacity = soft_cover(instances)
        picture = blurred_around(image, opacity, self.strength * min(instances.size))
        blend_into(picture, image, opacity)
        return picture


@dataclass(frozen=True, slots=True)
class DimBackground:
    """Darkens all but the objects."""

    amount: float = 0.65
    """Share of its light that the background loses, 0..1."""

    def __post_init__(self) -> None:
        check_share("amount", self.amount)

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        image = np.ascontiguousarray(image)
        picture = np.asarray(cv2.convertScaleAbs(image, alpha=1 - self.amount), np.uint8)
        blend_into(picture, image, soft_cover(instances))
        return picture


@dataclass(frozen=True, slots=True)
class Spotlight:
    """Darkens all but a soft round light about every object."""

    amount: float = 0.75
    """Share of its light that the rest loses, 0..1."""
    size: float = 1.3
    """Size of the light, as a multiple of the ellipse inside the object's box: 0.1 to 10."""

    def __post_init__(self) -> None:
        check_share("amount", self.amount)
        if not 0.1 <= self.size <= 10:
            raise OptionError(f"size must lie in 0.1..10, got {self.size}.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        dark = 255 * (1 - self.amount)
        light = cv2.convertScaleAbs(self._pool(instances), alpha=self.amount, beta=dark)
        light = cv2.resize(light, instances.size[::-1], interpolation=cv2.INTER_LINEAR)
        share = cv2.cvtColor(light, cv2.COLOR_GRAY2RGB)
        return np.asarray(cv2.multiply(np.ascontiguousarray(image), share, scale=1 / 255), np.uint8)

    def _pool(self, instances: Instances) -> MatLike:
        """A small picture: 255 in the light, soft at its rim, 0 in the dark."""
        height, width = (-(-side // COARSE) for side in instances.size)
        pool = np.zeros((height, width), np.uint8)
        for row in range(len(instances)):
            one = np.zeros_like(pool)
            x0, y0, x1, y1 = box_pixels(instances, row)
            axes = [max(side * self.size / 2 / COARSE, 0.5) for side in (x1 - x0, y1 - y0)]
            centre = (x0 + x1) / 2 / COARSE - 0.5, (y0 + y1) / 2 / COARSE - 0.5
            shape = (fixed(centre), fixed(axes), 0, 0, 360, 255, cv2.FILLED, cv2.LINE_AA, 4)
            cv2.ellipse(one, *shape)
            rim = 2 * min(int(sum(axes) / 8), MAX_RIM) + 1
            pool = np.maximum(pool, cv2.stackBlur(one, (rim, rim)) if rim > 1 else one)
        return pool


def blurred_around(image: Image, opacity: Opacity, sigma: float) -> Image:
    """The picture blurred, as though nothing were where `opacity` is 255.

    Each pixel counts as much as it is not covered, squared, for a soft rim is of both colours. The
    picture is made smaller first, which shows nothing of a large blur and takes a tenth of the
    time.
    """
    factor = max(int(sigma / SHRUNK), 1)
    spread = max(sigma / factor, 0.1)
    shown = cv2.bitwise_not(opacity)
    shown = np.asarray(cv2.multiply(shown, shown, scale=1 / 255), np.uint8)
    seen = _shrunk_times(image, shown, factor)
    weights = cv2.cvtColor(shrunk(shown, factor), cv2.COLOR_GRAY2RGB)
    sums, weights = (
        cv2.GaussianBlur(part.astype(np.uint16) * 255, (0, 0), spread) for part in (seen, weights)
    )
    means = cv2.divide(sums, weights, scale=255, dtype=cv2.CV_8U)
    return enlarged(means, factor, (image.shape[0], image.shape[1]))


def _shrunk_times(image: Image, share: Opacity, factor: int) -> Image:
    """The picture times `share` (H, W), made smaller; by bands that stay in the cache."""
    bands = []
    step = -(-BAND // factor) * factor
    for top in range(0, len(image), step):
        part = cv2.cvtColor(share[top : top + step], cv2.COLOR_GRAY2RGB)
        part = cv2.multiply(image[top : top + step], part, scale=1 / 255)
        bands.append(shrunk(part, factor))
    return np.concatenate(bands)


def fixed(values: tuple[float, float] | list[float]) -> tuple[int, int]:
    """Numbers in OpenCV's fixed point with 4 bits after it."""
    return round(values[0] * 16), round(values[1] * 16)


def check_share(name: str, value: float, most: float = 1.0) -> None:
    """Raises OptionError: `value` is not within 0..`most`."""
    if not 0 <= value <= most:
        raise OptionError(f"{name} must lie in 0..{most:g}, got {value:g}.")
