"""Colour: the tags of a video, the matrix it is encoded with, and YUV to display RGB."""

from functools import lru_cache

import cv2
import numpy as np
from av import VideoFrame
from av.video.reformatter import Colorspace, VideoReformatter
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.video.info import UNKNOWN_COLOR, Color, VideoInfo
from vidseg.video.tone_mapping import tone_map

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

# Codes of swscale.h, which PyAV passes on
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
"""PQ and HLG."""


def frame_color(frame: VideoFrame) -> Color:
    """The colour tags of a decoded frame."""
    full = frame.format.name.startswith("yuvj")
    return Color(
        matrix=MATRIX_NAMES.get(frame.colorspace, UNKNOWN_COLOR),
        range="pc" if full else RANGE_NAMES.get(frame.color_range, UNKNOWN_COLOR),
        primaries=PRIMARIES_NAMES.get(frame.color_primaries, UNKNOWN_COLOR),
        transfer=TRANSFER_NAMES.get(frame.color_trc, UNKNOWN_COLOR),
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
    codes = rgb_codes(frame, info, size, scaler)
    if info.hdr:
        return tone_map(codes.astype(np.uint16, copy=False), info.color.transfer)
    return codes.astype(np.uint8, copy=False)


def rgb_codes(
    frame: VideoFrame, info: VideoInfo, size: tuple[int, int], scaler: VideoReformatter
) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """(H, W, 3) code values in the video's own primaries: uint16 if it is HDR, else uint8."""
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
        return codes.astype(np.uint16, copy=False)
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
