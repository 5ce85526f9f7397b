"""Synthetic scenes with known objects and a barcode of the frame index, and the reader of it."""

from collections.abc import Iterable, Mapping
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import Colorspace
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.structures.instances import MASK_SIDE, UNTRACKED, Instances
from vidseg.video.encoding._svt_av1 import tamed_svt

SIZE = (128, 192)
CLASSES = {1: "disc", 2: "rectangle"}
COLUMNS, ROWS = 8, 2
# label, colour, lane (0 is the top one), speed and phase in widths, half width in lane heights
SHAPES = (
    (1, (220, 40, 40), 0, 0.010, 0.20, 0.42),
    (1, (40, 90, 230), 1, -0.015, 0.70, 0.42),
    (2, (240, 200, 30), 2, 0.020, 0.45, 0.80),
)


def scene_image(index: int, size: tuple[int, int] = SIZE) -> Image:
    """Frame `index`: shapes over a textured ground, under a strip of blocks that spell `index`."""
    image = _ground(size).copy()
    for (_, color, *_), mask in zip(SHAPES, _masks(index, size), strict=True):
        image[mask] = color
    strip = _strip_height(size)
    for bit, (rows, columns) in enumerate(_blocks(size)):
        image[rows, columns] = 255 if index >> bit & 1 else 0
    image[strip : strip + max(1, size[0] // 64)] = 128
    return image


def read_barcode(image: Image) -> int:
    """The index in a picture that `scene_image` drew, though scaled, greyed or compressed since."""
    height, width = image.shape[:2]
    index = 0
    for bit, (rows, columns) in enumerate(_blocks((height, width))):
        block = image[rows, columns]
        h, w = block.shape[0] // 4, block.shape[1] // 4
        value = block[h : block.shape[0] - h, w : block.shape[1] - w].mean()
        if 104 < value < 152:
            raise ValueError(f"block {bit} of the barcode is neither black nor white: {value:.0f}")
        index |= int(value > 128) << bit
    return index


def scene_masks(index: int, size: tuple[int, int] = SIZE) -> NDArray[np.bool_]:
    """(N, H, W) true masks of the objects that `scene_instances` lists, in its order."""
    masks = [mask for mask in _masks(index, size) if mask.any()]
    return np.stack(masks) if masks else np.zeros((0, *size), bool)


def scene_instances(index: int, size: tuple[int, int] = SIZE) -> Instances:
    """The true objects of frame `index`, untracked, with scores 0.95, 0.9, 0.85."""
    boxes, masks, rows = [], [], []
    for row in range(len(SHAPES)):
        x0, y0, x1, y1 = _box(row, index, size)
        x0, x1 = max(x0, 0.0), min(x1, float(size[1]))
        if not _mask(row, index, size).any():
            continue
        cells = (np.arange(MASK_SIDE) + 0.5) / MASK_SIDE
        inside = _inside(row, index, size, x0 + cells * (x1 - x0), y0 + cells * (y1 - y0))
        boxes.append((x0, y0, x1, y1))
        masks.append(inside.astype(np.uint8) * 255)
        rows.append(row)
    if not rows:
        return Instances.empty(size)
    return Instances(
        boxes=np.array(boxes, np.float32),
        masks=np.stack(masks),
        scores=np.array([0.95 - 0.05 * row for row in rows], np.float32),
        labels=np.array([SHAPES[row][0] for row in rows], np.int64),
        ids=np.full(len(rows), UNTRACKED, np.int64),
        size=size,
    )


def write_scene(
    path: Path,
    *,
    frames: int = 30,
    rate: Fraction = Fraction(30),
    size: tuple[int, int] = SIZE,
    times: Iterable[Fraction] | None = None,
    codec: str | None = None,
    pixel_format: str = "yuv420p",
    matrix: str = "smpte170m",
    full_range: bool = False,
    tags: Mapping[str, int] | None = None,
    options: Mapping[str, str] | None = None,
    format: str | None = None,
    container_options: Mapping[str, str] | None = None,
    rotation: int = 0,
    pixel_aspect: Fraction = Fraction(1),
    sound: int = 0,
    sound_start: Fraction = Fraction(0),
    sound_seconds: Fraction | None = None,
    first: int = 0,
) -> Path:
    """Write scenes `first` to `first + frames - 1` and `sound` tracks of sine tones.

    `times` gives each frame's seconds for a variable rate; `tags` sets color_primaries, color_trc,
    colorspace, color_range on the encoder; `rotation` is what the player has to turn clockwise.
    """
    shown = list(times) if times is not None else [i / rate for i in range(frames)]
    codec = codec or _CODECS.get(path.suffix, "libx264")
    format = "apng" if codec == "apng" else format
    with av.open(
        str(path), "w", format=format, container_options=dict(container_options or {})
    ) as container:
        video: Any = container.add_stream(codec, rate=rate, options=_options(codec, options))
        turned = rotation in (90, 270)
        video.width, video.height = (size[0], size[1]) if turned else (size[1], size[0])
        video.pix_fmt = pixel_format
        video.time_base = 1 / rate if times is None else Fraction(1, 90000)
        video.codec_context.time_base = video.time_base
        video.codec_context.sample_aspect_ratio = pixel_aspect
        for name, value in (tags or {}).items():
            setattr(video.codec_context, name, value)
        if rotation:
            video.set_display_rotation(-rotation)
        if codec == "libsvtav1":
            with tamed_svt():
                video.codec_context.open()
        tones = [_add_tone(container, path) for _ in range(sound)]
        for number, time in enumerate(shown):
            image = np.rot90(scene_image(first + number, size), rotation // 90)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24")
            frame = frame.reformat(
                format=pixel_format,
                dst_colorspace=_MATRICES[matrix],
                dst_color_range=2 if full_range else 1,
            )
            frame.pts, frame.time_base = round(time / video.time_base), video.time_base
            container.mux(video.encode(frame))
        container.mux(video.encode())
        seconds = sound_seconds or shown[-1] + 1 / rate
        for number, tone in enumerate(tones):
            _write_tone(container, tone, 440 * (number + 1), sound_start, seconds)
    return path


_CODECS = {".webm": "libvpx-vp9", ".gif": "gif", ".png": "apng", ".apng": "apng", ".avi": "mpeg4"}
_MATRICES = {
    "bt709": Colorspace.ITU709,
    "smpte170m": Colorspace.SMPTE170M,
    "bt2020nc": 9,
}
_SAMPLE_RATE = 48000


def _options(codec: str, options: Mapping[str, str] | None) -> dict[str, str]:
    quick = {
        "libx264": {"preset": "ultrafast", "crf": "18"},
        "libx265": {"preset": "ultrafast", "crf": "18", "x265-params": "log-level=none"},
        "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "crf": "24", "b": "0"},
        "mpeg4": {"b": "2000000"},
        "mpeg2video": {"b": "4000000"},
    }
    return quick.get(codec, {}) | dict(options or {})


def _add_tone(container: Any, path: Path) -> Any:
    codec = "libopus" if path.suffix == ".webm" else "aac"
    tone = container.add_stream(codec, rate=_SAMPLE_RATE, layout="mono")
    tone.codec_context.time_base = Fraction(1, _SAMPLE_RATE)
    return tone


def _write_tone(container: Any, tone: Any, hertz: int, start: Fraction, seconds: Fraction) -> None:
    total, block = round(seconds * _SAMPLE_RATE), 960
    for first in range(0, total, block):
        at = np.arange(first, min(first + block, total)) / _SAMPLE_RATE
        wave = (0.3 * np.sin(2 * np.pi * hertz * at)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(wave[None], "fltp", "mono")
        frame.sample_rate = _SAMPLE_RATE
        frame.time_base = Fraction(1, _SAMPLE_RATE)
        frame.pts = first + round(start * _SAMPLE_RATE)
        container.mux(tone.encode(frame))
    container.mux(tone.encode())


def _strip_height(size: tuple[int, int]) -> int:
    return size[0] * ROWS // 12


def _blocks(size: tuple[int, int]) -> list[tuple[slice, slice]]:
    rows = np.linspace(0, _strip_height(size), ROWS + 1).round().astype(int)
    columns = np.linspace(0, size[1], COLUMNS + 1).round().astype(int)
    return [
        (slice(rows[r], rows[r + 1]), slice(columns[c], columns[c + 1]))
        for r in range(ROWS)
        for c in range(COLUMNS)
    ]


@lru_cache(maxsize=8)
def _ground(size: tuple[int, int]) -> Image:
    coarse = np.random.default_rng(7).uniform(70, 150, (9, 13, 3))
    frame = av.VideoFrame.from_ndarray(coarse.astype(np.uint8), "rgb24")
    grown = frame.reformat(width=size[1], height=size[0], interpolation="BILINEAR")
    return np.asarray(grown.to_ndarray(), np.uint8)


def _box(row: int, index: int, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """xyxy of a shape, unclipped; it wraps round after half a width out of the picture."""
    _, _, lane, speed, phase, half = SHAPES[row]
    top = size[0] * 0.22
    lane_height = (size[0] - top) / 3
    x = ((phase + speed * index + 0.25) % 1.5 - 0.25) * size[1]
    y = top + (lane + 0.5) * lane_height
    half_height = 0.42 * lane_height
    return x - half * lane_height, y - half_height, x + half * lane_height, y + half_height


def _inside(
    row: int, index: int, size: tuple[int, int], xs: NDArray[Any], ys: NDArray[Any]
) -> NDArray[np.bool_]:
    """Which points of the grid `ys` x `xs` lie in the shape."""
    x0, y0, x1, y1 = _box(row, index, size)
    u = (2 * xs - x0 - x1) / (x1 - x0)
    v = (2 * ys - y0 - y1) / (y1 - y0)
    if SHAPES[row][0] == 1:
        return u[None, :] ** 2 + v[:, None] ** 2 <= 1
    return (np.abs(u)[None, :] <= 1) & (np.abs(v)[:, None] <= 1)


def _mask(row: int, index: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    return _inside(row, index, size, np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5)


def _masks(index: int, size: tuple[int, int]) -> list[NDArray[np.bool_]]:
    return [_mask(row, index, size) for row in range(len(SHAPES))]
