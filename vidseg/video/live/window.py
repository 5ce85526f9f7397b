"""A window on this machine's display."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

import cv2

from vidseg.errors import OutputError
from vidseg.structures.frame import Frame
from vidseg.video.live.output import Show

TITLE = "vidseg live"
ENDING_KEYS = (ord("q"), 27)
"""q and Escape."""
ELSEWHERE = "show it elsewhere: --port 8000, --hls FOLDER or --record OUT.mp4"


class Window:
    """Shows frames in a window; q, Escape or closing it ends the run. Only for the main thread."""

    def check(self) -> None:
        """Raises OutputError: there is no display, or OpenCV was built without windows."""
        if reason := why_no_window():
            raise OutputError(f"A window cannot be opened: {reason}; {ELSEWHERE}.")

    @contextmanager
    def open(self, stop: Event) -> Iterator[Show]:
        """The window appears with the first frame."""
        shown = False

        def show(frame: Frame) -> None:
            nonlocal shown
            if shown and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) < 1:
                stop.set()
                return
            if not shown:
                cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO)
                cv2.resizeWindow(TITLE, frame.image.shape[1], frame.image.shape[0])
                shown = True
            cv2.imshow(TITLE, cv2.cvtColor(frame.image, cv2.COLOR_RGB2BGR))
            if cv2.waitKey(1) & 0xFF in ENDING_KEYS:
                stop.set()

        try:
            yield show
        finally:
            if shown:
                cv2.destroyAllWindows()


def why_no_window() -> str:
    """What a window lacks here; "" if nothing."""
    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        return "this machine has no display"
    lines = cv2.getBuildInformation().splitlines()
    if any(line.split() == ["GUI:", "NONE"] for line in lines):
        return "this OpenCV is built without windows (opencv-python has them)"
    return ""
