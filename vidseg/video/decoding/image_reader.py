"""Reads photos, folders of photos and animated images: upright RGB with exact times."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from math import lcm
from pathlib import Path

import PIL.Image

from vidseg.errors import InputError
from vidseg.structures.frame import Image
from vidseg.video.decoding._gif_blocks import gif_damage
from vidseg.video.decoding.image_files import (
    PHOTO_ERRORS,
    READABLE_PHOTO_SUFFIXES,
    open_image,
    open_stored,
    photos_in,
)
from vidseg.video.decoding.image_pixels import flatten, has_alpha, srgb_pixels
from vidseg.video.info import VideoInfo
from vidseg.video.orientation import EXIF_ORIENTATIONS, Orientation, upright, upright_size

log = logging.getLogger("vidseg")

__all__ = ["PHOTO_ERRORS", "READABLE_PHOTO_SUFFIXES", "open_stored"]

ANIMATED_FORMATS = ("PNG", "GIF", "WEBP", "AVIF")
"""Formats whose frames are a film; the pages of other formats are not."""
EXIF_ORIENTATION_TAG = 0x0112
DEFAULT_FRAME_DELAY = Fraction(1, 10)
"""Seconds for frames that state no delay, as in browsers and ffmpeg."""
MIN_GIF_DELAY = Fraction(2, 100)
"""Seconds; browsers replace shorter delays by the default."""


def is_image_file(path: Path) -> bool:
    """Whether the content, not the name, is that of a photo or an animated image."""
    if path.suffix.lower() in (".mjpeg", ".mjpg"):  # a video of JPEG images starts like a photo
        return False
    with _errors_as_sentence(f"{path} is a damaged image"):
        try:
            open_image(path).close()
        except PIL.UnidentifiedImageError:
            return False
    return True


def probe_image(path: Path) -> VideoInfo:
    """Facts about a photo or an animated image."""
    with _errors_as_sentence(f"{path} is a damaged image"), open_image(path) as image:
        numbers = _frame_numbers(image)
        damage = gif_damage(path) if image.format == "GIF" else ""
        if image.format in ANIMATED_FORMATS and len(numbers) > 1:
            found = _describe_animation(path, image, numbers)
            return replace(found, damage=found.damage or damage)
        if image.format == "TIFF" and len(numbers) > 1:
            log.warning("%s has %d pages; only the first is read.", path, len(numbers))
        return replace(_describe_photo(path, image), damage=damage)


def probe_folder(path: Path) -> VideoInfo:
    """Facts about a folder of photos: those directly in it, hidden files left out."""
    photos = photos_in(path)
    if not photos:
        raise InputError(f"{path} is a folder without photos; give a video or a folder of photos.")
    sizes = [size for photo in photos if (size := _photo_size(photo)) is not None]
    if not sizes:
        raise InputError(f"{path} holds {len(photos)} photos and none of them can be read.")
    return VideoInfo(
        path=path,
        kind="folder",
        size=max(sizes, key=lambda size: size[0] * size[1]),
        rate=Fraction(1),
        constant_rate=True,
        frames=len(photos),
        duration=Fraction(len(photos)),
        time_base=Fraction(1),
        container="folder",
        photos=photos,
    )


def read_photo(path: Path) -> Image:
    """One photo as upright (H, W, 3) uint8 sRGB, over white where it is transparent.

    Raises InputError for formats that are not read, one of `PHOTO_ERRORS` for a damaged file.
    """
    return flatten(read_photo_with_alpha(path))


def read_photo_with_alpha(path: Path) -> Image:
    """The same, but (H, W, 4) with straight alpha if the photo has transparency."""
    with open_image(path) as image:
        orientation = _exif_orientation(image)
        return upright(srgb_pixels(image), orientation)


def load_photo(path: Path) -> Image:
    """`read_photo`, but InputError if the file is damaged or missing."""
    with _errors_as_sentence(f"{path} cannot be read"):
        return read_photo(path)


@contextmanager
def _errors_as_sentence(beginning: str) -> Iterator[None]:
    """Turn what Pillow raises for damaged files into an InputError."""
    try:
        yield
    except InputError:
        raise
    except PHOTO_ERRORS as error:
        raise InputError(f"{beginning}: {error}.") from error


def read_animation(path: Path) -> Iterator[tuple[Fraction, Image]]:
    """(delay in seconds, composed frame over white) for each frame of an animated image."""
    for delay, pixels in read_animation_with_alpha(path):
        yield delay, flatten(pixels)


def read_animation_with_alpha(path: Path) -> Iterator[tuple[Fraction, Image]]:
    """The same, but frames with transparency are (H, W, 4) with straight alpha."""
    with open_image(path) as image:
        for number in _frame_numbers(image):
            image.seek(number)
            pixels = srgb_pixels(image)
            yield _delay(image), pixels


def _photo_size(path: Path) -> tuple[int, int] | None:
    try:
        with open_image(path) as image:
            return upright_size(image.height, image.width, _exif_orientation(image))
    except PHOTO_ERRORS:
        return None


def _describe_photo(path: Path, image: PIL.Image.Image) -> VideoInfo:
    orientation = _exif_orientation(image)
    return VideoInfo(
        path=path,
        kind="photo",
        size=upright_size(image.height, image.width, orientation),
        rate=Fraction(1),
        constant_rate=True,
        frames=1,
        duration=Fraction(1),
        time_base=Fraction(1),
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        pixel_format=image.mode,
        alpha=has_alpha(image),
        container=str(image.format).lower(),
    )


def _describe_animation(path: Path, image: PIL.Image.Image, numbers: range) -> VideoInfo:
    delays, damage = [], ""
    try:
        for number in numbers:
            image.seek(number)
            delays.append(_delay(image))
    except PHOTO_ERRORS:
        damage = f"it breaks off in frame {len(delays)}"
    if not delays:
        raise InputError(f"{path} is an animated image of which no frame can be read.")
    total = sum(delays, Fraction(0))
    constant = len(set(delays[:-1])) == 1 and delays[-1] % delays[0] == 0
    return VideoInfo(
        path=path,
        kind="animation",
        size=(image.height, image.width),
        rate=1 / delays[0] if constant else len(delays) / total,
        constant_rate=constant,
        frames=len(delays),
        duration=total,
        time_base=Fraction(1, min(lcm(*(d.denominator for d in delays)), 90000)),
        pixel_format=image.mode,
        alpha=has_alpha(image),
        container=str(image.format).lower(),
        damage=damage,
    )


def _frame_numbers(image: PIL.Image.Image) -> range:
    """Pillow's frame numbers, without the still that an APNG has for old viewers."""
    first = 1 if image.info.get("default_image") else 0
    return range(first, getattr(image, "n_frames", 1))


def _delay(image: PIL.Image.Image) -> Fraction:
    image.load()  # WebP has its delay only then
    milliseconds = image.info.get("duration") or 0
    delay = Fraction(milliseconds / 1000).limit_denominator(65535)  # APNG: 16-bit ratios
    shortest = MIN_GIF_DELAY if image.format == "GIF" else Fraction(1, 65535)
    return delay if delay >= shortest else DEFAULT_FRAME_DELAY


def _exif_orientation(image: PIL.Image.Image) -> Orientation:
    if image.format == "TIFF":  # Pillow turns these upright itself
        return Orientation()
    return EXIF_ORIENTATIONS.get(image.getexif().get(EXIF_ORIENTATION_TAG, 1), Orientation())
