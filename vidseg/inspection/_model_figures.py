"""Figures that the pages of all kinds of models share."""

from collections.abc import Iterator, Mapping

import numpy as np
from markupsafe import Markup
from torch import Tensor

from vidseg.effects import Overlay
from vidseg.evaluation.annotated_pictures import heat, mask_tile, scaled, with_boxes
from vidseg.inspection._blocks import figure, heading, paragraph
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, shown

MAX_BOXES = 40
"""Most boxes drawn into an image."""

Size = tuple[int, int]
"""Height and width in pixels."""


def input_figure(photo: Image, seen: Size) -> Iterator[Markup]:
    """The photo, and the size to which the model resizes it."""
    height, width = seen
    yield paragraph(
        f"The photo, {photo.shape[1]}x{photo.shape[0]}, is resized to {width}x{height} pixels."
    )
    yield figure(scaled(photo)[0], "the photo")


def mask_figures(found: Instances, classes: Mapping[int, str]) -> Iterator[Markup]:
    """The soft masks in their boxes."""
    yield heading("Masks of the network")
    for row in range(min(len(found), MAX_BOXES)):
        name = classes.get(int(found.labels[row]), "")
        side = found.masks.shape[-1]
        yield figure(mask_tile(found.masks[row]), f"{row + 1} {name}, {side}x{side}")


def result_figure(
    found: Instances, classes: Mapping[int, str], photo: Image, score: float
) -> Iterator[Markup]:
    """The photo with the objects of at least `score`."""
    objects = shown(found, score=score)
    yield heading("The result")
    drawn = Overlay(classes, color_by="class", contours=True)(photo, objects)
    yield figure(scaled(drawn, 1280)[0], f"{len(objects)} objects with score {score:g} or more")


def activation_figures(
    levels: Mapping[str, Tensor], seen: Size, padded: Size, photo: Image
) -> Iterator[Markup]:
    """How strong (C, h, w) maps by name are at each place."""
    yield heading("Levels of the feature pyramid")
    yield paragraph("Mean magnitude of the activations; brighter is stronger.")
    for name, level in levels.items():
        picture = over_photo(level.abs().mean(0), seen, padded, photo)
        yield figure(picture, f"level {name}: {'x'.join(map(str, level.shape))}")


def over_photo(values: Tensor, seen: Size, padded: Size, photo: Image) -> Image:
    """(h, w) values of the network's padded input as a heat map in the shape of the photo."""
    height, width = photo.shape[:2]
    scale = min(1.0, 480 / max(height, width))
    rows, cols = (
        max(1, round(length * part / whole))
        for length, part, whole in zip(values.shape, seen, padded, strict=True)
    )
    size = (round(height * scale), round(width * scale))
    return heat(values.float().numpy()[:rows, :cols], size)


def boxes_drawn(
    photo: Image, boxes: Tensor, colors: list[tuple[int, int, int]], *, dotted: bool = False
) -> Image:
    """The photo with (N, 4) boxes in its pixels."""
    picture, scale = scaled(photo)
    return with_boxes(picture, boxes.numpy() * np.float32(scale), colors, dotted=dotted)


def score_range(scores: Tensor) -> str:
    """The lowest and the highest score, in words."""
    return f"{scores.min():.2f} to {scores.max():.2f}" if len(scores) else "none"
