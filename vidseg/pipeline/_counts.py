"""Counts the objects of a run as its frames pass."""

import logging

from vidseg.pipeline.run_options import RunResult
from vidseg.structures.instances import UNTRACKED, Instances

log = logging.getLogger("vidseg")


class ObjectCounter:
    """Adds up frames and objects; a track counts once."""

    def __init__(self) -> None:
        self._frames = self._frames_with_objects = self._untracked = 0
        self._ids = set[int]()

    def add(self, instances: Instances) -> None:
        ids = instances.ids
        self._frames += 1
        self._frames_with_objects += bool(len(instances))
        self._untracked += int((ids == UNTRACKED).sum())
        self._ids |= set(ids[ids != UNTRACKED].tolist())

    def result(self) -> RunResult:
        """What was counted; logs a warning where no frame had an object."""
        result = RunResult(
            self._frames, self._frames_with_objects, self._untracked + len(self._ids)
        )
        if not result.objects:
            where = "the frame" if result.frames == 1 else f"any of the {result.frames} frames"
            log.warning("No object was found in %s.", where)
        return result
