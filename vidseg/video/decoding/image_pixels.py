"""The pixels of a Pillow image of any mode as 8-bit sRGB, with or without transparency."""

import io
import logging
from functools import lru_cache

import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL import ImageCms

from vidseg.structures.frame import Image

log = logging.getLogger("vidseg")

BACKGROUND = 255
"""What shows through transparent pixels: white, as in browsers."""
GREY_MAXIMA = (255, 1023, 4095, 16383, 65535)
"""Brightest values of 8, 10, 12, 14 and 16 bits, the depths of cameras and scanners."""
COLOR_SPACES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}
"""Maps the colour space of an ICC profile to the modes that it describes."""
MAX_SRGB_ERROR = 1
"""Code values by which a profile may differ from sRGB and still count as sRGB."""


def srgb_pixels(image: PIL.Image.Image) -> Image:
    """(H, W, 3) or, if the image has transparency, (H, W, 4) uint8 sRGB with straight alpha.

    Colours are converted from the image's ICC profile. Deep grey values are scaled by
    `scale_grey`.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(scale_grey(np.asarray(image))[..., None], 3, axis=2)
    mode = "RGBA" if has_alpha(image) else "RGB"
    return np.array(_to_srgb(image, mode).convert(mode))


def has_alpha(image: PIL.Image.Image) -> bool:
    """Whether an image can have transparent pixels."""
    return "A" in image.getbands() or "transparency" in image.info


def flatten(pixels: Image) -> Image:
    """(H, W, 4) pixels over `BACKGROUND` as (H, W, 3); (H, W, 3) pixels as they are."""
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.uint16)
    mixed = pixels[..., :3] * alpha + BACKGROUND * (255 - alpha)
    return ((mixed + 127) // 255).astype(np.uint8)


def scale_grey(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey values deeper than 8 bits as 0 to 255, by one rule.

    Values take the smallest usual bit depth that holds the brightest, and keep its upper 8 bits.
    Floats up to 1.0 are shares of white. Negative values, and those beyond 16 bits, have no such
    range: they are stretched from their minimum to their maximum.
    """
    grey = np.nan_to_num(np.asarray(values, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = (float(grey.min()), float(grey.max())) if grey.size else (0.0, 0.0)
    if low < 0 or high > GREY_MAXIMA[-1]:
        scaled = np.rint((grey - low) * (255 / max(high - low, 1e-30)))
    elif high <= 1 and np.issubdtype(values.dtype, np.floating):
        scaled = np.rint(grey * 255)
    else:
        white = next(each for each in GREY_MAXIMA if high <= each)
        scaled = np.floor(grey * (256 / (white + 1)))
    return scaled.clip(0, 255).astype(np.uint8)


def _to_srgb(image: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    profile = image.info.get("icc_profile")
    if not profile:
        return image
    source = image.convert(mode) if image.mode in ("P", "PA") else image
    try:
        transform = _srgb_transform(profile, source.mode)
        if transform is not None:
            return ImageCms.applyTransform(source, transform) or source
    except (ImageCms.PyCMSError, OSError, ValueError) as error:
        name = getattr(image, "filename", "A photo")
        log.warning("%s has an ICC profile that cannot be used (%s).", name, error)
    return image


@lru_cache(maxsize=16)
def _srgb_transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The conversion of a `mode` image to sRGB; None if it changes nothing or does not fit."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    space = str(getattr(source.profile, "xcolor_space", "")).strip()
    if mode not in COLOR_SPACES.get(space, ()):
        return None
    target = "RGBA" if mode == "RGBA" else "RGB"
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, target)
    return None if space == "RGB" and _changes_nothing(source) else transform


def _changes_nothing(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether RGB colours of `profile` are sRGB already, within rounding."""
    levels = np.linspace(0, 255, 6).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    transform = ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB")
    converted = ImageCms.applyTransform(PIL.Image.fromarray(grid), transform)
    error = np.abs(np.asarray(converted).astype(int) - grid)
    return int(error.max()) <= MAX_SRGB_ERROR
