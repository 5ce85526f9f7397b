"""A dataset as a torch Dataset."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as coco

from vidseg.datasets.format_names import Format
from vidseg.datasets.loading import only_split, read_dataset
from vidseg.datasets.records import NO_CLASS, Content, Sample, Skipped
from vidseg.datasets.sample_builder import read_pixels

Target = dict[str, Any]


class Dataset(torch.utils.data.Dataset[tuple[torch.Tensor, Target]]):
    """Photos with the targets that torchvision's detection models train on.

    An item is `(image, target)`: image (3, H, W) uint8 RGB, upright; target with

        boxes     (N, 4) float32 xyxy in pixels
        labels    (N,) int64, keys of `classes`
        masks     (N, H, W) uint8, 0 or 1
        image_id  int, the item's number
        area      (N,) float32 square pixels
        iscrowd   (N,) int64, 1 for a region of many objects that are not annotated one by one

    Any torch Dataset with such items can take its place.
    """

    def __init__(self, content: Content) -> None:
        self.content = content
        self._numbers = {name: number for number, name in content.classes.items()}

    @property
    def classes(self) -> dict[int, str]:
        """Number to class, from 1; 0 is background."""
        return self.content.classes

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The photo and objects of each item, without pixels."""
        return self.content.samples

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Everything that could not be used, with the reasons."""
        return self.content.skipped

    def only(self, split: str) -> "Dataset":
        """The items of one split; OptionError if there is none of this name."""
        return Dataset(only_split(self.content, split))

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, Target]:
        """Raises InputError: the photo is missing, or has changed since the dataset was opened."""
        sample = self.samples[index]
        image = read_pixels(sample)
        boxes = [each.box for each in sample.objects]
        labels = [self._numbers[each.label] for each in sample.objects]
        areas = [each.area for each in sample.objects]
        crowds = [each.crowd for each in sample.objects]
        target = {
            "boxes": torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "labels": torch.tensor(labels, dtype=torch.int64),
            "masks": torch.from_numpy(masks_of(sample)),
            "image_id": index % len(self),
            "area": torch.tensor(areas, dtype=torch.float32),
            "iscrowd": torch.tensor(crowds, dtype=torch.int64),
        }
        return torch.from_numpy(image).permute(2, 0, 1).contiguous(), target


def open_dataset(
    path: str | Path,
    *,
    format: Format | None = None,
    split: str | None = None,
    class_attribute: str | None = None,
    class_name: str = NO_CLASS,
    crowds_as_objects: bool = False,
) -> Dataset:
    """The dataset at `path`; the arguments are those of `vidseg.datasets.loading.read_dataset`."""
    return Dataset(
        read_dataset(
            path,
            format=format,
            split=split,
            class_attribute=class_attribute,
            class_name=class_name,
            crowds_as_objects=crowds_as_objects,
        )
    )


def masks_of(sample: Sample) -> NDArray[np.uint8]:
    """(N, H, W) 0 or 1."""
    if not sample.objects:
        return np.zeros((0, *sample.size), np.uint8)
    as_they_type_it: Any = [each.rle for each in sample.objects]
    return np.ascontiguousarray(coco.decode(as_they_type_it).transpose(2, 0, 1))
