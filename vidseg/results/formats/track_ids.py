"""Which object is the same over time, for formats that list tracks."""

from itertools import count

from vidseg.structures.instances import UNTRACKED, Instances


class TrackNumbers:
    """Gives each untracked object a number of its own, which no track has or will have."""

    def __init__(self) -> None:
        self._unused = count(-1, -1)

    def of(self, instances: Instances) -> list[int]:
        """A number for each object: its track id, or a new number below 0."""
        return [next(self._unused) if i == UNTRACKED else i for i in instances.ids.tolist()]
