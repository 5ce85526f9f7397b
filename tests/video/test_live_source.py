"""Frames of streams, pipes and cameras: which arrive, when, and what a broken connection does."""

import os
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager, nullcontext
from fractions import Fraction
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from tests.support.live_servers import StreamServer, refused_port, transport_stream
from tests.support.scenes import SIZE, read_barcode, scene_image
from vidseg.errors import InputError, OptionError
from vidseg.video.live import source as live_source
from vidseg.video.live.connections import (
    Picture,
    RawFrames,
    StreamEndedError,
    camera,
    is_stream,
    raw_pipe,
    stream,
    video_pipe,
    without_password,
)
from vidseg.video.live.source import ArrivalTimes, LiveSource

RATE = Fraction(30)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_source, "FIRST_PAUSE_SECONDS", 0.0)


def indexes(source: LiveSource) -> list[int]:
    return [read_barcode(frame.image) for frame in source.frames(Event())]


@contextmanager
def piped(*parts: bytes) -> Iterator[int]:
    """A file descriptor from which a thread's bytes come."""
    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as file:
            for part in parts:
                file.write(part)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        yield reading
    finally:
        thread.join()
        os.close(reading)


def test_an_http_stream_gives_its_frames_at_its_own_times() -> None:
    with StreamServer([transport_stream(12)]) as server:
        source = LiveSource("it", stream(server.url, timeout=5))
        frames = list(source.frames(Event()))
    assert [read_barcode(frame.image) for frame in frames] == list(range(12))
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.time for frame in frames] == [index / RATE for index in range(12)]


def test_a_file_on_a_server_is_shown_once(tmp_path: Path) -> None:
    (tmp_path / "clip.ts").write_bytes(b"".join(transport_stream(10)))
    files = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with HTTPServer(("127.0.0.1", 0), files) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/clip.ts"
            source = LiveSource("it", stream(url, timeout=5), retries=3)
            assert indexes(source) == list(range(10))
            assert source.reconnects == 0
        finally:
            server.shutdown()
            thread.join()


def test_an_rtsp_stream_is_read(no_pauses: None) -> None:
    with StreamServer([transport_stream(12)], rtsp=True) as server:
        seen = indexes(LiveSource("it", stream(server.url, timeout=5)))
    assert seen == list(range(11))  # the end of the last frame is never known


def test_a_broken_connection_is_made_again_and_times_go_on(no_pauses: None, caplog) -> None:
    clips = [transport_stream(10), transport_stream(10, first=50)]
    with StreamServer(clips) as server:
        source = LiveSource("it", stream(server.url, timeout=5), retries=3)
        frames = list(source.frames(Event()))
    found = [read_barcode(frame.image) for frame in frames]
    assert set(found) > set(range(9))
    assert found[-10:] == list(range(50, 60))
    assert source.reconnects == 1 + 3, "and three attempts after the last end"
    times = [frame.time for frame in frames]
    assert times == sorted(set(times))
    assert "Connecting again" in caplog.text


@pytest.mark.parametrize("ends", [True, False])
def test_a_source_that_stays_away_is_given_up(ends: bool, no_pauses: None) -> None:
    """Which is an error only if it broke, and did not end."""
    attempts = iter([1, 0, 0, 0])

    def connect(stop: Event) -> Generator[Picture, None, None]:
        if next(attempts):
            yield Picture(None, scene_image(0))
            raise StreamEndedError("It ended.") if ends else InputError("It broke.")
        raise InputError("It is away.")

    source, seen = LiveSource("it", connect, retries=3), []
    with nullcontext() if ends else pytest.raises(InputError, match="It is away"):
        seen.extend(indexes(source))
    assert source.reconnects == 3
    assert seen == ([0] if ends else [])


def test_the_pauses_grow_until_a_frame_comes() -> None:
    pauses: list[float | None] = []

    class Waiting(Event):
        def wait(self, timeout: float | None = None) -> bool:
            pauses.append(timeout)
            return False

    attempts = iter([1, 0, 0, 0, 0, 0, 0, 1, 0, -1])

    def connect(stop: Event) -> Generator[Picture, None, None]:
        pictures = next(attempts)
        if pictures > 0:
            yield Picture(None, scene_image(0))
        if pictures >= 0:
            raise InputError("It broke off.")

    frames = list(LiveSource("it", connect, retries=9).frames(Waiting()))
    assert len(frames) == 2
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 1, 2]


def test_a_source_that_is_not_there_is_no_broken_connection() -> None:
    with refused_port() as port:
        source = LiveSource("it", stream(f"http://127.0.0.1:{port}/x", timeout=5), retries=3)
        with pytest.raises(InputError, match="Connection refused"):
            list(source.frames(Event()))
    assert source.reconnects == 0


def test_silence_breaks_a_connection() -> None:
    with StreamServer([transport_stream(3), []], pause=0.4) as server:
        source = LiveSource("it", stream(server.url, timeout=0.1))
        with pytest.raises(InputError, match=r"no answer within 0\.1 s"):
            list(source.frames(Event()))


def test_a_stream_leads_to_no_local_file(tmp_path: Path) -> None:
    (tmp_path / "secret.ts").write_bytes(b"".join(transport_stream(5)))
    playlist = f"#EXTM3U\n#EXTINF:1,\nfile://{tmp_path}/secret.ts\n#EXT-X-ENDLIST\n".encode()
    with StreamServer([[playlist]] * 4) as server:
        source = LiveSource("it", stream(f"{server.url}.m3u8", timeout=2))
        with pytest.raises(InputError):
            list(source.frames(Event()))


def test_passwords_are_not_shown() -> None:
    assert without_password("rtsp://me:secret@cam:554/x") == "rtsp://me:***@cam:554/x"
    assert without_password("rtsp://cam/x") == "rtsp://cam/x"
    with refused_port() as port:
        source = LiveSource("it", stream(f"http://me:secret@127.0.0.1:{port}/x", timeout=1))
        with pytest.raises(InputError) as caught:
            list(source.frames(Event()))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rtsp://x/y", True),
        ("HTTPS://x", True),
        ("0", False),
        ("file:///x", False),
        ("a.mp4", False),
    ],
)
def test_urls_of_streams_are_told_from_files(name: str, expected: bool) -> None:
    assert is_stream(name) is expected


def test_a_video_comes_through_a_pipe() -> None:
    with piped(*transport_stream(10)) as descriptor:
        assert indexes(LiveSource("it", video_pipe(descriptor))) == list(range(10))


def test_what_is_no_video_in_a_pipe_is_told() -> None:
    told = pytest.raises(InputError, match="--raw WIDTHxHEIGHT")
    with piped(b"nothing" * 100) as descriptor, told:
        indexes(LiveSource("it", video_pipe(descriptor)))


@pytest.mark.parametrize("pixel_format", ["rgb24", "bgr24"])
def test_raw_frames_come_through_a_pipe_unchanged(pixel_format: str) -> None:
    images = [scene_image(index) for index in range(3)]
    data = [image[..., :: -1 if pixel_format == "bgr24" else 1].tobytes() for image in images]
    raw = RawFrames(SIZE, Fraction(25), pixel_format)
    with piped(*data, b"half a frame") as descriptor:
        frames = list(LiveSource("it", raw_pipe(descriptor, raw)).frames(Event()))
    assert [frame.time for frame in frames] == [index / Fraction(25) for index in range(3)]
    for frame, image in zip(frames, images, strict=True):
        assert np.array_equal(frame.image, image)


@pytest.mark.parametrize(("pixel_format", "rows"), [("gray", 128), ("yuv420p", 192), ("nv12", 192)])
def test_raw_frames_of_other_formats_have_their_size(pixel_format: str, rows: int) -> None:
    raw = RawFrames((128, 192), None, pixel_format)
    with piped(bytes([128]) * (rows * 192)) as descriptor:
        (frame,) = LiveSource("it", raw_pipe(descriptor, raw)).frames(Event())
    assert frame.image.shape == (128, 192, 3)
    assert np.ptp(frame.image) == 0


@pytest.mark.parametrize(
    "wrong",
    [
        {"size": (0, 5)},
        {"size": (5, 5), "rate": Fraction(0)},
        {"size": (5, 5), "pixel_format": "yuv420p"},
        {"size": (5, 5), "pixel_format": "rgb"},
    ],
)
def test_impossible_raw_frames_are_refused(wrong: dict) -> None:
    with pytest.raises(OptionError):
        RawFrames(**wrong)


def test_an_empty_raw_pipe_is_told() -> None:
    with piped(b"") as descriptor, pytest.raises(InputError, match="Nothing was piped in"):
        indexes(LiveSource("it", raw_pipe(descriptor, RawFrames((4, 4)))))


def test_a_silent_pipe_ends_when_it_is_told_to() -> None:
    reading, writing = os.pipe()
    stop = Event()
    timer = threading.Timer(0.05, stop.set)
    timer.start()
    source = LiveSource("it", raw_pipe(reading, RawFrames((4, 4))))
    assert list(source.frames(stop)) == []
    timer.join()
    os.close(reading)
    os.close(writing)


def test_a_missing_camera_is_told() -> None:
    with pytest.raises(InputError, match=r"There is no camera 97|cannot be opened"):
        indexes(LiveSource("it", camera(97)))


def test_times_follow_the_stream_and_survive_its_jumps() -> None:
    now = [100.0]
    times = ArrivalTimes(lambda: now[0])
    times.begin()

    def at(own: str | None, clock: float) -> Fraction:
        now[0] = clock
        return times.at(None if own is None else Fraction(own))

    assert at("7000", 100.0) == 0
    assert at("7000.04", 100.2) == Fraction("0.04")  # late, but its own clock is right
    assert at("3.5", 101.0) == 1  # its clock began anew
    assert at("3.54", 101.3) == Fraction("1.04")
    times.begin()
    assert at("0", 110.0) == 10
    assert at(None, 109.0) > 10  # never back
