"""YouTube-VIS results: one entry a track, with a mask or `null` for every frame."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.results.formats.track_ids import TrackNumbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import instance_rle


@contextmanager
def open_ytvis(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """`video_id` is 1; `segmentations` has one entry for each frame of the run.

    A track's score is the mean over its frames, its class the most frequent one (as in MaskTrack
    R-CNN, `mmdet/core/evaluation/coco_utils.py`). An untracked object is a track of one frame.
    Masks are kept in a temporary database on disk, since a track is complete only at the end.
    """
    frames = 0
    with closing(sqlite3.connect("")) as table, path.open("w", encoding="utf-8") as file:
        table.execute("CREATE TABLE seen (track, frame, label, score, rle)")
        track_numbers = TrackNumbers()

        def write(_: Instant, instances: Instances) -> None:
            nonlocal frames
            rows = zip(
                track_numbers.of(instances),
                [frames] * len(instances),
                instances.labels.tolist(),
                instances.scores.tolist(),
                (json.dumps(instance_rle(instances, row)) for row in range(len(instances))),
                strict=True,
            )
            table.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", rows)
            frames += 1

        yield write
        for number, entry in enumerate(_entries(table, frames)):
            file.write(("[\n" if number == 0 else ",\n") + json.dumps(entry))
        file.write("\n]\n" if file.tell() else "[]\n")


def _entries(table: sqlite3.Connection, frames: int) -> Iterator[dict[str, Any]]:
    rows = table.execute("SELECT * FROM seen ORDER BY track < 0, abs(track), frame")
    for _, sightings in groupby(rows, key=lambda row: row[0]):
        masks: list[Any] = [None] * frames
        labels, scores = Counter[int](), []
        for _, frame, label, score, rle in sightings:
            masks[frame] = json.loads(rle)
            labels[label] += 1
            scores.append(score)
        yield {
            "video_id": 1,
            "category_id": labels.most_common(1)[0][0],
            "score": sum(scores) / len(scores),
            "segmentations": masks,
        }
