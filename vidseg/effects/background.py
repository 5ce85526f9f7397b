"""Effects on the background: blurred, darkened, or darkened around spotlights."""

from dataclasses import dataclass

import cv2
import numpy as np
from cv2.typing import MatLike

from vidseg.effects._alpha_masks import Opacity, blend_into, soft_alpha
from vidseg.effects._blending import downscaled, upscaled
from vidseg.effects.overlay import box_pixels
from vidseg.errors import OptionError
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, check_fits

MIN_DOWNSCALED_SIGMA = 2.5
"""Least standard deviation, in pixels, of a blur on a picture downscaled for it."""
BAND_ROWS = 32
"""Rows that are downscaled at once, so that they stay in the processor's cache."""
MAX_BLUR_RADIUS = 250
"""Pixels; the largest radius of OpenCV's stack blur."""
SPOTLIGHT_SCALE = 8
"""Frame pixels per pixel of a spotlight, which is soft anyway."""
FRACTION_BITS = 4
"""Fractional bits of fixed-point coordinates."""


@dataclass(frozen=True, slots=True)
class BlurBackground:
    """Blurs everything but the objects; their colours do not bleed into the blur."""

    strength: float = 0.02
    """Standard deviation of the blur, as a share of the frame's shorter side: 0 to 0.2."""

    def __post_init__(self) -> None:
        check_share("strength", self.strength, 0.2)

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        image = np.ascontiguousarray(image)
        opacity = soft_alpha(instances)
        picture = blurred_around(image, opacity, self.strength * min(instances.size))
        blend_into(picture, image, opacity)
        return picture


@dataclass(frozen=True, slots=True)
class DimBackground:
    """Darkens everything but the objects."""

    amount: float = 0.65
    """Share of its brightness that the background loses, 0..1."""

    def __post_init__(self) -> None:
        check_share("amount", self.amount)

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        image = np.ascontiguousarray(image)
        picture = np.asarray(cv2.convertScaleAbs(image, alpha=1 - self.amount), np.uint8)
        blend_into(picture, image, soft_alpha(instances))
        return picture


@dataclass(frozen=True, slots=True)
class Spotlight:
    """Darkens everything but a soft ellipse of light around every object."""

    amount: float = 0.75
    """Share of its brightness that the rest loses, 0..1."""
    size: float = 1.3
    """Size of the light, as a multiple of the ellipse inscribed in the object's box: 0.1 to 10."""

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
        """A small picture: 255 in the light, soft at its edge, 0 in the dark."""
        height, width = (-(-side // SPOTLIGHT_SCALE) for side in instances.size)
        pool = np.zeros((height, width), np.uint8)
        for row in range(len(instances)):
            one = np.zeros_like(pool)
            x0, y0, x1, y1 = box_pixels(instances, row)
            axes = [max(side * self.size / 2 / SPOTLIGHT_SCALE, 0.5) for side in (x1 - x0, y1 - y0)]
            centre = (x0 + x1) / 2 / SPOTLIGHT_SCALE - 0.5, (y0 + y1) / 2 / SPOTLIGHT_SCALE - 0.5
            ellipse = fixed_point(centre), fixed_point(axes), 0, 0, 360
            cv2.ellipse(one, *ellipse, 255, cv2.FILLED, cv2.LINE_AA, FRACTION_BITS)
            rim = 2 * min(int(sum(axes) / 8), MAX_BLUR_RADIUS) + 1
            pool = np.maximum(pool, cv2.stackBlur(one, (rim, rim)) if rim > 1 else one)
        return pool


def blurred_around(image: Image, opacity: Opacity, sigma: float) -> Image:
    """The picture blurred, leaving out pixels as far as `opacity` covers them.

    The weight of a pixel is its uncovered share, squared, because a soft edge mixes both colours.
    The picture is downscaled first, which does not show in a large blur and takes a tenth of the
    time.
    """
    factor = max(int(sigma / MIN_DOWNSCALED_SIGMA), 1)
    spread = max(sigma / factor, 0.1)
    shown = cv2.bitwise_not(opacity)
    shown = np.asarray(cv2.multiply(shown, shown, scale=1 / 255), np.uint8)
    seen = _downscaled_times(image, shown, factor)
    weights = cv2.cvtColor(downscaled(shown, factor), cv2.COLOR_GRAY2RGB)
    sums, weights = (
        cv2.GaussianBlur(part.astype(np.uint16) * 255, (0, 0), spread) for part in (seen, weights)
    )
    means = cv2.divide(sums, weights, scale=255, dtype=cv2.CV_8U)
    return upscaled(means, factor, (image.shape[0], image.shape[1]))


def _downscaled_times(image: Image, share: Opacity, factor: int) -> Image:
    """The picture times `share` (H, W) / 255, downscaled, band by band."""
    bands = []
    step = -(-BAND_ROWS // factor) * factor
    for top in range(0, len(image), step):
        part = cv2.cvtColor(share[top : top + step], cv2.COLOR_GRAY2RGB)
        part = cv2.multiply(image[top : top + step], part, scale=1 / 255)
        bands.append(downscaled(part, factor))
    return np.concatenate(bands)


def fixed_point(values: tuple[float, float] | list[float]) -> tuple[int, int]:
    """Coordinates in OpenCV's fixed-point format, with `FRACTION_BITS` fractional bits."""
    return round(values[0] * 2**FRACTION_BITS), round(values[1] * 2**FRACTION_BITS)


def check_share(name: str, value: float, most: float = 1.0) -> None:
    """Raises OptionError: `value` is not within 0..`most`."""
    if not 0 <= value <= most:
        raise OptionError(f"{name} must lie in 0..{most:g}, got {value:g}.")
