"""Dense optical flow between frames: which point of one frame is where in the other.

OpenCV's DIS (Kroeger et al. 2016, https://arxiv.org/abs/1603.03590) on small grey pictures. Over
several frames the steps from frame to frame are chained rather than found at once, which follows
what turns and bends: on the running dog of DAVIS, J&F of 0.81 to 0.74. The fastest preset at 640
pixels takes half the time of the medium one at 480, for J&F of 0.903 to 0.912 on three clips. It is
chained at half its size, which takes a third less time in all, for J&F of 0.907 to 0.906.
"""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Image

SIDE = 640
"""Longer side of the pictures in which motion is found, in pixels, at most."""
LEAST = 64
"""Shorter sides than this are made larger for DIS, which needs room for its patches."""
AROUND = 3
"""Side of the window over which `unlike` compares, in pixels."""
LOST = 255.0
"""What `unlike` says where a point lies outside the other frame."""

T = TypeVar("T", np.uint8, np.float32)
Grey = NDArray[np.uint8]
"""(h, w)"""
Flow = NDArray[np.float32]
"""(h, w, 2): what is at (x, y) of this picture is at (x, y) + flow[y, x] of the other."""


def reduced(image: Image, side: int = SIDE) -> Grey:
    """The frame in grey, its longer side at most `side` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


class FlowFinder:
    """Finds flow by one of DIS's presets; keeps its buffers, so one serves one thread."""

    def __init__(self, preset: int = cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST) -> None:
        self._dis = cv2.DISOpticalFlow.create(preset)

    def between(self, here: Grey, there: Grey) -> Flow:
        """Where the points of `here` are in `there`; both of one size."""
        height, width = here.shape
        scale = max(1, -(-LEAST // min(height, width)))
        here, there = (_times(grey, scale) for grey in (here, there))
        anything: Any = None
        flow = self._dis.calc(here, there, anything)
        flow = np.asarray(flow[::scale, ::scale], np.float32)
        return np.asarray(flow / np.float32(scale), np.float32)


def _times(grey: Grey, scale: int) -> Grey:
    if scale == 1:
        return np.ascontiguousarray(grey)
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.uint8)


def halved(flow: Flow) -> Flow:
    """The same motion in pictures of half the size."""
    small = half(flow)
    (height, width), (h, w) = flow.shape[:2], small.shape[:2]
    return small * np.array([w / width, h / height], np.float32)


def half(values: NDArray[T]) -> NDArray[T]:
    """A picture, or any field, of half the size, by area."""
    height, width = values.shape[:2]
    size = max(1, round(width / 2)), max(1, round(height / 2))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), values.dtype)


def chained(first: Flow, second: Flow) -> Flow:
    """The way of `first` and from there that of `second`; past the edge as at the edge."""
    x, y = ends(first)
    mode = cv2.BORDER_REPLICATE
    return first + np.asarray(
        cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=mode), np.float32
    )


def ends(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(h, w) twice: x and y in the other picture of each point of this one."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return x, y


def unlike(here: Grey, there: Grey, flow: Flow) -> NDArray[np.float32]:
    """(h, w) 0..255: mean difference of the pictures around each point of `here`, where `flow` says
    that it is in `there`. Large where the flow is wrong, or the point hidden in `there`."""
    x, y = ends(flow)
    found = cv2.remap(there, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    off = cv2.absdiff(found, here)
    height, width = here.shape
    off[(x < -1) | (y < -1) | (x > width) | (y > height)] = LOST
    return np.asarray(cv2.blur(off.astype(np.float32), (AROUND, AROUND)), np.float32)
