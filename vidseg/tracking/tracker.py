"""The seam between vidseg and a tracker: what an object tracker must offer."""

from typing import Protocol

from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances


class Tracker(Protocol):
    """Assigns track ids to the objects of one video; each run makes a new tracker.

    `vidseg.tracking.mask_tracker.MaskTracker` is the default.
    """

    def update(self, frame: Frame, instances: Instances) -> Instances:
        """The same objects in the same order, each with the id of its track in `ids`.

        Called once per frame, in order. Ids count from 1, occur once per frame and are never
        reused for another object; `UNTRACKED` marks an object without a track. `instances` also
        holds objects below the score threshold, so that a tracker can continue weak tracks.
        """
        ...
