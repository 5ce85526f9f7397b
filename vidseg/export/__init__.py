"""Files made from what was found: one module a format, each with a sink that is an `Export`.

A further format is a module here, its class in `__all__`, and its name beside `--format`.
"""

from types import TracebackType
from typing import Protocol

from vidseg.export.mask_folder import MaskFolder
from vidseg.frame import Frame
from vidseg.instances import Instances

__all__ = ["Export", "MaskFolder"]


class Export(Protocol):
    """Writes frame after frame, holding none; the output appears when the block ends well."""

    def __enter__(self) -> "Export": ...

    def write(self, frame: Frame, instances: Instances) -> None:
        """Add the next frame with its objects."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
