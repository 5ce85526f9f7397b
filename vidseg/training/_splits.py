"""What to train on and what to measure on, out of one dataset."""

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

SHARE = 0.2
"""Of the photos, held out where the dataset has no val split."""


def train_and_val(dataset: Dataset, share: float | None = None) -> tuple[Dataset, Dataset | None]:
    """The splits `train` and `val`; without a val split, `share` of train is held out.

    The same photos each time, whatever the seed of a run. None where nothing is held out: the share
    is 0, or there is one photo.

    Raises:
        OptionError: a share outside 0..1; a val split and a share too; splits without train.
        InputError: no object to learn from.
    """
    if share is not None and not 0 <= share < 1:
        raise OptionError(f"The share of val must be 0 or more and below 1, and it is {share:g}.")
    train, val = _splits(dataset)
    if val is not None:
        if share:
            raise OptionError("The dataset has a val split; leave out --val, or give 0.")
        val = None if share == 0 else val
    elif share != 0:
        train, val = _hold_out(train, SHARE if share is None else share)
    if val is None:
        log.warning("All photos are trained on: no AP is measured, and best.pt is the last state.")
    _check(train.content)
    return train, val


def classes_of(dataset: Any, classes: Mapping[int, str] | None) -> dict[int, str]:
    """Label to class name, as said or as the dataset says.

    Raises OptionError: neither says, or the labels are none.
    """
    known = getattr(dataset, "classes", None) if classes is None else classes
    if isinstance(known, list | tuple):
        known = dict(enumerate(known, 1))
    if not isinstance(known, Mapping) or not known:
        raise OptionError(
            "The dataset does not say which classes it has; give classes={1: name, ...}."
        )
    named = {int(label): str(name) for label, name in known.items()}
    if min(named) < 1:
        raise OptionError(
            f"Labels of classes start at 1; 0 is background, not {named[min(named)]}."
        )
    return named


def facts_of(dataset: Items, classes: Mapping[int, str]) -> dict[str, Any]:
    """What tells that a run goes on with the data it was begun with."""
    return {
        "photos": len(dataset),
        "classes": {str(label): name for label, name in classes.items()},
    }


def check_same_data(now: Mapping[str, Any], begun: Mapping[str, Any], folder: Path) -> None:
    """Raises OptionError: a run would go on with other data."""
    for name in ("photos", "classes"):
        if now[name] != begun[name]:
            was, is_now = (_shown(each[name]) for each in (begun, now))
            raise OptionError(
                f"The run {folder} was begun with the {name} {was}, and there are now {is_now}; "
                f"begin a new one with --weights {folder / 'last.pt'}."
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
        "The dataset has no val split: %d of its %d photos are held out to measure AP on.",
        len(parts["val"]),
        len(train),
    )
    return _with(train, tuple(parts["train"])), _with(train, tuple(parts["val"]))


def _with(dataset: Dataset, samples: tuple[Any, ...]) -> Dataset:
    return Dataset(replace(dataset.content, samples=samples))


def _check(content: Content) -> None:
    counts = Counter(
        each.label for sample in content.samples for each in sample.objects if not each.crowd
    )
    if not counts:
        raise InputError(
            f"None of the {len(content.samples)} photos to train on has an object; see `vidseg "
            "data check`."
        )
    missing = [name for name in content.classes.values() if not counts[name]]
    if missing:
        log.warning("No photo to train on shows: %s; it cannot be learned.", ", ".join(missing))
