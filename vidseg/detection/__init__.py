"""Detection: frames in, each frame with its objects out.

    predictor     the `Predictor` protocol, which models and programs implement
    plugin        predictors of a user's own, named as `my_file.py:MyPredictor`
    batched       the stage `detect`: predicts batches ahead of the consumer
    tiles         a predictor that looks at parts of each frame too, by another one
    keyframes     the same with the predictor on keyframes only
    _tile_merging the objects of whole frame and tiles, once each
    _propagation  objects moved from keyframes to the frames between, by optical flow
    _warping      masks read along the flow

Imports `structures` and `video.analysis`; no torch.
"""

from vidseg.detection.keyframes import Every, detect_keyframes, frames_waiting, max_keyframe_step

__all__ = ["Every", "detect_keyframes", "frames_waiting", "max_keyframe_step"]
