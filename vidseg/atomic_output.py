"""Outputs that appear complete or not at all: written beside the target, then renamed to it.

An output grows in a temporary folder `.vidseg-PID-RANDOM` beside its target, or for a URL in the
cache. The folder is locked while its run lives, so that the next run can clear what a killed one
left.
"""

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from vidseg.errors import OutputError, OutputExistsError
from vidseg.remote.paths import as_path, url_of
from vidseg.remote.put import check_url, outgoing_folder, put

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

TEMPORARY_PREFIX = ".vidseg-"
"""Start of every temporary name, so that leftovers of a killed run can be recognised."""
LINKLESS_ERRORS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES)
"""What file systems without hard links say."""


@contextmanager
def atomic_output(path: str | Path, *, force: bool = False, folder: bool = False) -> Iterator[Path]:
    """A temporary path, with the extension of `path`, renamed or put to it if the block succeeds.

    On any error, Ctrl-C included, the temporary output is removed and `path` stays as it was. With
    `folder` the temporary path is a new folder. An existing folder (an empty one, or any with
    `force`) keeps its other contents.

    Raises OutputExistsError or OutputError before the block runs.
    """
    target = as_path(path)
    check_output(target, (), force=force, folder=folder)
    remote = url_of(target) is not None
    final = target if remote else target.absolute()  # the working folder may change meanwhile
    home = outgoing_folder() if remote else final.parent
    holder = None
    try:
        _clear_leftovers(home)
        holder = _make_holder(home)
        part = holder.path / f"output{'' if folder else final.suffix}"
        if folder:
            part.mkdir()
        yield part
        move = put if remote else _move
        move(part, final, force=force)
    except OSError as error:
        beside = holder.path if holder else final
        if isinstance(error, OutputError) or not _concerns(error, beside, final):
            raise
        raise output_error(target, error) from error
    finally:
        if holder is not None:
            holder.remove()


def check_output(
    target: str | Path,
    inputs: Iterable[str | Path],
    *,
    force: bool = False,
    folder: bool = False,
) -> None:
    """Refuse a target that cannot or must not be written; cheap, to be called before heavy work.

    Raises:
        OutputExistsError: it exists (a `folder`: and is not empty) and `force` is not given.
        OutputError: it is one of the `inputs`, also through a link; its folder is missing or not
            writable; it is a file where a folder is needed, or the other way round; it is a device
            or a pipe.
    """
    target = as_path(target)
    for source in map(as_path, inputs):
        _refuse_input(target, source)
    if url_of(target) is not None:
        check_url(target, force=force, folder=folder)
        return
    parent = target.parent
    if not parent.is_dir():
        raise OutputError(f"The folder {parent} for the output does not exist; make it first.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"The folder {parent} cannot be written to.")
    if folder and target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file, but the output is a folder; choose another name.")
    if not folder and target.is_dir():
        raise OutputError(f"{target} is a folder, but the output is a file; choose another name.")
    if target.exists() and not (target.is_symlink() or target.is_file() or target.is_dir()):
        raise OutputError(f"{target} is a device, a pipe or a socket; choose another name.")
    taken = any(target.iterdir()) if target.is_dir() else os.path.lexists(target)
    if taken and not force:
        what = "is not empty" if folder else "exists already"
        raise OutputExistsError(f"{target} {what}; choose another name, or give `force=True`.")


def output_error(target: Path, error: BaseException) -> OutputError:
    """An error in one sentence for a low-level failure while writing `target`."""
    if getattr(error, "errno", None) == errno.ENOSPC:
        return OutputError(f"No space left on the disk for {target}; nothing was kept.")
    if getattr(error, "errno", None) == errno.EFBIG:
        return OutputError(f"{target} exceeded the largest file allowed; nothing was kept.")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(f"Writing {target} failed: {reason}.")


def _refuse_input(target: Path, source: Path) -> None:
    if target == source and url_of(target) is not None:
        raise OutputError(f"The output {target} is the input itself; choose another name.")
    if not (target.exists() and source.exists()):
        return
    if os.path.samefile(target, source):
        raise OutputError(f"The output {target} is the input itself; choose another name.")
    if source.is_dir() and os.path.samefile(target.parent, source):
        raise OutputError(f"The output {target} is one of the inputs; choose another name.")


class _Holder(NamedTuple):
    """A temporary folder, locked as long as its run lives."""

    path: Path
    lock: int | None
    """An open file descriptor; None where there are no locks."""

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock is not None:
            os.close(self.lock)


def _make_holder(parent: Path) -> _Holder:
    """A new folder that only this user can look into."""
    path = parent / f"{TEMPORARY_PREFIX}{os.getpid()}-{secrets.token_hex(6)}"
    path.mkdir(mode=0o700)
    return _Holder(path, _lock(path))


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the only lock of the folder; None if there is another, or no way."""
    if fcntl is None:
        return None
    descriptor = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _clear_leftovers(parent: Path) -> None:
    """Remove the temporary folders of runs that were killed."""
    if fcntl is None:
        return
    for path in parent.glob(f"{TEMPORARY_PREFIX}*-*"):
        with suppress(OSError):
            if path.is_symlink() or not path.is_dir() or _is_running(path):
                continue
            lock = _lock(path)
            if lock is not None:
                _Holder(path, lock).remove()


def _is_running(holder: Path) -> bool:
    """Whether a process with the number of the folder's owner runs on this machine."""
    number = holder.name.removeprefix(TEMPORARY_PREFIX).split("-")[0]
    if not number.isdecimal():
        return True
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # another user's process
        return True
    return True


def _move(part: Path, target: Path, *, force: bool) -> None:
    if part.is_dir():
        if not force and target.is_dir() and any(target.iterdir()):
            raise _appeared(target)
        _merge(part, target)
        return
    if not part.exists():
        raise OutputError(f"Nothing was written to {target}.")
    _flush_to_disk(part)
    if force:
        _keep_mode(part, target)
        os.replace(part, target)
    else:
        _move_new(part, target)


def _appeared(target: Path) -> OutputExistsError:
    return OutputExistsError(f"{target} appeared during the run; it was not overwritten.")


def _keep_mode(part: Path, target: Path) -> None:
    """What was private stays private."""
    if target.is_file() and not target.is_symlink():
        shutil.copymode(target, part)


def _move_new(part: Path, target: Path) -> None:
    """Rename without replacing anything; a hard link is the only way that no other run can race."""
    try:
        os.link(part, target)
    except FileExistsError as error:
        raise _appeared(target) from error
    except OSError as error:
        if error.errno not in LINKLESS_ERRORS:
            raise
        if os.path.lexists(target):
            raise _appeared(target) from error
        os.replace(part, target)


def _merge(part: Path, target: Path) -> None:
    """Move a folder, or what it holds if there is one already; links are replaced, not followed."""
    if not target.exists():
        os.replace(part, target)
        return
    for entry in sorted(part.iterdir()):
        there = target / entry.name
        if entry.is_dir() and there.is_dir() and not there.is_symlink():
            _merge(entry, there)
            continue
        if entry.is_dir() and there.is_symlink():
            there.unlink()
        os.replace(entry, there)


def _flush_to_disk(path: Path) -> None:
    """Flush to disk: some file systems report a full disk only then."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _concerns(error: OSError, part: Path, target: Path) -> bool:
    """Whether an error of the block is about the output; other errors pass through unchanged."""
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return True
    names = {str(name) for name in (error.filename, error.filename2) if name is not None}
    return any(name.startswith((str(part), str(target))) for name in names)
