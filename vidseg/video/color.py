"""Colour: the matrix a video is encoded with, YUV to display RGB, and HDR to SDR."""

from functools import lru_cache

import cv2
import numpy as np
from av import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from cv2.typing import MatLike
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.video.info import UNKNOWN, Color, VideoInfo

# Code points of ITU-T H.273, by ffmpeg's names
MATRIX_NAMES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m",
    8: "ycgco", 9: "bt2020nc", 10: "bt2020c",
}  # fmt: skip
RANGE_NAMES = {1: "tv", 2: "pc"}
PRIMARIES_NAMES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
TRANSFER_NAMES = {
    1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear",
    9: "log100", 10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1",
    14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip

# Codes of swscale.h. PyAV 17, the last release for Python 3.10, lacks names for some.
SWS_BILINEAR, SWS_BICUBIC, SWS_AREA = 0x2, 0x4, 0x20
SWS_FULL_CHR_H_INT, SWS_FULL_CHR_H_INP, SWS_ACCURATE_RND = 0x2000, 0x4000, 0x40000
SWS_BT2020 = 9
SWS_MATRICES = {
    "bt709": Colorspace.ITU709, "fcc": Colorspace.FCC, "bt470bg": Colorspace.ITU601,
    "smpte170m": Colorspace.ITU601, "smpte240m": Colorspace.SMPTE240M,
    "bt2020nc": SWS_BT2020, "bt2020c": SWS_BT2020,
}  # fmt: skip

FAST_PIXEL_FORMATS = {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p"}
"""Formats that swscale has a fast path to RGB for. Others need full chroma for neutral greys."""

HDR_TRANSFERS = ("smpte2084", "arib-std-b67")
SDR_WHITE_NITS = 203.0
"""Luminance of SDR white in an HDR video, in candela per square metre (ITU-R BT.2408)."""
MOBIUS_KNEE, MOBIUS_PEAK = 0.3, 10.0
"""Where tone mapping starts and ends, as multiples of SDR white (ffmpeg's `tonemap=mobius`)."""
BT2020_TO_BT709 = np.array(
    [
        [1.660491, -0.587641, -0.072850],
        [-0.124550, 1.132900, -0.008349],
        [-0.018151, -0.100579, 1.118730],
    ],
    np.float32,
)
"""For linear light (ITU-R BT.2087-0 section 4)."""
BT2020_LUMA = np.array([[0.2627, 0.6780, 0.0593]], np.float32)
"""ITU-R BT.2020, table 4."""


def frame_color(frame: VideoFrame) -> Color:
    """The colour tags of a decoded frame."""
    full = frame.format.name.startswith("yuvj")
    return Color(
        matrix=MATRIX_NAMES.get(frame.colorspace, UNKNOWN),
        range="pc" if full else RANGE_NAMES.get(frame.color_range, UNKNOWN),
        primaries=PRIMARIES_NAMES.get(frame.color_primaries, UNKNOWN),
        transfer=TRANSFER_NAMES.get(frame.color_trc, UNKNOWN),
    )


def matrix(info: VideoInfo) -> str:
    """The YUV matrix of a video: its tag, else BT.709 for 720 lines or more and BT.601 below.

    The writer guesses the same way, so that an untagged video keeps its colours.
    """
    if info.color.matrix in SWS_MATRICES:
        return info.color.matrix
    if info.hdr:
        return "bt2020nc"
    return "bt709" if info.size[0] >= 720 else "smpte170m"


def to_rgb(
    frame: VideoFrame, info: VideoInfo, size: tuple[int, int], scaler: VideoReformatter
) -> Image:
    """A decoded frame as display RGB of `size` (height, width), not yet upright.

    The array is writable and contiguous. It may share memory with the converted frame.
    """
    fast = _is_fast(frame, size) and not info.hdr
    converted = scaler.reformat(
        frame,
        width=size[1],
        height=size[0],
        format="rgb48le" if info.hdr else "rgb24",
        interpolation=SWS_BILINEAR if fast else _accurate_flags(frame, size, info.hdr),
        src_colorspace=SWS_MATRICES[matrix(info)],
        src_color_range=2 if info.color.range == "pc" else 1,
        dst_color_range=2,
        threads=1,
    )
    codes = np.ascontiguousarray(converted.to_ndarray())
    if info.hdr:
        return tone_map(codes.astype(np.uint16, copy=False), info.color.transfer)
    image = codes.astype(np.uint8, copy=False)
    return _undo_truncation(image) if fast else image


def _is_fast(frame: VideoFrame, size: tuple[int, int]) -> bool:
    same = (frame.height, frame.width) == size
    return same and frame.format.name in FAST_PIXEL_FORMATS and frame.height % 2 == 0


def _accurate_flags(frame: VideoFrame, size: tuple[int, int], sixteen_bits: bool) -> int:
    flags = SWS_BILINEAR if (frame.height, frame.width) == size else SWS_BICUBIC
    # with full chroma swscale's 16-bit RGB is garbage; it is exact without
    return flags if sixteen_bits else flags | SWS_FULL_CHR_H_INT


def _undo_truncation(codes: Image) -> Image:
    """Add, in place, the code value that the fast path loses by truncation; black stays black."""
    if _fast_path_truncates():
        not_black = (codes != 0).view(np.uint8)
        cv2.add(codes, not_black, dst=codes)
    return codes


@lru_cache(maxsize=1)
def _fast_path_truncates() -> bool:
    """Whether swscale's fast path is a code value too dark on this processor, as on x86.

    Random colours are compared with the formula of ITU-R BT.709 section 3.
    """
    random = np.random.default_rng(0)
    quarter = random.integers(90, 166, (3, 32, 32), np.uint8)
    luma, blue, red = quarter.repeat(2, 1).repeat(2, 2)
    planes = (luma.reshape(-1), blue[::2, ::2].reshape(-1), red[::2, ::2].reshape(-1))
    frame = VideoFrame.from_ndarray(np.concatenate(planes).reshape(96, 64), "yuv420p")
    got = VideoReformatter().reformat(
        frame, format="rgb24", interpolation=SWS_BILINEAR, src_colorspace=SWS_MATRICES["bt709"],
        src_color_range=1, dst_color_range=2, threads=1,
    ).to_ndarray()  # fmt: skip
    true = (luma - 16.0) * 255 / 219 + (red - 128.0) * 1.5748 * 255 / 224
    return float(np.mean(got[..., 0] - true)) < -0.5


def tone_map(codes: NDArray[np.uint16], transfer: str) -> Image:
    """(H, W, 3) uint16 PQ or HLG code values in BT.2020 to uint8 SDR in BT.709.

    White is at 203 cd/m2, the Mobius curve works on the largest channel, the display is BT.1886.
    ffmpeg does the same for
    ``zscale=t=linear:npl=203,zscale=p=bt709,tonemap=mobius:desat=0,zscale=t=bt709``.
    """
    light = _to_light(transfer).take(codes)
    if transfer == "arib-std-b67":
        light *= _system_gamma(light)
    channels = cv2.split(cv2.transform(light, BT2020_TO_BT709))
    factor = _mobius(cv2.max(cv2.max(channels[0], channels[1]), channels[2]))
    display = [_to_display(channel, factor) for channel in channels]
    return cv2.merge(display).astype(np.uint8, copy=False)


def _to_display(light: MatLike, factor: MatLike) -> NDArray[np.uint8]:
    clipped = cv2.multiply(light, factor, scale=65535, dtype=cv2.CV_16U)
    return _from_light().take(clipped.astype(np.uint16, copy=False))


@lru_cache(maxsize=2)
def _to_light(transfer: str) -> NDArray[np.float32]:
    """Linear light of all 65536 code values, 1 = SDR white.

    PQ: SMPTE ST 2084. HLG: ITU-R BT.2100 table 5.
    """
    code = np.linspace(0, 1, 65536)
    if transfer == "smpte2084":
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = code ** (1 / m2)
        light = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1)
    else:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = 1000 * np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    return (light / SDR_WHITE_NITS).astype(np.float32)


def _system_gamma(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Factor from HLG scene light to that of a 1000 cd/m2 display (ITU-R BT.2100, gamma 1.2)."""
    luma = cv2.transform(light, BT2020_LUMA) * np.float32(SDR_WHITE_NITS / 1000)
    return np.power(np.maximum(luma, 1e-6), np.float32(0.2)).reshape(*light.shape[:2], 1)


def _mobius(level: MatLike) -> NDArray[np.float32]:
    """Factor for light of `level` (ffmpeg, libavfilter/vf_tonemap.c)."""
    knee, peak = MOBIUS_KNEE, MOBIUS_PEAK
    a = -knee * knee * (peak - 1) / (knee * knee - 2 * knee + peak)
    b = (knee * knee - 2 * knee * peak + peak) / (peak - 1)
    scale = (b * b + 2 * b * knee + knee * knee) / (b - a)
    bright = np.maximum(level, np.float32(knee))
    mapped = (bright + np.float32(a)) * np.float32(scale)
    mapped /= (bright + np.float32(b)) * bright
    return mapped


@lru_cache(maxsize=1)
def _from_light() -> NDArray[np.uint8]:
    """Code values of a BT.1886 display for light of 0 to 65535."""
    return np.rint(255 * np.linspace(0, 1, 65536) ** (1 / 2.4)).astype(np.uint8)
