"""Download of one large file: resumed when the connection drops, verified, then put in place."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes of the whole file, None where unknown."""

CHUNK = 1 << 18
"""Bytes between two calls of the progress callback."""

TIMEOUT = 15.0
"""Seconds without a byte after which a connection counts as broken."""

TRIES = 5
"""Tries in a row that brought no new byte, before giving up."""

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP answers that another try may better."""

HEADERS = {"User-Agent": "vidseg"}
"""Some servers refuse urllib's own name."""

NOTHING_LEFT = 416
"""The HTTP answer to a range that starts at the end of the file, or after it."""


class DownloadError(Exception):
    """Why a file could not be fetched, as half a sentence."""


class _BrokenError(Exception):
    """The network failed in a way that another try may better."""


class _NoContactError(_BrokenError):
    """No server answered."""


def download(
    url: str,
    target: Path,
    *,
    sha256: str = "",
    progress: Progress | None = None,
    pause: float = 1.0,
) -> None:
    """Fetch `url` into `target`; what an earlier call left in ``target.part`` is continued.

    Two processes may fetch the same file at once: both write the same bytes to the same places.

    Args:
        sha256: first hexadecimal digits of the file's hash; empty for a file that is not verified.
        pause: seconds before the second try, doubled at each further one.

    Raises:
        DownloadError: no connection, a refusal, a wrong hash, or a folder that cannot be written.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _fetch_verified(url, part, sha256, progress, pause)
        os.replace(part, target)
    except OSError as error:
        if isinstance(error, FileNotFoundError) and target.exists():
            return  # another process was faster
        raise DownloadError(f"{part} cannot be written: {error.strerror or error}") from error


def answers(url: str, *, timeout: float = 5.0) -> bool:
    """Whether a server offers `url` right now."""
    try:
        with urlopen(Request(url, headers=HEADERS, method="HEAD"), timeout=timeout):
            return True
    except (OSError, HTTPException):
        return False


def _fetch_verified(
    url: str, part: Path, sha256: str, progress: Progress | None, pause: float
) -> None:
    resumed = part.exists()
    _fetch(url, part, progress, pause)
    if resumed and not _matches(part, sha256):
        part.unlink()
        _fetch(url, part, progress, pause)
    if not _matches(part, sha256):
        part.unlink()
        raise DownloadError(f"what {url} gives does not match its hash {sha256}")


def _fetch(url: str, part: Path, progress: Progress | None, pause: float) -> None:
    """Complete `part`, over as many connections as it takes while they bring something."""
    vain = 0
    met = False
    while True:
        size = _size(part)
        try:
            with _connect(url, size) as response:
                return _receive(response, part, progress)
        except _BrokenError as error:
            met = met or not isinstance(error, _NoContactError)
            vain = 0 if _size(part) > size else vain + 1
            if vain == TRIES or not met:  # offline: nobody wants to wait to hear it
                raise DownloadError(str(error)) from error
        time.sleep(pause * 2**vain)


@contextlib.contextmanager
def _connect(url: str, start: int) -> Iterator[HTTPResponse | None]:
    """A response with the file from `start` on, or from 0; None where nothing is left to give."""
    ask = Request(url, headers={**HEADERS, "Range": f"bytes={start}-"} if start else HEADERS)
    try:
        response = urlopen(ask, timeout=TIMEOUT)
    except HTTPError as error:
        error.close()
        if error.code == NOTHING_LEFT and start:
            yield None
            return
        problem = f"{url} answers {error.code} {error.reason}"
        raise (_BrokenError if error.code in PASSING else DownloadError)(problem) from error
    except (OSError, HTTPException) as error:
        raise _NoContactError(_reason(url, error)) from error
    with response:
        yield response


def _receive(response: HTTPResponse | None, part: Path, progress: Progress | None) -> None:
    if response is None:
        return
    start, total = _extent(response)
    with open(part, "r+b" if part.exists() else "w+b") as file:
        file.seek(start)
        if not start:
            file.truncate()
        for chunk in _chunks(response):
            file.write(chunk)
            if progress:
                progress(file.tell(), total)
        done = file.tell()
    if total is not None and done < total:
        raise _BrokenError(f"the connection to {response.url} broke off at {done} of {total} bytes")


def _extent(response: HTTPResponse) -> tuple[int, int | None]:
    """Where the response's bytes start in the file, and the size of the whole file."""
    ranged = re.match(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if response.status == 206 and ranged:
        return int(ranged[1]), int(ranged[2])
    length = response.headers.get("Content-Length")
    return 0, None if length is None else int(length)


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(CHUNK):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(response.url, error)) from error


def _reason(url: str, error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    said = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"the connection to {url} failed: {said}"


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _matches(part: Path, sha256: str) -> bool:
    if not sha256:
        return True
    digest = hashlib.sha256()
    with open(part, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest().startswith(sha256)
