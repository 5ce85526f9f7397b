"""Dense optical flow: where each point of one frame lies in another.

OpenCV's DIS (Kroeger et al. 2016, https://arxiv.org/abs/1603.03590) on reduced grey pictures. Flow
over several frames is composed of the steps from frame to frame, not computed at once: composed
flow follows what turns and bends (running dog of DAVIS: J&F 0.81, against 0.74). The fastest preset
at 640 pixels takes half the time of the medium one at 480 (J&F 0.903 against 0.912 on three clips).
Composing at half size takes a third less time in all (J&F 0.907, against 0.906 at full size).
"""

from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.structures.frame import Image

MAX_FLOW_SIDE = 640
"""Largest longer side of the pictures that flow is computed on, in pixels."""
MIN_DIS_SIDE = 64
"""Smallest side for DIS, in pixels, which needs room for its patches; smaller pictures are
enlarged."""
WARP_ERROR_WINDOW = 3
"""Side of the window over which `warp_error` averages, in pixels."""
OUTSIDE_WARP_ERROR = 255.0
"""Difference that `warp_error` assumes for points outside the other frame."""

T = TypeVar("T", np.uint8, np.float32)
Grey = NDArray[np.uint8]
"""(h, w)"""
Flow = NDArray[np.float32]
"""(h, w, 2): the point (x, y) of this picture is at (x, y) + flow[y, x] in the other."""


def reduced(image: Image, side: int = MAX_FLOW_SIDE) -> Grey:
    """The frame in grey, with its longer side at most `side` pixels."""
    height, width = image.shape[:2]
    scale = min(1.0, side / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


class FlowFinder:
    """Computes flow with a preset of DIS; it keeps buffers, so use one on each thread."""

    def __init__(self, preset: int = cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST) -> None:
        self._dis = cv2.DISOpticalFlow.create(preset)

    def between(self, here: Grey, there: Grey) -> Flow:
        """The flow from `here` to `there`, which have the same size."""
        height, width = here.shape
        scale = max(1, -(-MIN_DIS_SIDE // min(height, width)))
        here, there = (_enlarged(grey, scale) for grey in (here, there))
        anything: Any = None
        flow = self._dis.calc(here, there, anything)
        flow = np.asarray(flow[::scale, ::scale], np.float32)
        return np.asarray(flow / np.float32(scale), np.float32)


def _enlarged(grey: Grey, scale: int) -> Grey:
    if scale == 1:
        return np.ascontiguousarray(grey)
    large = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return np.asarray(large, np.uint8)


def halved(flow: Flow) -> Flow:
    """The same flow for pictures of half the size."""
    small = half(flow)
    (height, width), (h, w) = flow.shape[:2], small.shape[:2]
    return small * np.array([w / width, h / height], np.float32)


def half(values: NDArray[T]) -> NDArray[T]:
    """A picture or field at half its size, averaged by area."""
    height, width = values.shape[:2]
    size = max(1, round(width / 2)), max(1, round(height / 2))
    return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), values.dtype)


def compose(first: Flow, second: Flow) -> Flow:
    """The flow of `first` followed by `second`; beyond the edge, `second` is as at the edge."""
    x, y = targets(first)
    mode = cv2.BORDER_REPLICATE
    return first + np.asarray(
        cv2.remap(second, x, y, cv2.INTER_LINEAR, borderMode=mode), np.float32
    )


def targets(flow: Flow) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """x and y, each (h, w): where each point of this picture lies in the other."""
    height, width = flow.shape[:2]
    x = flow[..., 0] + np.arange(width, dtype=np.float32)
    y = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    return x, y


def warp_error(here: Grey, there: Grey, flow: Flow) -> NDArray[np.float32]:
    """(h, w) 0..255: mean difference, around each point, of `here` and `there` warped by `flow`.

    Large where the flow is wrong or the point is hidden in `there`.
    """
    x, y = targets(flow)
    warped = cv2.remap(there, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    difference = cv2.absdiff(warped, here)
    height, width = here.shape
    difference[(x < -1) | (y < -1) | (x > width) | (y > height)] = OUTSIDE_WARP_ERROR
    window = WARP_ERROR_WINDOW, WARP_ERROR_WINDOW
    return np.asarray(cv2.blur(difference.astype(np.float32), window), np.float32)
