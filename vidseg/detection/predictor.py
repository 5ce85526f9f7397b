"""The seam between vidseg and a network: what a predictor must offer."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances


class Predictor(Protocol):
    """Finds the objects in frames; anything with these two members can stand behind a command."""

    @property
    def classes(self) -> Mapping[int, str]:
        """Label to class name, without background, e.g. ``{1: "person", 2: "bicycle"}``."""
        ...

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        """The objects of each image, best score first; (H, W, 3) uint8 RGB images of any sizes."""
        ...


def batches_at_once(predictor: Predictor) -> int:
    """From how many threads it pays to call `predict`: one, where it does not say otherwise."""
    return getattr(predictor, "batches_at_once", 1)
