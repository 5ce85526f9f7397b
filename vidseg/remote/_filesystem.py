"""Opens URLs with fsspec, and turns what its file systems raise into sentences."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple

from vidseg.errors import InputError, OutputError, VidsegError


def cache_folder() -> Path:
    """Where files of URLs lie: VIDSEG_CACHE, or `vidseg` in the user's folder for caches."""
    given = os.environ.get("VIDSEG_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(given) if given else Path(home, "vidseg")


class Remote(NamedTuple):
    """A URL and what opens it."""

    fs: Any
    """fsspec's file system."""
    key: str
    """The name of the file there."""

    def is_folder(self) -> bool:
        return self.fs.info(self.key)["type"] == "directory"


def open_url(url: str) -> Remote:
    scheme = url.partition("://")[0]
    # What another machine wrote a moment ago must be seen.
    options = {"use_listings_cache": False} if scheme != "memory" else {}
    try:
        import fsspec

        fs = fsspec.filesystem(scheme, **options)
    except (ImportError, ValueError) as error:
        raise VidsegError(
            f"{url} needs a package that is missing; install it with pip install 'vidseg[remote]'."
        ) from error
    return Remote(fs, fs._strip_protocol(url))


@contextmanager
def reading(url: str) -> Iterator[None]:
    """Turns whatever a file system raises into an InputError; each has errors of its own."""
    try:
        yield
    except VidsegError:
        raise
    except FileNotFoundError as error:
        cause = error.__cause__  # fsspec calls a server that is away, or refuses, a missing file
        status = getattr(cause, "status", HTTPStatus.NOT_FOUND)
        if isinstance(cause, OSError) or status != HTTPStatus.NOT_FOUND:
            raise InputError(f"{url} cannot be fetched: {reason(cause or error)}.") from error
        raise InputError(f"{url} does not exist; check the URL.") from error
    except Exception as error:
        raise InputError(f"{url} cannot be fetched: {reason(error)}.") from error


@contextmanager
def writing(url: str) -> Iterator[None]:
    try:
        yield
    except VidsegError:
        raise
    except Exception as error:
        raise OutputError(f"{url} cannot be written: {reason(error)}.") from error


def reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return text.splitlines()[0].rstrip(". ")


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:20]
