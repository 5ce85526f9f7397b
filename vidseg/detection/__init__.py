"""The model on some frames only, its objects moved to the others: `detection` is the stage, `moved`
places objects between two keyframes, `views` reads their masks where optical flow leads."""

from vidseg.detection.keyframes import Every, detect_keyframes, frames_waiting, longest

__all__ = ["Every", "detect_keyframes", "frames_waiting", "longest"]
