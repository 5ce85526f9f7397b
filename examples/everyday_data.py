"""Training pictures for the bundled `everyday` model: photos with their masks, and compositions.

A folder of data holds `coco_mini/` and `coco_person1/` (COCO photos with `instances.json` and
`ATTRIBUTION.csv`), `balloon/train` (Matterport's photos), `davis/` (clips with masks) and
`openimages_bg/` (photos to paste onto). Photos under CC BY-SA take no part in training.
"""

import contextlib
import csv
import io
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO

Image = NDArray[Any]
"""(H, W, 3) uint8 RGB."""
Random = np.random.Generator

CANVAS = (416, 416)
"""Height and width of a training picture."""
LONGEST = 800
"""Photos are kept at this longest side."""
GREY = (124, 116, 104)
"""The mean of the network's normalisation: what lies beyond a photo's edge."""
FOLDS = 3
"""Parts of the cross-validation over coco_mini's photos of val2017."""
LEAST = 24
"""Pixels of a mask on the canvas; slivers below are no objects."""
DAVIS = {"car-shadow": 3, "libby": 18, "blackswan": 16}
"""Clip to the label of the object in it."""
DAVIS_STEP = 6
"""Every so many frames of a clip are taken."""


class Thing(NamedTuple):
    """An object of a photo: its 0/255 mask in a box of the photo, `x` and `y` its corner."""

    label: int
    """COCO's, or 0 where COCO has no such class."""
    mask: Image
    x: int
    y: int


@dataclass(frozen=True)
class Photo:
    image: Image
    things: list[Thing]
    share: float = 1.0
    """How often it is drawn, beside others."""
    fold: int | None = None
    """The part of the cross-validation that judges by it."""


@dataclass(frozen=True)
class Library:
    photos: list[Photo]
    backgrounds: list[Image]
    cutouts: list[tuple[int, int]]
    """Photo and thing that can be pasted elsewhere; none of those that judge."""


def load_library(data: Path, *, with_folds: bool) -> Library:
    """Everything that training draws from, decoded once."""
    photos = coco_photos(data / "coco_mini", 1.0, set())
    mini = {path.name for path in (data / "coco_mini/images").iterdir()}
    photos += coco_photos(data / "coco_person1", 0.5, mini)
    photos += balloon_photos(data / "balloon/train") + davis_photos(data / "davis")
    if not with_folds:
        photos = [photo for photo in photos if photo.fold is None]
    manifest = json.loads((data / "openimages_bg/manifest.json").read_text())
    backgrounds = [read(data / "openimages_bg/images" / row["file"])[0] for row in manifest]
    cutouts = [
        (number, place)
        for number, photo in enumerate(photos)
        for place, thing in enumerate(photo.things)
        if photo.share >= 0.5 and photo.fold is None
        if thing.mask.size > 900 and inside(thing, photo.image)
    ]
    return Library(photos, backgrounds, cutouts)


def inside(thing: Thing, image: Image) -> bool:
    """Whether an object does not touch the edge of its photo."""
    height, width = thing.mask.shape
    return (
        min(thing.x, thing.y, image.shape[1] - thing.x - width, image.shape[0] - thing.y - height)
        > 1
    )


def coco_photos(folder: Path, share: float, left_out: Collection[str]) -> list[Photo]:
    coco = read_coco(folder)
    folds = fold_of(coco) if folder.name == "coco_mini" else {}
    barred = share_alike(folder) | set(left_out)
    photos = []
    for entry in coco.loadImgs(sorted(coco.getImgIds())):
        name = Path(entry["file_name"]).name
        if name in barred:
            continue
        image, scale = read(folder / "images" / name)
        found = coco.loadAnns(coco.getAnnIds([entry["id"]]))
        single = [one for one in found if not one.get("iscrowd")]
        masks = [coco.annToMask(one) for one in single]
        objects = things(masks, [one["category_id"] for one in single], scale)
        photos.append(Photo(image, objects, share, folds.get(entry["id"])))
    return photos


def read_coco(folder: Path) -> Any:
    """A `COCO`, whose own types are stricter than what it takes."""
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(folder / "instances.json"))


def fold_of(coco: Any) -> dict[int, int]:
    """Id of each val2017 photo, on which the published detector was not trained, to its fold."""
    judging = [entry["id"] for entry in coco.imgs.values() if "val2017" in entry["coco_url"]]
    return {number: place % FOLDS for place, number in enumerate(judging)}


def share_alike(folder: Path) -> set[str]:
    """Names of the folder's photos under a CC BY-SA licence."""
    rows = csv.DictReader((folder / "ATTRIBUTION.csv").open())
    return {row["file"] for row in rows if "ShareAlike" in row["license"]}


def balloon_photos(folder: Path) -> list[Photo]:
    table = json.loads((folder / "via_region_data.json").read_text())
    photos = []
    for entry in table.values():
        path = folder / entry["filename"]
        if not path.exists():
            continue
        image, scale = read(path)
        regions, masks = entry["regions"], []
        for region in regions.values() if isinstance(regions, dict) else regions:
            shape = region["shape_attributes"]
            points = np.stack((shape["all_points_x"], shape["all_points_y"]), 1)
            mask = np.zeros(image.shape[:2], np.uint8)
            fixed = np.round(((points + 0.5) * scale - 0.5) * 16).astype(np.int32)
            masks.append(cv2.fillPoly(mask, [fixed], 1, shift=4))
        photos.append(Photo(image, things(masks, [0] * len(masks), 1.0), 0.3))
    return photos


def davis_photos(folder: Path) -> list[Photo]:
    photos = []
    for clip, label in DAVIS.items():
        for path in sorted((folder / "JPEGImages/480p" / clip).iterdir())[::DAVIS_STEP]:
            image, scale = read(path)
            truth: Any = cv2.imread(str(folder / "Annotations/480p" / clip / f"{path.stem}.png"), 0)
            mask = (truth > 127).astype(np.uint8)
            photos.append(Photo(image, things([mask], [label], scale), 0.15))
    return photos


def read(path: Path) -> tuple[Image, float]:
    """The photo in RGB, scaled down to `LONGEST`, and the scale."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path} cannot be read as a photo.")
    scale = min(1.0, LONGEST / max(image.shape[:2]))
    if scale < 1:
        image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB), scale


def things(masks: list[Image], labels: list[int], scale: float) -> list[Thing]:
    found = []
    for mask, label in zip(masks, labels, strict=True):
        if scale < 1:
            mask = cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        x, y, w, h = cv2.boundingRect(mask)
        if w and h:
            crop = np.ascontiguousarray(255 * mask[y : y + h, x : x + w])
            found.append(Thing(label, crop, x, y))
    return found


# --- one training picture -----------------------------------------------------------------------


class Seen(NamedTuple):
    """An object on the canvas."""

    label: int
    mask: Image
    """0..255."""


class Sample(NamedTuple):
    image: Image
    """CANVAS, uint8 RGB."""
    objects: list[Seen]
    fold: int | None
    """That of its photo."""


def sample(library: Library, random: Random) -> Sample:
    """A photo, or objects pasted onto a photo."""
    shares = np.array([photo.share for photo in library.photos])
    kind = random.random()
    fold = None
    if kind < 0.1:
        background = library.backgrounds[random.integers(len(library.backgrounds))]
        image, objects = placed(Photo(background, []), random)
    else:
        number = random.choice(len(shares), p=shares / shares.sum())
        image, objects = placed(library.photos[number], random)
        fold = library.photos[number].fold
    if kind < 0.35:
        for _ in range(random.integers(2, 7)):
            image, objects = pasted(image, objects, library, random)
    return Sample(recoloured(image, random), objects, fold)


def placed(photo: Photo, random: Random) -> tuple[Image, list[Seen]]:
    """The photo on the canvas at a random scale, stretch, place and turn, with its masks."""
    height, width = photo.image.shape[:2]
    fit = min(CANVAS[0] / height, CANVAS[1] / width)
    scale = fit * np.exp(random.uniform(np.log(0.7), np.log(2.0)))
    stretch = np.exp(random.uniform(-0.2, 0.2))
    sx, sy = scale * stretch, scale / stretch
    flip = random.random() < 0.5
    room = (CANVAS[1] - width * sx, CANVAS[0] - height * sy)
    tx, ty = (random.uniform(min(r, 0), max(r, 0)) for r in room)
    move = np.array([[sx, 0, tx], [0, sy, ty]])
    if flip:
        move = np.array([[-sx, 0, CANVAS[1] - tx], [0, sy, ty]])
    image = photo.image
    objects = [Seen(thing.label, warped_mask(thing, move)) for thing in photo.things]
    return warped(image, move, GREY), visible(objects)


def warped(image: Image, move: NDArray, border: tuple[int, ...] | int) -> Image:
    """`move` maps the photo's pixel edges to the canvas's."""
    shift = move.copy()
    shift[:, 2] += move[:, :2] @ (0.5, 0.5) - 0.5
    size = CANVAS[::-1]
    if abs(np.linalg.det(move[:, :2])) < 0.5:
        image = cv2.blur(image, (2, 2), anchor=(0, 0))
        shift[:, 2] += move[:, :2] @ (0.5, 0.5)
    return cv2.warpAffine(image, shift, size, flags=cv2.INTER_LINEAR, borderValue=border)


def warped_mask(thing: Thing, move: NDArray) -> Image:
    offset = move.copy()
    offset[:, 2] += move[:, :2] @ (thing.x, thing.y)
    return warped(thing.mask, offset, 0)


def visible(objects: list[Seen]) -> list[Seen]:
    return [one for one in objects if np.count_nonzero(one.mask > 127) > LEAST]


def pasted(
    image: Image, objects: list[Seen], library: Library, random: Random
) -> tuple[Image, list[Seen]]:
    """One object of another photo at a random size and place; it hides what lies below."""
    number, place = library.cutouts[random.integers(len(library.cutouts))]
    photo = library.photos[number]
    thing = photo.things[place]
    h, w = thing.mask.shape
    side = np.exp(random.uniform(np.log(28), np.log(260)))
    scale = min(side / np.sqrt(h * w), 2.0)
    angle = random.normal(0, 0.15)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    if random.random() < 0.5:
        turn[:, 0] *= -1
    centre = random.uniform(0, 1, 2) * CANVAS[::-1]
    move = np.column_stack((turn, centre - turn @ (w / 2, h / 2)))
    mask = warped(thing.mask, move, 0)
    crop = photo.image[thing.y : thing.y + h, thing.x : thing.x + w]
    alpha = cv2.GaussianBlur(mask, (3, 3), random.uniform(0.3, 0.9))[..., None] / np.float32(255)
    image = (image + (warped(crop, move, 0) - image.astype(np.float32)) * alpha).astype(np.uint8)
    below = [Seen(other.label, np.minimum(other.mask, 255 - mask)) for other in objects]
    return image, visible([*below, Seen(thing.label, mask)])


def recoloured(image: Image, random: Random) -> Image:
    """Light and colour as cameras vary them, sometimes blur, noise or compression."""
    kind = random.random()
    if kind < 0.1:
        image = cv2.GaussianBlur(image, (5, 5), random.uniform(0.5, 1.2))
    elif kind < 0.2:
        _, packed = cv2.imencode(
            ".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(random.integers(35, 90)))
        )
        image = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    gains = random.uniform(0.75, 1.25) * random.uniform(0.93, 1.07, 3)
    bias = random.uniform(-20, 20)
    table = np.clip(np.arange(256)[:, None] * gains + bias, 0, 255).astype(np.uint8)
    image = cv2.LUT(image, table[None])
    if random.random() < 0.3:
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = random.uniform(0, 1.3)
        image = cv2.addWeighted(image, keep, grey, 1 - keep, 0)
    return image
