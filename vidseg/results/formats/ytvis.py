"""YouTube-VIS: results or a dataset; one entry per track, a mask or `null` for every frame."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco

from vidseg.results.formats.context import ExportContext, WriteInstances
from vidseg.results.formats.track_ids import TrackNumbers
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.structures.masks import RLE, from_rle, instance_rle

VIDEO_ID = 1
"""A file holds one video."""


class _Track(NamedTuple):
    """One object in all frames."""

    label: int
    """The class of most of its frames (as in MaskTrack R-CNN, `mmdet/core/evaluation`)."""
    score: float
    """The mean over its frames."""
    masks: list[Any]
    """RLE, or None, for every frame of the run."""


class _TrackTable:
    """Masks in a temporary database on disk, since a track is complete only at the end.

    An untracked object is a track of one frame.
    """

    def __init__(self, table: sqlite3.Connection) -> None:
        table.execute("CREATE TABLE seen (track, frame, label, score, rle)")
        self._table, self._numbers = table, TrackNumbers()
        self.frames = 0

    def add(self, instances: Instances) -> None:
        """The objects of the next frame."""
        rows = zip(
            self._numbers.of(instances),
            [self.frames] * len(instances),
            instances.labels.tolist(),
            instances.scores.tolist(),
            (json.dumps(instance_rle(instances, row)) for row in range(len(instances))),
            strict=True,
        )
        self._table.executemany("INSERT INTO seen VALUES (?, ?, ?, ?, ?)", rows)
        self.frames += 1

    def tracks(self) -> Iterator[_Track]:
        """All tracks, by their ids; then untracked objects as they were found."""
        rows = self._table.execute("SELECT * FROM seen ORDER BY track < 0, abs(track), frame")
        for _, sightings in groupby(rows, key=lambda row: row[0]):
            masks: list[Any] = [None] * self.frames
            labels, scores = Counter[int](), []
            for _, frame, label, score, rle in sightings:
                masks[frame] = json.loads(rle)
                labels[label] += 1
                scores.append(score)
            yield _Track(labels.most_common(1)[0][0], sum(scores) / len(scores), masks)


@contextmanager
def open_ytvis(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """Results: `video_id` is 1; `segmentations` has one entry for each frame of the run."""
    with closing(sqlite3.connect("")) as database, path.open("w", encoding="utf-8") as file:
        table = _TrackTable(database)
        yield lambda _, instances: table.add(instances)
        for number, track in enumerate(table.tracks()):
            entry = {
                "video_id": VIDEO_ID,
                "category_id": track.label,
                "score": track.score,
                "segmentations": track.masks,
            }
            file.write(("[\n" if number == 0 else ",\n") + json.dumps(entry))
        file.write("\n]\n" if file.tell() else "[]\n")


@contextmanager
def open_ytvis_dataset(path: Path, context: ExportContext) -> Iterator[WriteInstances]:
    """The truth of one video, as YouTube-VIS, TrackEval and Mask2Former read it.

    Frames are `street/00000.png` and so on, in the folder `JPEGImages` or beside the file.
    """
    with closing(sqlite3.connect("")) as database, path.open("w", encoding="utf-8") as file:
        table, names, size = _TrackTable(database), list[str](), (0, 0)

        def write(moment: Instant, instances: Instances) -> None:
            nonlocal size
            size = instances.size
            names.append(f"{Path(context.source_name).stem}/{context.image_name(moment.index)}")
            table.add(instances)

        yield write
        height, width = size
        video = {"id": VIDEO_ID, "height": height, "width": width, "length": len(names)}
        classes = [{"id": label, "name": name} for label, name in context.class_names.items()]
        head = {"info": {}, "videos": [{**video, "file_names": names}], "categories": classes}
        file.write(json.dumps(head)[:-1] + ', "annotations": [')
        for number, track in enumerate(table.tracks(), 1):
            entry = {"id": number, **_annotation(track), "height": height, "width": width}
            file.write((",\n" if number > 1 else "\n") + json.dumps(entry))
        file.write("\n]}\n")


def _annotation(track: _Track) -> dict[str, Any]:
    areas = [mask and int(coco.area(mask)) for mask in track.masks]
    masks = [mask if area else None for mask, area in zip(track.masks, areas, strict=True)]
    return {
        "video_id": VIDEO_ID,
        "category_id": track.label,
        "iscrowd": 0,
        "length": len(masks),
        "segmentations": [mask and _uncompressed(mask) for mask in masks],
        "areas": [area or None for area in areas],
        "bboxes": [mask and coco.toBbox(mask).tolist() for mask in masks],
    }


def _uncompressed(rle: RLE) -> dict[str, Any]:
    """Run lengths as numbers, down the columns, background first: the form of YouTube-VIS' truth,
    and the only one that TrackEval takes there."""
    flat = np.concatenate([[False], from_rle(rle).ravel(order="F")])
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    return {"size": rle["size"], "counts": np.diff(turns, prepend=0, append=flat.size - 1).tolist()}
