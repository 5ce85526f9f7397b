"""Annotated photos as pycocotools needs them, and how their classes match those of a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from vidseg.datasets import Sample
from vidseg.datasets.records import NO_CLASS
from vidseg.datasets.sample_builder import read_pixels
from vidseg.errors import OptionError
from vidseg.structures.frame import Image
from vidseg.structures.masks import to_rle

CocoRecord = dict[str, Any]
"""An image, an annotation or a result in COCO's form."""


class PhotoDataset(Protocol):
    """What detections are evaluated on: a `vidseg.datasets.Dataset` or its `Content`, whose photos
    are read one at a time; or any torch Dataset with torchvision's targets and these classes."""

    @property
    def classes(self) -> Mapping[int, str]:
        """Number to class name, from 1."""
        ...


class PhotoTruth(NamedTuple):
    """One photo with its ground truth."""

    number: int
    """COCO's image id."""
    name: str
    size: tuple[int, int]
    """(height, width), upright."""
    objects: list[CocoRecord]
    """COCO's annotations, without `id` and `image_id`."""
    image: Image | None
    """(H, W, 3) uint8 RGB; None if it was not requested."""


class ClassMatch(NamedTuple):
    """How the classes of the ground truth and those of the results match."""

    numbers: dict[int, int]
    """Label in the results to number in the ground truth, for the classes that both have."""
    names: dict[int, str]
    """Number in the ground truth to name, for the same classes."""
    unknown: tuple[str, ...]
    """Classes of the truth that the results do not know."""
    extra: tuple[str, ...]
    """Classes of the results that the truth does not know."""


def photos(
    dataset: PhotoDataset, *, ids: Sequence[int] | None = None, pixels: bool = True
) -> Iterator[PhotoTruth]:
    """The photos in order, under `ids` or numbered from 1, with their pixels on request.

    Raises InputError: a photo is missing, or has changed since the dataset was opened.
    """
    samples: Sequence[Sample] | None = getattr(dataset, "samples", None)
    if samples is not None:
        numbers = {name: number for number, name in dataset.classes.items()}
        for number, sample in zip(ids or range(1, len(samples) + 1), samples, strict=True):
            yield _of_sample(number, sample, numbers, pixels)
        return
    as_they_type_it: Any = dataset
    for index in range(len(as_they_type_it)):
        yield _of_item(index + 1, *as_they_type_it[index])


def match_classes(
    truth: Mapping[int, str], found: Mapping[int, str], only: Iterable[str] = ()
) -> ClassMatch:
    """Match classes by name, ignoring case; `only` are the classes to evaluate, if not all.

    Unlabelled shapes (of class `object`) count as the requested class if there is only one.

    Raises OptionError: no class in common, or one of `only` is not in the ground truth.
    """
    only = list(only)
    if alone := _only_class(truth, found, only):
        number = next(iter(truth))
        return ClassMatch({alone: number}, {number: found[alone]}, (), ())
    wanted = {name.casefold(): name for name in only}
    known = {name.casefold(): number for number, name in truth.items()}
    if strange := [name for folded, name in wanted.items() if folded not in known]:
        there = ", ".join(truth.values())
        raise OptionError(f"The ground truth has no class {strange[0]!r}; it has: {there}.")
    if wanted:
        known = {name: number for name, number in known.items() if name in wanted}
    labels = {label: name.casefold() for label, name in found.items()}
    numbers = {label: known[name] for label, name in labels.items() if name in known}
    missing = set(known.values()) - set(numbers.values())
    if not numbers:
        raise OptionError(
            f"The results have none of the classes to evaluate "
            f"({first_names(truth[n] for n in missing)}); they have {first_names(found.values())}."
        )
    names = {number: truth[number] for number in sorted(set(numbers.values()))}
    unknown = tuple(name for number, name in truth.items() if number in missing)
    extra = tuple(name for label, name in found.items() if label not in numbers)
    return ClassMatch(numbers, names, unknown, extra if not wanted else ())


def _only_class(
    truth: Mapping[int, str], found: Mapping[int, str], only: Sequence[str]
) -> int | None:
    """The label that unlabelled shapes have in the results, if that is clear."""
    wanted = {name.casefold() for name in only}
    labels = [label for label, name in found.items() if not wanted or name.casefold() in wanted]
    nameless = list(truth.values()) == [NO_CLASS] and NO_CLASS not in found.values()
    return labels[0] if nameless and len(labels) == 1 else None


def coco_truth(found: Iterable[PhotoTruth], classes: Mapping[int, str]) -> CocoRecord:
    """The photos as a COCO dataset."""
    images, annotations = [], []
    for number, name, (height, width), objects, _ in found:
        images.append({"id": number, "file_name": name, "height": height, "width": width})
        for each in objects:
            annotations.append({"id": len(annotations) + 1, "image_id": number, **each})
    categories = [{"id": number, "name": name} for number, name in sorted(classes.items())]
    return {"info": {}, "images": images, "annotations": annotations, "categories": categories}


def _of_sample(number: int, sample: Sample, numbers: Mapping[str, int], pixels: bool) -> PhotoTruth:
    objects = [
        _annotation(numbers[each.label], each.box, each.area, each.crowd, each.rle)
        for each in sample.objects
    ]
    image = read_pixels(sample) if pixels else None
    return PhotoTruth(number, str(sample.path), sample.size, objects, image)


def _of_item(number: int, image: Any, target: Mapping[str, Any]) -> PhotoTruth:
    """An item of a torch Dataset: image (3, H, W), uint8 or 0..1, with torchvision's target."""
    picture = np.ascontiguousarray(np.asarray(image).transpose(1, 2, 0))
    if picture.dtype != np.uint8:
        picture = (picture * 255).round().clip(0, 255).astype(np.uint8)
    masks = np.asarray(target["masks"]).astype(bool)
    areas = target.get("area", masks.sum(axis=(1, 2)))
    crowds = target.get("iscrowd", np.zeros(len(masks)))
    columns = (np.asarray(c).tolist() for c in (target["labels"], target["boxes"], areas, crowds))
    objects = [
        _annotation(label, box, area, crowd, to_rle(mask))
        for label, box, area, crowd, mask in zip(*columns, masks, strict=True)
    ]
    return PhotoTruth(number, str(number), (picture.shape[0], picture.shape[1]), objects, picture)


def _annotation(label: int, box: Iterable[float], area: float, crowd: Any, rle: Any) -> CocoRecord:
    x0, y0, x1, y1 = box
    return {
        "category_id": label,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": area,
        "iscrowd": int(crowd),
        "segmentation": rle,
    }


def first_names(names: Iterable[str]) -> str:
    """The first eight, separated by commas, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - 8} more" if len(listed) > 8 else ""
    return ", ".join(listed[:8]) + more
