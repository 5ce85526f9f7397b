"""Orientation of stored pictures: display matrices and EXIF tags, and rotation by them."""

from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from av import VideoFrame
from numpy.typing import NDArray

Value = TypeVar("Value", bound=np.generic)


class Orientation(NamedTuple):
    """Rotate clockwise by `rotation` degrees, then flip left to right if `mirrored`."""

    rotation: int = 0
    mirrored: bool = False


ORIENTATION_OF_SWAPS = {
    (False, False, False): Orientation(0),
    (False, True, True): Orientation(180),
    (False, True, False): Orientation(0, True),
    (False, False, True): Orientation(180, True),
    (True, True, False): Orientation(90),
    (True, False, True): Orientation(270),
    (True, False, False): Orientation(90, True),
    (True, True, True): Orientation(270, True),
}
"""By whether (rows and columns, left and right, top and bottom) are swapped, in that order."""

EXIF_ORIENTATIONS = {
    2: Orientation(0, True),
    3: Orientation(180),
    4: Orientation(180, True),
    5: Orientation(90, True),
    6: Orientation(90),
    7: Orientation(270, True),
    8: Orientation(270),
}
"""By the value of tag 0x0112 (EXIF 2.32, table 6)."""

CV2_TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def frame_orientation(frame: VideoFrame) -> Orientation:
    """The display matrix of a decoded frame, as the nearest quarter turn.

    ISO/IEC 14496-12 section 6.2.2: x' = a x + c y, y' = b x + d y, stored as a b u c d v x y w.
    """
    data = frame.side_data.get("DISPLAYMATRIX")
    if data is None:
        return Orientation()
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(a) >= abs(b):
        return ORIENTATION_OF_SWAPS[False, a < 0, d < 0]
    return ORIENTATION_OF_SWAPS[True, c < 0, b < 0]


PROJECTIONS = (
    "equirectangular", "cubemap", "part of equirectangular", "half equirectangular", "rectilinear",
    "fisheye", "parametric",
)  # fmt: skip
"""By the numbers of libavutil's `AVSphericalProjection`."""
STEREO_LAYOUTS = {1: ", left-right", 2: ", top-bottom"}
"""By the numbers of libavutil's `AVStereo3DType`."""


def frame_projection(frame: VideoFrame) -> str:
    """How the 360 degrees of a decoded frame are projected; empty for a flat frame."""
    data = frame.side_data.get("SPHERICAL")
    if data is None:
        return ""
    number = int(np.frombuffer(bytes(data), np.int32)[0])
    stereo = frame.side_data.get("STEREO3D")
    layout = 0 if stereo is None else int(np.frombuffer(bytes(stereo), np.int32)[0])
    name = PROJECTIONS[number] if number < len(PROJECTIONS) else "unknown"
    return name + STEREO_LAYOUTS.get(layout, "")


def upright(image: NDArray[Value], orientation: Orientation) -> NDArray[Value]:
    """`image` rotated upright; the same array if it is upright already."""
    turned: Any = image
    if orientation.rotation:
        turned = cv2.rotate(turned, CV2_TURNS[orientation.rotation])
    return cv2.flip(turned, 1) if orientation.mirrored else turned


def upright_size(height: int, width: int, orientation: Orientation) -> tuple[int, int]:
    """(height, width) after rotation."""
    return (width, height) if orientation.rotation in (90, 270) else (height, width)
