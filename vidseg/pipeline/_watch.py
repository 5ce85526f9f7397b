"""A picture of the last drawn frame, renewed while a run goes on."""

import logging
import time
from collections.abc import Callable
from pathlib import Path

import PIL.Image

from vidseg.atomic_output import atomic_output
from vidseg.effects.contact_sheet import opaque
from vidseg.errors import OptionError
from vidseg.structures.frame import Image
from vidseg.video.codecs import PHOTO_SUFFIXES

log = logging.getLogger("vidseg")

WATCH_SECONDS = 2.0
"""Time between two pictures."""
JPEG_QUALITY = 85


class Watch:
    """Writes the first frame at once, and from then on the newest one every `WATCH_SECONDS`.

    The file is always a whole picture. One that cannot be written ends the watch, not the run.
    """

    def __init__(self, target: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Raises OptionError: the name is none of a picture."""
        if target.suffix.lower() not in PHOTO_SUFFIXES:
            known = ", ".join(PHOTO_SUFFIXES)
            raise OptionError(f"What is watched is a picture, and {target} is none: use {known}.")
        self._target, self._clock = target, clock
        self._shown: object = None
        self._due: float | None = None
        self._failed = False

    def show(self, image: Image, output: object) -> None:
        """`image` was drawn for `output`; of several outputs, the first one is watched."""
        self._shown = output if self._shown is None else self._shown
        now = self._clock()
        if self._failed or output is not self._shown or (self._due and now < self._due):
            return
        self._due = now + WATCH_SECONDS
        try:
            with atomic_output(self._target, force=True) as part:
                PIL.Image.fromarray(opaque(image)).save(part, quality=JPEG_QUALITY)
        except OSError as error:
            self._failed = True
            log.warning("%s is no longer renewed: %s", self._target, error)
