"""HDR to SDR and back: PQ and HLG in BT.2020 for displays of BT.709."""

from functools import lru_cache

import cv2
import numpy as np
from cv2.typing import MatLike
from numpy.typing import NDArray

from vidseg.structures.frame import Image

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


def tone_map(codes: NDArray[np.uint16], transfer: str) -> Image:
    """(H, W, 3) uint16 PQ or HLG code values in BT.2020 to uint8 SDR in BT.709.

    White is at 203 cd/m2, the Mobius curve works on the largest channel, the display is BT.1886.
    ffmpeg does the same for
    ``zscale=t=linear:npl=203,zscale=p=bt709,tonemap=mobius:desat=0,zscale=t=bt709``.
    """
    light = _display_light(codes, transfer)
    channels = cv2.split(cv2.transform(light, BT2020_TO_BT709))
    factor = _mobius(cv2.max(cv2.max(channels[0], channels[1]), channels[2]))
    display = [_to_display(channel, factor) for channel in channels]
    return cv2.merge(display).astype(np.uint8, copy=False)


def _display_light(codes: NDArray[np.uint16], transfer: str) -> NDArray[np.float32]:
    """(H, W, 3) linear light in BT.2020 that a display shows, 1 = SDR white."""
    light = _to_light(transfer).take(codes)
    if transfer == "arib-std-b67":
        light *= _system_gamma(light)
    return light


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
    a, b, scale = _mobius_terms()
    bright = np.maximum(level, np.float32(MOBIUS_KNEE))
    mapped = (bright + np.float32(a)) * np.float32(scale)
    mapped /= (bright + np.float32(b)) * bright
    return mapped


def _mobius_terms() -> tuple[float, float, float]:
    """(a, b, scale) of the curve scale * (x + a) / (x + b) above the knee."""
    knee, peak = MOBIUS_KNEE, MOBIUS_PEAK
    a = -knee * knee * (peak - 1) / (knee * knee - 2 * knee + peak)
    b = (knee * knee - 2 * knee * peak + peak) / (peak - 1)
    return a, b, (b * b + 2 * b * knee + knee * knee) / (b - a)


@lru_cache(maxsize=1)
def _from_light() -> NDArray[np.uint8]:
    """Code values of a BT.1886 display for light of 0 to 65535."""
    return np.rint(255 * np.linspace(0, 1, 65536) ** (1 / 2.4)).astype(np.uint8)


def undo_tone_map(
    image: NDArray[np.uint8], transfer: str, beneath: NDArray[np.uint16] | None = None
) -> NDArray[np.uint16]:
    """(N, 3) uint8 SDR colours in BT.709 as (N, 3) uint16 PQ or HLG code values in BT.2020.

    The inverse of `tone_map`, but no brighter than SDR white, or than the code values `beneath`
    which the colours were drawn on, if those are brighter: white labels must not glare.
    """
    mapped = (image.astype(np.float32) / 255) ** 2.4
    peak = np.maximum(mapped.max(axis=1), 1e-9)
    limit = np.ones_like(peak)
    if beneath is not None:
        source = _display_light(beneath[None], transfer)[0]
        limit = np.maximum(limit, (source @ BT2020_TO_BT709.T).max(axis=1))
    level = np.minimum(_undo_mobius(peak), limit)
    light = (mapped * (level / peak)[:, None]) @ np.linalg.inv(BT2020_TO_BT709).T
    return _to_codes(np.maximum(light, 0).astype(np.float32), transfer)


def _undo_mobius(mapped: NDArray[np.float32]) -> NDArray[np.float32]:
    """The light level that `_mobius` brings to `mapped`, 0 to 1."""
    a, b, scale = _mobius_terms()
    bright = np.maximum(mapped, MOBIUS_KNEE)
    level = (scale * a - bright * b) / (bright - scale)
    return np.where(mapped <= MOBIUS_KNEE, mapped, level).astype(np.float32)


def _to_codes(light: NDArray[np.float32], transfer: str) -> NDArray[np.uint16]:
    """(N, 3) display light, 1 = SDR white, as code values."""
    if transfer == "arib-std-b67":
        luma = light @ BT2020_LUMA[0] * np.float32(SDR_WHITE_NITS / 1000)
        light = light * (np.maximum(luma, 1e-6) ** np.float32(-0.2 / 1.2))[:, None]
    codes = np.interp(light, _to_light(transfer), np.arange(65536))
    return np.rint(codes).astype(np.uint16)
