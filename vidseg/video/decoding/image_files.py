"""Opens image files: which formats are read, by whom, and what becomes of the rest of a folder."""

import importlib
import logging
import re
import struct
import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np
import PIL.Image

from vidseg.errors import InputError
from vidseg.structures.frame import Image

log = logging.getLogger("vidseg")

PILLOW_FORMATS = ("PNG", "GIF", "WEBP", "JPEG", "MPO", "BMP", "TIFF", "AVIF", "JPEG2000", "PPM")
"""Pillow's names of the formats that are read."""
READABLE_PHOTO_SUFFIXES = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".jp2", ".j2k", ".ppm", ".pgm", ".pbm", ".pnm"),
}
"""Suffixes of the files of a folder that are taken for photos."""
HEIC_SUFFIXES = (".heic", ".heif", ".hif")
HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
"""Brands of HEIC files, in bytes 8 to 12 (ISO/IEC 23008-12)."""
RAW_SUFFIXES = (
    ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".orf", ".rw2", ".raf", ".pef", ".srw",
)  # fmt: skip
"""Raw photos of cameras, many of which are TIFF files that hold a small preview."""
DNG_VERSION_TAG = 50706
TIFF_MAGICS = (b"II*\0", b"MM\0*")
MAX_DEEP_TIFF_BYTES = 1 << 30
"""Larger files are not loaded as a whole to look for a TIFF that Pillow cannot read."""
PHOTO_ERRORS = (
    *(OSError, EOFError, SyntaxError, ValueError, PIL.Image.DecompressionBombError),
    *(LookupError, TypeError, ArithmeticError, RuntimeError, struct.error, zlib.error),
)
"""What Pillow raises for damaged files: its parsers trust the numbers that they read."""


def open_image(path: Path) -> PIL.Image.Image:
    """An open image, its pixels not yet decoded.

    Raises InputError for a HEIC photo that nothing here can read, and for raw photos;
    UnidentifiedImageError for what is no image; one of `PHOTO_ERRORS` for a damaged one.
    """
    with path.open("rb") as file:
        head = file.read(12)
    is_heic = head[4:8] == b"ftyp" and head[8:12] in HEIC_BRANDS
    formats = (*PILLOW_FORMATS, "HEIF") if is_heic and has_heic() else PILLOW_FORMATS
    try:
        image = open_stored(path, formats)
    except PIL.UnidentifiedImageError:
        if is_heic and not has_heic():
            raise InputError(_no_heic(path)) from None
        image = _deep_tiff(path, head)
        if image is None:
            raise
    if image.format == "TIFF":
        _refuse_raw(path, image)
    return _deep_jpeg_2000(path, image) or image


def open_stored(
    source: Path | BinaryIO, formats: Sequence[str] = PILLOW_FORMATS
) -> PIL.Image.Image:
    """An open image with the values that the file stores; no other of Pillow's decoders runs.

    Raises one of `PHOTO_ERRORS`: it is damaged or in another format.
    """
    PIL.Image.init()  # registers all formats
    known = [name for name in formats if name in PIL.Image.OPEN]
    return PIL.Image.open(source, formats=known)


def photos_in(folder: Path) -> tuple[Path, ...]:
    """The photos directly in a folder, in natural order; a warning counts the other files."""
    try:
        visible = [path for path in folder.iterdir() if path.name[0] != "."]
    except OSError as error:
        raise InputError(f"{folder} cannot be opened: {error.strerror}.") from error
    suffixes = READABLE_PHOTO_SUFFIXES | set(HEIC_SUFFIXES if has_heic() else ())
    photos = {path for path in visible if path.suffix.lower() in suffixes and path.is_file()}
    _warn_of_others(folder, [path for path in visible if path not in photos])
    return tuple(sorted(photos, key=_natural))


@lru_cache(maxsize=1)
def has_heic() -> bool:
    """Whether pillow-heif is installed; Pillow then reads HEIC."""
    try:
        importlib.import_module("pillow_heif").register_heif_opener()
    except ImportError:
        return False
    return True


def _no_heic(path: Path) -> str:
    return (
        f"{path} is a HEIC photo, which needs pillow-heif; install it with "
        "pip install 'vidseg[heic]', or convert the photo to JPEG."
    )


def _refuse_raw(path: Path, image: PIL.Image.Image) -> None:
    """A camera's raw photo looks like a TIFF that holds only its small preview."""
    tags = getattr(image, "tag_v2", {})
    if DNG_VERSION_TAG in tags or path.suffix.lower() in RAW_SUFFIXES:
        raise InputError(f"{path} is a raw photo of a camera; export it as JPEG or TIFF.")


def _warn_of_others(folder: Path, others: list[Path]) -> None:
    if not others:
        return
    kinds = Counter("folder" if p.is_dir() else p.suffix.lower() or "no suffix" for p in others)
    listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
    hint = " pip install 'vidseg[heic]' reads HEIC." if kinds.keys() & set(HEIC_SUFFIXES) else ""
    log.warning("%s holds files that are not read as photos: %s.%s", folder, listed, hint)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that puts `img2` before `img10`."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), part) if part.isdecimal() else (-1, part.lower()) for part in parts]


def _deep_tiff(path: Path, head: bytes) -> PIL.Image.Image | None:
    """A TIFF with more bits per channel than Pillow reads, reduced to 8; None for other files."""
    if head[:4] not in TIFF_MAGICS or path.stat().st_size > MAX_DEEP_TIFF_BYTES:
        return None
    return _reduced(path, "TIFF")


def _deep_jpeg_2000(path: Path, image: PIL.Image.Image) -> PIL.Image.Image | None:
    """A JPEG 2000 of deep colours, whose values Pillow lets overflow; None for other files.

    The depth is in the SIZ marker, 38 bytes after its length (ISO/IEC 15444-1, annex A.5.1).
    """
    if image.format != "JPEG2000" or image.mode not in ("RGB", "RGBA"):
        return None
    data = path.read_bytes()
    at = data.find(b"\xff\x51")
    if at < 0 or (data[at + 40] & 0x7F) < 8:
        return None
    return _reduced(path, "JPEG2000")


def _reduced(path: Path, format: str) -> PIL.Image.Image | None:
    bgr = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        return None
    rgb: Image = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)
    image = PIL.Image.fromarray(rgb)
    image.format = format
    return image
