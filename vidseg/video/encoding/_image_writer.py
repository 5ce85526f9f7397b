"""Writes photos: one file, or a folder with one per frame."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from vidseg.atomic_output import atomic_output
from vidseg.errors import OptionError, OutputError
from vidseg.remote.paths import as_path
from vidseg.structures.frame import Frame, Image
from vidseg.video.codecs import ALPHA_PHOTO_SUFFIXES, PHOTO_SUFFIXES
from vidseg.video.encoding._photo_source import SourceAlpha, source_exif, source_photo
from vidseg.video.info import VideoInfo

IMWRITE_OPTIONS = {
    ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    ".webp": [cv2.IMWRITE_WEBP_QUALITY, 95],
    ".png": [cv2.IMWRITE_PNG_COMPRESSION, 6],
}
MAX_SIDE_PIXELS = {".webp": 16383, ".jpg": 65535, ".jpeg": 65535}
"""Longest sides that the formats can store."""
EXIF_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
"""Formats in which OpenCV writes EXIF data."""


class PhotoWriter:
    """Writes one photo in the format of its suffix."""

    def __init__(self, path: str | Path, info: VideoInfo, *, force: bool = False) -> None:
        """Raises OptionError if the input holds more than one frame."""
        self._path, self._force = as_path(path), force
        self._info, self._alpha = info, SourceAlpha(info)
        self._stack = ExitStack()
        self._written = 0
        if info.frames is not None and info.frames > 1:
            raise OptionError(
                f"{self._path.name} holds one image and the input {info.frames}; "
                "name a video or a folder."
            )

    def __enter__(self) -> "PhotoWriter":
        self._part = self._stack.enter_context(atomic_output(self._path, force=self._force))
        return self

    def write(self, frame: Frame) -> None:
        """Write the photo; OutputError for a second one."""
        if self._written:
            raise OutputError(f"{self._path} holds one image; name a video or a folder.")
        self._written += 1
        _check_size(self._path, frame.image)
        _write_frame(self._part, frame, self._info, self._alpha)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)


class PhotoFolderWriter:
    """A folder with one photo per frame, named as the input's photos, else numbered."""

    def __init__(
        self, path: str | Path, info: VideoInfo, *, alpha: bool = False, force: bool = False
    ) -> None:
        self._path, self._force = as_path(path), force
        self._info, self._alpha = info, SourceAlpha(info)
        self._names = photo_names(info.photos, alpha=alpha)
        self._digits = max(5, len(str(max((info.frames or 1) - 1, 0))))
        self._stack = ExitStack()

    def __enter__(self) -> "PhotoFolderWriter":
        self._part = self._stack.enter_context(
            atomic_output(self._path, force=self._force, folder=True)
        )
        return self

    def write(self, frame: Frame) -> None:
        """Write the photo of this frame's index."""
        numbered = f"{frame.index:0{self._digits}d}.png"
        name = self._names[frame.index] if frame.index < len(self._names) else numbered
        _check_size(self._path / name, frame.image)
        _write_frame(self._part / name, frame, self._info, self._alpha)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        return self._stack.__exit__(kind, error, trace)


def photo_names(photos: tuple[Path, ...], *, alpha: bool = False) -> list[str]:
    """The names of `photos`. A suffix that cannot be written gets .png behind it: a.heic.png.

    With `alpha` so does a suffix without transparency: a.jpg.png.
    """
    known = ALPHA_PHOTO_SUFFIXES if alpha else PHOTO_SUFFIXES
    return [
        photo.name if photo.suffix.lower() in known else f"{photo.name}.png" for photo in photos
    ]


def _check_size(path: Path, image: Image) -> None:
    height, width = image.shape[:2]
    limit = MAX_SIDE_PIXELS.get(path.suffix.lower(), max(height, width))
    if max(height, width) > limit:
        raise OutputError(
            f"{path} cannot hold an image of {width}x{height}: sides of {path.suffix} end at "
            f"{limit} pixels; use .png."
        )


def _write_frame(path: Path, frame: Frame, info: VideoInfo, alpha: SourceAlpha) -> None:
    """Write a frame with the transparency and EXIF data of its source, if the format has them."""
    suffix = path.suffix.lower()
    image = alpha.restore(frame) if suffix in ALPHA_PHOTO_SUFFIXES else frame.image
    photo = source_photo(info, frame.index)
    exif = source_exif(photo) if photo is not None and suffix in EXIF_SUFFIXES else None
    write_photo(path, image, exif)


def write_photo(path: Path, image: Image, exif: bytes | None = None) -> None:
    """Write an (H, W, 3) RGB or (H, W, 4) RGBA image in the format of the suffix.

    Only `ALPHA_PHOTO_SUFFIXES` keep the transparency. Raises OutputError if the format cannot hold
    an image of this size.
    """
    suffix = path.suffix.lower()
    options = IMWRITE_OPTIONS.get(suffix, [])
    order = cv2.COLOR_RGB2BGR if image.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
    try:
        pixels = cv2.cvtColor(image, order)
        if exif is None:
            done, data = cv2.imencode(suffix, pixels, options)
        else:
            kinds, chunks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
            done, data = cv2.imencodeWithMetadata(suffix, pixels, kinds, chunks, options)
    except cv2.error as error:
        raise OutputError(f"{path.name} cannot hold this image: {error.err}.") from error
    if not done:
        raise OutputError(f"{path.name} cannot hold an image of {image.shape[1]}x{image.shape[0]}.")
    path.write_bytes(data.tobytes())
