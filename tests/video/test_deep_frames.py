"""10-bit and HDR sources keep their bits wherever nothing is drawn."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support import corpus
from vidseg.errors import OptionError
from vidseg.structures.frame import Frame, Image
from vidseg.video.codecs import Depth, Encoding, choose_codec
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding._deep_frames import _planes
from vidseg.video.encoding.encoder import VideoEncoder
from vidseg.video.encoding.writer import open_writer
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe
from vidseg.video.tone_mapping import tone_map, undo_tone_map

SIZE = (64, 96)
TRANSFERS = {"sdr": corpus.BT709_TAGS, "pq": corpus.PQ_TAGS, "hlg": corpus.HLG_TAGS}


def random_planes(index: int, pixel_format: str) -> list[NDArray[np.uint16]]:
    """Smooth legal values that use all 10 bits."""
    random = np.random.default_rng(index)
    frame = av.VideoFrame(SIZE[1], SIZE[0], pixel_format)
    planes = []
    for number, plane in enumerate(frame.planes):
        ramp = np.add.outer(np.arange(plane.height), np.arange(plane.width)) * (2 + index)
        low, slower = (200, 1) if number == 0 else (460, 4)
        noise = random.integers(0, 4, ramp.shape)
        planes.append((low + ramp // slower + noise).astype(np.uint16))
    return planes


def deep_source(path: Path, kind: str, pixel_format: str = "yuv420p10le", turn: int = 0) -> Path:
    """Four lossless frames of `random_planes`."""
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "x265-params": "lossless=1:log-level=none"}
        stream: Any = container.add_stream("libx265", rate=30, options=options)
        stream.height, stream.width = SIZE
        stream.pix_fmt = pixel_format
        for name, value in TRANSFERS[kind].items():
            setattr(stream.codec_context, name, value)
        if turn:
            stream.set_display_rotation(-turn)
        for index in range(4):
            frame = av.VideoFrame(SIZE[1], SIZE[0], pixel_format)
            for plane, values in zip(frame.planes, random_planes(index, pixel_format), strict=True):
                rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
                rows[:, : plane.width] = values
                plane.update(rows.tobytes())
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def composed(info: VideoInfo, encoding: Encoding, frame: Frame) -> av.VideoFrame:
    """What the encoder is given for `frame`."""
    with av.open("/dev/null", "w", format="matroska") as container:
        encoder = VideoEncoder(container, info, replace(encoding, container="matroska"))
        made = encoder._convert(frame)
        encoder.close()
    return made


HEVC = choose_codec("a.mkv", "hevc")
PRORES = choose_codec("a.mov", "prores")


@pytest.mark.parametrize("kind", TRANSFERS)
@pytest.mark.parametrize("start", [0, 2])
def test_frames_that_were_not_drawn_on_are_those_of_the_source(
    tmp_path: Path, kind: str, start: int
) -> None:
    info = probe(deep_source(tmp_path / "in.mkv", kind))
    assert info.hdr == (kind != "sdr")
    for frame in read_frames(info, start=Fraction(start, 30)):
        made = composed(info, HEVC, frame)
        assert made.format.name == "yuv420p10le"
        expected = random_planes(frame.index, "yuv420p10le")
        for plane, values in zip(_planes(made), expected, strict=True):
            assert np.array_equal(plane, values)


@pytest.mark.parametrize("kind", TRANSFERS)
def test_only_drawn_pixels_change(tmp_path: Path, kind: str) -> None:
    info = probe(deep_source(tmp_path / "in.mkv", kind))
    frame = next(read_frames(info))
    image = frame.image.copy()
    image[10:31, 20:41] = (200, 60, 40)
    made = composed(info, HEVC, replace(frame, image=image))
    luma, *chroma = _planes(made)
    luma_before, *chroma_before = random_planes(0, "yuv420p10le")
    changed = np.zeros(SIZE, bool)
    changed[10:31, 20:41] = True
    assert np.array_equal(luma[~changed], luma_before[~changed])
    blocks = changed.reshape(32, 2, 48, 2).any(axis=(1, 3))
    for plane, before in zip(chroma, chroma_before, strict=True):
        assert np.array_equal(plane[~blocks], before[~blocks])
    inside = shown(made, info)[14:27, 24:37]  # away from chroma that is shared with the outside
    assert np.abs(inside.astype(int) - (200, 60, 40)).max() <= 3


def shown(made: av.VideoFrame, info: VideoInfo) -> Image:
    """The frame as the reader would show it."""
    from av.video.reformatter import VideoReformatter

    from vidseg.video.color import to_rgb

    return to_rgb(made, info, (made.height, made.width), VideoReformatter())


@pytest.mark.parametrize("kind", ["sdr", "hlg"])
@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv422p10le"])
@pytest.mark.parametrize("turn", [90, 180, 270])
def test_turned_videos_keep_their_bits_upright(
    tmp_path: Path, kind: str, pixel_format: str, turn: int
) -> None:
    path = deep_source(tmp_path / "in.mov", kind, pixel_format, turn)
    info = probe(path)
    assert info.rotation == turn
    encoding = HEVC if pixel_format == "yuv420p10le" else PRORES
    made = composed(info, encoding, next(read_frames(info)))
    assert (made.height, made.width) == info.size
    luma = random_planes(0, pixel_format)[0]
    assert np.array_equal(_planes(made)[0], np.rot90(luma, -turn // 90))


def test_frames_of_another_size_are_still_written(tmp_path: Path) -> None:
    info = probe(deep_source(tmp_path / "in.mkv", "pq"))
    frame = Frame(0, Fraction(0), np.full((32, 48, 3), 128, np.uint8))
    assert np.abs(shown(composed(info, HEVC, frame), info).astype(int) - 128).max() <= 3
    wide = replace(info, size=(64, 192))
    frame = Frame(0, Fraction(0), np.full((64, 192, 3), 128, np.uint8))
    assert np.abs(shown(composed(wide, HEVC, frame), wide).astype(int) - 128).max() <= 3


def copy(source: Path, target: Path, codec: str | None, depth: Depth | None = None) -> VideoInfo:
    info = probe(source)
    encoding = choose_codec(target, codec, depth=depth)
    with open_writer(target, info, encoding=encoding) as writer:
        for frame in read_frames(info):
            writer.write(frame)
    return probe(target)


@pytest.mark.parametrize("kind", TRANSFERS)
@pytest.mark.parametrize(
    ("name", "codec", "pixel_format"),
    [
        ("a.mp4", "hevc", "yuv420p10le"),
        ("a.mkv", "av1", "yuv420p10le"),
        ("a.mov", "prores", "yuv422p10le"),
    ],
)
def test_ten_bits_and_hdr_stay(
    tmp_path: Path,
    kind: str,
    name: str,
    codec: str,
    pixel_format: str,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source = probe(deep_source(tmp_path / "in.mkv", kind))
    out = copy(source.path, tmp_path / name, codec)
    assert (out.pixel_format, out.hdr, out.frames) == (pixel_format, source.hdr, 4)
    assert out.color == source.color
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    for before, after in zip(read_frames(source), read_frames(out), strict=True):
        assert np.abs(after.image.astype(int) - before.image).mean() < 4


@pytest.mark.parametrize(
    ("kind", "codec", "depth", "warning"),
    [
        ("sdr", None, None, "is in 10 bits per channel, of which 8 stay; `codec='hevc'` (or av1,"),
        ("pq", None, None, "is HDR, which is tone-mapped; `codec='hevc'` (or av1, prores)"),
        ("sdr", "hevc", 8, None),
        ("pq", "hevc", 8, None),
    ],
)
def test_eight_bits_are_told_unless_they_were_asked_for(
    tmp_path: Path,
    kind: str,
    codec: str | None,
    depth: Depth | None,
    warning: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    out = copy(deep_source(tmp_path / "in.mkv", kind), tmp_path / "out.mp4", codec, depth)
    assert (out.pixel_format, out.hdr) == ("yuv420p", False)
    assert out.color.transfer == "bt709"
    found = [record.message for record in caplog.records]
    assert len(found) == (warning is not None)
    assert warning is None or warning in found[0]


def test_eight_bits_become_ten_where_that_is_asked_for(tmp_path: Path) -> None:
    from tests.support.scenes import write_scene

    source = write_scene(tmp_path / "in.mp4", frames=3)
    assert copy(source, tmp_path / "deep.mp4", "hevc", 10).pixel_format == "yuv420p10le"
    assert copy(source, tmp_path / "plain.mp4", "hevc").pixel_format == "yuv420p"


@pytest.mark.parametrize("codec", ["h264", "vp9", "gif"])
def test_ten_bits_need_a_codec_that_has_them(codec: str) -> None:
    name = {"h264": "a.mp4", "vp9": "a.webm", "gif": "a.gif"}[codec]
    with pytest.raises(OptionError, match=f"{codec} is written with 8 bits; 10 bits need one of"):
        choose_codec(name, codec, depth=10)
    with pytest.raises(OptionError, match="Photos have no depth setting"):
        choose_codec("a.png", depth=8)


@pytest.mark.parametrize("transfer", ["smpte2084", "arib-std-b67"])
def test_tone_mapping_is_undone_on_what_it_was_made_of(transfer: str) -> None:
    codes = np.random.default_rng(0).integers(8000, 48000, (1, 4000, 3), np.uint16)
    mapped = tone_map(codes, transfer)
    undone = undo_tone_map(mapped[0], transfer, codes[0])
    inside = (mapped[0] > 8).all(axis=1) & (mapped[0] < 250).all(axis=1)
    again = tone_map(undone[None], transfer)[0]
    assert inside.sum() > 500
    assert np.abs(again[inside].astype(int) - mapped[0][inside]).max() <= 2


def test_white_labels_are_as_bright_as_sdr_white() -> None:
    white = np.full((1, 3), 255, np.uint8)
    (code,) = undo_tone_map(white, "smpte2084")
    assert np.abs(code / 65535 - 0.5806).max() < 0.002  # 203 cd/m2 (ITU-R BT.2408, table 1)
    (code,) = undo_tone_map(white, "arib-std-b67")
    assert np.abs(code / 65535 - 0.75).max() < 0.002
