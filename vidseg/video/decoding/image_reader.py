"""Reads photos, folders of photos and animated images: upright RGB with exact times."""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from pathlib import Path

import cv2
import numpy as np
import PIL.Image

from vidseg.errors import InputError
from vidseg.structures.frame import Image
from vidseg.video.info import VideoInfo
from vidseg.video.orientation import EXIF_ORIENTATIONS, Orientation, upright, upright_size

PILLOW_FORMATS = ("PNG", "GIF", "WEBP", "JPEG", "MPO", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Pillow's names of the formats that are read."""
ANIMATED_FORMATS = ("PNG", "GIF", "WEBP", "AVIF")
READABLE_PHOTO_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Suffixes of the files of a folder that are taken for photos."""
PHOTO_ERRORS = (OSError, EOFError, SyntaxError, ValueError, PIL.Image.DecompressionBombError)
"""What Pillow raises for damaged files."""
EXIF_ORIENTATION_TAG = 0x0112
DEFAULT_FRAME_DELAY = Fraction(1, 10)
"""Seconds for frames that state no delay, as in browsers and ffmpeg."""
MIN_GIF_DELAY = Fraction(2, 100)
"""Seconds; browsers replace shorter delays by the default."""


def is_image_file(path: Path) -> bool:
    """Whether the content, not the name, is that of a photo or an animated image."""
    if path.suffix.lower() in (".mjpeg", ".mjpg"):  # a video of JPEG images starts like a photo
        return False
    try:
        with _open(path):
            return True
    except PIL.UnidentifiedImageError:
        return False
    except PHOTO_ERRORS as error:
        raise InputError(f"{path} is a damaged image: {error}.") from error


def probe_image(path: Path) -> VideoInfo:
    """Facts about a photo or an animated image."""
    try:
        with _open(path) as image:
            numbers = _frame_numbers(image)
            if image.format in ANIMATED_FORMATS and len(numbers) > 1:
                return _describe_animation(path, image, numbers)
            return _describe_photo(path, image)
    except PHOTO_ERRORS as error:
        raise InputError(f"{path} is a damaged image: {error}.") from error


def probe_folder(path: Path) -> VideoInfo:
    """Facts about a folder of photos: those directly in it, hidden files left out."""
    photos = _photos_in(path)
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
    """One photo as upright (H, W, 3) uint8 RGB, without its transparency.

    Raises one of `PHOTO_ERRORS` if the file is damaged.
    """
    with _open(path) as image:
        orientation = _exif_orientation(image)
        return upright(_rgb(image), orientation)


def load_photo(path: Path) -> Image:
    """`read_photo`, but InputError if the file is damaged or missing."""
    try:
        return read_photo(path)
    except PHOTO_ERRORS as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def read_animation(path: Path) -> Iterator[tuple[Fraction, Image]]:
    """(delay in seconds, composed frame) for each frame of an animated image."""
    with _open(path) as image:
        for number in _frame_numbers(image):
            image.seek(number)
            pixels = _rgb(image)
            yield _delay(image), pixels


def _open(path: Path) -> PIL.Image.Image:
    PIL.Image.init()  # registers all formats
    try:
        known = [name for name in PILLOW_FORMATS if name in PIL.Image.OPEN]
        return PIL.Image.open(path, formats=known)
    except PIL.UnidentifiedImageError:
        image = _deep_tiff(path)
        if image is None:
            raise
        return image


def _deep_tiff(path: Path) -> PIL.Image.Image | None:
    """A TIFF with more bits per channel than Pillow reads, reduced to 8; None for other files."""
    data = np.fromfile(path, np.uint8)
    if data[:4].tobytes() not in (b"II*\0", b"MM\0*"):
        return None
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if bgr is None:
        return None
    image = PIL.Image.fromarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    image.format = "TIFF"
    return image


def _photos_in(folder: Path) -> tuple[Path, ...]:
    try:
        found = [path for path in folder.iterdir() if _is_photo_name(path.name) and path.is_file()]
    except OSError as error:
        raise InputError(f"{folder} cannot be opened: {error.strerror}.") from error
    return tuple(sorted(found, key=_natural))


def _is_photo_name(name: str) -> bool:
    return name[0] != "." and Path(name).suffix.lower() in READABLE_PHOTO_SUFFIXES


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts `img2` before `img10`."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), part) if part.isdecimal() else (-1, part.lower()) for part in parts]


def _photo_size(path: Path) -> tuple[int, int] | None:
    try:
        with _open(path) as image:
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
        alpha=_has_alpha(image),
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
        alpha=_has_alpha(image),
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
    return EXIF_ORIENTATIONS.get(image.getexif().get(EXIF_ORIENTATION_TAG, 1), Orientation())


def _has_alpha(image: PIL.Image.Image) -> bool:
    return "A" in image.getbands() or "transparency" in image.info


def _rgb(image: PIL.Image.Image) -> Image:
    """An image of any mode as (H, W, 3) uint8: no transparency, the upper 8 of 16 bits."""
    if image.mode.startswith("I;16"):
        grey = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(image.convert("RGB"))
