"""Damage that ffmpeg steps over in silence: found by lengths, numbers and checksums."""

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
from vidseg.video.damage._ogg import checksum
from vidseg.video.damage.find_damage import find_flaws
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

GROUPS = {"g": "15", "bf": "2"}
FLIPPED = {
    "crc.mkv": {"options": GROUPS},
    "vp8.ogv": {"codec": "libvpx", "format": "ogg", "options": {"g": "15", "b": "1M"}},
    "ffv1.avi": {"codec": "ffv1", "options": {"level": "3", "slicecrc": "1"}},
    "vp9.webm": {"options": {"g": "15"}},
}
"""Codings of which each flipped byte in the middle must be noticed."""
HEALTHY = FLIPPED | {
    "b.avi": {"codec": "mpeg4", "options": {"g": "15", "bf": "2", "b": "1M"}},
    "mjpeg.avi": {"codec": "mjpeg", "pixel_format": "yuvj420p"},
    "h264.flv": {"options": GROUPS},
    "vp8.ivf": {"codec": "libvpx", "options": {"g": "15", "b": "1M"}},
    "wmv2.wmv": {"codec": "wmv2", "options": {"g": "15", "b": "1M"}},
    "mpeg2.mxf": {"codec": "mpeg2video", "options": {"g": "15", "b": "2M"}},
    "plain.mp4": {"options": GROUPS, "container_options": {"movflags": "faststart"}},
    "fragments.mp4": {"options": GROUPS, "container_options": {"movflags": "frag_keyframe"}},
    "b.ts": {"options": GROUPS},
}
UNCHAINED = ("plain.mp4", "b.ts", "mpeg2.mxf")
"""Of these two lack lengths that lead on, and MXF tells times only by an index."""


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
def test_whole_files_have_no_flaws(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name)
    info = probe(path)
    assert find_flaws(path, info.container) == []
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


@pytest.mark.parametrize("name", [name for name in HEALTHY if name not in UNCHAINED])
@pytest.mark.parametrize("at", [0.4, 0.75])
def test_bytes_that_are_gone_are_noticed_before_a_frame_is_shifted(
    tmp_path: Path, name: str, at: float
) -> None:
    path = write(tmp_path, name)
    whole = read(path)

    def cut_out(data: bytearray) -> None:
        start = int(len(data) * at)
        del data[start : start + 1500]

    kept = until_damage(changed(path, cut_out))
    assert all(same(a, b) for a, b in zip(kept, whole, strict=False))


@pytest.mark.parametrize("name", [name for name in HEALTHY if name != "mpeg2.mxf"])
@pytest.mark.parametrize("at", [0.52, 0.97])
def test_files_that_were_cut_off(tmp_path: Path, name: str, at: float) -> None:
    path = write(tmp_path, name)
    whole, short = read(path), corpus.cut(path, at)
    kept = until_damage(short)
    assert all(same(a, b) for a, b in zip(kept, whole, strict=False))
    assert len(kept) >= 60 * at - 18


@pytest.mark.parametrize("name", ["crc.mkv", "vp8.ogv", "mjpeg.avi", "h264.flv"])
def test_going_on_keeps_every_index_behind_a_hole(tmp_path: Path, name: str) -> None:
    def cut_out(data: bytearray) -> None:
        start = len(data) // 2
        del data[start : start + 1500]

    kept = read(changed(write(tmp_path, name), cut_out), keep_going=True)
    assert 15 < len(kept) < 60
    assert kept[-1].index == 59
    assert codes(kept) == [frame.index for frame in kept]


def test_an_ogg_page_that_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "vp8.ogv")

    def drop_page(data: bytearray) -> None:
        start = data.index(b"OggS", len(data) // 2)
        del data[start : data.index(b"OggS", start + 4)]

    kept = until_damage(changed(path, drop_page))
    assert codes(kept) == list(range(len(kept)))


def test_ogg_checksum_is_that_of_rfc_3533() -> None:
    """CRC-32 of polynomial 0x04c11db7 from 0, the highest bit first, not inverted."""

    def by_hand(data: bytes) -> int:
        register = 0
        for byte in data:
            register ^= byte << 24
            for _ in range(8):
                carry = register >> 31
                register = (register << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if carry else 0)
        return register

    for data in (b"", b"\0", b"OggS", bytes(range(256))):
        assert checksum(data) == by_hand(data)


def test_elements_of_the_future_in_matroska_are_no_flaws(tmp_path: Path) -> None:
    """An unknown element of the right length, as a later version of the format may bring."""
    path = corpus.no_duration(tmp_path)

    def insert(data: bytearray) -> None:
        cluster = data.index(b"\x1f\x43\xb6\x75")
        data[cluster:cluster] = b"\x4d\x77\x83abc"

    info = probe(changed(path, insert))
    assert find_flaws(info.path, info.container) == []


def test_what_cameras_put_behind_an_mp4_is_no_flaw(tmp_path: Path) -> None:
    path = write(tmp_path, "plain.mp4")
    info = probe(changed(path, lambda data: data.extend(b"\0camera trailer" * 9)))
    assert info.damage == ""
    assert len(read(info.path)) == 60


def test_sound_stays_with_the_pictures_behind_a_seam(tmp_path: Path) -> None:
    from vidseg.video.demuxing.timestamp_resets import reset_offsets

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
