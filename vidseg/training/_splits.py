"""Divide a dataset into photos to train on and photos to measure AP on."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from vidseg.datasets import Content, Dataset
from vidseg.datasets.split import divide
from vidseg.errors import InputError, OptionError
from vidseg.training._sampler import Items

log = logging.getLogger("vidseg")

HELD_OUT_SHARE = 0.2
"""Share of the photos held out if the dataset has no val split."""
MAX_USUAL_CROWDS = 0.05
"""A greater share of crowds is no choice of the annotators; COCO has 0.012."""
CROWD_ADVICE = "CVAT marks every brush mask so; `crowds_as_objects=True` reads them as objects."


def train_and_val(dataset: Dataset, share: float | None = None) -> tuple[Dataset, Dataset | None]:
    """The splits `train` and `val`; without a val split, `share` of train is held out.

    The same photos are held out whatever the seed of a run. The second is None if nothing is held
    out: the share is 0, or there is only one photo.

    Raises:
        OptionError: a share outside 0..1, a share beside a val split, or splits without train.
        InputError: no object to learn from.
    """
    if share is not None and not 0 <= share < 1:
        raise OptionError(f"The share of val must be 0 or more and below 1, not {share:g}.")
    train, val = _splits(dataset)
    if val is not None:
        if share:
            raise OptionError("The dataset has a val split; leave out `val`, or give 0.")
        val = None if share == 0 else val
    elif share != 0:
        train, val = _hold_out(train, HELD_OUT_SHARE if share is None else share)
    if val is None:
        log.warning(
            "All photos are used for training: no AP is measured, and best.pt is the last state."
        )
    _check(train.content)
    return train, val


def classes_of(dataset: Any, classes: Mapping[int, str] | None) -> dict[int, str]:
    """Label to class name: `classes`, else those of the dataset.

    Raises OptionError: there are none, or they are invalid.
    """
    known = getattr(dataset, "classes", None) if classes is None else classes
    if isinstance(known, list | tuple):
        known = dict(enumerate(known, 1))
    if not isinstance(known, Mapping) or not known:
        raise OptionError("The dataset has no attribute classes; give classes={1: name, ...}.")
    named = {int(label): str(name) for label, name in known.items()}
    if min(named) < 1:
        raise OptionError(f"Class labels start at 1; 0 is background, not {named[min(named)]}.")
    return named


def facts_of(dataset: Items, classes: Mapping[int, str]) -> dict[str, Any]:
    """What identifies the data of a run when it is resumed."""
    return {
        "photos": len(dataset),
        "classes": {str(label): name for label, name in classes.items()},
    }


def check_same_data(now: Mapping[str, Any], begun: Mapping[str, Any], folder: Path) -> None:
    """Raises OptionError: a run would be resumed with other data."""
    for name in ("photos", "classes"):
        if now[name] != begun[name]:
            was, is_now = (_shown(each[name]) for each in (begun, now))
            raise OptionError(
                f"The run {folder} was started with the {name} {was}, and there are now {is_now}; "
                f"start a new one with `weights='{folder / 'last.pt'}'`."
            )


def _shown(value: Any) -> str:
    return ", ".join(value.values()) if isinstance(value, Mapping) else str(value)


def _splits(dataset: Dataset) -> tuple[Dataset, Dataset | None]:
    splits = dataset.content.splits
    rest = tuple(sample for sample in dataset.samples if sample.split is None)
    if "train" not in splits and not rest:
        raise OptionError(
            f"The dataset has the splits {', '.join(splits)} and no train; see `vidseg data split`."
        )
    train = dataset.only("train") if "train" in splits else _with(dataset, rest)
    return train, dataset.only("val") if "val" in splits else None


def _hold_out(train: Dataset, share: float) -> tuple[Dataset, Dataset | None]:
    if len(train) < 2:
        return train, None
    parts = divide(train.content, val=share)
    log.warning(
        "The dataset has no val split: %d of its %d photos are held out to measure AP.",
        len(parts["val"]),
        len(train),
    )
    return _with(train, tuple(parts["train"])), _with(train, tuple(parts["val"]))


def _with(dataset: Dataset, samples: tuple[Any, ...]) -> Dataset:
    return Dataset(replace(dataset.content, samples=samples))


def _check(content: Content) -> None:
    """Raises InputError: no object to train on. Warns of crowds, and of classes without objects."""
    objects = [each for sample in content.samples for each in sample.objects]
    counts = Counter(each.label for each in objects if not each.crowd)
    if objects and not counts:
        raise InputError(
            f"All {len(objects)} objects to train on are marked as crowds, which are not trained "
            f"on. {CROWD_ADVICE}"
        )
    if not counts:
        raise InputError(
            f"None of the {len(content.samples)} photos to train on has an object; see `vidseg "
            "data check`."
        )
    crowds = len(objects) - counts.total()
    if crowds > MAX_USUAL_CROWDS * len(objects):
        log.warning(
            "%d of %d objects are marked as crowds and not trained on. %s",
            crowds,
            len(objects),
            CROWD_ADVICE,
        )
    missing = [name for name in content.classes.values() if not counts[name]]
    if missing:
        log.warning("No training photo shows: %s; it cannot be learned.", ", ".join(missing))
