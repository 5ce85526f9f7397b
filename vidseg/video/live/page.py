"""A page that shows live frames in a browser, as motion JPEG."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn
from threading import Condition, Event, Semaphore, Thread
from typing import cast
from urllib.parse import urlsplit

import cv2

from vidseg.errors import OptionError, OutputError
from vidseg.structures.frame import Image
from vidseg.video.live.output import Show

LOOPBACK = "127.0.0.1"
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "::1")
JPEG_QUALITY = 80
VIEWER = Path(__file__).with_name("viewer.html")
BOUNDARY = "vidseg-frame"
SEND_TIMEOUT_SECONDS = 5
"""A viewer that takes nothing for so long is let go."""
POLL_SECONDS = 0.1
MAX_VIEWERS = 32
SAFE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'self' 'unsafe-inline'; img-src 'self' data:",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
"""Other pages in the same browser cannot show or read the pictures."""


class LivePage:
    """Serves a viewer page, `stream.mjpg`, `frame.jpg` and `status.json`.

    It listens on this machine alone unless another address is given.
    """

    def __init__(
        self, port: int, host: str = LOOPBACK, *, on_open: Callable[[str], None] | None = None
    ) -> None:
        """`on_open` is called with the page's URL; `port` 0 is any that is free.

        Raises OptionError: no port.
        """
        if not 0 <= port <= 65535:
            raise OptionError(f"A port is between 0 and 65535, got {port}.")
        self._port, self._host, self._on_open = port, host, on_open

    def check(self) -> None:
        """Nothing to check: the port is taken when the page opens."""

    @contextmanager
    def open(self, stop: Event) -> Iterator[Show]:
        """Raises OutputError: the port is taken, or the address is none of this machine."""
        pictures = _Pictures()
        with self._server(pictures) as server:
            thread = Thread(target=server.serve_forever, args=(POLL_SECONDS,), name="vidseg-page")
            thread.start()
            try:
                if self._on_open is not None:
                    self._on_open(f"http://{self._host}:{server.server_address[1]}/")
                yield lambda frame: pictures.put(frame.image)
            finally:
                pictures.end()
                server.shutdown()
                thread.join()

    def _server(self, pictures: "_Pictures") -> "_Server":
        try:
            return _Server((self._host, self._port), pictures)
        except OSError as error:
            raise OutputError(
                f"No page can be served on {self._host}:{self._port}: {error.strerror}; choose "
                "another `port` or `host`."
            ) from error


class _Pictures:
    """The newest picture, as a JPEG that is made once, and only if someone looks."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._image: Image | None = None
        self._jpeg: bytes | None = None
        self.count = 0
        self.ended = False
        self._began = time.monotonic()

    def put(self, image: Image) -> None:
        with self._changed:
            self._image, self._jpeg = image, None
            self.count += 1
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def newest(self, after: int = 0) -> tuple[int, bytes] | None:
        """Number and JPEG of the newest picture once it is later than number `after`; None at the
        end."""
        with self._changed:
            self._changed.wait_for(lambda: self.ended or self.count > after)
            if self.ended or self._image is None:
                return None
            if self._jpeg is None:
                self._jpeg = _encoded(self._image)
            return self.count, self._jpeg

    def status(self) -> dict[str, float]:
        return {"frames": self.count, "seconds": round(time.monotonic() - self._began, 3)}


def _encoded(image: Image) -> bytes:
    quality = (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY)
    return cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), quality)[1].tobytes()


class _Server(ThreadingMixIn, HTTPServer):
    """A thread for each viewer; closing waits for all of them."""

    daemon_threads = False
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], pictures: _Pictures) -> None:
        self.pictures = pictures
        self.places = Semaphore(MAX_VIEWERS)
        self.only_loopback = address[0] in LOOPBACK_NAMES
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A viewer that goes away is no error of the program."""


class _Handler(BaseHTTPRequestHandler):
    """Answers one viewer."""

    timeout = SEND_TIMEOUT_SECONDS

    @property
    def _site(self) -> _Server:
        return cast(_Server, self.server)

    def do_GET(self) -> None:
        if not self._is_meant():
            self.send_error(HTTPStatus.FORBIDDEN)
            return
        pages = {
            "/": self._page,
            "/stream.mjpg": self._stream,
            "/frame.jpg": self._frame,
            "/status.json": self._status,
        }
        answer = pages.get(urlsplit(self.path).path)
        if answer is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with suppress(OSError):  # the viewer went away
            answer()

    def _is_meant(self) -> bool:
        """Whether the request is for this machine, not for a name that someone pointed at it."""
        host = urlsplit(f"//{self.headers.get('Host', '')}").hostname
        return not self._site.only_loopback or host in LOOPBACK_NAMES

    def _page(self) -> None:
        self._send("text/html; charset=utf-8", VIEWER.read_bytes())

    def _status(self) -> None:
        self._send("application/json", json.dumps(self._site.pictures.status()).encode())

    def _frame(self) -> None:
        newest = self._site.pictures.newest()
        if newest is None:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
        else:
            self._send("image/jpeg", newest[1])

    def _stream(self) -> None:
        if not self._site.places.acquire(blocking=False):
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return
        try:
            self._send_stream()
        finally:
            self._site.places.release()

    def _send_stream(self) -> None:
        self._begin(f"multipart/x-mixed-replace; boundary={BOUNDARY}")
        number = 0
        while (newest := self._site.pictures.newest(number)) is not None:
            number, jpeg = newest
            head = f"Content-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            self.wfile.write(f"--{BOUNDARY}\r\n{head}".encode() + jpeg + b"\r\n")
        self.wfile.write(f"--{BOUNDARY}--\r\n".encode())

    def _send(self, kind: str, body: bytes) -> None:
        self._begin(kind, {"Content-Length": str(len(body))})
        self.wfile.write(body)

    def _begin(self, kind: str, more: dict[str, str] | None = None) -> None:
        self.send_response(HTTPStatus.OK)
        for name, value in {"Content-Type": kind, **SAFE_HEADERS, **(more or {})}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """The page logs nothing."""
