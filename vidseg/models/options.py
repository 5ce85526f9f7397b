"""How a model runs. Nothing here imports torch."""

from dataclasses import dataclass
from numbers import Integral

from vidseg.errors import OptionError
from vidseg.models.names import check_device, check_precision, check_size, check_tiles


@dataclass(frozen=True, slots=True)
class ModelOptions:
    """Where a model runs, in which number format, and on how many frames at once."""

    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps`; `auto` takes a GPU where there is one."""
    precision: str = "auto"
    """A key of `vidseg.models.names.PRECISIONS`; `auto` is the fastest without loss of accuracy."""
    size: int | None = None
    """Shorter side, in pixels, at which the model sees frames. None: the model's own."""
    batch_size: int | None = None
    """Frames in one call of the model. None: what suits the model."""
    tiles: str | None = None
    """`COLUMNSxROWS`, as in `4x3`: the model also sees this many overlapping tiles of each frame;
    `auto` has as many as the frame's size needs. None: frames as a whole alone."""

    def __post_init__(self) -> None:
        """Raises OptionError: an unknown device or precision; a size, number of tiles or batch size
        out of range."""
        check_device(self.device)
        check_precision(self.precision)
        check_size(self.size)
        check_tiles(self.tiles)
        size = self.batch_size
        if size is not None and (not isinstance(size, Integral) or size < 1):
            raise OptionError(f"batch_size must be a whole number and at least 1, got {size}.")
