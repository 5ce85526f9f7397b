"""Damage that ffmpeg skips silently: found by lengths and checksums."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.support import corpus
from tests.support.reading import codes, read
from tests.support.scenes import scene_image, write_scene
from vidseg.errors import DamagedInputError
from vidseg.structures.frame import Frame
from vidseg.video.damage._damaged_packets import broken_chain
from vidseg.video.damage._ffv1 import checksum
from vidseg.video.decoding.reader import read_frames
from vidseg.video.demuxing.timestamp_resets import reset_offsets
from vidseg.video.probe import probe

GROUPS = {"g": "15", "bf": "2"}
FLIPPED = {
    "crc.mkv": {"options": GROUPS},
    "ffv1.avi": {"codec": "ffv1", "options": {"level": "3", "slicecrc": "1"}},
    "vp9.webm": {"options": {"g": "15"}},
}
"""Codings in which any flipped byte in the middle is noticed."""
HEALTHY = FLIPPED | {
    "b.avi": {"codec": "mpeg4", "options": {"g": "15", "bf": "2", "b": "1M"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "vp8.ogv": {"codec": "libvpx", "format": "ogg", "options": {"g": "15", "b": "1M"}},
    "h264.flv": {"options": GROUPS},
    "vp8.ivf": {"codec": "libvpx", "options": {"g": "15", "b": "1M"}},
    "wmv2.wmv": {"codec": "wmv2", "options": {"g": "15", "b": "1M"}},
    "mpeg2.mxf": {"codec": "mpeg2video", "options": {"g": "15", "b": "2M"}},
    "plain.mp4": {"options": GROUPS, "container_options": {"movflags": "faststart"}},
    "fragments.mp4": {"options": GROUPS, "container_options": {"movflags": "frag_keyframe"}},
    "b.ts": {"options": GROUPS},
}
CHAINED = ("crc.mkv", "vp9.webm", "ffv1.avi", "b.avi", "mjpeg.avi", "fragments.mp4")
"""Files whose chain of lengths is followed."""
ANNOUNCING = (*CHAINED, "h264.flv", "plain.mp4", "b.ts")
"""Files that announce their size or duration, or show a truncated packet."""


def write(folder: Path, name: str) -> Path:
    return write_scene(folder / name, frames=60, **HEALTHY[name])


def until_damage(path: Path) -> list[Frame]:
    frames: list[Frame] = []
    with pytest.raises(DamagedInputError):
        frames.extend(read_frames(probe(path)))
    return frames


def same(frame: Frame, other: Frame) -> bool:
    return frame.time == other.time and np.array_equal(frame.image, other.image)


def changed(path: Path, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(path.read_bytes())
    change(data)
    other = path.with_name("changed-" + path.name)
    other.write_bytes(data)
    return other


@pytest.mark.parametrize("name", HEALTHY)
def test_intact_files_are_not_called_damaged(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    info = probe(path)
    assert broken_chain(path, info.container) == []
    assert info.damage == ""
    assert codes(read(path)) == list(range(60))


@pytest.mark.parametrize("name", FLIPPED)
@pytest.mark.parametrize("at", [0.3, 0.5, 0.7])
def test_flipped_bytes_are_noticed(tmp_path: Path, name: str, at: float) -> None:
    path = write(tmp_path, name)
    whole = read(path)

    def flip(data: bytearray) -> None:
        for byte in range(4):
            data[int(len(data) * at) + 7 * byte] ^= 0x55

    kept = until_damage(changed(path, flip))
    assert all(same(a, b) for a, b in zip(kept[:-1], whole, strict=False))
    assert len(kept) < 60


@pytest.mark.parametrize("name", CHAINED)
@pytest.mark.parametrize("at", [0.4, 0.75])
def test_missing_bytes_are_noticed_before_a_frame_is_shifted(
    tmp_path: Path, name: str, at: float
) -> None:
    path = write(tmp_path, name)
    whole = read(path)

    def cut_out(data: bytearray) -> None:
        start = int(len(data) * at)
        del data[start : start + 1500]

    kept = until_damage(changed(path, cut_out))
    assert all(same(a, b) for a, b in zip(kept, whole, strict=False))


@pytest.mark.parametrize("name", ANNOUNCING)
@pytest.mark.parametrize("at", [0.52, 0.97])
def test_truncated_files(tmp_path: Path, name: str, at: float) -> None:
    path = write(tmp_path, name)
    whole, short = read(path), corpus.cut(path, at)
    kept = until_damage(short)
    assert all(same(a, b) for a, b in zip(kept, whole, strict=False))
    assert len(kept) >= 60 * at - 18


@pytest.mark.parametrize("name", ["crc.mkv", "mjpeg.avi"])
def test_going_on_keeps_every_index_after_missing_bytes(tmp_path: Path, name: str) -> None:
    def cut_out(data: bytearray) -> None:
        start = len(data) // 2
        del data[start : start + 1500]

    kept = read(changed(write(tmp_path, name), cut_out), keep_going=True)
    assert 15 < len(kept) < 60
    assert kept[-1].index == 59
    assert codes(kept) == [frame.index for frame in kept]


def test_checksum_of_ffv1_is_that_of_rfc_9043() -> None:
    """CRC-32 of polynomial 0x04c11db7 from 0, the highest bit first, not inverted."""

    def by_hand(data: bytes) -> int:
        register = 0
        for byte in data:
            register ^= byte << 24
            for _ in range(8):
                carry = register >> 31
                register = (register << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if carry else 0)
        return register

    for data in (b"", b"\0", b"FFV1", bytes(range(256))):
        assert checksum(data) == by_hand(data)


def test_unknown_elements_of_matroska_are_no_damage(tmp_path: Path) -> None:
    """An unknown element of the right length, as a later version of the format may bring."""
    path = corpus.no_duration(tmp_path)

    def insert(data: bytearray) -> None:
        cluster = data.index(b"\x1f\x43\xb6\x75")
        data[cluster:cluster] = b"\x4d\x77\x83abc"

    info = probe(changed(path, insert))
    assert broken_chain(info.path, info.container) == []


def test_data_that_cameras_append_to_an_mp4_is_no_damage(tmp_path: Path) -> None:
    path = write(tmp_path, "plain.mp4")
    info = probe(changed(path, lambda data: data.extend(b"\0camera trailer" * 9)))
    assert info.damage == ""
    assert len(read(info.path)) == 60


def test_sound_stays_in_sync_after_joined_files(tmp_path: Path) -> None:

    info = probe(corpus.clock_set_back(tmp_path))
    assert reset_offsets(info) == [Fraction(1)]


@pytest.mark.parametrize("full_range", [False, True])
def test_no_range_comes_out_darker(tmp_path: Path, full_range: bool) -> None:
    path = write_scene(
        tmp_path / "clip.mp4", frames=2, full_range=full_range, options={"qp": "0"},
        tags={"color_range": 2 if full_range else 1},
    )  # fmt: skip
    drawn: Any = np.stack([scene_image(0), scene_image(1)]).astype(int)
    shown = np.stack([frame.image for frame in read(path)]).astype(int)
    inside = (drawn > 8) & (drawn < 247)
    assert abs((shown - drawn)[inside].mean()) < 0.6


def test_vp9_looks_the_same_through_both_decoders(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "clip.webm", frames=10)
    with av.open(str(path)) as container:
        own = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    for frame, other in zip(read(path), own, strict=True):
        assert np.abs(frame.image.astype(int) - other).max() <= 2
