"""Options about workers: `cluster_options` gives `cluster`, a `ClusterFlags`."""

from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.option import Command, option

if TYPE_CHECKING:
    from vidseg.cluster.options import ClusterOptions
    from vidseg.cluster.shared import Workers


@dataclass(frozen=True, slots=True)
class ClusterFlags:
    """Where workers are, if any were asked for."""

    workers: int | None = None
    address: str | None = None

    def __bool__(self) -> bool:
        """Whether the work is shared."""
        return self.workers is not None or self.address is not None

    def options(self) -> "ClusterOptions":
        """The same for the library."""
        from vidseg.cluster.options import ClusterOptions

        return ClusterOptions(self.workers, self.address)

    def finder(self, target: Path | None = None) -> "Workers":
        """Workers that find objects for this process. On a cluster, what they find in a video lies
        beside `target` until it is used, or where that is a URL, in the current folder."""
        from vidseg.cluster.shared import Workers
        from vidseg.remote.paths import url_of

        beside = None if self.address is None or target is None or url_of(target) else target.parent
        return Workers(self.workers, self.address, folder=beside)


def cluster_options(command: Command) -> Command:
    """Who does the work: gives `cluster`, a `ClusterFlags`."""

    @option(
        "--workers",
        type=click.IntRange(min=1),
        metavar="N",
        show_default="this process",
        help="Share the work among N processes, each with a GPU or some cores. Needs Ray.",
    )
    @option(
        "--cluster",
        "address",
        metavar="ADDRESS",
        show_default="this machine",
        help="Share the work among the machines of a Ray cluster: auto, or its address.",
    )
    @wraps(command)
    def wrapper(*, workers: int | None, address: str | None, **others: Any) -> Any:
        return command(cluster=ClusterFlags(workers, address), **others)

    return wrapper
