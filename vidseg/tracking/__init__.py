"""Tracking: assign ids, confirm tracks, fill gaps, vote on classes, smooth, select objects.

    stages         the chain of generators; the only entry point for the pipeline
    options        `TrackingOptions`, as a search holds them
    tracker        the `Tracker` protocol
    mask_tracker   the default tracker, with `_kalman` (motion) and `_appearance` (colours)
    confirmation   which tracks are shown
    class_votes    the class of a track
    interpolation  objects that were missed for a few frames
    selection      --id, --follow, --at

Imports `structures` and `video.analysis`; no torch.
"""
