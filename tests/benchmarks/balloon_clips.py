"""Short clips with exact truth: cut-out objects float over real photos under a moving camera.

    clips = render(Path("data"), count=3)

`data` holds Matterport's balloon set as `balloon/`, and photos without balloons in
`coco_mini/images`, named by `backgrounds.json`. For the model `everyday`, people, animals and
vehicles of `coco_mini` float over photos without people, in `openimages_bg`; what else these show
is no part of the truth. Nothing of them is kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vidseg.datasets import Sample, read_dataset
from vidseg.datasets.records import Annotation
from vidseg.evaluation.clips import ANY_CLASS, Clip, MaskTrack
from vidseg.structures.frame import Frame, Image
from vidseg.structures.masks import RLE, from_rle, to_rle
from vidseg.video.decoding.image_reader import read_photo

SIZE = (360, 640)
RATE = Fraction(24)
NOISE = 3.0
"""Standard deviation of the camera's noise, in levels of 0..255."""
SMALLEST, LARGEST = 60, 150
"""Heights of the balloons, in pixels."""
ROUND = 0.7
"""Least share of its box that a balloon covers (an ellipse 0.79): nothing stands before it."""
EVERYDAY_CLASSES = ("person", "car", "bus", "truck", "dog", "cat", "horse", "motorcycle")
EVERYDAY_FILL = 0.45
"""Least share of its box that an everyday object covers."""
EVERYDAY_HEIGHTS = (120, 240)
"""Least and largest heights of everyday objects, in pixels."""
VISIBLE = 0.15
"""Least share of a balloon that is to be seen for it to count as there."""

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Cutout:
    """A balloon by itself: pixels (h, w, 3), soft edges (h, w) 0..1."""

    pixels: NDArray[np.float32]
    alpha: NDArray[np.float32]


@dataclass(frozen=True)
class Floating:
    """A balloon's way: centre, swing, drift and height, in shares of the frame and pixels."""

    cutout: Cutout
    start: tuple[float, float]
    drift: tuple[float, float]
    swing: float
    phase: float
    height: float

    def place(self, time: float) -> tuple[float, float, float]:
        """Centre x, y and height in pixels after so many seconds."""
        x = self.start[0] + self.drift[0] * time + self.swing * np.sin(2 * time + self.phase)
        y = self.start[1] + self.drift[1] * time + 0.5 * self.swing * np.cos(3 * time + self.phase)
        grown = self.height * (1 + 0.15 * np.sin(time + self.phase))
        return x * SIZE[1], y * SIZE[0], grown


@dataclass(frozen=True)
class Rendered:
    """A clip that is drawn anew, and the same, whenever it is looked at."""

    name: str
    ground: Image
    balloons: tuple[Floating, ...]
    frames: int
    seed: int

    def pictures(self) -> Iterator[Frame]:
        random = np.random.default_rng(self.seed)
        for index in range(self.frames):
            image, _ = self._draw(index)
            noisy = image + random.normal(0, NOISE, image.shape)
            pixels = noisy.round().clip(0, 255).astype(np.uint8)
            yield Frame(index, index / RATE, pixels, 1 / RATE)

    def truth(self) -> Clip:
        """The visible parts of the balloons; track n is balloon n."""
        seen: list[dict[int, RLE]] = [{} for _ in self.balloons]
        for index in range(self.frames):
            for number, mask in self._draw(index)[1]:
                seen[number][index] = to_rle(mask)
        return Clip(
            self.name, SIZE, self.frames, [MaskTrack(ANY_CLASS, masks) for masks in seen], {}
        )

    def _draw(self, index: int) -> tuple[NDArray[np.float32], list[tuple[int, Mask]]]:
        time = float(index / RATE)
        image = _camera(self.ground, time, self.seed)
        whole: list[Mask] = []
        for balloon in self.balloons:
            alpha, pixels = _placed(balloon, time)
            image += alpha[..., None] * (pixels - image)
            whole.append(alpha >= 0.5)
        shown = []
        for number, mask in enumerate(whole):
            visible = mask & ~np.any([np.zeros(SIZE, bool), *whole[number + 1 :]], axis=0)
            balloon = self.balloons[number]
            full = 0.6 * balloon.height**2
            if np.count_nonzero(visible) > max(VISIBLE * full, 12):
                shown.append((number, visible))
        return image, shown


def render(
    data: Path, *, count: int = 3, frames: int = 48, balloons: int = 4, model: str = "balloon"
) -> list[Rendered]:
    """`count` clips, the same every time, of what the model knows; balloons are of `val` photos."""
    heights = EVERYDAY_HEIGHTS if model == "everyday" else (SMALLEST, LARGEST)
    if model == "everyday":
        cutouts, grounds = list(_everyday_cutouts(data / "coco_mini")), _without_people(data)
    else:
        cutouts, grounds = list(_cutouts(data / "balloon")), _without_balloons(data)
    clips = []
    for seed in range(count):
        random = np.random.default_rng(seed)
        ground = read_photo(grounds[int(random.integers(len(grounds)))])
        floating = tuple(
            Floating(
                cutouts[int(random.integers(len(cutouts)))],
                start=tuple(random.uniform(0.15, 0.85, 2)),
                drift=tuple(random.uniform(-0.12, 0.12, 2)),
                swing=random.uniform(0.01, 0.05),
                phase=random.uniform(0, 6),
                height=random.uniform(*heights),
            )
            for _ in range(balloons)
        )
        clips.append(Rendered(f"{model} {seed}", ground, floating, frames, seed))
    return clips


def _without_balloons(data: Path) -> list[Path]:
    free = sorted(json.loads((data / "backgrounds.json").read_text())["balloon_free"])
    return [path for name in free if (path := data / "coco_mini" / "images" / name).exists()]


def _without_people(data: Path) -> list[Path]:
    rows = json.loads((data / "openimages_bg/manifest.json").read_text())
    names = sorted(row["file"] for row in rows if row["person_free_by_eye"])
    return [data / "openimages_bg/images" / name for name in names]


def _everyday_cutouts(folder: Path) -> Iterator[Cutout]:
    """Objects of some size and of common classes, whole, with little that hides them."""
    for sample in read_dataset(folder).samples:
        for one in sample.objects:
            box = tuple(round(value) for value in one.box)
            filled = one.area > EVERYDAY_FILL * (box[2] - box[0]) * (box[3] - box[1])
            if one.label in EVERYDAY_CLASSES and filled and _is_inside(box, sample):
                yield _cut(read_photo(sample.path), one, box)


def _cutouts(folder: Path) -> Iterator[Cutout]:
    """Balloons of some size that are whole: none that the photo's edge cuts."""
    for sample in read_dataset(folder, split="val").samples:
        image = None
        for one in sample.objects:
            x0, y0, x1, y1 = box = tuple(round(value) for value in one.box)
            round_one = one.area > ROUND * (x1 - x0) * (y1 - y0)
            shape = 0.6 < (x1 - x0) / max(y1 - y0, 1) < 1.3
            if round_one and shape and _is_inside(box, sample):
                image = read_photo(sample.path) if image is None else image
                yield _cut(image, one, box)


def _cut(image: Image, one: Annotation, box: tuple[int, ...]) -> Cutout:
    x0, y0, x1, y1 = box
    mask = from_rle(one.rle)[y0:y1, x0:x1].astype(np.float32)
    soft = np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.0), np.float32)
    return Cutout(image[y0:y1, x0:x1].astype(np.float32), soft)


def _is_inside(box: tuple[int, ...], sample: Sample) -> bool:
    """Whether it is of some size, and the photo's edge does not cut it."""
    x0, y0, x1, y1 = box
    height, width = sample.size
    inside = x0 > 4 and y0 > 4 and x1 < width - 4 and y1 < height - 4
    return inside and min(x1 - x0, y1 - y0) > SMALLEST


def _camera(ground: Image, time: float, seed: int) -> NDArray[np.float32]:
    """A window that pans and zooms over the photo."""
    height, width = ground.shape[:2]
    scale = 1.35 * max(SIZE[0] / height, SIZE[1] / width) * (1 + 0.05 * np.sin(0.8 * time + seed))
    x = (width * scale - SIZE[1]) / 2 * (1 + 0.7 * np.sin(0.5 * time + seed))
    y = (height * scale - SIZE[0]) / 2 * (1 + 0.7 * np.cos(0.4 * time + seed))
    matrix = np.array([[scale, 0, -x], [0, scale, -y]])
    moved = cv2.warpAffine(ground, matrix, SIZE[::-1], borderMode=cv2.BORDER_REFLECT)
    return np.asarray(moved, np.float32)


def _placed(balloon: Floating, time: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Alpha (H, W) and pixels (H, W, 3) of the frame."""
    x, y, height = balloon.place(time)
    rows, cols = balloon.cutout.alpha.shape
    scale = height / rows
    small = (max(2, round(cols * scale)), max(2, round(rows * scale)))
    parts = (
        np.asarray(cv2.resize(part, small, interpolation=cv2.INTER_AREA), np.float32)
        for part in (balloon.cutout.alpha, balloon.cutout.pixels)
    )
    matrix = np.array([[1.0, 0, x - small[0] / 2], [0, 1.0, y - small[1] / 2]])
    alpha, pixels = (np.asarray(cv2.warpAffine(p, matrix, SIZE[::-1]), np.float32) for p in parts)
    return alpha, pixels
