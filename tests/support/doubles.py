"""Predictors and sources that need no network and no weights, for the tests of everything else."""

import signal
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from fractions import Fraction

from tests.support.scenes import CLASSES, read_barcode, scene_image, scene_instances
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances


class OraclePredictor:
    """Reads the barcode of a scene and answers with its true objects; other pictures have none.

    Keeps the size of every batch in `batches` and the frame indexes in `seen`.
    """

    def __init__(self, classes: Mapping[int, str] = CLASSES) -> None:
        self.classes = dict(classes)
        self.batches: list[int] = []
        self.seen: list[int | None] = []

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        self.batches.append(len(images))
        return [self._look(image) for image in images]

    def _look(self, image: Image) -> Instances:
        size = (image.shape[0], image.shape[1])
        try:
            index = read_barcode(image)
        except ValueError:
            self.seen.append(None)
            return Instances.empty(size)
        self.seen.append(index)
        return scene_instances(index, size)


class BlockedPredictor(OraclePredictor):
    """An oracle for the command line in a process of its own, which cannot end before a signal.

    It says "predicting" on stdout before each batch, and after so many `batches` it waits until the
    program has noticed a signal, which it ignores from then on.
    """

    def __init__(self, batches: int) -> None:
        super().__init__()
        self._free_batches = batches

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        print("predicting", flush=True)
        while len(self.batches) >= self._free_batches and not self._signal_came():
            time.sleep(0.01)
        return super().predict(images)

    def _signal_came(self) -> bool:
        return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


class BrokenPredictor(OraclePredictor):
    """An oracle that raises `error` when it is asked for its frame number `at` (counted from 0)."""

    def __init__(self, at: int, error: BaseException | None = None) -> None:
        super().__init__()
        self.at = at
        self.error = RuntimeError("the predictor broke") if error is None else error

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        if len(self.seen) <= self.at < len(self.seen) + len(images):
            raise self.error
        return super().predict(images)


class SceneSource:
    """Iterates over `frames` scenes; keeps count of those `read`, the `threads`, and `closed`."""

    def __init__(
        self,
        frames: int,
        *,
        size: tuple[int, int] = (128, 192),
        rate: Fraction = Fraction(30),
    ) -> None:
        self.frames, self.size, self.rate = frames, size, rate
        self.read = 0
        self.closed = False
        self.threads: set[int] = set()
        self._items = self._make()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        return next(self._items)

    def close(self) -> None:
        self._items.close()
        self.closed = True

    def _make(self) -> Generator[Frame, None, None]:
        for index in range(self.frames):
            self.threads.add(threading.get_ident())
            self.check(index)
            self.read += 1
            yield Frame(index, index / self.rate, scene_image(index, self.size), 1 / self.rate)

    def check(self, index: int) -> None:
        """Nothing goes wrong here; see `BrokenSource`."""


class BrokenSource(SceneSource):
    """A source that raises `error` instead of giving frame `at`."""

    def __init__(self, frames: int, *, at: int, error: BaseException | None = None) -> None:
        super().__init__(frames)
        self.at = at
        self.error = OSError("the source broke") if error is None else error

    def check(self, index: int) -> None:
        if index == self.at:
            raise self.error
