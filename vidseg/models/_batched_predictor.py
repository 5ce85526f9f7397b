"""What every predictor of ours shares: batches of equal size that fit in memory."""

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidseg.cpu_budget import frames_at_once
from vidseg.errors import OptionError, VidsegError, is_out_of_memory
from vidseg.models.device import CPU
from vidseg.models.names import check_size
from vidseg.models.precision import exact_float32, resolve_precision
from vidseg.structures.frame import Image, check_image
from vidseg.structures.instances import UNTRACKED, Instances

log = logging.getLogger("vidseg")

DEFAULT_KEEP_SCORE = 0.1
"""Objects above this score are kept; what is shown is chosen later, by a higher one."""


@dataclass(frozen=True, slots=True)
class PredictorOptions:
    """How a predictor runs. Checked here and only here, before weights are loaded.

    Raises:
        OptionError: an unknown precision, a score outside 0..1, a label that `classes` lacks, a
            batch size below 1, a size that is too small or too large.
    """

    classes: Mapping[int, str]
    """Label to class name of everything that the model knows, without background."""
    device: torch.device = CPU
    precision: str = "float32"
    """float32, bfloat16, float16, or auto: the fastest that keeps the quality on `device`."""
    keep_score: float = DEFAULT_KEEP_SCORE
    """Objects at or below this score are dropped."""
    labels: Collection[int] | None = None
    """Find these classes only; the others cost no mask. None: all."""
    batch_size: int | None = None
    """The most images to run at once; None: by device and free memory."""
    size: int | None = None
    """Shorter side in pixels to which frames are resized; None: the model's own."""

    def __post_init__(self) -> None:
        if not 0 <= self.keep_score <= 1:
            raise OptionError(f"The score {self.keep_score} is outside 0 to 1; use one between.")
        unknown = sorted(set(self.labels or ()) - set(self.classes))
        if unknown:
            raise OptionError(f"The model has no class with the label {unknown[0]}.")
        if self.batch_size is not None and self.batch_size < 1:
            raise OptionError(f"The batch size {self.batch_size} is too small; use 1 or more.")
        check_size(self.size)
        resolve_precision(self.precision, self.device)

    @property
    def dtype(self) -> torch.dtype:
        """The number format that `precision` means on `device`."""
        return resolve_precision(self.precision, self.device)


class BatchedPredictor(ABC):
    """A `Predictor` that runs images of one size in batches, and smaller ones when memory runs out.

    A subclass implements `_detect`.
    """

    def __init__(
        self, options: PredictorOptions, *, batch_size: int, input_size: tuple[int, int]
    ) -> None:
        self._options = options
        self._batch_size = batch_size
        self._input_size = input_size

    @property
    def classes(self) -> Mapping[int, str]:
        """Label to class name of everything that the model knows."""
        return self._options.classes

    @property
    def keep_score(self) -> float:
        """Objects at or below this score are dropped."""
        return self._options.keep_score

    @property
    def batch_size(self) -> int:
        """The most images that run at once; smaller after a batch that did not fit in memory."""
        return self._batch_size

    @property
    def input_size(self) -> tuple[int, int]:
        """The shorter and the longest side, in pixels, to which the network resizes an image."""
        return self._input_size

    @property
    def batches_at_once(self) -> int:
        """From how many threads it pays to call `predict`.

        A GPU need not wait between batches; on the CPU, frames share the cores that torch's own
        threads leave free.
        """
        if self.device.type == "cpu":
            return max(1, frames_at_once(torch.get_num_threads()) // self._batch_size)
        return 2 if self.device.type == "cuda" and self._batch_size > 1 else 1

    @property
    def device(self) -> torch.device:
        return self._options.device

    @property
    def precision(self) -> torch.dtype:
        """The number format of the network's layers; boxes and scores are always float32."""
        return self._options.dtype

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        """The objects of each image, best score first; (H, W, 3) uint8 RGB images of any sizes.

        Raises:
            FrameError: an image is not (H, W, 3) uint8 RGB.
            VidsegError: the device's memory does not hold one image.
        """
        for image in images:
            check_image(image)
        found: dict[int, Instances] = {}
        for indices in _same_shape(images):
            objects = self._predict_one_size([images[i] for i in indices])
            found.update(zip(indices, objects, strict=True))
        return [found[i] for i in range(len(images))]

    @abstractmethod
    def _detect(self, pixels: Tensor) -> NDArray[np.void]:
        """The objects of a batch, image after image, best score first.

        Args:
            pixels: (B, H, W, 3) uint8 RGB, on `device`.

        Returns:
            (N,) records of ``boxes`` (4 float32, xyxy in the pixels of the frame), ``scores``
            (float32), ``labels``, ``images`` (index in the batch) and ``masks`` (M, M uint8).
        """

    def _predict_one_size(self, images: list[Image]) -> Iterator[Instances]:
        done = 0
        while done < len(images):
            batch = images[done : done + self._batch_size]
            found = self._try(batch)
            if found is None:
                self._halve(len(batch))
            else:
                yield from found
                done += len(batch)

    def _try(self, images: list[Image]) -> list[Instances] | None:
        """None if the batch does not fit in memory; by then no traceback holds its tensors."""
        try:
            return self._run(images)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(images) == 1:
                raise self._too_large(images[0]) from error
        return None

    def _run(self, images: list[Image]) -> list[Instances]:
        with torch.inference_mode(), exact_float32(self.precision, self.device):
            records = self._detect(_stack(images).to(self.device))
        counts = np.bincount(records["images"], minlength=len(images))
        parts = np.split(records, np.cumsum(counts)[:-1])
        height, width = images[0].shape[:2]
        return [_instances(part, (height, width), self.classes) for part in parts]

    def _halve(self, failed: int) -> None:
        self._batch_size = min(self._batch_size, failed // 2)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        log.warning(
            "A batch of %d frames does not fit in the memory of %s; going on with %d.",
            failed,
            self.device,
            self._batch_size,
        )

    def _too_large(self, image: Image) -> VidsegError:
        height, width = image.shape[:2]
        instead = "free some memory, or use a smaller model (`model`)"
        if self.device.type != "cpu":
            instead += " or the CPU (`device='cpu'`)"
        return VidsegError(
            f"The memory of {self.device} does not hold the model's work on one frame of "
            f"{width}x{height}; {instead}."
        )


def _same_shape(images: Sequence[Image]) -> list[list[int]]:
    """Indices of `images`, grouped by height and width.

    A mixed batch would be padded to its largest image, which changes what the others show.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for index, image in enumerate(images):
        groups.setdefault(image.shape, []).append(index)
    return list(groups.values())


def _stack(images: Sequence[Image]) -> Tensor:
    """(B, H, W, 3); a single image is not copied, which saves 25 MB for one of 4K."""
    if len(images) == 1 and images[0].flags.writeable:  # torch warns of read-only arrays
        return torch.from_numpy(np.ascontiguousarray(images[0]))[None]
    return torch.from_numpy(np.stack(images))


def _instances(
    records: NDArray[np.void], size: tuple[int, int], names: Mapping[int, str]
) -> Instances:
    return Instances(
        boxes=np.ascontiguousarray(records["boxes"]),
        masks=np.ascontiguousarray(records["masks"]),
        scores=np.ascontiguousarray(records["scores"]),
        labels=records["labels"].astype(np.int64),
        ids=np.full(len(records), UNTRACKED, np.int64),
        size=size,
        names=names,
    )
