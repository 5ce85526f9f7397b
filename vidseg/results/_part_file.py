"""The file NAME.part that a `.vidseg` file grows in: one run at a time, never through a link."""

import os
from io import FileIO
from pathlib import Path

from vidseg.atomic_output import output_error
from vidseg.errors import OutputError, OutputExistsError
from vidseg.remote.paths import as_path, url_of
from vidseg.remote.put import outgoing_folder, put

try:
    import fcntl
except ImportError:  # Windows, where a second run cannot replace an open file anyway
    fcntl = None

_FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
"""A link of this name could lead to a file that the user did not name."""


def part_of(path: str | Path) -> Path:
    """Where the detections for `path` grow until they are complete."""
    path = as_path(path)
    url = url_of(path)
    home = path.parent if url is None else outgoing_folder(url)
    return home / f"{path.name}.part"


def open_part(part: Path) -> FileIO:
    """The part, locked until it is closed; unbuffered, so that a killed run leaves all it wrote.

    Raises:
        OutputError: another run is writing it, or it cannot be opened, as where it is a link.
    """
    try:
        file = FileIO(os.open(part, _FLAGS, 0o666), "r+")
    except OSError as error:
        raise output_error(part, error) from error
    if not _lock(file, part):
        file.close()
        raise OutputError(f"Another run is writing {part}; wait for it, or name another file.")
    return file


def _lock(file: FileIO, part: Path) -> bool:
    """Whether this run has the part alone, under its name still."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(file.fileno()), part.lstat())
    except BlockingIOError:
        return False
    except FileNotFoundError:  # the other run has just finished
        return False
    except OSError:  # a file system without locks
        return True


def finish_part(file: FileIO, part: Path, path: Path, *, force: bool) -> None:
    """Gives the complete part its name; it is on the disk by then.

    Raises OutputExistsError: a file of that name appeared during the run.
    """
    os.fsync(file.fileno())
    if url_of(path) is not None:
        put(part, path, force=force, keep=True)
        part.unlink()
        return
    if os.path.lexists(path) and not force:
        raise OutputExistsError(
            f"{path} appeared during the run and was not overwritten; the detections are in {part}."
        )
    if os.name == "nt":
        file.close()
    os.replace(part, path)
