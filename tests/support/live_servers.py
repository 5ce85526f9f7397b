"""Servers of live streams on this machine, and readers of what `vidseg live` serves."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from io import BytesIO

import av

from tests.support.scenes import scene_image

LOOPBACK = "127.0.0.1"
TS_PACKET = 188


def transport_stream(frames: int, *, first: int = 0, rate: int = 30) -> list[bytes]:
    """Scenes `first` to `first + frames - 1` as MPEG-TS, the bytes of each frame apart."""
    parts, buffer = [], BytesIO()
    with av.open(buffer, "w", format="mpegts", container_options={"flush_packets": "1"}) as target:
        stream = target.add_stream("libx264", rate=rate, options={"tune": "zerolatency", "g": "10"})
        stream.height, stream.width = scene_image(0).shape[:2]
        stream.pix_fmt = "yuv420p"
        for index in range(first, first + frames):
            frame = av.VideoFrame.from_ndarray(scene_image(index), "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, rate)
            target.mux(stream.encode(frame))
            parts.append(buffer.getvalue())
            buffer.seek(0)
            buffer.truncate()
        target.mux(stream.encode())
    return [*parts[:-1], parts[-1] + buffer.getvalue()]


class StreamServer:
    """Sends each connection its own list of parts, and closes it; as HTTP or as RTSP.

    `pause` seconds pass between two parts. Once all lists are sent it refuses connections.
    """

    def __init__(
        self, connections: Sequence[Sequence[bytes]], *, pause: float = 0.0, rtsp: bool = False
    ) -> None:
        self._connections, self._pause, self._rtsp = connections, pause, rtsp
        self.sent_at: list[float] = []
        """When each part was sent, by `time.monotonic`."""
        self._stop = threading.Event()
        self._socket = socket.create_server((LOOPBACK, 0))
        self._socket.settimeout(0.05)
        self.port: int = self._socket.getsockname()[1]
        self.url = f"{'rtsp' if rtsp else 'http'}://{LOOPBACK}:{self.port}/live"
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "StreamServer":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        for parts in self._connections:
            client = self._accepted()
            if client is None:
                return
            with client, suppress(OSError):
                send = _rtsp_client(client) if self._rtsp else _http_client(client)
                for part in parts:
                    if self._stop.wait(self._pause):
                        return
                    self.sent_at.append(time.monotonic())
                    send(part)
        self._socket.close()

    def _accepted(self) -> socket.socket | None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                client = self._socket.accept()[0]
                client.settimeout(5)
                return client
        return None


Send = Callable[[bytes], None]


def _http_client(client: socket.socket) -> Send:
    client.recv(65536)
    client.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    return lambda part: client.sendall(f"{len(part):x}\r\n".encode() + part + b"\r\n")


def _rtsp_client(client: socket.socket) -> Send:
    """Answers an RTSP client up to PLAY; then sends MPEG-TS in RTP over the same connection, as
    RFC 2326 section 10.12 and RFC 2250 have it."""
    sdp = "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=scene\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\n"
    more = {
        "OPTIONS": ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN", ""),
        "DESCRIBE": ("Content-Type: application/sdp", sdp),
        "SETUP": ("Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1", ""),
        "PLAY": ("Session: 1", ""),
    }
    for request in _requests(client):
        method = request.split(" ", 1)[0]
        sequence = request.lower().split("cseq:")[1].split("\r\n")[0].strip()
        head, body = more[method]
        client.sendall(
            f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\n{head}\r\nContent-Length: {len(body)}\r\n\r\n"
            f"{body}".encode()
        )
        if method == "PLAY":
            break
    count = 0

    def send(part: bytes) -> None:
        nonlocal count
        for at in range(0, len(part), 7 * TS_PACKET):
            payload = part[at : at + 7 * TS_PACKET]
            rtp = struct.pack(">BBHII", 0x80, 33, count & 0xFFFF, count * 90, 1) + payload
            client.sendall(struct.pack(">cBH", b"$", 0, len(rtp)) + rtp)
            count += 1

    return send


def _requests(client: socket.socket) -> Iterator[str]:
    text = ""
    while data := client.recv(65536):
        text += data.decode()
        while "\r\n\r\n" in text:
            request, _, text = text.partition("\r\n\r\n")
            yield request


@contextmanager
def refused_port() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as unused:
        unused.bind((LOOPBACK, 0))
        yield unused.getsockname()[1]
