"""Colour: which matrix a video was coded with, code values to display RGB, and HDR to SDR."""

from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from av import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.video.info import UNKNOWN, Color, VideoInfo

# Code points of ITU-T H.273 in ffmpeg's names
MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m",
    8: "ycgco", 9: "bt2020nc", 10: "bt2020c",
}  # fmt: skip
RANGES = {1: "tv", 2: "pc"}
PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFERS = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear",
    9: "log100", 10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1",
    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip

# swscale.h's own codes, not all of which PyAV 17, the last for Python 3.10, has names for
BILINEAR, BICUBIC, AREA = 0x2, 0x4, 0x20
FULL_CHR_H_INT, FULL_CHR_H_INP, ACCURATE_RND = 0x2000, 0x4000, 0x40000
BT2020 = 9
SWSCALE = {
    "bt709": Colorspace.ITU709, "fcc": Colorspace.FCC, "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601, "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": BT2020, "bt2020c": BT2020,
}  # fmt: skip

FAST = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"}
"""Formats that swscale turns into RGB in one fast step; others need full chroma for true greys."""

HDR_TRANSFERS = ("smpte2084", "arib-std-b67")
WHITE = 203.0
"""Candela per square metre of SDR white in an HDR picture (ITU-R BT.2408)."""
KNEE, PEAK = 0.3, 10.0
"""Tone mapping starts at KNEE x WHITE and ends at PEAK x WHITE, as in ffmpeg's `tonemap=mobius`."""
BT2020_TO_BT709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
"""Linear light, ITU-R BT.2087-0 section 4."""
LUMA_2020 = np.array([[0.2627, 0.6780, 0.0593]], np.float32)
"""ITU-R BT.2020, table 4."""


def frame_color(frame: Any) -> Color:
    """The colour tags of a decoded frame."""
    full = frame.format.name.startswith("yuvj")
    return Color(
        matrix=MATRICES.get(frame.colorspace, UNKNOWN),
        range="pc" if full else RANGES.get(frame.color_range, UNKNOWN),
        primaries=PRIMARIES.get(frame.color_primaries, UNKNOWN),
        transfer=TRANSFERS.get(frame.color_trc, UNKNOWN),
    )


def matrix(info: VideoInfo) -> str:
    """The YUV matrix of a video by its tag, else BT.709 from 720 lines on and BT.601 below.

    The writer makes the same guess, so that what was not tagged goes back as it came.
    """
    if info.color.matrix in SWSCALE:
        return info.color.matrix
    if info.hdr:
        return "bt2020nc"
    return "bt709" if info.size[0] >= 720 else "smpte170m"


def to_rgb(frame: Any, info: VideoInfo, size: tuple[int, int], scaler: VideoReformatter) -> Image:
    """A decoded frame as display RGB of `size` (height, width), not yet upright.

    The array is writable and contiguous; where rows need no padding it is the decoder's own memory.
    """
    fast = _is_fast(frame, size) and not info.hdr
    converted = scaler.reformat(
        frame,
        width=size[1],
        height=size[0],
        format="rgb48le" if info.hdr else "rgb24",
        interpolation=BILINEAR if fast else _quality(frame, size, info.hdr),
        src_colorspace=SWSCALE[matrix(info)],
        src_color_range=2 if info.color.range == "pc" else 1,
        dst_color_range=2,
        threads=1,
    )
    codes: Any = np.ascontiguousarray(converted.to_ndarray())
    if info.hdr:
        return tone_map(codes, info.color.transfer)
    return _rounded(codes) if fast else codes


def _is_fast(frame: Any, size: tuple[int, int]) -> bool:
    same = (frame.height, frame.width) == size
    return same and frame.format.name in FAST and frame.height % 2 == 0


def _quality(frame: Any, size: tuple[int, int], deep: bool) -> int:
    way = BILINEAR if (frame.height, frame.width) == size else BICUBIC
    # full chroma gives garbage in swscale's 16-bit RGB, where the plain way is exact
    return way if deep else way | FULL_CHR_H_INT


def _rounded(codes: Image) -> Image:
    """`codes` of the fast way, in place, with what it loses by cutting off; black stays black."""
    if _cut_off():
        lit: Any = (codes != 0).view(np.uint8)
        cv2.add(codes, lit, dst=codes)
    return codes


@lru_cache(maxsize=1)
def _cut_off() -> bool:
    """Whether the fast way of this processor's swscale is a code value too dark, as that of x86 is:
    by trial on random colours against the formula of ITU-R BT.709 section 3."""
    random = np.random.default_rng(0)
    quarter = random.integers(90, 166, (3, 32, 32), np.uint8)
    luma, blue, red = quarter.repeat(2, 1).repeat(2, 2)
    planes = (luma.reshape(-1), blue[::2, ::2].reshape(-1), red[::2, ::2].reshape(-1))
    frame = VideoFrame.from_ndarray(np.concatenate(planes).reshape(96, 64), "yuv420p")
    got = VideoReformatter().reformat(
        frame, format="rgb24", interpolation=BILINEAR, src_colorspace=SWSCALE["bt709"],
        src_color_range=1, dst_color_range=2, threads=1,
    ).to_ndarray()  # fmt: skip
    true = (luma - 16.0) * 255 / 219 + (red - 128.0) * 1.5748 * 255 / 224
    return float(np.mean(got[..., 0] - true)) < -0.5


def tone_map(codes: NDArray[np.uint16], transfer: str) -> Image:
    """(H, W, 3) uint16 PQ or HLG codes in BT.2020 to uint8 SDR in BT.709.

    White at 203 cd/m2, Mobius curve on the largest channel, BT.1886 display: what ffmpeg does for
    ``zscale=t=linear:npl=203,zscale=p=bt709,tonemap=mobius:desat=0,zscale=t=bt709``.
    """
    light: Any = _to_light(transfer).take(codes)
    if transfer == "arib-std-b67":
        light *= _system_gamma(light)
    channels: Any = cv2.split(cv2.transform(light, BT2020_TO_BT709))
    factor: Any = _mobius(cv2.max(cv2.max(channels[0], channels[1]), channels[2]))
    display: Any = [_to_display(channel, factor) for channel in channels]
    merged: Any = cv2.merge(display)
    return merged


def _to_display(light: Any, factor: Any) -> NDArray[np.uint8]:
    clipped: Any = cv2.multiply(light, factor, scale=65535, dtype=cv2.CV_16U)
    return _from_light().take(clipped)


@lru_cache(maxsize=2)
def _to_light(transfer: str) -> NDArray[np.float32]:
    """65536 codes to linear light, 1 = SDR white (SMPTE ST 2084; ITU-R BT.2100 table 5)."""
    code = np.linspace(0, 1, 65536)
    if transfer == "smpte2084":
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = 1000 * np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return (light / WHITE).astype(np.float32)


def _system_gamma(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """HLG's scene light to that of a display of 1000 cd/m2 (ITU-R BT.2100, gamma 1.2)."""
    luma = cv2.transform(light, LUMA_2020) * np.float32(WHITE / 1000)
    return np.power(np.maximum(luma, 1e-6), np.float32(0.2)).reshape(*light.shape[:2], 1)


def _mobius(level: Any) -> NDArray[np.float32]:
    """Factor for light of `level` (ffmpeg, libavfilter/vf_tonemap.c)."""
    a = -KNEE * KNEE * (PEAK - 1) / (KNEE * KNEE - 2 * KNEE + PEAK)
    b = (KNEE * KNEE - 2 * KNEE * PEAK + PEAK) / (PEAK - 1)
    scale = (b * b + 2 * b * KNEE + KNEE * KNEE) / (b - a)
    bright = np.maximum(level, np.float32(KNEE))
    mapped = (bright + np.float32(a)) * np.float32(scale)
    mapped /= (bright + np.float32(b)) * bright
    return mapped


@lru_cache(maxsize=1)
def _from_light() -> NDArray[np.uint8]:
    return np.rint(255 * np.linspace(0, 1, 65536) ** (1 / 2.4)).astype(np.uint8)
