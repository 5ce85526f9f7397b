"""Which object is the same over time, for formats that list tracks."""

from itertools import count

from vidseg.structures.instances import UNTRACKED, Instances


class TrackNumbers:
    """Gives each untracked object a number of its own, which no track has or will have."""

    def __init__(self) -> None:
        self._unused = count(-1, -1)

    def of(self, instances: Instances) -> list[int]:
        """A number for each object: its track id, or a new number below 0.

        An id that occurs twice in a frame counts the second time as none.
        """
        taken = {UNTRACKED}
        numbers = []
        for track_id in instances.ids.tolist():
            numbers.append(next(self._unused) if track_id in taken else track_id)
            taken.add(track_id)
        return numbers
