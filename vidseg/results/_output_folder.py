"""A folder that is written file by file and appears under its name when it is whole."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import TypeVar

from vidseg.atomic_output import atomic_output
from vidseg.remote.paths import as_path

Folder = TypeVar("Folder", bound="OutputFolder")


class OutputFolder:
    """The `with` block around such a folder; what is written goes to `folder`."""

    folder: Path
    """Where to write while the block runs."""

    def __init__(self, path: str | Path, *, force: bool) -> None:
        self._path, self._force = as_path(path), force
        self._stack = ExitStack()

    def __enter__(self: Folder) -> Folder:
        """Raises OutputExistsError or OutputError: the folder is not empty (unless `force`) or
        cannot be written."""
        with ExitStack() as stack:
            landed = atomic_output(self._path, force=self._force, folder=True)
            self.folder = stack.enter_context(landed)
            self.begin(stack)
            self._stack = stack.pop_all()
        return self

    def begin(self, stack: ExitStack) -> None:
        """Called on entering; files opened on `stack` are closed before the folder appears."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)
