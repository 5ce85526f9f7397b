"""The seam between vidseg and a tracker: what an object tracker must offer.

ByteTrack of the `trackers` package, for example, becomes one through `supervision`:

    class ByteTrack:
        def __init__(self):
            self._tracker = trackers.ByteTrackTracker()

        def update(self, frame, instances):
            detections = instances.to_supervision()
            detections.data["row"] = np.arange(len(instances))
            found = self._tracker.update(detections)
            ids = np.full(len(instances), UNTRACKED)
            ids[found.data["row"]] = np.where(found.tracker_id < 0, UNTRACKED, found.tracker_id + 1)
            return instances.with_ids(ids)

    for frame, objects in vidseg.find("street.mp4", vidseg.Search("person", tracker=ByteTrack)):
        ...
"""

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
