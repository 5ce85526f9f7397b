"""The seam between vidseg and a network: what a predictor must offer, and how it is called."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances


class Predictor(Protocol):
    """Finds the objects in images. Anything with these two members can take a model's place."""

    @property
    def classes(self) -> Mapping[int, str]:
        """Label to class name, without background, e.g. ``{1: "person", 2: "bicycle"}``."""
        ...

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        """The objects of each image, best score first; (H, W, 3) uint8 RGB images of any sizes."""
        ...


def predict_named(predictor: Predictor, images: Sequence[Image]) -> list[Instances]:
    """The objects of each image, with the predictor's class names."""
    names = predictor.classes
    return [replace(found, names=names) for found in predictor.predict(images)]


def batches_at_once(predictor: Predictor) -> int:
    """From how many threads `predict` is called: the predictor's `batches_at_once`, or 1."""
    return getattr(predictor, "batches_at_once", 1)
