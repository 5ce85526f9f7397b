"""`vidseg.train`: a dataset in, a run folder with a model out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidseg.datasets import Dataset, open_dataset
from vidseg.errors import OptionError
from vidseg.models.architectures import build
from vidseg.models.device import resolve_device
from vidseg.models.download import Progress
from vidseg.models.inference.optimize import resolve_precision
from vidseg.training._learner import Learner
from vidseg.training._sampler import Items, Samples, batches
from vidseg.training._splits import check_same_data, classes_of, facts_of, train_and_val
from vidseg.training.initial_weights import Given, load_start, make_model
from vidseg.training.loop import (
    Course,
    Measure,
    OnResult,
    OnStep,
    Outcome,
    average_precision,
)
from vidseg.training.run_folder import RunFolder
from vidseg.training.settings import (
    Layers,
    Options,
    Settings,
    check_options,
    check_same,
    settle,
)
from vidseg.training.training_sample import boxes_of
from vidseg.version import __version__


def train(
    dataset: str | Path | Items,
    out: str | Path,
    *,
    val: Items | float | None = None,
    classes: Mapping[int, str] | None = None,
    weights: str | Path | Given = "coco",
    arch: str | None = None,
    epochs: float | None = None,
    steps: int | None = None,
    batch_size: int | None = None,
    lr: float | None = None,
    layers: Layers | None = None,
    image_size: int | None = None,
    augment: tuple[str, ...] | None = None,
    device: str = "auto",
    precision: str | None = None,
    every: int | None = None,
    hard_negatives: int | None = None,
    seed: int | None = None,
    workers: int = 0,
    force: bool = False,
    samples: Any = None,
    measure: Measure | None = None,
    on_step: OnStep | None = None,
    on_result: OnResult | None = None,
    on_download: Progress | None = None,
    stop: Callable[[], bool] | None = None,
) -> Outcome:
    """Train a Mask R-CNN on `dataset` into the folder `out`: `vidseg train` as one call.

    The folder gets `last.pt` (all state), `best.pt` (the model with the highest mask AP), both of
    which are model files, `metrics.jsonl` and `curves.png`. The same data, options and seed give
    the same weights, bit for bit on the CPU in float32, also where the run was broken off and
    resumed. Torch's own random numbers are left as they were.

    Args:
        dataset: a path for `open_dataset`, what that gives, or any torch Dataset whose items are
            an image (3, H, W), uint8 or 0..1, and a dict with `masks` (N, H, W) and `labels` (N,).
        out: the run folder.
        val: what to measure AP on: such a dataset; or the share of the photos to hold out where
            the dataset has no val split (0.2 if None; 0 measures nothing).
        classes: label from 1 on to name; None: the dataset's own attribute `classes`.
        weights: `coco`, `imagenet` (the trunk alone), `bundled`, `none`, a model file, or `last`
            to go on with the run in `out`; or what `vidseg.training.initial_weights.load_start`
            gives.
        arch: a key of `vidseg.models.architectures.ARCHITECTURES`; None: that of the weights.
        epochs: how often each photo is shown; `steps` says the same in batches. 1000 steps if None.
        batch_size: pictures a step; 2 if None.
        lr: highest learning rate; 0.0001 for ResNet models, 0.0005 for small ones if None.
        layers: `heads` leaves the trunk as it is, `all` trains it from the start; None: where the
            weights are a whole model, heads for a third of the steps, then all.
        image_size: shorter side of pictures in pixels, in training and in use; None: the weights'.
        augment: some of `vidseg.training.settings.AUGMENTATIONS`; all if None.
        device: auto, cpu, cuda, cuda:N or mps.
        precision: float32, bfloat16, float16 (CUDA alone), or auto: the fastest that trains well.
        every: steps between two checkpoints with AP; None: an epoch, or a twentieth of the run.
        hard_negatives: see `vidseg.training._losses.losses_of`.
        seed: of all random numbers; 0 if None.
        workers: processes that read pictures beside the one that trains.
        force: write over the run in `out`.
        samples: training pictures in place of those drawn from `dataset`: `samples[k]` for k from 0
            on is an image (3, H, W) uint8 and its target with boxes, labels and masks.
        measure: what figures to take in place of AP on `val`.
        on_step, on_result: called with the course of the run.
        on_download: called with the bytes of the weights that are there and their whole number.
        stop: asked after every step; once it says True, the run is saved and ends.

    Raises:
        OptionError: a wrong option, or one that a run to go on was not begun with.
        InputError: data that nothing can be learned from, or that cannot be read.
        ModelError: weights that cannot be had or used; nothing to resume.
        OutputExistsError, OutputError: a run is there already; a file cannot be written.
        DivergedError: the loss became infinite or no number.
    """
    options = Options(
        epochs, steps, batch_size, lr, layers, image_size, augment, precision, every,
        hard_negatives, seed,
    )  # fmt: skip
    check_options(options)
    place, folder = resolve_device(device), RunFolder(out)
    folder.check(resume=weights == "last", force=force)
    items, held_out = _data(dataset, val)
    names = classes_of(items, classes)
    facts = facts_of(items, names)
    with _own_random_numbers(place):
        if weights == "last":
            learner, state = _resumed(folder, facts, options, arch, place)
        else:
            given = _given(weights, arch, on_download)
            learner, state = _begun(given, names, facts, options, place)
            folder.begin()
        settings = learner.settings
        row = samples or Samples(
            items,
            names,
            image_size=settings.image_size,
            augmentations=settings.augment,
            seed=settings.seed,
        )
        course = Course(
            learner,
            folder,
            _header(settings, names, facts),
            state,
            measure or (None if held_out is None else average_precision(_named(held_out, names))),
            on_step,
            on_result,
            stop,
        )
        return course.run(
            batches(
                row,
                batch_size=settings.batch_size,
                first=learner.step,
                last=settings.steps,
                workers=workers,
            )
        )


def _data(dataset: str | Path | Items, val: Items | float | None) -> tuple[Items, Items | None]:
    if isinstance(dataset, str | Path):
        dataset = open_dataset(dataset)
    if isinstance(val, int | float) or val is None:
        if isinstance(dataset, Dataset):
            return train_and_val(dataset, val)
        if val:
            raise OptionError("Give a dataset of its own as val; this one cannot be divided here.")
        val = None
    if not len(dataset):
        raise OptionError("The dataset is empty.")
    return dataset, val


def _given(weights: str | Path | Given, arch: str | None, progress: Progress | None) -> Given:
    return weights if isinstance(weights, Given) else load_start(weights, arch, progress=progress)


def _begun(
    given: Given,
    classes: Mapping[int, str],
    facts: Mapping[str, Any],
    options: Options,
    device: torch.device,
) -> tuple[Learner, dict[str, Any]]:
    settings = settle(
        options,
        architecture=given.architecture,
        image_size=given.image_size,
        pretrained=given.pretrained,
        photos=facts["photos"],
        precision=_precision(options.precision or "auto", device),
    )
    model = make_model(given, classes, settings.image_size, seed=settings.seed)
    learner = Learner(model, settings, device, frozen_norms=given.frozen_norms)
    state = {
        "settings": settings.state(),
        "frozen_norms": given.frozen_norms,
        "pretrained": given.pretrained,
        "data": facts,
    }
    return learner, state


def _resumed(
    folder: RunFolder,
    facts: Mapping[str, Any],
    options: Options,
    arch: str | None,
    device: torch.device,
) -> tuple[Learner, dict[str, Any]]:
    state, _ = folder.load()
    check_same_data(facts, state["data"], folder.path)
    settings = Settings.from_state(state["settings"])
    check_same(options, settings, pretrained=state["pretrained"], photos=facts["photos"])
    if arch not in (None, settings.architecture):
        raise OptionError(f"The run was begun with --arch {settings.architecture}; leave it out.")
    _precision(settings.precision, device)
    count = max(map(int, state["data"]["classes"])) + 1
    model = build(settings.architecture, count, image_size=settings.image_size)
    learner = Learner(model, settings, device, frozen_norms=state["frozen_norms"])
    learner.restore(state)
    return learner, {name: state[name] for name in _BESIDE}


_BESIDE = ("settings", "frozen_norms", "pretrained", "data")


def _precision(name: str, device: torch.device) -> str:
    """The number format called `name`; `auto` is the fastest that keeps the range of gradients."""
    if name == "float16" and device.type != "cuda":
        raise OptionError("Training in float16 needs a CUDA GPU; use bfloat16 or float32.")
    dtype = resolve_precision(name, device)
    if name == "auto" and dtype == torch.float16 and torch.cuda.is_bf16_supported():
        dtype = torch.bfloat16
    return str(dtype).removeprefix("torch.")


def _header(
    settings: Settings, classes: Mapping[int, str], facts: Mapping[str, Any]
) -> dict[str, Any]:
    return {
        "architecture": settings.architecture,
        "classes": dict(classes),
        "image_size": list(settings.image_size),
        "provenance": {"made_by": f"vidseg {__version__}", "photos": facts["photos"]},
    }


class _Named:
    """A dataset with the names of its classes and boxes, as `vidseg.evaluation` wants it."""

    def __init__(self, items: Items, classes: Mapping[int, str]) -> None:
        self._items, self.classes = items, classes

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> Any:
        image, target = self._items[index]
        if "boxes" in target:
            return image, target
        masks = np.ascontiguousarray(np.asarray(target["masks"]) != 0).view(np.uint8)
        return image, {**target, "boxes": boxes_of(masks)}


def _named(items: Items, classes: Mapping[int, str]) -> Any:
    return items if isinstance(items, Dataset) else _Named(items, classes)


def _own_random_numbers(device: torch.device) -> AbstractContextManager[Any]:
    """Within: torch's random numbers are ours to seed; afterwards they are as they were."""
    devices = [device] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=devices)
