"""Puts outputs to their URLs once they are whole."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from vidseg.errors import OutputError, OutputExistsError
from vidseg.remote._filesystem import cache_folder, digest, open_url, reason, writing
from vidseg.remote.paths import UrlPath, url_of

READ_ONLY_SCHEMES = ("https", "http")
BUCKET_SCHEMES = ("s3", "gs")
"""Those whose first name is a bucket, which must be there before anything is put."""


def outgoing_folder(url: str = "") -> Path:
    """A folder of this machine for outputs on their way, made if need be; always the same one for
    the same URL."""
    place = cache_folder() / "outgoing" / (digest(url) if url else "")
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise OutputError(f"The folder {place} cannot be made: {error.strerror}.") from error
    return place


def check_url(target: str | Path, *, force: bool, folder: bool) -> None:
    """Refuse a URL that cannot or must not be written; see `atomic_output.check_output`.

    Raises:
        OutputExistsError: it exists (a `folder`: and is not empty) and `force` is not given.
        OutputError: its bucket does not exist or may not be looked at; it is a folder where a file
            is needed, or the other way round; nothing can be put there.
    """
    url = url_of(target)
    assert url is not None
    scheme, _, rest = url.partition("://")
    bucket = rest.partition("/")[0]
    if scheme in READ_ONLY_SCHEMES:
        raise OutputError(f"{url} cannot be written: {scheme} is for inputs only.")
    remote = open_url(url)
    with writing(url):
        taken = remote.fs.exists(remote.key)
        is_folder = taken and remote.is_folder()
        if not taken and scheme in BUCKET_SCHEMES and not remote.fs.exists(bucket):
            raise OutputError(f"The bucket {bucket} of {url} is missing, or not open to you.")
    if taken and folder and not is_folder:
        raise OutputError(f"{url} is a file, but the output is a folder; choose another name.")
    if is_folder and not folder:
        raise OutputError(f"{url} is a folder, but the output is a file; choose another name.")
    if taken and not force:
        what = "is not empty" if folder else "exists already"
        raise OutputExistsError(f"{url} {what}; choose another name, or give `force=True`.")


def exists(target: str | Path) -> bool:
    """Whether there is anything at the URL.

    Raises OutputError: it cannot be looked at.
    """
    url = url_of(target)
    assert url is not None
    remote = open_url(url)
    with writing(url):
        return remote.fs.exists(remote.key)


def put(path: Path, target: str | Path, *, force: bool, keep: bool = False) -> None:
    """Put a file, or all files of a folder, to a URL; each appears when it is whole.

    If that fails, the output stays on this machine and the error says where: under its name in
    `outgoing_folder`, or with `keep` where it is.

    Raises OutputExistsError: it appeared during the run. OutputError: it cannot be put.
    """
    url = url_of(target)
    assert url is not None
    remote, done = open_url(url), []
    try:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file():
                key = "/".join([remote.key, *file.relative_to(path).parts])
                # An object store refuses what exists, whoever put it there in the meantime.
                remote.fs.put_file(str(file), key, mode="overwrite" if force else "create")
                done.append(key)
    except BaseException as error:
        if done and not force:
            with suppress(Exception):
                remote.fs.rm(done)
        if not isinstance(error, Exception):  # Ctrl-C, which keeps no output
            raise
        kept = path if keep else _kept(path, url)
        if isinstance(error, FileExistsError) or "PreconditionFailed" in str(error):
            raise OutputExistsError(
                f"{url} appeared during the run; it was not overwritten, and the output is in "
                f"{kept}; put it elsewhere, or run again with `force=True`."
            ) from error
        raise OutputError(
            f"{url} cannot be written: {reason(error)}. The finished output is in {kept}."
        ) from error


def _kept(path: Path, url: str) -> Path:
    """Moves an output that could not be put to where the user finds it."""
    place = outgoing_folder(url) / (UrlPath(url).name or "output")
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)
    os.replace(path, place)
    return place
