"""The endless sequence of training images: image k depends on the seed and on k alone.

So a resumed run sees the same images as an uninterrupted one, with any number of loader processes.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader

from vidseg.errors import VidsegError
from vidseg.training import _augment as augment
from vidseg.training._ranks import ALONE, Ranks
from vidseg.training.training_sample import Picture, Target, from_item, to_sample

T = TypeVar("T")
Sample = tuple[torch.Tensor, Target]
Batch = tuple[list[torch.Tensor], list[Target]]


class Items(Protocol):
    """A torch Dataset with a length, whose items are an image and torchvision's target."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Any: ...


class Samples(torch.utils.data.Dataset[Any]):
    """Images of a dataset in random order, with random changes; every epoch has each image once.

    `samples[k]` is an image (3, H, W) uint8 and its target, for every k from 0 on.
    """

    def __init__(
        self,
        items: Items,
        classes: Mapping[int, str],
        *,
        image_size: tuple[int, int],
        augmentations: tuple[str, ...] = (),
        seed: int = 0,
    ) -> None:
        """
        Args:
            items: the dataset.
            classes: label to class name; 0 is background.
            image_size: shorter and longest side of the images, in pixels.
            augmentations: some of `vidseg.training.settings.AUGMENTATIONS`.
        """
        self._items, self._classes, self._seed = items, dict(classes), seed
        self._image_size, self._augmentations = image_size, frozenset(augmentations)

    def __getitem__(self, number: int) -> Sample:
        """Raises InputError: an invalid item, or a photo that cannot be read."""
        random = np.random.default_rng((self._seed, number))
        picture = self._one(self._which(number), random)
        if "copy-paste" in self._augmentations and random.random() < augment.PASTE_PROBABILITY:
            other = self._one(int(random.integers(len(self._items))), random)
            picture = augment.paste(picture, other, random)
        if "color" in self._augmentations:
            picture = augment.recolor(picture, random)
        return to_sample(picture)

    def _which(self, number: int) -> int:
        """The item of sample `number`; every epoch has its own order."""
        epoch, place = divmod(number, len(self._items))
        # The 1 makes this another random sequence than that of the images.
        order = np.random.default_rng((self._seed, epoch, 1)).permutation(len(self._items))
        return int(order[place])

    def _one(self, index: int, random: np.random.Generator) -> Picture:
        picture = from_item(self._item(index, random), self._classes, index)
        if "scale" in self._augmentations:
            picture = augment.scaled(picture, self._image_size, random)
        else:
            picture = augment.fit(picture, self._image_size)
        flipped = "flip" in self._augmentations and random.random() < 0.5
        return augment.flip(picture) if flipped else picture

    def _item(self, index: int, random: np.random.Generator) -> Any:
        """Get an item with torch's random numbers seeded, for datasets that use them."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(random.integers(1 << 62)))
            return self._items[index]


def batches(
    samples: Any,
    *,
    batch_size: int,
    first: int,
    last: int,
    workers: int = 0,
    ranks: Ranks = ALONE,
) -> Iterator[Batch]:
    """The batches from `first` up to, but without, `last`; loader processes end with the iterator.

    Of several `ranks`, each gets its own batch of a step.

    Raises InputError as `samples` does, and VidsegError if a loader process was killed.
    """
    mine = (k * ranks.count + ranks.rank for k in range(first, last))
    numbers = [list(range(k * batch_size, (k + 1) * batch_size)) for k in mine]
    loader = DataLoader(
        _Careful(samples),
        batch_sampler=numbers,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_begin_worker,
        generator=torch.Generator(),  # else the loader would use the global one
    )
    for batch in _received(loader):
        if isinstance(batch, VidsegError):
            raise batch
        yield batch


def _received(loader: Iterable[Batch | VidsegError]) -> Iterator[Batch | VidsegError]:
    """The loader's batches; torch tells of a process that is gone by a RuntimeError.

    Torch's handler of SIGCHLD would raise it in the middle of a step, which could not be saved.
    """
    with _no_handler_of_children(iter(loader)) as received:
        try:
            yield from received
        except RuntimeError as error:
            if "DataLoader worker" not in str(error):
                raise
            raise VidsegError(
                "A process that reads photos was killed, often for want of memory. The run keeps "
                "its steps; resume it, with fewer workers (`workers`)."
            ) from error


@contextmanager
def _no_handler_of_children(batches: Iterator[T]) -> Iterator[Iterator[T]]:
    """Within, no handler of SIGCHLD is set; `batches` have set torch's by now."""
    if threading.current_thread() is not threading.main_thread() or os.name == "nt":
        yield batches
        return
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield batches
    finally:
        signal.signal(signal.SIGCHLD, before)


class _Careful(torch.utils.data.Dataset[Any]):
    """Return errors as items: torch would replace their text with a loader's traceback."""

    def __init__(self, samples: Any) -> None:
        self._samples = samples

    def __getitem__(self, number: int) -> Sample | VidsegError:
        try:
            return self._samples[number]
        except VidsegError as error:
            return error


def _collate(samples: list[Sample | VidsegError]) -> Batch | VidsegError:
    for sample in samples:
        if isinstance(sample, VidsegError):
            return sample
    images, targets = zip(*samples, strict=True)  # type: ignore[arg-type]
    return list(images), list(targets)


def _begin_worker(_: int) -> None:
    """Ignore Ctrl-C, which reaches all processes: the main process ends the loaders."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
