"""Which object is the same over time, for formats of tracks."""

from itertools import count

from vidseg.structures.instances import UNTRACKED, Instances


class Identities:
    """Gives objects of no track numbers of their own, which no track has or will have."""

    def __init__(self) -> None:
        self._fresh = count(-1, -1)

    def of(self, instances: Instances) -> list[int]:
        """A number for each object: its id, or a new one below 0."""
        return [next(self._fresh) if i == UNTRACKED else i for i in instances.ids.tolist()]
