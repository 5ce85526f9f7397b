"""Scores of tracks against the truth, by TrackEval on the masks of whole frames."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from trackeval.metrics import CLEAR, HOTA, Identity

from vidseg.structures.instances import Instances
from vidseg.structures.masks import iou_matrix


class Scores(NamedTuple):
    hota: float
    """HOTA (Luiten et al. 2021), the mean over its 19 IoU thresholds."""
    det_a: float
    ass_a: float
    idf1: float
    switches: int
    ids: int


def scores(truth: Sequence[Instances], tracks: Sequence[Instances]) -> Scores:
    """Scores of tracks, frame by frame, against the truth."""
    overlaps = [iou_matrix(a, b) for a, b in zip(truth, tracks, strict=True)]
    return scores_of([f.ids for f in truth], [f.ids for f in tracks], overlaps)


def scores_of(
    truth: Sequence[NDArray[np.int64]],
    tracks: Sequence[NDArray[np.int64]],
    overlaps: Sequence[NDArray[np.float64]],
) -> Scores:
    """The scores from the ids in each frame and the (truth, tracks) IoUs of their masks."""
    data = _data(truth, tracks, overlaps)
    quiet = {"PRINT_CONFIG": False}
    hota = HOTA().eval_sequence(data)
    clear, identity = (metric(quiet).eval_sequence(data) for metric in (CLEAR, Identity))
    return Scores(
        hota=float(np.mean(hota["HOTA"])),
        det_a=float(np.mean(hota["DetA"])),
        ass_a=float(np.mean(hota["AssA"])),
        idf1=float(identity["IDF1"]),
        switches=int(clear["IDSW"]),
        ids=data["num_tracker_ids"],
    )


def _data(
    truth: Sequence[NDArray[np.int64]],
    tracks: Sequence[NDArray[np.int64]],
    overlaps: Sequence[NDArray[np.float64]],
) -> dict[str, Any]:
    """The data that TrackEval's datasets pass to its metrics: ids from 0 without gaps."""
    true_ids, true_count = _dense(truth)
    track_ids, track_count = _dense(tracks)
    return {
        "gt_ids": true_ids,
        "tracker_ids": track_ids,
        "similarity_scores": list(overlaps),
        "num_gt_ids": true_count,
        "num_tracker_ids": track_count,
        "num_gt_dets": sum(map(len, true_ids)),
        "num_tracker_dets": sum(map(len, track_ids)),
        "num_timesteps": len(true_ids),
    }


def _dense(ids: Sequence[NDArray[np.int64]]) -> tuple[list[NDArray[np.intp]], int]:
    names = np.unique(np.concatenate(ids))
    return [np.searchsorted(names, frame) for frame in ids], len(names)
