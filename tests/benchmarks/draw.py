"""How long drawing and mask files take, beside the plain way with torchvision and numpy.

    python -m tests.benchmarks.draw [effects]

With `effects`, only those of `vidseg draw`, with 5 and 20 objects. Checks that both ways give the
same first, then prints JSON: best of a few, in milliseconds of one core's time, at 1080p.
"""

import itertools
import json
import sys
import time
from collections.abc import Callable
from fractions import Fraction

import cv2
import numpy as np
import torch
from pycocotools import mask as coco
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

from tests.support.random_instances import blobs
from vidseg.effects import Overlay, Splash, drawing
from vidseg.effects.parse import EFFECTS, parse_effect
from vidseg.results.formats._png_bytes import encode_indexed_png
from vidseg.structures.colors import color_of
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import areas, full_mask, instance_rle, iou_matrix, label_map

SIZE = (1080, 1920)
NAMES = {1: "person", 2: "bicycle", 3: "car", 4: "dog"}


def main() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    if "effects" in sys.argv[1:]:
        print(json.dumps(every_effect(image), indent=2))
        return
    many, few = tracked(50, 0.016), tracked(5, 0.05)
    verify(image, few)
    results = {
        "overlay, 50 objects": milliseconds(lambda: Overlay(NAMES)(image, many)),
        "overlay with contours, 50": milliseconds(
            lambda: Overlay(NAMES, contours=True)(image, many)
        ),
        "overlay, 5": milliseconds(lambda: Overlay(NAMES)(image, few)),
        "overlay of torchvision, 5": milliseconds(lambda: plain_overlay(image, few), 2),
        "overlay of torchvision, 50": milliseconds(lambda: plain_overlay(image, many), 1),
        "splash, 5": milliseconds(lambda: Splash()(image, few)),
        "splash hard, 5": milliseconds(lambda: Splash(0)(image, few)),
        "splash feather 8, 5": milliseconds(lambda: Splash(8)(image, few)),
        "splash of numpy, 5": milliseconds(lambda: plain_splash(image, few), 2),
        "splash, 50": milliseconds(lambda: Splash()(image, many)),
        "areas, 50": milliseconds(lambda: areas(many)),
        "mask IoU, 50 x 50": milliseconds(lambda: iou_matrix(many, many)),
        "label map, 50": milliseconds(lambda: label_map(many)),
        "indexed PNG": milliseconds(lambda: encode_indexed_png(label_map(many))),
        "RLE, 50": milliseconds(lambda: [instance_rle(many, row) for row in range(50)]),
        "RLE of full masks, 50": milliseconds(lambda: plain_rles(many), 2),
    }
    print(json.dumps(results | every_effect(image), indent=2))


def every_effect(image: Image) -> dict[str, float]:
    """Milliseconds a frame by effect and number of objects; objects move, as in a video."""
    results = {}
    for count, share in ((5, 0.05), (20, 0.03)):
        found = [tracked(count, share, seed) for seed in range(2)]
        for name in EFFECTS:
            with drawing(parse_effect(name, NAMES)) as draw:
                frames = (
                    Frame(number, Fraction(number, 30), image) for number in itertools.count()
                )
                moving = zip(frames, itertools.cycle(found), strict=False)
                results[f"{name}, {count}"] = milliseconds(
                    lambda draw=draw, moving=moving: draw(*next(moving)), 12
                )
    return results


def tracked(count: int, share: float, seed: int = 0) -> Instances:
    return blobs(count, SIZE, seed=seed, share=share).with_ids(np.arange(1, count + 1))


def verify(image: Image, found: Instances) -> None:
    ours, plain = Splash(0)(image, found), plain_splash(image, found)
    assert np.abs(ours.astype(int) - plain).max() <= 1
    assert [instance_rle(found, row) for row in range(len(found))] == plain_rles(found)
    masks_only = Overlay(NAMES, boxes=False, labels="none")(image, found[:1]).astype(int)
    plain = plain_overlay(image, found[:1], boxes=False)
    assert np.mean(np.abs(masks_only - plain).max(axis=2) <= 1) > 0.999  # but for its rounded box


def plain_overlay(image: Image, found: Instances, *, boxes: bool = True) -> Image:
    soft = torch.from_numpy(found.masks[:, None].astype(np.float32) / 255)
    masks = paste_masks_in_image(soft, torch.from_numpy(found.boxes), found.size)[:, 0] >= 0.5
    colors = [color_of(int(number)) for number in found.ids]
    picture = torch.from_numpy(image).permute(2, 0, 1)
    picture = draw_segmentation_masks(picture, masks, alpha=0.5, colors=list(colors))
    if boxes:
        texts = [f"{NAMES[int(label)]} 90%" for label in found.labels]
        picture = draw_bounding_boxes(picture, torch.from_numpy(found.boxes), texts, list(colors))
    return picture.permute(1, 2, 0).numpy()


def plain_splash(image: Image, found: Instances) -> Image:
    inside = np.zeros(found.size, bool)
    for row in range(len(found)):
        inside |= full_mask(found, row)
    grey = (image @ np.array([0.299, 0.587, 0.114]))[..., None].repeat(3, axis=2)
    return np.where(inside[..., None], image, np.round(grey)).astype(np.uint8)


def plain_rles(found: Instances) -> list[dict[str, object]]:
    rles = []
    for row in range(len(found)):
        rle = coco.encode(np.asfortranarray(full_mask(found, row), np.uint8))
        rles.append({"size": list(rle["size"]), "counts": bytes(rle["counts"]).decode()})  # pyright: ignore[reportArgumentType]
    return rles


def milliseconds(function: Callable[[], object], times: int = 7) -> float:
    best = float("inf")
    for _ in range(times):
        start = time.process_time()
        function()
        best = min(best, time.process_time() - start)
    return round(best * 1000, 2)


if __name__ == "__main__":
    main()
