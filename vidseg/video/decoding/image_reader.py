"""Photos, folders of photos and animated images: upright RGB with exact times."""

import re
from collections.abc import Iterator
from fractions import Fraction
from math import lcm
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image as Pictures
from PIL import UnidentifiedImageError

from vidseg.errors import InputError
from vidseg.structures.frame import Image
from vidseg.video.info import VideoInfo
from vidseg.video.orientation import EXIF_ORIENTATIONS, Orientation, upright, upright_size

FORMATS = ("PNG", "GIF", "WEBP", "JPEG", "MPO", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
ANIMATED = ("PNG", "GIF", "WEBP", "AVIF")
SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"),
}
UNREADABLE = (OSError, EOFError, SyntaxError, ValueError, Pictures.DecompressionBombError)
"""What Pillow raises on damaged files."""
EXIF_ORIENTATION = 0x0112
DEFAULT_DELAY = Fraction(1, 10)
"""Seconds a frame is shown that asks for no time at all, as browsers and ffmpeg do."""
SHORTEST_GIF_DELAY = Fraction(2, 100)


def is_picture(path: Path) -> bool:
    """Whether the content, not the name, is that of a photo or an animated image."""
    if path.suffix.lower() in (".mjpeg", ".mjpg"):  # a video of JPEG pictures looks like the first
        return False
    try:
        with _open(path):
            return True
    except UnidentifiedImageError:
        return False
    except UNREADABLE as error:
        raise InputError(f"{path} is a damaged picture: {error}.") from error


def probe_picture(path: Path) -> VideoInfo:
    """Facts about a photo or an animated image."""
    try:
        with _open(path) as picture:
            numbers = _frame_numbers(picture)
            if picture.format in ANIMATED and len(numbers) > 1:
                return _describe_animation(path, picture, numbers)
            return _describe_photo(path, picture)
    except UNREADABLE as error:
        raise InputError(f"{path} is a damaged picture: {error}.") from error


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
    """One photo as upright RGB, 8 bits a channel, transparency dropped.

    Raises one of `UNREADABLE` where the file is damaged.
    """
    with _open(path) as picture:
        orientation = _exif_orientation(picture)
        return upright(_rgb(picture), orientation)


def readable_photo(path: Path) -> Image:
    """`read_photo`; InputError where the file is damaged or gone."""
    try:
        return read_photo(path)
    except UNREADABLE as error:
        raise InputError(f"{path} cannot be read: {error}.") from error


def read_animation(path: Path) -> Iterator[tuple[Fraction, Image]]:
    """(seconds shown, fully composed frame) for each frame of an animated image."""
    with _open(path) as picture:
        for number in _frame_numbers(picture):
            picture.seek(number)
            image = _rgb(picture)
            yield _delay(picture), image


def _open(path: Path) -> Any:
    Pictures.init()  # knows all formats only then
    try:
        return Pictures.open(path, formats=[name for name in FORMATS if name in Pictures.OPEN])
    except UnidentifiedImageError:
        picture = _deep_tiff(path)
        if picture is None:
            raise
        return picture


def _deep_tiff(path: Path) -> Any:
    """A TIFF of more bits a channel than Pillow can read, with 8; None for other files."""
    data = np.fromfile(path, np.uint8)
    if data[:4].tobytes() not in (b"II*\0", b"MM\0*"):
        return None
    bgr = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if bgr is None:
        return None
    picture = Pictures.fromarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    picture.format = "TIFF"
    return picture


def _photos_in(folder: Path) -> tuple[Path, ...]:
    try:
        found = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in SUFFIXES and path.name[0] != "." and path.is_file()
        ]
    except OSError as error:
        raise InputError(f"{folder} cannot be opened: {error.strerror}.") from error
    return tuple(sorted(found, key=_natural))


def _natural(path: Path) -> list[Any]:
    """`img2` before `img10`."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), part) if part.isdecimal() else (-1, part.lower()) for part in parts]


def _photo_size(path: Path) -> tuple[int, int] | None:
    try:
        with _open(path) as picture:
            return upright_size(picture.height, picture.width, _exif_orientation(picture))
    except UNREADABLE:
        return None


def _describe_photo(path: Path, picture: Any) -> VideoInfo:
    orientation = _exif_orientation(picture)
    return VideoInfo(
        path=path,
        kind="photo",
        size=upright_size(picture.height, picture.width, orientation),
        rate=Fraction(1),
        constant_rate=True,
        frames=1,
        duration=Fraction(1),
        time_base=Fraction(1),
        rotation=orientation.rotation,
        mirrored=orientation.mirrored,
        pixel_format=picture.mode,
        alpha=_has_alpha(picture),
        container=str(picture.format).lower(),
    )


def _describe_animation(path: Path, picture: Any, numbers: range) -> VideoInfo:
    delays, damage = [], ""
    try:
        for number in numbers:
            picture.seek(number)
            delays.append(_delay(picture))
    except UNREADABLE:
        damage = f"it breaks off in frame {len(delays)}"
    if not delays:
        raise InputError(f"{path} is an animated image of which no frame can be read.")
    total = sum(delays, Fraction(0))
    constant = len(set(delays[:-1])) == 1 and delays[-1] % delays[0] == 0
    return VideoInfo(
        path=path,
        kind="animation",
        size=(picture.height, picture.width),
        rate=1 / delays[0] if constant else len(delays) / total,
        constant_rate=constant,
        frames=len(delays),
        duration=total,
        time_base=Fraction(1, min(lcm(*(d.denominator for d in delays)), 90000)),
        pixel_format=picture.mode,
        alpha=_has_alpha(picture),
        container=str(picture.format).lower(),
        damage=damage,
    )


def _frame_numbers(picture: Any) -> range:
    """Pillow's frame numbers, without the still that an APNG may show to old viewers."""
    first = 1 if picture.info.get("default_image") else 0
    return range(first, getattr(picture, "n_frames", 1))


def _delay(picture: Any) -> Fraction:
    picture.load()  # WebP tells its times only then
    milliseconds = picture.info.get("duration") or 0
    delay = Fraction(milliseconds / 1000).limit_denominator(65535)  # APNG counts in 16-bit ratios
    shortest = SHORTEST_GIF_DELAY if picture.format == "GIF" else Fraction(1, 65535)
    return delay if delay >= shortest else DEFAULT_DELAY


def _exif_orientation(picture: Any) -> Orientation:
    return EXIF_ORIENTATIONS.get(picture.getexif().get(EXIF_ORIENTATION), Orientation())


def _has_alpha(picture: Any) -> bool:
    return "A" in picture.getbands() or "transparency" in picture.info


def _rgb(picture: Any) -> Image:
    """Any mode of Pillow as (H, W, 3) uint8, without transparency and the lower 8 of 16 bits."""
    if picture.mode.startswith("I;16"):
        grey = (np.asarray(picture).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.array(picture.convert("RGB"))
