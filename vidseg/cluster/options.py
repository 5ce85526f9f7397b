"""Where the workers are, and how many."""

from dataclasses import dataclass

from vidseg.errors import OptionError


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """Where the workers are, and how many."""

    workers: int | None = None
    """None: one for each GPU, or without GPUs one for each machine."""
    address: str | None = None
    """`auto` or the address of a Ray cluster. None: this machine, on which Ray is started."""

    def __post_init__(self) -> None:
        """Raises OptionError: no worker."""
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"workers must be at least 1, got {self.workers}.")
