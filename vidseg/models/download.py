"""Download of one large file: resumed when the connection drops, verified, then put in place."""

import contextlib
import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from vidseg.models._connection import CONNECT_SECONDS, InsecureUrlError, open_url

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

OnDownload = Callable[[int, int | None], None]
"""Called with the number of bytes that are there and the size of the whole file."""

CHUNK_BYTES = 1 << 18
"""Between two calls of `OnDownload`."""

MAX_VAIN_TRIES = 5
"""Tries in a row that brought no new byte, before giving up."""

RETRIED_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP statuses after which another try may succeed."""

REQUEST_HEADERS = {"User-Agent": "vidseg"}
"""Some servers refuse urllib's own name."""


class DownloadError(Exception):
    """Why a file could not be downloaded, as half a sentence."""


class _BrokenError(Exception):
    """The network failed in a way that another try may mend."""


class _NoServerError(_BrokenError):
    """No server answered."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A published file, known exactly."""

    name: str
    size: int
    """Bytes."""
    sha256: str
    """In hexadecimal digits."""


def download(
    url: str,
    target: Path,
    published: RemoteFile,
    *,
    on_download: OnDownload | None = None,
    pause: float = 1.0,
) -> None:
    """Download `url`, which must be `published`, to `target`.

    Continues what an earlier call left in ``target.part``. Of several processes that download to
    the same `target`, one works and the others wait for it.

    Args:
        pause: seconds before the second try; doubled for each further one.

    Raises:
        DownloadError: no connection, a refusal, another file, or a folder that cannot be written.
    """
    part = target.with_name(target.name + ".part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(part) as file:
            if target.exists():  # another process was faster
                part.unlink()
                return
            _fetch_verified(url, file, part, published, on_download, pause)
            os.replace(part, target)
    except OSError as error:
        raise DownloadError(f"{part} cannot be written: {error.strerror or error}") from error


def is_offered(url: str) -> bool:
    """Whether a server offers `url` right now; answers within seconds."""
    try:
        open_url(url, REQUEST_HEADERS, method="HEAD", timeout=CONNECT_SECONDS).close()
    except (OSError, HTTPException, InsecureUrlError):
        return False
    return True


@contextlib.contextmanager
def _locked(part: Path) -> Iterator[BinaryIO]:
    """`part`, made if need be and never through a link, while no other process has it."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        descriptor = os.open(part, flags, 0o666)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError("it is not a regular file")
        with os.fdopen(descriptor, "r+b") as file:
            _wait_for_lock(file)
            # The process that had the lock may have moved the file to its target.
            if _is_at(part, file):
                yield file
                return


def _wait_for_lock(file: BinaryIO) -> None:
    """The lock goes with the file, however its process ends. Not every file system has locks; there
    two processes may disturb each other, and the hash tells."""
    if fcntl:
        with contextlib.suppress(OSError):
            fcntl.flock(file, fcntl.LOCK_EX)


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _fetch_verified(
    url: str,
    file: BinaryIO,
    part: Path,
    published: RemoteFile,
    on_download: OnDownload | None,
    pause: float,
) -> None:
    resumed = _size(file) > 0
    _fetch(url, file, published.size, on_download, pause)
    if resumed and not _matches(file, published):
        file.truncate(0)
        _fetch(url, file, published.size, on_download, pause)
    if not _matches(file, published):
        part.unlink()
        raise DownloadError(f"what {url} gives is not {published.name}: its SHA-256 differs")


def _fetch(
    url: str, file: BinaryIO, size: int, on_download: OnDownload | None, pause: float
) -> None:
    """Complete `file`, over as many connections as it takes while each brings something."""
    vain_tries, met_server = 0, False
    while True:
        before = _size(file)
        try:
            with _connect(url, before) as response:
                return _receive(response, file, size, on_download)
        except _BrokenError as error:
            met_server = met_server or not isinstance(error, _NoServerError)
            vain_tries = 0 if _size(file) > before else vain_tries + 1
            if vain_tries == MAX_VAIN_TRIES or not met_server:  # offline: say so at once
                raise DownloadError(str(error)) from error
        time.sleep(pause * 2**vain_tries)


@contextlib.contextmanager
def _connect(url: str, start: int) -> Iterator[HTTPResponse | None]:
    """A response with the file from byte `start` or from 0; None if nothing comes after `start`."""
    asked = {"Range": f"bytes={start}-"} if start else {}
    try:
        response = open_url(url, {**REQUEST_HEADERS, **asked})
    except InsecureUrlError as error:
        raise DownloadError(str(error)) from error
    except HTTPError as error:
        error.close()
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            yield None
            return
        problem = f"{url} answers {error.code} {error.reason}"
        raise (_BrokenError if error.code in RETRIED_STATUSES else DownloadError)(
            problem
        ) from error
    except (OSError, HTTPException) as error:
        raise _NoServerError(_reason(url, error)) from error
    with response:
        yield response


def _receive(
    response: HTTPResponse | None, file: BinaryIO, size: int, on_download: OnDownload | None
) -> None:
    if response is None:
        return
    start, total = _extent(response)
    if total not in (None, size):
        raise DownloadError(f"{response.url} has {total} bytes instead of {size}")
    file.seek(start)
    file.truncate()
    for chunk in _chunks(response):
        if file.tell() + len(chunk) > size:
            raise DownloadError(f"{response.url} has more than {size} bytes")
        file.write(chunk)
        if on_download:
            on_download(file.tell(), size)
    if file.tell() < size:
        done = file.tell()
        raise _BrokenError(f"the connection to {response.url} broke off at {done} of {size} bytes")


def _extent(response: HTTPResponse) -> tuple[int, int | None]:
    """Where the response's bytes start in the file, and the size of the whole file if told."""
    ranged = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if response.status == HTTPStatus.PARTIAL_CONTENT and ranged:
        return int(ranged[1]), int(ranged[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if re.fullmatch(r"\d{1,15}", length) else None


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    try:
        while chunk := response.read(CHUNK_BYTES):
            yield chunk
    except (OSError, HTTPException) as error:
        raise _BrokenError(_reason(response.url, error)) from error


def _reason(url: str, error: Exception) -> str:
    cause = error.reason if isinstance(error, URLError) else error
    said = getattr(cause, "strerror", None) or str(cause) or type(cause).__name__
    return f"no connection to {urlsplit(url).netloc}: {said}"


def _size(file: BinaryIO) -> int:
    file.flush()
    return os.fstat(file.fileno()).st_size


def _matches(file: BinaryIO, published: RemoteFile) -> bool:
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    return digest.hexdigest() == published.sha256
