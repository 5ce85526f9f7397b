"""HTTPS connections for downloads: no endless wait, and no redirect to anything less secure."""

import socket
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from http.client import HTTPConnection, HTTPMessage, HTTPResponse, HTTPSConnection
from itertools import chain, zip_longest
from threading import Thread
from typing import IO
from urllib.parse import urlsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

CONNECT_SECONDS = 5.0
"""From a server's name to a connection, at most; a user without a network waits as long."""

ATTEMPT_SECONDS = 1.5
"""For one of the server's addresses, before the next one is tried."""

READ_SECONDS = 15.0
"""Seconds without a byte after which a connection counts as broken."""

LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "::1")
"""Hosts that need no encryption: what is sent to them stays on this machine."""


class InsecureUrlError(Exception):
    """A URL that is not https, as half a sentence."""


def open_url(
    url: str,
    headers: Mapping[str, str],
    *,
    method: str = "GET",
    timeout: float = READ_SECONDS,
) -> HTTPResponse:
    """The response of the server, redirects followed.

    Raises:
        InsecureUrlError: the URL, or one that it redirects to, is not https.
        OSError, HTTPException: as `urllib.request.urlopen` raises them.
    """
    check_secure(url)
    request = Request(url, headers=dict(headers), method=method)
    return _OPENER.open(request, timeout=timeout)


def check_secure(url: str) -> None:
    """Raises InsecureUrlError: `url` is neither https nor http to this machine itself."""
    parts = urlsplit(url)
    local = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS
    if not (parts.scheme == "https" and parts.hostname) and not local:
        raise InsecureUrlError(f"{url} does not begin with https://")


class _SecureRedirects(HTTPRedirectHandler):
    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        check_secure(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _PromptHTTPConnection(HTTPConnection):
    def connect(self) -> None:
        self._create_connection = _connect_in_time
        super().connect()


class _PromptHTTPSConnection(HTTPSConnection):
    def connect(self) -> None:
        self._create_connection = _connect_in_time
        super().connect()


class _PromptHTTPHandler(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_PromptHTTPConnection, req)


class _PromptHTTPSHandler(HTTPSHandler):
    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_PromptHTTPSConnection, req)


_OPENER = build_opener(_SecureRedirects, _PromptHTTPHandler, _PromptHTTPSHandler)


def _connect_in_time(
    address: tuple[str, int], timeout: float, source_address: object = None
) -> socket.socket:
    """Like `socket.create_connection`, which may wait `timeout` for each address of a server and
    without limit for its name. A daemon thread does the waiting: none can end a name lookup."""
    connected: Future[socket.socket] = Future()
    Thread(target=_connect, args=(address, connected), daemon=True).start()
    try:
        result = connected.result(CONNECT_SECONDS)
    except TimeoutError:
        connected.add_done_callback(_close)
        raise TimeoutError(f"no answer within {CONNECT_SECONDS:g} seconds") from None
    result.settimeout(timeout)
    return result


def _connect(address: tuple[str, int], connected: Future[socket.socket]) -> None:
    try:
        connected.set_result(_first_to_answer(*address))
    except OSError as error:
        connected.set_exception(error)


def _first_to_answer(host: str, port: int) -> socket.socket:
    failure: OSError = OSError(f"{host} has no address")
    for place in _addresses(host, port):
        try:
            return socket.create_connection(place, ATTEMPT_SECONDS)
        except OSError as error:
            failure = error
    raise failure


def _addresses(host: str, port: int) -> Iterator[tuple[str, int]]:
    """Of both families in turns: on many networks one of the two leads nowhere."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    families = [[entry[4] for entry in found if entry[0] == family] for family in _families(found)]
    for place in chain.from_iterable(zip_longest(*families)):
        if place is not None:
            yield str(place[0]), int(place[1])


def _families(found: list[tuple]) -> list[int]:
    return list(dict.fromkeys(entry[0] for entry in found))


def _close(connected: Future[socket.socket]) -> None:
    if connected.exception() is None:
        connected.result().close()
