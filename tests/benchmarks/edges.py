"""How near the edges of masks lie to annotated ones: torchvision's pasting, ours, and refined.

    python -m tests.benchmarks.edges DATA [--half report|tune] [--every N] [--photos N]

DATA holds `davis/` (JPEGImages/480p, Annotations/480p), `balloon/` (Matterport's) and
`coco_person1/`, `coco_mini/`; those that are missing are left out. Three kinds of masks of 28 x 28:

    best        the annotation itself, averaged over the cells: what no network reaches
    rough       the same with a box some 2 % off, blurred and bent by about half a cell
    predicted   of the bundled balloon model, matched with IoU from 0.5 on, on balloon/val alone

IoU is that of masks. F is the boundary measure of DAVIS (Perazzi et al. 2016, section 5): edges
match within 0.8 % of the diagonal; "F fine" is the same at 0.2 %. "off" is the mean distance
between the two edges in pixels. COCO's polygons are themselves rough.
`vidseg.effects._edge_refinement` was tuned on
`--half tune`: half of the photos, and the first 22 frames of DAVIS' sequences. Milliseconds are
processor time an object, on one thread, the frame's reading left out.

Prints JSON on stdout and a table on stderr. Ends with 1 where refining loses F on a kind of masks
that a network can give.
"""

import argparse
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from math import ceil, hypot
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection.roi_heads import paste_masks_in_image

from vidseg.datasets.loading import read_dataset
from vidseg.datasets.torch_dataset import masks_of
from vidseg.effects._edge_refinement import refined
from vidseg.models.predictor import load_predictor
from vidseg.structures.frame import Image
from vidseg.structures.instances import MASK_SIDE, UNTRACKED, Instances
from vidseg.structures.masks import full_mask
from vidseg.video.decoding.image_reader import read_photo

Mask = NDArray[np.bool_]
COARSE, FINE = 0.008, 0.002
BORDER = 3
"""Pixels along the frame's border where no edges are looked at: many polygons that should touch it
end one or two before it, and that line is no edge."""
MIN_BOX_SIDE_PIXELS = {"davis": 1, "balloon": 80, "coco": 64, "predicted": 40}
"""Square root of the area in pixels: smaller objects are left out."""
TUNED_FRAMES = 22


class Case(NamedTuple):
    """One object with its annotation and what is to be pasted."""

    group: str
    image: Image
    truth: Mask
    found: Instances


def torchvision_mask(case: Case) -> Mask:
    soft = torch.from_numpy(case.found.masks.astype(np.float32) / 255)[:, None]
    boxes = torch.from_numpy(case.found.boxes)
    return (paste_masks_in_image(soft, boxes, case.found.size)[0, 0] > 0.5).numpy()


def refined_mask(case: Case) -> Mask:
    rows, cols, opacity = refined(case.image, case.found, 0)
    mask = np.zeros(case.found.size, bool)
    mask[rows, cols] = opacity >= 128
    return mask


METHODS: dict[str, Callable[[Case], Mask]] = {
    "torchvision": torchvision_mask,
    "bilinear": lambda case: full_mask(case.found, 0),
    "refined": refined_mask,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", choices=["report", "tune"], default="report")
    parser.add_argument("--every", type=int, default=5, help="every so many frames of DAVIS")
    parser.add_argument("--photos", type=int, default=60, help="of each COCO set")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    rows: dict[str, dict[str, list[list[float]]]] = {}
    for case in cases(options.data, options.half, options.every, options.photos):
        group = rows.setdefault(case.group, {name: [] for name in METHODS})
        for name, method in METHODS.items():
            began = time.process_time()
            mask = method(case)
            spent = time.process_time() - began
            group[name].append([*evaluate_results(mask, case.truth), 1000 * spent])
    result = {group: summary(methods) for group, methods in sorted(rows.items())}
    print(json.dumps(result, indent=2))
    show(result)
    real = [each for group, each in result.items() if not group.endswith(" best")]
    if any(each["refined"]["F"] < each["bilinear"]["F"] for each in real):
        raise SystemExit("Refining moved edges away.")


def summary(methods: dict[str, list[list[float]]]) -> dict:
    names = ("IoU", "F", "F fine", "off", "ms")
    found: dict = {"objects": len(methods["refined"])}
    for name, rows in methods.items():
        means = [round(float(value), 4) for value in np.mean(rows, 0)]
        found[name] = dict(zip(names, means, strict=True))
    return found


def show(result: dict) -> None:
    print(f"{'':20}{'':13}{'IoU':>8}{'F':>8}{'F fine':>8}{'off':>8}{'ms':>8}", file=sys.stderr)
    for group, found in result.items():
        for name in METHODS:
            values = "".join(f"{value:8.3f}" for value in found[name].values())
            label = f"{group} ({found['objects']})" if name == "torchvision" else ""
            print(f"{label:20}{name:13}{values}", file=sys.stderr)


def evaluate_results(mask: Mask, truth: Mask) -> list[float]:
    """IoU, F at both distances, mean distance of the edges."""
    diagonal = hypot(*truth.shape)
    rows, cols = _around(mask | truth, ceil(COARSE * diagonal) + 2)
    inner = np.zeros(truth.shape, bool)
    inner[BORDER:-BORDER, BORDER:-BORDER] = True
    mask, truth, inner = mask[rows, cols], truth[rows, cols], inner[rows, cols]
    iou = np.count_nonzero(mask & truth) / np.count_nonzero(mask | truth)
    here, there = edge(mask) & inner, edge(truth) & inner
    if not (here.any() and there.any()):
        return [iou, 0, 0, diagonal / 10]
    to_truth, to_mask = _distance(there)[here], _distance(here)[there]
    scores = []
    for share in (COARSE, FINE):
        reach = ceil(share * diagonal)
        precision, recall = (to_truth <= reach).mean(), (to_mask <= reach).mean()
        scores.append(2 * precision * recall / max(precision + recall, 1e-9))
    return [iou, *scores, float(to_truth.mean() + to_mask.mean()) / 2]


def edge(mask: Mask) -> Mask:
    """DAVIS' `seg2bmap`: pixels that differ from the one right, below, or both."""
    found = np.zeros(mask.shape, bool)
    found[:-1] |= mask[:-1] ^ mask[1:]
    found[:, :-1] |= mask[:, :-1] ^ mask[:, 1:]
    found[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return found


def _distance(edges: Mask) -> NDArray[np.float32]:
    empty = (~edges).astype(np.uint8)
    return np.asarray(cv2.distanceTransform(empty, cv2.DIST_L2, cv2.DIST_MASK_PRECISE), np.float32)


def _around(mask: Mask, margin: int) -> tuple[slice, slice]:
    left, top, width, height = cv2.boundingRect(mask.astype(np.uint8))
    rows = slice(max(top - margin, 0), top + height + margin)
    return rows, slice(max(left - margin, 0), left + width + margin)


def cases(data: Path, half: str, every: int, photos: int) -> Iterator[Case]:
    for group, name, image, truth in annotated(data, half, every, photos):
        if truth.sum() >= MIN_BOX_SIDE_PIXELS[group] ** 2:
            left, top, width, height = cv2.boundingRect(truth.astype(np.uint8))
            box = np.array([left, top, left + width, top + height], np.float64)
            best = averaged(truth, box)
            yield Case(f"{group} best", image, truth, instances(box, best, truth.shape))
            yield Case(f"{group} rough", image, truth, roughened(truth, box, name))
    yield from predicted(data / "balloon", half)


def annotated(
    data: Path, half: str, every: int, photos: int
) -> Iterator[tuple[str, str, Image, Mask]]:
    """Group, name, picture and mask of every object of the half."""
    for path in sorted((data / "davis/JPEGImages/480p").glob("*/*.jpg")):
        number = int(path.stem)
        if number % every == 0 and (number < TUNED_FRAMES) == (half == "tune"):
            mask = data / "davis/Annotations/480p" / path.parent.name / f"{path.stem}.png"
            truth = read_photo(mask)[..., 0] > 127
            yield "davis", f"{path.parent.name}{path.stem}", read_photo(path), truth
    for group, folder, split in (
        ("balloon", "balloon", "train"),
        ("balloon", "balloon", "val"),
        ("coco", "coco_person1", None),
        ("coco", "coco_mini", None),
    ):
        if not (data / folder).is_dir():
            continue
        samples = read_dataset(data / folder, split=split).samples
        for sample in samples[:photos] if group == "coco" else samples:
            if in_half(sample.path.name, half):
                image = read_photo(sample.path)
                for number, (each, mask) in enumerate(
                    zip(sample.objects, masks_of(sample), strict=True)
                ):
                    if not each.crowd:
                        yield group, f"{sample.path.name}{number}", image, mask.astype(bool)


def in_half(name: str, half: str) -> bool:
    return zlib.crc32(name.encode()) % 2 == (half == "report")


def predicted(balloon: Path, half: str) -> Iterator[Case]:
    if not balloon.is_dir():
        return
    predictor = load_predictor("balloon", precision="float32")
    for sample in read_dataset(balloon, split="val").samples:
        if not in_half(sample.path.name, half):
            continue
        image, truths = read_photo(sample.path), masks_of(sample).astype(bool)
        (found,) = predictor.predict([image])
        for row in np.flatnonzero(found.scores >= 0.5):
            mask = full_mask(found, int(row))
            ious = [np.sum(mask & truth) / np.sum(mask | truth) for truth in truths]
            truth = truths[int(np.argmax(ious))]
            if max(ious) > 0.5 and truth.sum() >= MIN_BOX_SIDE_PIXELS["predicted"] ** 2:
                yield Case("balloon predicted", image, truth, found[np.array([row])])


def instances(box: NDArray[np.float64], soft: NDArray, size: tuple[int, ...]) -> Instances:
    return Instances(
        boxes=box.astype(np.float32)[None],
        masks=np.round(soft.clip(0, 1) * 255).astype(np.uint8)[None],
        scores=np.ones(1, np.float32),
        labels=np.ones(1, np.int64),
        ids=np.full(1, UNTRACKED, np.int64),
        size=(size[0], size[1]),
    )


def averaged(mask: Mask, box: NDArray[np.float64]) -> NDArray[np.float64]:
    """The share of the object in each cell of the box, exactly."""
    x0, y0, x1, y1 = box
    vertical, horizontal = _cover(y0, y1, mask.shape[0]), _cover(x0, x1, mask.shape[1])
    return vertical @ mask.astype(np.float64) @ horizontal.T


def _cover(low: float, high: float, length: int) -> NDArray[np.float64]:
    """(cells, pixels) share of each cell that a pixel covers."""
    borders, pixels = np.linspace(low, high, MASK_SIDE + 1), np.arange(length)
    starts = np.maximum(borders[:-1, None], pixels)
    return (np.minimum(borders[1:, None], pixels + 1) - starts).clip(0) / (borders[1] - borders[0])


def roughened(truth: Mask, box: NDArray[np.float64], name: str) -> Instances:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    height, width = truth.shape
    sides = np.tile(box[2:] - box[:2], 2)
    box = (box + rng.normal(0, 0.02, 4) * sides).clip(0, [width, height, width, height])
    soft = cv2.copyMakeBorder(averaged(truth, box), 6, 6, 6, 6, cv2.BORDER_CONSTANT)
    bends = rng.normal(0, 1, (2, *soft.shape)).astype(np.float32)
    across, down = (3.6 * cv2.GaussianBlur(bend, (0, 0), 3) for bend in bends)
    y, x = np.mgrid[: soft.shape[0], : soft.shape[1]].astype(np.float32)
    soft = cv2.remap(soft.astype(np.float32), x + across, y + down, cv2.INTER_LINEAR)
    return instances(box, cv2.GaussianBlur(soft, (0, 0), 1)[6:-6, 6:-6], truth.shape)


if __name__ == "__main__":
    main()
