"""The page, the HLS folder and the window, without a source."""

import json
import socket
import sys
import threading
from contextlib import ExitStack
from fractions import Fraction
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from threading import Event

import av
import cv2
import numpy as np
import pytest

from tests.support.scenes import read_barcode, scene_image
from vidseg.errors import OptionError, OutputError, OutputExistsError
from vidseg.structures.frame import Frame, Image
from vidseg.video.live import window
from vidseg.video.live.hls import KEPT_SEGMENTS, HlsFolder
from vidseg.video.live.page import LivePage
from vidseg.video.live.window import Window


def scene(index: int, at: Fraction | None = None) -> Frame:
    return Frame(index, Fraction(index, 30) if at is None else at, scene_image(index))


class OpenPage:
    """A page on a free port, with what a client needs."""

    def __init__(self, host: str = "127.0.0.1") -> None:
        self.urls: list[str] = []
        self._stack = ExitStack()
        self._page = LivePage(0, host, on_open=self.urls.append)

    def __enter__(self) -> "OpenPage":
        self.show = self._stack.enter_context(self._page.open(Event()))
        self.port = int(self.urls[0].rstrip("/").rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def get(self, path: str, host: str | None = None) -> HTTPResponse:
        client = HTTPConnection("127.0.0.1", self.port, timeout=30)
        client.request("GET", path, headers={} if host is None else {"Host": host})
        return client.getresponse()


def jpeg_of(stream: HTTPResponse) -> Image:
    """The next picture of a motion JPEG."""
    line = b""
    while not line.lower().startswith(b"content-length:"):
        line = stream.readline()
        assert line, "the stream ended"
    assert stream.readline() == b"\r\n"
    data = np.frombuffer(stream.read(int(line.split(b":")[1])), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert image is not None
    return image.astype(np.uint8)


def test_a_client_reads_the_motion_jpeg_to_its_end() -> None:
    with OpenPage() as page:
        page.show(scene(5))
        stream = page.get("/stream.mjpg")
        assert stream.headers["Content-Type"].startswith("multipart/x-mixed-replace")
        assert read_barcode(jpeg_of(stream)) == 5
        page.show(scene(6))
        assert read_barcode(jpeg_of(stream)) == 6
    assert stream.read().endswith(b"--\r\n")


def test_two_viewers_see_the_same_and_one_may_go_away() -> None:
    with OpenPage() as page:
        page.show(scene(1))
        first, second = page.get("/stream.mjpg"), page.get("/stream.mjpg")
        assert read_barcode(jpeg_of(first)) == read_barcode(jpeg_of(second)) == 1
        first.close()
        for index in range(2, 8):
            page.show(scene(index))
        seen = 0
        while seen < 7:  # pictures that a viewer is too slow for are left out
            seen = read_barcode(jpeg_of(second))


def test_the_page_shows_the_stream_and_its_state() -> None:
    with OpenPage() as page:
        answer = page.get("/")
        assert answer.status == 200
        assert 'src="stream.mjpg"' in answer.read().decode()
        assert json.loads(page.get("/status.json").read())["frames"] == 0
        page.show(scene(3))
        assert json.loads(page.get("/status.json").read())["frames"] == 1
        data = np.frombuffer(page.get("/frame.jpg").read(), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
        assert image is not None
        assert read_barcode(image.astype(np.uint8)) == 3
        assert page.get("/../secret").status == 404


@pytest.mark.skipif(sys.platform != "linux", reason="needs a second loopback address")
def test_the_page_is_on_loopback_alone() -> None:
    with OpenPage() as page:
        assert page.urls == [f"http://127.0.0.1:{page.port}/"]
        with socket.socket() as other:  # the port is free everywhere else
            other.bind(("127.0.0.2", page.port))


def test_names_that_only_point_at_this_machine_are_refused() -> None:
    with OpenPage() as page:
        assert page.get("/", host=f"evil.example:{page.port}").status == 403
        assert page.get("/", host=f"localhost:{page.port}").status == 200
        assert page.get("/").headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_the_page_listens_elsewhere_where_it_is_told_to() -> None:
    with OpenPage("0.0.0.0") as page:
        assert page.get("/", host=f"my.machine:{page.port}").status == 200


def test_a_port_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OutputError, match=f"127.0.0.1:{port}"), LivePage(port).open(Event()):
            pass
    with pytest.raises(OptionError, match="70000"):
        LivePage(70000)


def test_hls_is_played_while_it_grows_and_after_its_end(tmp_path: Path) -> None:
    output, folder = HlsFolder(tmp_path / "site"), tmp_path / "site"
    output.check()
    with output.open(Event()) as show:
        for index in range(10):
            show(scene(index, Fraction(index, 2)))
        growing = (folder / "live.m3u8").read_text()
    assert "ENDLIST" not in growing
    assert ".ts" in growing
    assert (folder / "live.m3u8").read_text().rstrip().endswith("#EXT-X-ENDLIST")
    with av.open(str(folder / "live.m3u8")) as container:
        frames = list(container.decode(video=0))
    assert [
        read_barcode(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)) for frame in frames
    ] == list(range(10))
    first = frames[0].time
    assert [round(frame.time - first, 3) for frame in frames] == [i / 2 for i in range(10)]


def test_hls_keeps_the_last_segments_only(tmp_path: Path) -> None:
    with HlsFolder(tmp_path / "site").open(Event()) as show:
        for index in range(20):
            show(scene(index, Fraction(index * 2)))
    assert len(list(tmp_path.glob("site/*.ts"))) <= KEPT_SEGMENTS + 2


def test_hls_overwrites_its_own_files_alone_and_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("mine")
    (tmp_path / "live2026.ts").write_text("mine")
    (tmp_path / "live000099.ts").write_text("old")
    with pytest.raises(OutputExistsError):
        HlsFolder(tmp_path).check()
    output = HlsFolder(tmp_path, force=True)
    output.check()
    with output.open(Event()) as show:
        show(scene(0))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["index.html", "live.m3u8", "live000000.ts", "live2026.ts"]
    assert (tmp_path / "index.html").read_text() == "mine"


def test_without_a_display_the_window_says_what_else_there_is(monkeypatch) -> None:
    monkeypatch.setattr(window.sys, "platform", "linux")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(OutputError, match="no display; show it elsewhere: --port 8000"):
        Window().check()


def test_without_windows_in_opencv_the_window_says_so(monkeypatch) -> None:
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "getBuildInformation", lambda: "  GUI:                NONE\n")
    with pytest.raises(OutputError, match="built without windows"):
        Window().check()


@pytest.mark.parametrize("how", ["key", "closed"])
def test_a_key_and_the_close_button_of_the_window_end_the_run(how: str, monkeypatch) -> None:
    shown: list[Image] = []
    visible = iter([1.0, 1.0, 0.0 if how == "closed" else 1.0])
    keys = iter([-1, -1, -1, ord("q") if how == "key" else -1])
    doubles = {
        "namedWindow": lambda *_: None,
        "resizeWindow": lambda *_: None,
        "getWindowProperty": lambda *_: next(visible),
        "imshow": lambda _, image: shown.append(image),
        "waitKey": lambda _: next(keys),
        "destroyAllWindows": lambda: shown.clear(),
    }
    for name, double in doubles.items():
        monkeypatch.setattr(cv2, name, double)
    stop, threads = Event(), threading.active_count()
    with Window().open(stop) as show:
        for index in range(4):
            assert not stop.is_set()
            show(scene(index))
        assert stop.is_set()
        assert np.array_equal(shown[0], scene_image(0)[..., ::-1])
    assert shown == []
    assert threading.active_count() == threads
