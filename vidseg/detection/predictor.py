"""The seam between vidseg and a network: what a predictor must offer, and how it is called."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from vidseg.errors import PREDICTOR_NOTE, OptionError, VidsegError
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances


class Predictor(Protocol):
    """Finds the objects in images. Anything with these two members can take a model's place.

    class MyPredictor:
        classes = {1: "cat", 2: "dog"}

        def __init__(self):
            self.model = ...

        def predict(self, images):
            found = [self.model(image) for image in images]
            return [vidseg.Instances.from_masks(f.masks, f.labels, f.scores) for f in found]

    It may also have `batch_size`, the most images of a call; `batches_at_once`, from how many
    threads it may be called; and `input_size`, the shorter and the longest side, in pixels, to
    which it reduces an image, by which `--tiles auto` decides.
    """

    @property
    def classes(self) -> Mapping[int, str]:
        """Label to class name, without background, e.g. ``{1: "person", 2: "bicycle"}``."""
        ...

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        """The objects of each image, best score first; (H, W, 3) uint8 RGB images of any sizes."""
        ...


def check_predictor(predictor: object, name: str | None = None) -> None:
    """Raises OptionError: `predictor`, called `name`, lacks a member, or is a class of them."""
    name = name or repr(predictor)
    if isinstance(predictor, type):
        raise OptionError(f"{name} is a class; make a predictor of it: {predictor.__name__}(...).")
    if not hasattr(predictor, "classes") or not hasattr(predictor, "predict"):
        raise OptionError(
            f"{name} is not a predictor: it needs the attribute classes and the method "
            "predict(images); see vidseg.detection.predictor.Predictor."
        )
    if not isinstance(getattr(predictor, "classes", None), Mapping):
        raise OptionError(f'The classes of {name} must be labels to names, as in {{1: "person"}}.')


def predict_frames(predictor: Predictor, frames: Sequence[Frame]) -> list[Instances]:
    """`predict_named` of frames; another error of the predictor gets a note that names them."""
    try:
        return predict_named(predictor, [frame.image for frame in frames])
    except Exception as error:
        if not isinstance(error, VidsegError):
            name, first, last = type(predictor).__name__, frames[0].index, frames[-1].index
            which = f"frame {first}" if first == last else f"frames {first} to {last}"
            error.add_note(f"{PREDICTOR_NOTE}{name} failed in {which}")
        raise


def predict_named(predictor: Predictor, images: Sequence[Image]) -> list[Instances]:
    """The objects of each image, with the predictor's class names.

    Raises VidsegError: the predictor returned something else, another number of results, or a
    result for a frame of another size.
    """
    results, name = predictor.predict(images), type(predictor).__name__
    if not isinstance(results, Sequence) or not all(isinstance(r, Instances) for r in results):
        raise VidsegError(f"{name}.predict must return a list of vidseg.Instances, one per image.")
    if len(results) != len(images):
        raise VidsegError(
            f"{name}.predict returned {len(results)} results for {len(images)} images; "
            "it must return one for each."
        )
    for image, found in zip(images, results, strict=True):
        if found.size != image.shape[:2]:
            raise VidsegError(
                f"{name}.predict returned objects of size {found.size} for an image of "
                f"{image.shape[:2]}; sizes are (height, width) of the image."
            )
    return [replace(found, names=predictor.classes) for found in results]


def batches_at_once(predictor: Predictor) -> int:
    """From how many threads `predict` is called: the predictor's `batches_at_once`, or 1."""
    return getattr(predictor, "batches_at_once", 1)
