"""Overlay: tinted masks, outlines, boxes and name tags drawn over the picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import cv2
import numpy as np

from vidseg.effects._blending import solid
from vidseg.effects._label_layout import Box, place_tags
from vidseg.effects._mask_outline import draw_outline
from vidseg.effects.text_labels import tag
from vidseg.errors import OptionError
from vidseg.structures.colors import Color, color_of
from vidseg.structures.frame import Image
from vidseg.structures.instances import UNTRACKED, Instances, check_fits
from vidseg.structures.masks import Crop, crop, painting_order

Labels: TypeAlias = Literal["id", "class", "score", "none"]


@dataclass(frozen=True, slots=True)
class Overlay:
    """Tints the objects, with boxes and name tags; lines and letters scale with the picture.

    With `color_by="object"` every track has its own colour. An untracked object gets the colour of
    its class: any other order within a frame (by score, place or size) may change in the next one,
    and colours would flicker.
    """

    names: Mapping[int, str] | None = None
    """Label to class name; None takes the names that the objects carry."""
    alpha: float = 0.5
    """Share of the object's colour inside its mask, 0..1."""
    masks: bool = True
    boxes: bool = True
    labels: Labels = "id"
    """What name tags say: class, score and the track's id (`#7 dog 98%`), as long as there is a
    track; without the id (`score`), the `class` alone, or `none`."""
    contours: bool = False
    color_by: Literal["class", "object"] = "object"

    def __post_init__(self) -> None:
        if not 0 <= self.alpha <= 1:
            raise OptionError(f"alpha must lie in 0..1, got {self.alpha}.")
        if self.labels not in get_args(Labels):
            raise OptionError(f"labels is one of {', '.join(get_args(Labels))}, got {self.labels}.")
        if self.color_by not in ("class", "object"):
            raise OptionError(f"color_by must be class or object, got {self.color_by}.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        """A new (H, W, 3) uint8 RGB picture; `image` stays as it is."""
        check_fits(instances, image)
        picture = np.array(image, order="C")
        order = [int(row) for row in painting_order(instances)]
        if self.masks or self.contours:
            for row in order:
                self._draw_mask(picture, instances, row)
        if self.boxes:
            for row in order:
                self._draw_box(picture, instances, row)
        if self.labels != "none":
            self._draw_tags(picture, instances, order)
        return picture

    def color(self, instances: Instances, row: int) -> Color:
        """The colour of one object."""
        return own_color(instances, row, by=self.color_by)

    def text(self, instances: Instances, row: int) -> str:
        """What the name tag of one object says."""
        label = int(instances.labels[row])
        names = instances.names if self.names is None else self.names
        name = names.get(label, str(label))
        if self.labels == "class":
            return name
        track = int(instances.ids[row])
        known = self.labels == "id" and track != UNTRACKED
        return f"{f'#{track} ' if known else ''}{name} {instances.scores[row]:.0%}"

    def _draw_mask(self, picture: Image, instances: Instances, row: int) -> None:
        rows, cols, mask = crop(instances, row)
        if not mask.size:
            return
        color = self.color(instances, row)
        if self.masks:
            part = picture[rows, cols]
            tint = solid(part.shape, color)
            blended = cv2.addWeighted(part, 1 - self.alpha, tint, self.alpha, 0)
            cv2.copyTo(blended, mask.view(np.uint8), part)
        if self.contours:
            draw_outline(picture, Crop(rows, cols, mask), color, line_width(picture))

    def _draw_box(self, picture: Image, instances: Instances, row: int) -> None:
        """Nested thin rectangles, because OpenCV rounds the corners of thick ones."""
        x0, y0, x1, y1 = box_pixels(instances, row)
        color, width = self.color(instances, row), line_width(picture)
        for out in range(width // 2, width // 2 - width, -1):
            corners = (x0 - out, y0 - out), (x1 - 1 + out, y1 - 1 + out)
            cv2.rectangle(picture, *corners, color)

    def _draw_tags(self, picture: Image, instances: Instances, rows: list[int]) -> None:
        """`rows` in painting order: the best score is last, is placed first and lies on top."""
        size, letters = instances.size, letter_size(picture)
        rows = rows[::-1]
        edge = line_width(picture) // 2 if self.boxes else 0
        boxes = [expanded(box_pixels(instances, row), edge) for row in rows]
        tags = [
            tag(self.text(instances, row), letters, self.color(instances, row))[
                : size[0], : size[1]
            ]
            for row in rows
        ]
        places = place_tags(boxes, [picture.shape[:2] for picture in tags], size)
        for (left, top), name in reversed(list(zip(places, tags, strict=True))):
            picture[top : top + name.shape[0], left : left + name.shape[1]] = name


def own_color(
    instances: Instances, row: int, *, by: Literal["class", "object"] = "object"
) -> Color:
    """The colour of one object: that of its track, or that of its class."""
    number = int(instances.ids[row])
    if by == "class" or number == UNTRACKED:
        number = int(instances.labels[row])
    return color_of(number)


def line_width(picture: Image) -> int:
    """Pixels: 1 at 360p, 2 at 720p, 3 at 1080p, 6 at 4K."""
    return max(1, round(min(picture.shape[:2]) / 360))


def letter_size(picture: Image) -> int:
    """Pixels: 12 at 360p, 15 at 720p, 20 at 1080p, 40 at 4K."""
    return max(12, round(min(picture.shape[:2]) / 54))


def expanded(box: Box, edge: int) -> Box:
    """The box including the outer half of its line."""
    return box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge


def box_pixels(instances: Instances, row: int) -> Box:
    """The box in whole pixels inside the frame, x1 and y1 exclusive, at least 1 x 1 pixels."""
    height, width = instances.size
    x0, y0, x1, y1 = (round(float(value)) for value in instances.boxes[row])
    x0, y0 = min(max(x0, 0), width - 1), min(max(y0, 0), height - 1)
    return x0, y0, min(max(x1, x0 + 1), width), min(max(y1, y0 + 1), height)
