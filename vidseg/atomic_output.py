"""Outputs that appear complete or not at all: written beside the target, then renamed to it."""

import errno
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vidseg.errors import OutputError, OutputExistsError

TEMPORARY_PREFIX = ".vidseg-"
"""Start of every temporary name, so that leftovers of a killed run can be recognised."""


@contextmanager
def atomic_output(path: str | Path, *, force: bool = False, folder: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, with its extension, renamed to `path` if the block succeeds.

    On any error, Ctrl-C included, the temporary output is removed and `path` stays as it was. With
    `folder` the temporary path is a new folder. An existing folder (an empty one, or any with
    `force`) keeps its other contents.

    Raises OutputExistsError or OutputError before the block runs.
    """
    target = Path(path)
    check_output(target, (), force=force, folder=folder)
    final = target.absolute()  # the working folder may change meanwhile
    part = _part_beside(final, folder=folder)
    try:
        if folder:
            part.mkdir()
        yield part
        _move(part, final, force=force)
    except OSError as error:
        if isinstance(error, OutputError) or not _concerns(error, part, final):
            raise
        raise output_error(target, error) from error
    finally:
        _remove(part)


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
            writable; it is a file where a folder is needed, or the other way round.
    """
    target = Path(target)
    for source in map(Path, inputs):
        _refuse_input(target, source)
    parent = target.parent
    if not parent.is_dir():
        raise OutputError(f"The folder {parent} for the output does not exist; make it first.")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise OutputError(f"The folder {parent} cannot be written to.")
    if folder and target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file, but the output is a folder; choose another name.")
    if not folder and target.is_dir():
        raise OutputError(f"{target} is a folder, but the output is a file; choose another name.")
    taken = any(target.iterdir()) if target.is_dir() else os.path.lexists(target)
    if taken and not force:
        what = "is not empty" if folder else "exists already"
        raise OutputExistsError(f"{target} {what}; choose another name or force overwriting.")


def output_error(target: Path, error: BaseException) -> OutputError:
    """An error in one sentence for a low-level failure while writing `target`."""
    if getattr(error, "errno", None) == errno.ENOSPC:
        return OutputError(f"No space left on the disk for {target}; nothing was kept.")
    if getattr(error, "errno", None) == errno.EFBIG:
        return OutputError(f"{target} exceeded the largest file allowed; nothing was kept.")
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(f"Writing {target} failed: {reason}.")


def _refuse_input(target: Path, source: Path) -> None:
    if not (target.exists() and source.exists()):
        return
    if os.path.samefile(target, source):
        raise OutputError(f"The output {target} is the input itself; choose another name.")
    if source.is_dir() and os.path.samefile(target.parent, source):
        raise OutputError(f"The output {target} is one of the inputs; choose another name.")


def _part_beside(target: Path, *, folder: bool) -> Path:
    """A short name without the target's stem: a stem of 255 bytes leaves no room for a prefix."""
    suffix = "" if folder else target.suffix
    return target.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}{suffix}"


def _move(part: Path, target: Path, *, force: bool) -> None:
    if part.is_dir():
        _merge(part, target)
        return
    if not part.exists():
        raise OutputError(f"Nothing was written to {target}.")
    if os.path.lexists(target) and not force:
        raise OutputExistsError(f"{target} appeared during the run; it was not overwritten.")
    _flush_to_disk(part)
    os.replace(part, target)


def _merge(part: Path, target: Path) -> None:
    if not target.exists():
        os.replace(part, target)
        return
    for entry in sorted(part.iterdir()):
        if entry.is_dir() and (target / entry.name).is_dir():
            _merge(entry, target / entry.name)
        else:
            os.replace(entry, target / entry.name)


def _flush_to_disk(path: Path) -> None:
    """Flush to disk: some file systems report a full disk only then."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _concerns(error: OSError, part: Path, target: Path) -> bool:
    """Whether an error of the block is about the output; other errors pass through unchanged."""
    if error.errno in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
        return True
    names = {str(name) for name in (error.filename, error.filename2) if name is not None}
    return any(name.startswith((str(part), str(target))) for name in names)
