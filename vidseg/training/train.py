"""`vidseg.train`: a dataset in, a run folder with a model out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vidseg.datasets import Dataset, open_dataset
from vidseg.errors import OptionError
from vidseg.models.architectures import build_network
from vidseg.models.device import resolve_device
from vidseg.models.download import OnDownload
from vidseg.models.names import EVERYDAY
from vidseg.models.precision import resolve_precision
from vidseg.training._learner import Learner
from vidseg.training._ranks import Ranks, is_restarted, joined_ranks
from vidseg.training._sampler import Batch, Items, Samples, batches
from vidseg.training._splits import check_same_data, classes_of, facts_of, train_and_val
from vidseg.training.initial_weights import InitialWeights, load_initial_weights, make_model
from vidseg.training.loop import (
    Measure,
    Outcome,
    TrainCallbacks,
    TrainingRun,
    average_precision,
)
from vidseg.training.run_folder import RunFolder
from vidseg.training.settings import (
    Settings,
    TrainOptions,
    check_options,
    check_same,
    resolve_settings,
)
from vidseg.training.training_sample import boxes_of
from vidseg.version import __version__


def train(
    dataset: str | Path | Items,
    out: str | Path | RunFolder,
    options: TrainOptions | None = None,
    *,
    val: Items | float | None = None,
    classes: Mapping[int, str] | None = None,
    weights: str | Path | InitialWeights = "auto",
    device: str = "auto",
    workers: int = 0,
    force: bool = False,
    samples: Any = None,
    measure: Measure | None = None,
    callbacks: TrainCallbacks | None = None,
) -> Outcome:
    """Train a model on `dataset` into the folder `out`, as `vidseg train` does.

    The folder gets `last.pt` (the full state) and `best.pt` (the model with the highest mask AP),
    which are both model files, `metrics.jsonl`, `curves.png` and, if the photos are files,
    `photos.json`, which lists those trained on and those held out. The same data, options and seed
    give the same weights, bit for bit on the CPU in float32, also if the run was interrupted and
    resumed. Torch's own random numbers are left unchanged. Started by torchrun, or within a process
    group, all processes train one model together, on `batch_size` images each.

    Args:
        dataset: a path for `open_dataset`, its result, or any torch Dataset whose items are an
            image (3, H, W), uint8 or 0..1, and a dict with `masks` (N, H, W) and `labels` (N,).
        out: the run folder.
        options: what the result depends on; see `TrainOptions`.
        val: what to measure AP on: such a dataset; or the share of the photos to hold out if the
            dataset has no val split (0.2 if None; 0 measures nothing).
        classes: label, from 1, to name; None: the dataset's attribute `classes`.
        weights: what `initial_weights.load_initial_weights` takes, or its result; or `last`, to
            resume the run in `out`.
        device: auto, cpu, cuda, cuda:N or mps.
        workers: processes that read images beside the one that trains.
        force: overwrite the run in `out`.
        samples: training images instead of those drawn from `dataset`: `samples[k]`, for every k
            from 0 on, is an image (3, H, W) uint8 and its target with boxes, labels and masks.
        measure: what to measure instead of AP on `val`.
        callbacks: functions that are called during the run.

    Raises:
        OptionError: a wrong option, or one that differs from those of the run to resume.
        InputError: the data cannot be read, or has no object to learn from.
        ModelError: the weights are missing or do not fit; there is nothing to resume.
        OutputExistsError, OutputError: there is a run already, or one under way; a file cannot be
            written.
        DivergedError: the loss became infinite or NaN.
    """
    options, calls = options or TrainOptions(), callbacks or TrainCallbacks()
    check_options(options)
    resolve_device(device)
    folder = out if isinstance(out, RunFolder) else RunFolder(out)
    weights, force = after_restart(folder, weights, force)
    folder.check(resume=weights == "last", force=force)
    items, held_out = _data(dataset, val)
    names = classes_of(items, classes)
    facts = facts_of(items, names)
    with ExitStack() as held:
        ranks, place = held.enter_context(joined_ranks(device))
        held.enter_context(_own_random_numbers(place))
        if weights == "last":
            held.enter_context(folder.locked() if ranks.leads else nullcontext())
            learner, state = _resumed(folder, facts, options, place, ranks)
        else:
            start = _start(weights, options.arch, calls.on_download)
            learner, state = _begun(start, names, facts, options, place, ranks)
            held.enter_context(folder.begun(force=force) if ranks.leads else nullcontext())
            if ranks.leads and isinstance(items, Dataset):
                folder.keep_photos(*(_photos(each) for each in (items, held_out)))
        if measure is None and held_out is not None:
            measure = average_precision(_named(held_out, names))
        header = _header(learner.settings, names, facts)
        run = TrainingRun(learner, folder, header, state, measure, calls)
        return run.train(_batches(samples, items, names, learner, workers))


def _batches(
    samples: Any, items: Items, classes: Mapping[int, str], learner: Learner, workers: int
) -> Iterator[Batch]:
    settings = learner.settings
    sequence = samples or Samples(
        items,
        classes,
        image_size=settings.image_size,
        augmentations=settings.augment,
        seed=settings.seed,
    )
    size, first, last = settings.batch_size, learner.step, settings.steps
    return batches(
        sequence,
        batch_size=size,
        first=first,
        last=last,
        workers=workers,
        ranks=learner.ranks,
    )


def after_restart(
    folder: RunFolder, weights: str | Path | InitialWeights, force: bool
) -> tuple[str | Path | InitialWeights, bool]:
    """`weights` and `force`; where torchrun has started the run again, those that continue it."""
    if not is_restarted():
        return weights, force
    return ("last" if folder.last.exists() else weights), True


def _photos(items: Items | None) -> list[Path]:
    return [sample.path for sample in items.samples] if isinstance(items, Dataset) else []


def _data(dataset: str | Path | Items, val: Items | float | None) -> tuple[Items, Items | None]:
    if isinstance(dataset, str | Path):
        dataset = open_dataset(dataset)
    if isinstance(val, int | float) or val is None:
        if isinstance(dataset, Dataset):
            return train_and_val(dataset, val)
        if val:
            raise OptionError("Give another dataset as val; this one cannot be divided.")
        val = None
    if not len(dataset):
        raise OptionError("The dataset is empty.")
    return dataset, val


def _start(
    weights: str | Path | InitialWeights, arch: str | None, on_download: OnDownload | None
) -> InitialWeights:
    if isinstance(weights, InitialWeights):
        return weights
    return load_initial_weights(weights, arch, on_download=on_download)


def _begun(
    given: InitialWeights,
    classes: Mapping[int, str],
    facts: Mapping[str, Any],
    options: TrainOptions,
    device: torch.device,
    ranks: Ranks,
) -> tuple[Learner, dict[str, Any]]:
    if options.hard_negatives is not None and given.architecture == EVERYDAY:
        raise OptionError("hard_negatives is for Mask R-CNN; leave it out with these weights.")
    settings = resolve_settings(
        options,
        architecture=given.architecture,
        image_size=given.image_size,
        pretrained=given.pretrained,
        photos=facts["photos"],
        precision=_precision(options.precision or "auto", device),
        processes=ranks.count,
    )
    model = make_model(given, classes, settings.image_size, seed=settings.seed)
    learner = Learner(model, settings, device, frozen_norms=given.frozen_norms, ranks=ranks)
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
    options: TrainOptions,
    device: torch.device,
    ranks: Ranks,
) -> tuple[Learner, dict[str, Any]]:
    state, _ = folder.load(drop_later=ranks.leads)
    check_same_data(facts, state["data"], folder.path)
    settings = Settings.from_state(state["settings"])
    if settings.processes != ranks.count:
        raise OptionError(
            f"The run was started with {settings.processes} processes, and these are "
            f"{ranks.count}; start as many, or a new run with its last.pt as weights."
        )
    check_same(options, settings, pretrained=state["pretrained"], photos=facts["photos"])
    _precision(settings.precision, device)
    count = max(map(int, state["data"]["classes"])) + 1
    model = build_network(settings.architecture, count, settings.image_size)
    learner = Learner(model, settings, device, frozen_norms=state["frozen_norms"], ranks=ranks)
    learner.restore(state)
    return learner, {name: state[name] for name in _BESIDE}


_BESIDE = ("settings", "frozen_norms", "pretrained", "data")


def _precision(name: str, device: torch.device) -> str:
    """Resolve `auto` to the fastest number format that keeps the range of gradients."""
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
    """A dataset with class names and boxes, as `vidseg.evaluation` needs it."""

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
    """Restores torch's random numbers at the end, so that they can be seeded within."""
    devices = [device] if device.type == "cuda" else []
    return torch.random.fork_rng(devices=devices)
