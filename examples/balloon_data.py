"""Training pictures for the bundled balloon model: photos, compositions, and ones without balloons.

A folder of data holds `balloon/` (Matterport's photos with VIA annotations), `coco_mini/`,
`coco_person1/` and `openimages_bg/` (photos without balloons, listed in `backgrounds.json`). Photos
under CC BY-SA take no part: they are the held-out photos on which false alarms are counted.
"""

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO

Image = NDArray[Any]
"""(H, W, 3 or 4) uint8 RGB; cv2 does not tell the dtype of what it returns."""
Mask = NDArray[Any]
"""(H, W) uint8, 0 or 1."""
Random = np.random.Generator

CHOOSING = (
    "12288355124_5e340d3de3_k.jpg",
    "2354829160_3f65a6bf6f_b.jpg",
    "3927754171_9011487133_b.jpg",
    "4955354786_337a598e4a_b.jpg",
    "5674044810_2d9e2243ff_b.jpg",
    "6483318883_21facf57cd_b.jpg",
)
"""Photos of Matterport's train split set aside to choose by, so that `val` only measures."""

LONGEST = 1280
"""Photos are kept at this longest side; crops are never larger than life."""


@dataclass(frozen=True)
class Photo:
    image: Image
    masks: list[Mask]
    """One 0/1 mask per balloon."""


@dataclass(frozen=True)
class Cutout:
    """An object cut out of a photo: (h, w, 4) uint8, the last channel its 0/255 mask."""

    rgba: Image
    is_balloon: bool


class Alarm(NamedTuple):
    """A place where there is no balloon though the model sees one."""

    background: int
    """Index into `Library.backgrounds`."""
    box: list[float]
    """xyxy in pixels."""


@dataclass(frozen=True)
class Library:
    balloons: list[Photo]
    backgrounds: list[Image]
    cutouts: list[Cutout]
    distractors: list[Cutout]
    alarms: list[Alarm] = field(default_factory=list)
    """What the model in training takes for balloons in `backgrounds`; see `train_balloon.mine`."""


def load_library(data: Path) -> Library:
    """Everything that training draws from, decoded once (about 1.5 GB)."""
    photos = [load_balloon_photo(*item) for item in via_items(data / "balloon/train", CHOOSING)]
    names, folders = _licensed_backgrounds(data)
    cutouts = [
        cut for photo in photos for cut in cut_out(photo.image, photo.masks, is_balloon=True)
    ]
    return Library(photos, [read(path)[0] for path in names], cutouts, _distractors(folders))


def via_items(folder: Path, left_out: tuple[str, ...] = ()) -> list[tuple[Path, list[NDArray]]]:
    """(photo, polygons) of a folder annotated with VIA 1 or 2."""
    table = json.loads((folder / "via_region_data.json").read_text())
    items = []
    for entry in table.values():
        regions = entry["regions"]
        regions = regions.values() if isinstance(regions, dict) else regions
        shapes = [region["shape_attributes"] for region in regions]
        polygons = [np.stack((s["all_points_x"], s["all_points_y"]), 1) for s in shapes]
        if entry["filename"] not in left_out and (folder / entry["filename"]).exists():
            items.append((folder / entry["filename"], polygons))
    return items


def load_balloon_photo(path: Path, polygons: list[NDArray], longest: int = LONGEST) -> Photo:
    """The photo and its masks, scaled down to `longest`."""
    image, scale = read(path, longest)
    masks = []
    for polygon in polygons:
        mask = np.zeros(image.shape[:2], np.uint8)
        points = np.round(((polygon + 0.5) * scale - 0.5) * 16).astype(np.int32)
        masks.append(cv2.fillPoly(mask, [points], 1, shift=4))
    return Photo(image, masks)


def read(path: Path, longest: int = LONGEST) -> tuple[Image, float]:
    """The photo in RGB, scaled down to `longest`, and the scale."""
    image = cv2.imread(str(path))
    if image is None:
        raise SystemExit(f"{path} cannot be read as a photo.")
    scale = min(1.0, longest / max(image.shape[:2]))
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB), scale


def share_alike(folder: Path) -> set[str]:
    """Names of the folder's photos under a CC BY-SA licence."""
    rows = csv.DictReader((folder / "ATTRIBUTION.csv").open())
    return {row["file"] for row in rows if "ShareAlike" in row["license"]}


def _licensed_backgrounds(data: Path) -> tuple[list[Path], list[Path]]:
    free = set(json.loads((data / "backgrounds.json").read_text())["balloon_free"])
    folders = [data / "coco_mini", data / "coco_person1"]
    paths: dict[str, Path] = {}
    for folder in folders:
        barred = share_alike(folder)
        for path in sorted((folder / "images").iterdir()):
            if path.name in free and path.name not in barred:
                paths[path.name] = path
    openimages = sorted((data / "openimages_bg/images").iterdir())
    return [*paths.values(), *openimages], folders


def _distractors(folders: list[Path]) -> list[Cutout]:
    """Objects of other classes: pasting them teaches that not everything pasted is a balloon."""
    cutouts = []
    for folder in folders:
        coco, barred = COCO(str(folder / "instances.json")), share_alike(folder)
        for entry in coco.loadImgs(coco.getImgIds()):
            name = Path(entry["file_name"]).name
            if name in barred or name == "000000005001.jpg":
                continue
            wanted = coco.getAnnIds([entry["id"]], areaRng=[1500, 60000], iscrowd=False)
            masks = [coco.annToMask(annotation) for annotation in coco.loadAnns(wanted)]
            cutouts += cut_out(read(folder / "images" / name)[0], masks, is_balloon=False)
    return cutouts


def cut_out(image: Image, masks: list[Mask], *, is_balloon: bool) -> list[Cutout]:
    cutouts = []
    for mask in masks:
        if mask.shape != image.shape[:2] or mask.sum() < 900 or (is_balloon and not _whole(mask)):
            continue
        x, y, w, h = cv2.boundingRect(mask)
        crop = np.dstack((image[y : y + h, x : x + w], 255 * mask[y : y + h, x : x + w]))
        cutouts.append(Cutout(np.ascontiguousarray(crop), is_balloon))
    return cutouts


def _whole(mask: Mask) -> bool:
    """Whether a balloon is seen whole: as full as its hull, and as the ellipse in its box."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(contours, key=cv2.contourArea)
    area, hull = cv2.contourArea(outline), cv2.contourArea(cv2.convexHull(outline))
    (w, h) = cv2.minAreaRect(outline)[1]
    return area > 0.95 * hull and 0.85 < area / (np.pi / 4 * w * h) < 1.12


# --- one training picture -----------------------------------------------------------------------


def sample(library: Library, random: Random, size: tuple[int, int]) -> Photo:
    """A picture of `size` (height, width): balloon photo, composition, or one without balloons."""
    kind = random.random()
    if kind < 0.45:
        photo = _crop(_pick(library.balloons, random), random, size)
        if random.random() < 0.35:
            photo = _paste_some(photo, library, random, most=4)
    elif kind < 0.68:
        photo = _crop(Photo(_pick(library.backgrounds, random), []), random, size)
        photo = _paste_some(photo, library, random, most=8)
    elif kind < 0.85 and library.alarms:
        photo = _crop_alarm(library, random, size)
    else:
        photo = _crop(Photo(_pick(library.backgrounds, random), []), random, size)
    if random.random() < 0.5:
        photo = Photo(photo.image[:, ::-1], [mask[:, ::-1] for mask in photo.masks])
    return Photo(_photometric(np.ascontiguousarray(photo.image), random), photo.masks)


def _pick(items: list, random: Random):
    return items[random.integers(len(items))]


def _crop(photo: Photo, random: Random, size: tuple[int, int]) -> Photo:
    """A random window of the photo at a random scale, reflected where the photo is too small."""
    height, width = size
    longest = np.exp(random.uniform(np.log(380), np.log(1150)))
    scale = min(longest / max(photo.image.shape[:2]), 1.5)
    stretch = np.exp(random.uniform(-0.12, 0.12))
    fx, fy = scale * stretch, scale / stretch
    mode = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    image = cv2.resize(photo.image, None, fx=fx, fy=fy, interpolation=mode)
    masks = [
        cv2.resize(m, image.shape[1::-1], interpolation=cv2.INTER_NEAREST) for m in photo.masks
    ]
    y, x = _window(image.shape[:2], masks, random, size)
    image, masks = (
        image[y : y + height, x : x + width],
        [m[y : y + height, x : x + width] for m in masks],
    )
    below, right = height - image.shape[0], width - image.shape[1]
    if below or right:
        border = (0, below, 0, right)
        image = cv2.copyMakeBorder(image, *border, cv2.BORDER_CONSTANT, value=(114, 114, 114))
        masks = [cv2.copyMakeBorder(m, *border, cv2.BORDER_CONSTANT, value=0) for m in masks]
    return Photo(image, masks)


def _crop_alarm(library: Library, random: Random, size: tuple[int, int]) -> Photo:
    """A window around something that was taken for a balloon."""
    alarm = _pick(library.alarms, random)
    image = library.backgrounds[alarm.background]
    x0, y0, x1, y1 = (round(side) for side in alarm.box)
    place = np.zeros(image.shape[:2], np.uint8)
    place[max(y0, 0) : max(y1, y0 + 1), max(x0, 0) : max(x1, x0 + 1)] = 1
    return Photo(_crop(Photo(image, [place]), random, size).image, [])


def _window(
    shape: tuple[int, int], masks: list[Mask], random: Random, size: tuple[int, int]
) -> tuple[int, int]:
    """Upper left corner of the crop: around a balloon three times out of four."""
    room = [max(0, shape[i] - size[i]) for i in (0, 1)]
    if masks and random.random() < 0.75:
        x, y, w, h = cv2.boundingRect(_pick(masks, random))
        centre = (y + h / 2, x + w / 2)
        jitter = random.uniform(-0.35, 0.35, 2)
        corner = [centre[i] - size[i] * (0.5 + jitter[i]) for i in (0, 1)]
        return int(np.clip(corner[0], 0, room[0])), int(np.clip(corner[1], 0, room[1]))
    return int(random.integers(room[0] + 1)), int(random.integers(room[1] + 1))


def _paste_some(photo: Photo, library: Library, random: Random, most: int) -> Photo:
    image, masks = photo.image.copy(), list(photo.masks)
    for _ in range(random.integers(1, most + 1)):
        kind = random.random()
        if kind < 0.25:
            cutout = _pick(library.distractors, random)
        elif kind < 0.45:
            cutout = Cutout(synthetic_balloon(random), True)
        else:
            cutout = _pick(library.cutouts, random)
        image, masks = _paste(image, masks, cutout, random)
    return Photo(image, masks)


def _paste(
    image: Image, masks: list[Mask], cutout: Cutout, random: Random
) -> tuple[Image, list[Mask]]:
    """Paste one cutout at a random place, size, turn and hue; it hides what lies below."""
    side = np.exp(random.uniform(np.log(18), np.log(240)))
    rgba = _turned(cutout.rgba, random, side)
    if cutout.is_balloon and random.random() < 0.6:
        rgba[..., :3] = _rehued(rgba[..., :3], random)
    h, w = rgba.shape[:2]
    y = int(random.integers(-h // 3, image.shape[0] - 2 * h // 3 + 1))
    x = int(random.integers(-w // 3, image.shape[1] - 2 * w // 3 + 1))
    top, left, bottom, right = (
        max(y, 0),
        max(x, 0),
        min(y + h, image.shape[0]),
        min(x + w, image.shape[1]),
    )
    if bottom - top < 4 or right - left < 4:
        return image, masks
    patch = rgba[top - y : bottom - y, left - x : right - x]
    alpha = cv2.GaussianBlur(patch[..., 3], (3, 3), random.uniform(0.4, 1.2))[..., None] / 255
    window = image[top:bottom, left:right]
    image[top:bottom, left:right] = (window * (1 - alpha) + patch[..., :3] * alpha).astype(np.uint8)
    new = np.zeros(image.shape[:2], np.uint8)
    new[top:bottom, left:right] = patch[..., 3] > 127
    masks = [mask * (1 - new) for mask in masks]
    return image, [*masks, new] if cutout.is_balloon else masks


def _turned(rgba: Image, random: Random, side: float) -> Image:
    scale = side / np.sqrt(rgba.shape[0] * rgba.shape[1])
    if scale < 0.7:
        rgba = cv2.resize(rgba, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        scale = 1.0
    h, w = rgba.shape[:2]
    angle = random.normal(0, 18)
    turn = cv2.getRotationMatrix2D((w / 2, h / 2), angle, min(scale, 2.0))
    reach = abs(turn[:, :2]) @ (w, h)
    turn[:, 2] += (reach - (w, h)) / 2
    out = (max(4, int(reach[0])), max(4, int(reach[1])))
    rgba = cv2.warpAffine(rgba, turn, out, flags=cv2.INTER_LINEAR)
    return np.ascontiguousarray(rgba[:, ::-1]) if random.random() < 0.5 else rgba


def _rehued(rgb: Image, random: Random) -> Image:
    hsv = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2HSV)
    hsv[..., 0] = (hsv[..., 0].astype(int) + random.integers(180)) % 180
    gain = random.uniform(0.6, 1.3, 2)
    hsv[..., 1:] = np.clip(hsv[..., 1:] * gain, 0, 255).astype(np.uint8)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def synthetic_balloon(random: Random, side: int = 160) -> Image:
    """A plain shaded ellipsoid with a highlight, (h, w, 4) uint8, to learn odd colours from."""
    y, x = np.mgrid[-1.05 : 1.05 : side * 1j, -1.05 : 1.05 : side * 1j]
    taper = 1 + random.uniform(0, 0.3) * np.clip(y, 0, None) ** 2
    radius = np.hypot(x * taper / random.uniform(0.75, 1.0), y)
    inside = radius < 1
    depth = np.sqrt(np.clip(1 - radius**2, 0, None))
    light = np.array([random.uniform(-0.7, 0.7), random.uniform(-0.8, 0.1), 0.7])
    light /= np.linalg.norm(light)
    lambert = np.clip(x * light[0] + y * light[1] + depth * light[2], 0, 1)
    shine = random.uniform(0, 200) * lambert ** random.uniform(20, 80)
    hue = np.array(
        [[[random.integers(180), random.integers(90, 256), random.integers(90, 256)]]], np.uint8
    )
    color = cv2.cvtColor(hue, cv2.COLOR_HSV2RGB)[0, 0]
    ambient = random.uniform(0.3, 0.75)
    shaded = color * (ambient + (1 - ambient) * lambert)[..., None] + shine[..., None]
    return np.dstack((np.clip(shaded, 0, 255), 255 * inside)).astype(np.uint8)


def _photometric(image: Image, random: Random) -> Image:
    """Light, colour, blur, noise and compression as cameras vary them."""
    if random.random() < 0.15:
        image = cv2.GaussianBlur(image, (5, 5), random.uniform(0.5, 1.6))
    gain, bias = random.uniform(0.7, 1.3), random.uniform(-25, 25)
    tint = random.uniform(0.92, 1.08, 3)
    grey = image.mean(axis=2, keepdims=True)
    saturation = random.uniform(0.6, 1.3)
    shifted = (grey + (image - grey) * saturation) * gain * tint + bias
    if random.random() < 0.15:
        shifted += random.normal(0, random.uniform(2, 10), image.shape)
    image = np.clip(shifted, 0, 255).astype(np.uint8)
    if random.random() < 0.2:
        quality = int(random.integers(35, 90))
        _, packed = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))
        return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR))
    return image
