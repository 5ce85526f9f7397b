"""Difficult files, one function each, made on the fly; each says what is odd about it."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.stream import Disposition
from PIL import Image as Pictures

from tests.support.scenes import scene_image, write_scene

SUBTITLES = "1\n00:00:00,100 --> 00:00:00,600\nHello\n"
PQ_TAGS = {"color_trc": 16, "color_primaries": 9, "colorspace": 9, "color_range": 1}
HLG_TAGS = PQ_TAGS | {"color_trc": 18}
BT709_TAGS = {"color_trc": 1, "color_primaries": 1, "colorspace": 1, "color_range": 1}


def remux(
    source: Path,
    target: Path,
    *,
    shift: Fraction = Fraction(0),
    sound_shift: Fraction = Fraction(0),
    change: Callable[[Any], bool] = lambda packet: True,
    format: str | None = None,
    **options: str,
) -> Path:
    """Copy packets, moved in time by `shift` or `sound_shift`, but for those `change` denies."""
    with (
        av.open(str(source)) as read,
        av.open(str(target), "w", format=format, options=dict(options)) as write,
    ):
        outputs = {s.index: write.add_stream_from_template(s) for s in read.streams}
        for packet in read.demux():
            if packet.dts is None or not change(packet):
                continue
            moved = shift if packet.stream.type == "video" else sound_shift
            ticks = round(moved / packet.time_base)
            packet.dts += ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.stream = outputs[packet.stream_index]
            write.mux(packet)
    return target


def variable_rate(folder: Path) -> Path:
    """30 frames a second, then 10."""
    times = [Fraction(i, 30) for i in range(20)] + [
        Fraction(2, 3) + Fraction(i, 10) for i in range(20)
    ]
    return write_scene(folder / "vfr.mp4", times=times)


def screen_recording(folder: Path) -> Path:
    """Frames only where something moved, with gaps of seconds."""
    ticks = [0, 1, 2, 40, 41, 160, 161, 162, 300]
    return write_scene(folder / "gaps.mp4", times=[Fraction(t, 30) for t in ticks])


def delayed_video(folder: Path) -> Path:
    """The picture starts half a second after the sound (an empty edit)."""
    whole = write_scene(folder / "whole.mp4", sound=1)
    return remux(whole, folder / "delayed.mp4", shift=Fraction(1, 2))


def late_start(folder: Path) -> Path:
    """A Matroska file whose clock starts at 5 s."""
    whole = write_scene(folder / "whole.mkv", sound=1)
    five = Fraction(5)
    return remux(whole, folder / "late.mkv", shift=five, sound_shift=five)


def edit_list(folder: Path) -> Path:
    """Cut by an edit list at frame 10 of 30, in the middle of a group of pictures."""
    whole = write_scene(folder / "whole.mp4", options={"g": "8", "bf": "2"})
    return remux(whole, folder / "cut.mp4", shift=Fraction(-10, 30), avoid_negative_ts="disabled")


def timecode(folder: Path) -> Path:
    """A timecode track, as cameras write it."""
    path = folder / "timecode.mov"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        stream.metadata["timecode"] = "01:00:00:00"
        for index in range(30):
            frame = av.VideoFrame.from_ndarray(scene_image(index), "rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def two_videos(folder: Path) -> Path:
    """A small default video first, a larger one of another rate second."""
    path = folder / "two.mkv"
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        for rate, size in ((30, (128, 192)), (25, (256, 384))):
            stream: Any = container.add_stream(
                "libx264", rate=rate, options={"preset": "ultrafast"}
            )
            stream.height, stream.width = size
            stream.pix_fmt = "yuv420p"
            streams.append(stream)
        streams[0].disposition = Disposition.default
        streams[1].disposition = Disposition(0)
        for stream, count in zip(streams, (30, 25), strict=True):
            for index in range(count):
                image = scene_image(index, (stream.height, stream.width))
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
            container.mux(stream.encode())
    return path


def cover_art(folder: Path) -> Path:
    """A cover picture, larger than the video, comes first."""
    path = folder / "cover.mp4"
    whole = write_scene(folder / "whole.mp4")
    with av.open(str(whole)) as read, av.open(str(path), "w") as write:
        cover: Any = write.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 640, 480, "yuvj420p"
        cover.disposition = Disposition.attached_pic
        target = write.add_stream_from_template(read.streams.video[0])
        picture = av.VideoFrame.from_ndarray(scene_image(999, (480, 640)), "rgb24")
        write.mux(cover.encode(picture.reformat(format="yuvj420p")))
        write.mux(cover.encode())
        for packet in read.demux():
            if packet.dts is not None:
                packet.stream = target
                write.mux(packet)
    return path


def with_subtitles(folder: Path) -> Path:
    """A text subtitle track and two chapters."""
    text, path = folder / "text.srt", folder / "subtitles.mkv"
    text.write_text(SUBTITLES)
    whole = write_scene(folder / "whole.mkv", sound=1)
    with av.open(str(whole)) as read, av.open(str(text)) as words, av.open(str(path), "w") as write:
        outputs = {s.index: write.add_stream_from_template(s) for s in read.streams}
        line = write.add_stream_from_template(words.streams[0])
        for packet in read.demux():
            if packet.dts is not None:
                packet.stream = outputs[packet.stream_index]
                write.mux(packet)
        for packet in words.demux():
            if packet.dts is not None:
                packet.stream = line
                write.mux(packet)
    return path


def mirrored(folder: Path) -> Path:
    """A display matrix that flips left and right."""
    path = folder / "mirrored.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        stream.set_display_rotation(0, hflip=True)
        for index in range(12):
            image = np.ascontiguousarray(scene_image(index)[:, ::-1])
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return path


def open_start(folder: Path) -> Path:
    """A broadcast cut at an open group of pictures: its first frames depend on missing ones."""
    whole = write_scene(
        folder / "whole.ts",
        frames=60,
        codec="libx264",
        options={"preset": "veryfast", "x264-params": "open-gop=1:keyint=15:bframes=3:b-adapt=0"},
    )
    keys = 0

    def after_second_key(packet: Any) -> bool:
        nonlocal keys
        keys += packet.is_keyframe
        return keys >= 2

    return remux(whole, folder / "open.ts", change=after_second_key)


def open_start_matroska(folder: Path) -> Path:
    """The same in Matroska."""
    return remux(open_start(folder), folder / "open.mkv")


def new_size(folder: Path) -> Path:
    """A transport stream that changes from 192 x 128 to 288 x 192 after 30 frames."""
    first = write_scene(folder / "a.ts")
    second = remux(
        write_scene(folder / "b.ts", size=(192, 288), first=30), folder / "c.ts", shift=Fraction(1)
    )
    path = folder / "new-size.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


def clock_set_back(folder: Path) -> Path:
    """Two transport streams joined byte by byte, so that the clock starts anew."""
    first = write_scene(folder / "a.ts", sound=1)
    second = write_scene(folder / "b.ts", first=30, sound=1)
    path = folder / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


def with_sound(source: Path, path: Path, codec: str, rate: int = 48000) -> Path:
    """`source` with a second of sound in `codec`."""
    with av.open(str(source)) as read, av.open(str(path), "w") as write:
        video = write.add_stream_from_template(read.streams.video[0])
        tone: Any = write.add_stream(codec, rate=rate, layout="stereo")
        tone.bit_rate = 96000
        samples = np.arange(2 * rate, dtype=np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(samples, "s16", "stereo")
        frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
        for packet in read.demux():
            if packet.size:
                packet.stream = video
                write.mux(packet)
        write.mux(tone.encode(frame))
        write.mux(tone.encode(None))
    return path


def no_duration(folder: Path) -> Path:
    """A WebM as browsers record it: no duration, no sizes, no index."""
    whole = write_scene(folder / "whole.webm")
    return remux(whole, folder / "live.webm", live="1")


def fragmented(folder: Path) -> Path:
    """An MP4 in fragments."""
    whole = write_scene(folder / "whole.mp4", options={"g": "10"})
    return remux(whole, folder / "fragments.mp4", movflags="frag_keyframe+empty_moov")


def fast_start(folder: Path, frames: int = 60, sound: int = 0) -> Path:
    """An MP4 with its index in front and a key frame every 15."""
    return write_scene(
        folder / "fast.mp4",
        frames=frames,
        sound=sound,
        options={"g": "15", "bf": "2"},
        container_options={"movflags": "faststart"},
    )


def alpha(folder: Path) -> Path:
    """Half-transparent pictures in a MOV."""
    path = folder / "alpha.mov"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("qtrle", rate=30)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "argb"
        for index in range(6):
            rgba = np.dstack([scene_image(index), np.full((128, 192), 128, np.uint8)])
            frame = av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format="argb")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def hdr(folder: Path, transfer: str = "smpte2084") -> Path:
    """HDR with white at 203 candela a square metre, 10 bits, BT.2020."""
    path = folder / f"{transfer}.mkv"
    tags = PQ_TAGS if transfer == "smpte2084" else HLG_TAGS
    with av.open(str(path), "w") as container:
        options = {"preset": "ultrafast", "x265-params": "log-level=none", "crf": "10"}
        stream: Any = container.add_stream("libx265", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p10le"
        for name, value in tags.items():
            setattr(stream.codec_context, name, value)
        for index in range(6):
            codes = hdr_codes(scene_image(index), transfer)
            frame = av.VideoFrame.from_ndarray(codes, "rgb48le").reformat(
                format="yuv420p10le", dst_colorspace=9, dst_color_range=1
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def hdr_codes(image: Any, transfer: str) -> Any:
    """SDR RGB as (H, W, 3) uint16 PQ or HLG codes in BT.2020 (ITU-R BT.2087, BT.2100)."""
    to_2020 = [[0.627404, 0.329283, 0.043313], [0.069097, 0.91954, 0.011362],
               [0.016391, 0.088013, 0.895595]]  # fmt: skip
    light = (image / 255) ** 2.4 @ np.transpose(to_2020) * 203
    if transfer == "smpte2084":
        level = (light / 10000) ** (2610 / 16384)
        code = ((3424 / 4096 + 2413 / 128 * level) / (1 + 2392 / 128 * level)) ** (2523 / 32)
    else:
        luma = np.maximum(light @ [0.2627, 0.678, 0.0593], 1e-6)[..., None] / 1000
        scene = light / 1000 * luma ** (-0.2 / 1.2)
        log = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
        code = np.where(scene <= 1 / 12, np.sqrt(3 * scene), log)
    return np.rint(np.clip(code, 0, 1) * 65535).astype(np.uint16)


def animation(folder: Path, suffix: str, delays: list[int]) -> Path:
    """A GIF, APNG or WebP whose frames last `delays` milliseconds."""
    pictures = [Pictures.fromarray(scene_image(i)) for i in range(len(delays))]
    path = folder / f"moving{suffix}"
    lossless: dict[str, Any] = {"lossless": True} if suffix == ".webp" else {}
    pictures[0].save(
        path, save_all=True, append_images=pictures[1:], duration=delays, loop=0, **lossless
    )
    return path


def cut(path: Path, part: float) -> Path:
    """The same file with only its first `part`."""
    data = path.read_bytes()
    short = path.with_name("short-" + path.name)
    short.write_bytes(data[: int(len(data) * part)])
    return short


def hole(path: Path, at: float, size: int = 1500, value: int | None = None) -> Path:
    """The same file with `size` bytes overwritten, by noise or by `value`."""
    data = bytearray(path.read_bytes())
    start = int(len(data) * at)
    noise = np.random.default_rng(5).integers(0, 256, size, np.uint8).tobytes()
    data[start : start + size] = noise if value is None else bytes([value]) * size
    broken = path.with_name("hole-" + path.name)
    broken.write_bytes(data)
    return broken


def doubled_timestamp(folder: Path, suffix: str) -> Path:
    """A variable rate with pictures at `DOUBLED` milliseconds, of which two share a timestamp."""
    whole = write_scene(folder / "keys.mkv", frames=len(DOUBLED), options={"g": "1", "bf": "0"})
    times: list[int] = list(DOUBLED)
    if suffix == ".mp4":  # whose muxer refuses it
        times[4] = 120
    path = folder / f"doubled{suffix}"
    with av.open(str(whole)) as read, av.open(str(path), "w") as write:
        target = write.add_stream_from_template(read.streams.video[0])
        packets = [packet for packet in read.demux(video=0) if packet.size]
        for packet, time in zip(packets, times, strict=True):
            packet.stream, packet.time_base, packet.duration = target, Fraction(1, 1000), 0
            packet.pts = packet.dts = time
            write.mux_one(packet)
    if suffix == ".mp4":
        _shorten_sample(path, 3)
    return path


def _shorten_sample(path: Path, number: int) -> None:
    """Give a sample of an MP4 no length, and the next one both lengths."""
    data = bytearray(path.read_bytes())
    table = data.index(b"stts") + 12
    runs = np.frombuffer(data, ">u4", offset=table, count=2 * len(DOUBLED)).reshape(-1, 2)
    run = int(np.searchsorted(np.cumsum(runs[:, 0]), number, side="right"))
    assert runs[run, 0] == runs[run + 1, 0] == 1
    both = int(runs[run, 1] + runs[run + 1, 1])
    del runs
    at = table + 8 * run
    data[at + 4 : at + 8] = bytes(4)
    data[at + 12 : at + 16] = both.to_bytes(4, "big")
    path.write_bytes(data)


DOUBLED = (0, 33, 66, 100, 100, 133, 400, 433, 900, 933, 1500, 1533, 2000)


def missing_timestamps(folder: Path, places: tuple[int, ...] = (7, 8, 20)) -> Path:
    """A transport stream of 30 frames, of which those at `places` in coding order have no time."""
    data = bytearray(write_scene(folder / "whole.ts", options={"bf": "2", "g": "15"}).read_bytes())
    pictures = [at for at in range(len(data)) if data[at : at + 4] == b"\0\0\1\xe0"]
    for number in places:  # PES header (ISO/IEC 13818-1 section 2.4.3.6): no times, only stuffing
        at = pictures[number]
        data[at + 7] &= 0x3F
        data[at + 9 : at + 9 + data[at + 8]] = b"\xff" * data[at + 8]
    path = folder / "missing.ts"
    path.write_bytes(data)
    return path


def not_coded(folder: Path, suffix: str, places: tuple[int, ...] = (5, 6, 12, 20)) -> Path:
    """MPEG-4 with pictures at `places` of 30 that show nothing, as XviD writes them."""
    whole = write_scene(folder / "whole.avi", options={"g": "1"})
    path = folder / f"not-coded{suffix}"
    with av.open(str(whole)) as read, av.open(str(path), "w") as write:
        target = write.add_stream_from_template(read.streams.video[0])
        for number, packet in enumerate(p for p in read.demux(video=0) if p.size):
            copy = packet
            if number in places:  # VOP of type P: time of 5 bits, a marker, vop_coded 0, stuffing
                bits = f"0101{number % 30:05b}1" + "0" + "01111"
                copy = av.Packet(b"\0\0\1\xb6" + int(bits, 2).to_bytes(2, "big"))
                copy.pts, copy.dts, copy.duration = packet.pts, packet.dts, packet.duration
                copy.time_base = packet.time_base
            copy.stream = target
            write.mux(copy)
    return path


def ends_in_repeats(folder: Path, repeats: int = 2) -> Path:
    """An AVI of 30 chunks, of which the last are empty: they repeat the frame before."""
    data = write_scene(folder / "whole.avi").read_bytes()
    movi = data.index(b"movi")
    at, chunks = movi + 4, []
    while data[at : at + 4] == b"00dc":
        size = int.from_bytes(data[at + 4 : at + 8], "little")
        chunks.append(data[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    chunks[-repeats:] = [b""] * repeats
    body, index = b"", b""
    for number, chunk in enumerate(chunks):
        words = (0x10 * (number == 0), 4 + len(body), len(chunk))
        index += b"00dc" + b"".join(word.to_bytes(4, "little") for word in words)
        body += b"00dc" + len(chunk).to_bytes(4, "little") + chunk + bytes(len(chunk) % 2)
    head = data[: movi - 4] + (4 + len(body)).to_bytes(4, "little") + b"movi"
    riff = head + body + b"idx1" + len(index).to_bytes(4, "little") + index
    path = folder / "repeats.avi"
    path.write_bytes(riff[:4] + (len(riff) - 8).to_bytes(4, "little") + riff[8:])
    return path


def joined_with_an_earlier_clock(folder: Path) -> Path:
    """Two transport streams joined byte by byte; the first one's clock started at 10 s."""
    first = remux(write_scene(folder / "a.ts"), folder / "late.ts", shift=Fraction(10))
    second = write_scene(folder / "b.ts", first=30)
    path = folder / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


def interlaced(folder: Path, frames: int = 12) -> Path:
    """MPEG-2 of a camera that pans under the barcode, 16 pixels a frame; odd lines half later."""
    path = folder / "interlaced.mkv"
    with av.open(str(path), "w") as container:
        options = {"flags": "+ildct+ilme", "b": "8M"}
        stream: Any = container.add_stream("mpeg2video", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = 192, 128, "yuv420p"
        for index in range(frames):
            image = scene_image(index)
            below = image[image.shape[0] // 2 :]
            for line in (0, 1):
                below[line::2] = np.roll(below[line::2], 16 * index + 8 * line, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        container.mux(stream.encode())
    return path
