"""Load a video and its saved detections into FiftyOne, to look through them frame by frame.

    pip install fiftyone
    vidseg detect street.mp4 street.vidseg
    python examples/fiftyone_import.py street.mp4 street.vidseg

The ids of tracks are the `index` of FiftyOne's detections. Photos, and datasets to train on, come
into FiftyOne as COCO: `vidseg export --format coco-dataset`, and FiftyOne's `COCODetectionDataset`.
"""

import argparse
from typing import Any

import numpy as np

import vidseg
from vidseg.structures.instances import Instance
from vidseg.structures.masks import crop


def detection(one: Instance) -> dict[str, Any]:
    """The fields of a `fiftyone.Detection`: box and mask relative to the frame and the box."""
    height, width = one.instances.size
    rows, cols, mask = crop(one.instances, one.row)
    box = cols.start / width, rows.start / height, mask.shape[1] / width, mask.shape[0] / height
    return {
        "label": one.name,
        "bounding_box": list(box),
        "mask": np.ascontiguousarray(mask),
        "confidence": one.score,
        "index": one.id,
    }


def frames(detections: str) -> dict[int, list[dict[str, Any]]]:
    """Number of each frame, from 1 as FiftyOne counts, to its objects."""
    saved = vidseg.read_detections(detections)
    names = saved.header.classes
    return {
        moment.index + 1: [
            {**detection(one), "label": names[one.label]}
            for one in found
            if crop(found, one.row).mask.any()
        ]
        for moment, found in saved
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video")
    parser.add_argument("detections")
    options = parser.parse_args()
    import fiftyone  # pyright: ignore[reportMissingImports]

    sample = fiftyone.Sample(filepath=options.video)
    for number, found in frames(options.detections).items():
        objects = [fiftyone.Detection(**each) for each in found]
        sample.frames[number] = fiftyone.Frame(vidseg=fiftyone.Detections(detections=objects))
    dataset = fiftyone.Dataset()
    dataset.add_sample(sample)
    fiftyone.launch_app(dataset, address="127.0.0.1").wait()


if __name__ == "__main__":
    main()
