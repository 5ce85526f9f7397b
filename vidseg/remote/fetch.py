"""Fetches the files of URLs into the cache of this machine."""

import logging
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from vidseg.remote._filesystem import Remote, cache_folder, digest, open_url, reading
from vidseg.remote.paths import UrlPath, as_path, url_of

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

log = logging.getLogger("vidseg")

VERSION_FACTS = ("size", "ETag", "etag", "LastModified", "Last-Modified", "created", "generation")
"""What servers say about a file that changes when the file does."""

URL_NOTE_SUFFIX = ".url"
"""Of the file beside the folder of a fetched one that tells where it is from."""

OnBytes = Callable[[int, int | None], None]
"""Called with the bytes that have arrived, and those of the whole file if that is known."""


def local(path: str | Path, on_bytes: OnBytes | None = None) -> Path:
    """`path`, or where the file or folder of this URL lies on this machine, fetched if it was not.

    Of several processes that want the same, one fetches it and the others wait.

    Raises InputError: it does not exist, or cannot be fetched.
    """
    url = url_of(path)
    if url is None:
        return Path(path)
    remote = open_url(url)
    with reading(url):
        files = _files(remote)
    facts = [(name, *map(info.get, VERSION_FACTS)) for name, info in sorted(files.items())]
    place = cache_folder() / "files" / digest(repr((url, facts)))
    target = place / (UrlPath(url).name or "root")
    if target.exists():
        return target
    with reading(url):
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        with _locked(place):
            if not target.exists():  # another process was faster
                _fetch(remote, files, target, on_bytes)
                place.with_suffix(URL_NOTE_SUFFIX).write_text(url, encoding="utf-8")
    return target


def origin(path: Path) -> Path:
    """The URL that this path of the cache was fetched from; any other path as it is.

    Another machine has another cache, so what is sent there names the URL.
    """
    note = path.parent.with_suffix(URL_NOTE_SUFFIX)
    if note.parent == cache_folder() / "files" and note.is_file():
        return as_path(note.read_text(encoding="utf-8"))
    return path


def listing(path: str | Path) -> list[Path] | None:
    """The files in the folder that a URL names, by name; None where it names a file.

    Raises InputError: it does not exist, or cannot be looked at.
    """
    url = url_of(path)
    assert url is not None
    remote = open_url(url)
    with reading(url):
        if not remote.is_folder():
            return None
        entries = remote.fs.ls(remote.key, detail=True)
    names = [each["name"] for each in entries if each["type"] == "file"]
    folder = as_path(url)
    return [folder / name.rpartition("/")[2] for name in sorted(names)]


def _files(remote: Remote) -> Mapping[str, Mapping[str, Any]]:
    """What the server says about the file, or about each file of the folder, by name from there."""
    info = remote.fs.info(remote.key)
    if info["type"] != "directory":
        return {"": info}
    found = remote.fs.find(remote.key, detail=True)
    return {
        name.removeprefix(remote.key): facts
        for name, facts in found.items()
        if not name.endswith("/")  # an empty object that stands for a folder
    }


def _fetch(
    remote: Remote, files: Mapping[str, Mapping[str, Any]], target: Path, on_bytes: OnBytes | None
) -> None:
    """Fetch the files beside `target`, and give them that name once all are whole."""
    for left in target.parent.glob(".part-*"):  # of a process that was killed
        shutil.rmtree(left, ignore_errors=True)
    part = target.parent / f".part-{secrets.token_hex(4)}"
    sizes = [info.get("size") for info in files.values()]
    total = None if None in sizes else sum(filter(None, sizes))
    log.info("Fetching %s, %s bytes.", remote.key, "?" if total is None else total)
    done = 0
    try:
        for name, size in zip(files, sizes, strict=True):
            if ".." in name.split("/"):
                raise OSError(f"the name {name} leads out of its folder")

            def tell(arrived: int, before: int = done) -> None:
                if on_bytes is not None:
                    on_bytes(before + arrived, total)

            file = part / target.name / name.lstrip("/")
            _get(remote.fs, f"{remote.key}{name}", file, size, tell)
            done += file.stat().st_size
        os.replace(part / target.name, target)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _get(fs: Any, key: str, file: Path, size: int | None, tell: Callable[[int], None]) -> None:
    """Fetch one file; a connection that ends early is an error."""
    from fsspec.callbacks import Callback

    file.parent.mkdir(parents=True, exist_ok=True)
    fs.get_file(
        key, str(file), callback=Callback(hooks={"tell": lambda _, arrived, **__: tell(arrived)})
    )
    if size is not None and file.stat().st_size != size:
        raise OSError(f"{file.stat().st_size} of {size} bytes arrived")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Waits until no other process has the folder. Where there are no locks, two may fetch."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
