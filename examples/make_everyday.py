"""Film everyday.mp4: people, animals and vehicles in a field, and the exact mask of each.

    python examples/make_everyday.py [OUT] [--masks DIR]
    python examples/make_everyday.py --parts DATA

Objects cut out of photos move over another photo, so what hides what is known exactly. The photos
are under CC BY 2.0, see `everyday/ATTRIBUTION.md`; DATA, a folder as `everyday_data` describes it,
is only needed to cut them out again. A mask is what can be seen of an object; shadows are no part.
"""

import argparse
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
from everyday_data import read_coco
from make_balloons import label_map
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Mask = NDArray[np.bool_]

SIZE = (360, 640)
"""(height, width) in pixels."""
RATE = Fraction(24)
FRAMES = 120
PARTS = Path(__file__).with_name("everyday")
MARGIN = 16
"""Pixels by which the field is larger than the picture on every side, for the camera to sway."""
FIELD = ("coco_mini", "000000278528.jpg")
FIELD_TOP = 112
"""Row of the photo at which the picture starts."""


@dataclass(frozen=True)
class Actor:
    """An object, and its way on the ground from the first frame to the last."""

    name: str
    """Of its class in COCO; also that of its part, with a number behind if there are two."""
    source: tuple[str, str, int]
    """Folder of DATA, photo, and id of the annotation."""
    height: float
    """Pixels in the picture."""
    start: tuple[float, float]
    stop: tuple[float, float]
    """Where its foot is, (x, y) in pixels."""
    step: float = 0.0
    """Pixels by which it bobs as it walks."""
    steps: float = 0.0
    """How often it does in the film."""
    flipped: bool = False

    @property
    def label(self) -> str:
        return self.name.rstrip("12")


ACTORS = (
    Actor("bus", ("coco_mini", "000000000471.jpg", 164), 118, (560, 270), (230, 272), 0.6, 40),
    Actor("car", ("coco_mini", "000000423617.jpg", 1344), 104, (70, 300), (150, 308), 0.5, 40),
    Actor("dog", ("coco_mini", "000000377575.jpg", 1280), 108, (330, 330), (300, 334), 3, 9),
    Actor(
        "person1", ("coco_person1", "000000393226.jpg", 471260), 170, (200, 336), (420, 342), 3, 9
    ),
    Actor(
        "person2", ("coco_person1", "000000367818.jpg", 198284), 190, (470, 350), (490, 352), 3, 6
    ),
    Actor("bicycle", ("coco_mini", "000000261888.jpg", 1091), 116, (574, 346), (570, 346), 0.5, 8),
)
"""The farthest first."""


def scene(index: int) -> tuple[Image, Mask]:
    """The picture, (H, W, 3) RGB, and what can be seen of each of `ACTORS`, (N, H, W)."""
    time = index / (FRAMES - 1)
    sway = MARGIN * np.array((0.8 * np.sin(2 * np.pi * time), 0.3 * np.sin(4 * np.pi * time)))
    height, width = SIZE
    image = cv2.getRectSubPix(
        field(), (width, height), tuple(np.array(field().shape[1::-1]) / 2 - 0.5 + sway)
    ).astype(np.float32)
    masks = np.zeros((len(ACTORS), *SIZE), bool)
    for row, actor in enumerate(ACTORS):
        image *= 1 - 0.45 * shadow(actor, time, sway)[..., None]
        color, alpha = placed(actor, time, sway)
        image += (color - image) * alpha[..., None]
        masks[:row] &= alpha <= 0.5
        masks[row] = alpha > 0.5
    return image.round().astype(np.uint8), masks


def truth(index: int) -> Mask:
    """The masks of `scene`."""
    return scene(index)[1]


@cache
def field() -> Image:
    return read(PARTS / "field.jpg")


@cache
def part(name: str) -> Image:
    """(H, W, 4) RGB and what it covers, 0 to 255."""
    return read(PARTS / f"{name}.webp")


def read(path: Path) -> Image:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None, path
    code = cv2.COLOR_BGRA2RGBA if image.shape[2] == 4 else cv2.COLOR_BGR2RGB
    return np.asarray(cv2.cvtColor(image, code), np.uint8)


def foot(actor: Actor, time: float, sway: NDArray) -> NDArray:
    return np.array(actor.start) + time * np.subtract(actor.stop, actor.start) - sway


def placed(actor: Actor, time: float, sway: NDArray) -> tuple[NDArray, NDArray]:
    """Its colours on the canvas, and how much of each pixel it covers, 0 to 1."""
    image = part(actor.name)
    height, width = image.shape[:2]
    scale = actor.height / height
    x, y = foot(actor, time, sway)
    y -= actor.step * abs(np.sin(np.pi * actor.steps * time))
    lean = 0.02 * actor.step / 3 * np.sin(2 * np.pi * actor.steps * time / 2)
    turn = scale * np.array([[np.cos(lean), -np.sin(lean)], [np.sin(lean), np.cos(lean)]])
    if actor.flipped:
        turn[:, 0] *= -1
    move = np.column_stack((turn, (x, y) - turn @ (width / 2, height)))
    premultiplied = image[..., :3] * (image[..., 3:] / np.float32(255))
    layers = np.dstack((premultiplied, image[..., 3].astype(np.float32)))
    moved = cv2.warpAffine(layers, move, SIZE[::-1], flags=cv2.INTER_LINEAR)
    alpha = moved[..., 3] / 255
    return moved[..., :3] / np.maximum(alpha, 1e-3)[..., None], alpha


def shadow(actor: Actor, time: float, sway: NDArray) -> NDArray:
    """(H, W), 0 to 1: a soft ellipse on the ground."""
    image = part(actor.name)
    across = 0.5 * actor.height * image.shape[1] / image.shape[0]
    x, y = foot(actor, time, sway)
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    away = np.hypot((columns - x) / across, (rows - y + 3) / (0.14 * across + 4))
    return np.clip(1.15 - away, 0, 0.9).astype(np.float32)


def film(target: Path) -> None:
    with av.open(target, "w", options={"movflags": "faststart"}) as out:
        stream = out.add_stream("libx264", RATE, options={"crf": "23", "preset": "slow"})
        stream.height, stream.width = SIZE
        stream.pix_fmt = "yuv420p"
        for index in range(FRAMES):
            frame = av.VideoFrame.from_ndarray(scene(index)[0], "rgb24")
            out.mux(stream.encode(frame))
        out.mux(stream.encode())


def save_masks(folder: Path) -> None:
    """One grey PNG a frame: the number of the actor, from 1, that each pixel shows, 0 for none."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(FRAMES):
        cv2.imwrite(str(folder / f"{index:06d}.png"), label_map(truth(index)))


def cut_parts(data: Path) -> None:
    """Write the field and the cut-out objects to `PARTS`."""
    PARTS.mkdir(exist_ok=True)
    photo = cv2.imread(str(data / FIELD[0] / "images" / FIELD[1]))
    assert photo is not None
    width, height = SIZE[1] + 2 * MARGIN, SIZE[0] + 2 * MARGIN
    scale = width / photo.shape[1]
    large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    save(PARTS / "field.jpg", large[FIELD_TOP : FIELD_TOP + height, :width], 80)
    for actor in ACTORS:
        folder, name, number = actor.source
        coco = read_coco(data / folder)
        photo = cv2.imread(str(data / folder / "images" / name))
        assert photo is not None
        mask = 255 * coco.annToMask(coco.anns[number])
        mask = cv2.GaussianBlur(cv2.erode(mask, np.ones((2, 2), np.uint8)), (5, 5), 1.0)
        x, y, w, h = cv2.boundingRect(mask)
        cut = np.dstack((photo, mask))[y : y + h, x : x + w]
        scale = min(1.0, 1.3 * actor.height / h)
        cut = cv2.resize(cut, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        save(PARTS / f"{actor.name}.webp", cut, 85)


def save(path: Path, image: NDArray, quality: int) -> None:
    kind = cv2.IMWRITE_WEBP_QUALITY if path.suffix == ".webp" else cv2.IMWRITE_JPEG_QUALITY
    cv2.imwrite(str(path), image, (kind, quality))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", nargs="?", type=Path, default=PARTS.with_suffix(".mp4"))
    parser.add_argument("--masks", type=Path, metavar="DIR", help="write the masks there")
    parser.add_argument("--parts", type=Path, metavar="DATA", help="only cut the parts out again")
    options = parser.parse_args()
    if options.parts:
        cut_parts(options.parts)
        return
    film(options.out)
    if options.masks:
        save_masks(options.masks)


if __name__ == "__main__":
    main()
