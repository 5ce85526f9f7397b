"""What a written photo or GIF keeps of its source: transparency and EXIF."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Frame, Image
from vidseg.video.decoding.image_files import PHOTO_ERRORS, open_image
from vidseg.video.decoding.image_pixels import flatten, has_alpha
from vidseg.video.decoding.image_reader import (
    read_animation_with_alpha,
    read_photo_with_alpha,
)
from vidseg.video.info import VideoInfo

MAX_STROKE_PIXELS = 7
"""Width of the strokes of a label that are closed, as white letters look like the background."""
EXIF_IFD_TAG, GPS_IFD_TAG = 0x8769, 0x8825
KEPT_EXIF_TAGS = {
    *(0x010E, 0x010F, 0x0110, 0x0131, 0x0132, 0x013B, 0x013C, 0x8298),
    *(EXIF_IFD_TAG, GPS_IFD_TAG),
}
"""Description, make, model, software, date, artist, computer, copyright, camera settings, place."""
STALE_EXIF_SETTINGS = (0xA002, 0xA003, 0x927C)
"""Width, height, and the maker's note, which may hold a preview of the old pixels."""


class SourceAlpha:
    """Gives drawn frames the transparency of the photo or animation that they were drawn on."""

    def __init__(self, info: VideoInfo) -> None:
        self._info = info
        self._frames: Iterator[Image] = iter(())
        self._next = 0
        if info.kind == "animation" and info.alpha:
            self._frames = (pixels for _, pixels in read_animation_with_alpha(info.path))

    def restore(self, frame: Frame) -> Image:
        """The image of `frame`, (H, W, 4) with straight alpha if its source has transparency."""
        if frame.image.shape[2] == 4:
            return frame.image
        source = self._source(frame.index)
        if source is None or source.shape != (*frame.image.shape[:2], 4):
            return frame.image
        return restore_alpha(frame.image, source)

    def _source(self, index: int) -> Image | None:
        photo = source_photo(self._info, index)
        if photo is not None:
            return _transparent_photo(photo)
        while self._next <= index:
            pixels = next(self._frames, None)
            self._next += 1
            if pixels is None or self._next > index:
                return pixels
        return None


def source_photo(info: VideoInfo, index: int) -> Path | None:
    """The photo that frame number `index` was read from; None for videos and animations."""
    if info.kind == "photo":
        return info.path
    return info.photos[index] if index < len(info.photos) else None


def restore_alpha(drawn: Image, source: Image) -> Image:
    """(H, W, 4) pixels that look like `drawn` over white, transparent where `source` is.

    `drawn` is (H, W, 3), made from `flatten(source)`. Pixels that were not drawn on are those of
    `source`. The others get the least alpha that shows their colour.
    """
    labels = _label_strokes(drawn, source)
    kept = (drawn == flatten(source)).all(axis=2) & ~labels
    dark = 255 - drawn.astype(np.float32)
    alpha = np.maximum(source[..., 3], dark.max(axis=2))
    alpha[labels] = 255
    color = 255 - dark * (255 / np.maximum(alpha, 1))[..., None]
    restored = np.dstack([color, alpha])
    return np.where(kept[..., None], source, np.rint(restored).clip(0, 255)).astype(np.uint8)


def source_exif(photo: Path) -> bytes | None:
    """The EXIF data of a photo that hold for an upright drawing on it: no orientation or thumbnail.

    None if there are none.
    """
    try:
        with open_image(photo) as image:
            exif = image.getexif()
            if GPS_IFD_TAG in exif:
                exif.get_ifd(GPS_IFD_TAG)
            settings = exif.get_ifd(EXIF_IFD_TAG) if EXIF_IFD_TAG in exif else {}
            for tag in STALE_EXIF_SETTINGS:
                settings.pop(tag, None)
            for tag in [tag for tag in exif if tag not in KEPT_EXIF_TAGS]:
                del exif[tag]
            return exif.tobytes() if exif else None
    except PHOTO_ERRORS:
        return None


def _label_strokes(drawn: Image, source: Image) -> NDArray[np.bool_]:
    """Where something opaque was drawn on nothing, and the letters in it."""
    changed = (drawn != flatten(source)).any(axis=2) & (source[..., 3] == 0)
    kernel = np.ones((MAX_STROKE_PIXELS, MAX_STROKE_PIXELS), np.uint8)
    closed = cv2.morphologyEx(changed.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    return closed.astype(bool) & (source[..., 3] == 0)


def _transparent_photo(photo: Path) -> Image | None:
    """The (H, W, 4) pixels of a photo with transparency; None for any other."""
    try:
        with open_image(photo) as image:
            if not has_alpha(image):
                return None
        return read_photo_with_alpha(photo)
    except PHOTO_ERRORS:
        return None
