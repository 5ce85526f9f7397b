"""Counts of a dataset."""

from collections import Counter
from typing import Any

import numpy as np

from vidseg.datasets.records import Content, Sample

PERCENTILES = (5, 25, 50, 75, 95)
"""Percentiles of the object sizes."""


def report(content: Content) -> dict[str, Any]:
    """Counts by split and class, sizes of photos and objects, and everything left out; JSON values.

    Photos without a split count under "all". An object's size is the square root of its area.
    """
    names: list[str | None] = [*content.splits]
    names += [None] if any(sample.split is None for sample in content.samples) else []
    parts = {name: [s for s in content.samples if s.split == name] for name in names}
    return {
        "formats": list(content.formats),
        "classes": {str(number): name for number, name in content.classes.items()},
        "photos": len(content.samples),
        "objects": sum(len(sample.objects) for sample in content.samples),
        "splits": {name or "all": _part(part, content) for name, part in parts.items()},
        "photo_sizes": _sizes(content.samples),
        "object_sizes": _object_sizes(content.samples),
        "skipped": [
            {"file": each.file, "item": each.item, "reason": each.reason}
            for each in content.skipped
        ],
    }


def _part(samples: list[Sample], content: Content) -> dict[str, Any]:
    objects = [each for sample in samples for each in sample.objects]
    counts = Counter(each.label for each in objects)
    return {
        "photos": len(samples),
        "photos_without_objects": sum(not sample.objects for sample in samples),
        "objects": len(objects),
        "crowds": sum(each.crowd for each in objects),
        "by_class": {name: counts[name] for name in content.classes.values()},
    }


def _sizes(samples: tuple[Sample, ...]) -> list[dict[str, int]]:
    """The most frequent first."""
    counts = Counter(sample.size for sample in samples).most_common()
    return [{"width": w, "height": h, "photos": count} for (h, w), count in counts]


def _object_sizes(samples: tuple[Sample, ...]) -> dict[str, float]:
    sides = [each.area**0.5 for sample in samples for each in sample.objects]
    if not sides:
        return {}
    values = np.percentile(sides, PERCENTILES)
    return {f"p{share}": round(float(v), 1) for share, v in zip(PERCENTILES, values, strict=True)}
