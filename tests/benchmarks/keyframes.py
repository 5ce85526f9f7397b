"""Keyframe mode beside looking at every frame: quality with truth, and speed.

    python -m tests.benchmarks.keyframes davis DATA [--every 2 5 10 auto]
    python -m tests.benchmarks.keyframes balloons PHOTOS BACKGROUNDS [--every 2 5 auto] [--clips 4]
    python -m tests.benchmarks.keyframes speed [--model maskrcnn_resnet50_fpn] [--frames 61]
                                               [--every 5] [--rounds 3]

`davis`: the clips' own masks, as 28 x 28 soft masks in boxes, are given on keyframes; J and F of
the frames between, beside those of the same soft masks given on every frame (the ceiling). DATA
holds `Annotations/480p` and `JPEGImages/480p`.

`balloons`: the bundled model on clips rendered from Matterport's balloons (PHOTOS, a split with
`via_region_data.json`), cut out and moved over other photos (BACKGROUNDS) by a camera that moves
too; J and F of all balloons together against the truth, in all frames. The model has seen the train
split, so take `val`.

`speed`: `vidseg overlay` with a ResNet-50 model of planted scores on 720p, in turns, end to end.

J is the IoU of masks, F that of their outlines within 0.8 % of the diagonal (Perazzi et al. 2016).
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageDraw

from tests.support.simulated_tracks import from_masks
from vidseg.cli.threads import limit_threads
from vidseg.detection import Every
from vidseg.detection._propagation import Keyframe, propagate
from vidseg.detection.batched import detect
from vidseg.detection.keyframes import _marked
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import tracked_objects
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import Crop, full_mask
from vidseg.video.analysis.optical_flow import FlowFinder, reduced

CLIPS = ("car-shadow", "libby", "blackswan")
BOUND = 0.008
"""Share of the diagonal by which outlines may be off, as in DAVIS."""
SIZE = (480, 854)

Mask = NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", choices=["davis", "balloons", "speed"])
    parser.add_argument("data", type=Path, nargs="*")
    parser.add_argument("--every", type=step, nargs="+", default=[2, 5, 10, "auto"])
    parser.add_argument("--clips", type=int, default=4)
    parser.add_argument("--model", default="maskrcnn_resnet50_fpn")
    parser.add_argument("--frames", type=int, default=61)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.what == "davis":
        davis(options.data[0], options.every)
    elif options.what == "balloons":
        balloons(options.data[0], options.data[1], options.every, options.clips)
    else:
        every = options.every[0] if len(options.every) == 1 else 5
        speed(options.model, options.frames, every, options.rounds)


def step(word: str) -> Every:
    return "auto" if word == "auto" else int(word)


def davis(data: Path, steps: Iterable[Every]) -> None:
    heads = ("every", "step", "J", "F", "J&F", "ceiling", "ms a frame")
    print(f"{'':12} " + " ".join(f"{head:>7}" for head in heads))
    for every in steps:
        rows = [davis_clip(data, name, every) for name in CLIPS]
        for name, row in zip((*CLIPS, "mean"), (*rows, np.mean(rows, axis=0)), strict=True):
            step, j, f, ceiling, ms = row
            scores = f"{step:7.1f} {j:7.3f} {f:7.3f} {(j + f) / 2:7.3f} {ceiling:7.3f}"
            print(f"{name:12} {every:>7} {scores} {ms:10.1f}", flush=True)


def davis_clip(data: Path, name: str, every: Every) -> tuple[float, float, float, float, float]:
    """Frames a keyframe; J, F; the J&F of soft masks on every frame; milliseconds (processor) a
    frame between."""
    images = [np.asarray(Picture.open(p).convert("RGB")) for p in _files(data, "JPEGImages", name)]
    masks = [np.asarray(Picture.open(p)) > 0 for p in _files(data, "Annotations", name)]
    soft = [as_instances([mask]) for mask in masks]
    frames = (Frame(n, Fraction(n, 24), image) for n, image in enumerate(images))
    keys = [marked.frame.index for marked in _marked(frames, every) if marked.key]
    scores, ceiling, spent, finder = [], [], 0.0, FlowFinder()
    for first, last in pairwise(keys):
        inner = range(first + 1, last)
        if not inner:
            continue
        start = time.process_time()
        ends = (Keyframe(reduced(images[n]), soft[n]) for n in (first, last))
        a, b = ends
        found = propagate(a, [reduced(images[n]) for n in inner], b, finder)
        spent += time.process_time() - start
        scores += [j_and_f(whole(one), masks[n]) for n, one in zip(inner, found, strict=True)]
        ceiling += [j_and_f(whole(soft[n]), masks[n]) for n in inner]
    j, f = np.mean(scores, axis=0)
    step = (len(images) - 1) / (len(keys) - 1)
    return step, float(j), float(f), float(np.mean(ceiling)), 1e3 * spent / len(scores)


def _files(data: Path, kind: str, name: str) -> list[Path]:
    return sorted((data / kind / "480p" / name).iterdir())


def balloons(photos: Path, backgrounds: Path, steps: Iterable[Every], clips: int) -> None:
    search = Search("balloon", model="balloon")
    scenes = [list(rendered(photos, backgrounds, seed)) for seed in range(clips)]
    print(f"{'every':>5} {'J':>6} {'F':>6} {'J&F':>6}   J&F of each clip")
    for every in (1, *steps):
        rows = np.array([balloon_clip(scene, search, every) for scene in scenes])
        (j, f), each = rows.mean(axis=0), rows.mean(axis=1).round(3).tolist()
        print(f"{every:>5} {j:6.3f} {f:6.3f} {(j + f) / 2:6.3f}   {each}", flush=True)


def balloon_clip(
    scene: list[tuple[Frame, Mask]], search: Search, every: Every
) -> NDArray[np.float64]:
    """J and F of all balloons together, tracked and smoothed as a user sees them."""
    frames = (frame for frame, _ in scene)
    found = detect(frames, search.predictor(), every=every)
    shown = tracked_objects(search, found, "video")
    scores = [j_and_f(whole(one), truth) for (_, one), (_, truth) in zip(shown, scene, strict=True)]
    return np.mean(scores, axis=0)


def rendered(
    photos: Path, backgrounds: Path, seed: int, frames: int = 40
) -> Iterator[tuple[Frame, Mask]]:
    """Balloons that drift, swing and grow, over a photo that pans and zooms, with sensor noise."""
    random = np.random.default_rng(1000 + seed)
    pictures = sorted(backgrounds.glob("*.jpg"))
    ground = _covering(
        np.asarray(Picture.open(pictures[random.integers(len(pictures))]).convert("RGB"))
    )
    cutouts = list(_cutouts(photos))
    chosen = [cutouts[n] for n in random.choice(len(cutouts), 4, replace=False)]
    paths = [_path(random) for _ in chosen]
    pan, zoom = random.uniform(-3, 3, 2), random.uniform(-0.003, 0.003)
    for index in range(frames):
        move = np.array(
            [[1 + zoom * index, 0, pan[0] * index], [0, 1 + zoom * index, pan[1] * index]]
        )
        size = SIZE[::-1]
        image = cv2.warpAffine(ground, _centred(move, ground), size, borderMode=cv2.BORDER_REFLECT)
        image, truth = image.astype(np.float32), np.zeros(SIZE, bool)
        for (colors, alpha), path in zip(chosen, paths, strict=True):
            place = path(index, alpha.shape, move[:, 2])
            over = cv2.warpAffine(alpha, place, size)[..., None]
            image = image * (1 - over) + cv2.warpAffine(colors, place, size) * over
            truth |= over[..., 0] >= 0.5
        image = (image + random.normal(0, 3, image.shape)).clip(0, 255).astype(np.uint8)
        yield Frame(index, Fraction(index, 25), image, Fraction(1, 25)), truth


def _covering(photo: Image) -> NDArray[np.float32]:
    """The photo, half as large again as a frame."""
    scale = 1.5 * max(SIZE[0] / photo.shape[0], SIZE[1] / photo.shape[1])
    return cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA).astype(
        np.float32
    )


def _centred(move: NDArray[np.float64], ground: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = move.copy()
    shifted[:, 2] -= (np.array(ground.shape[1::-1]) - SIZE[::-1]) / 2
    return shifted


def _path(random: np.random.Generator):
    """Frame index, size of the cut-out and the camera's shift to the cut-out's affine map."""
    side, growth = random.uniform(110, 230), random.uniform(-0.004, 0.006)
    x, y = random.uniform(120, SIZE[1] - 120), random.uniform(120, SIZE[0] - 120)
    dx, dy = random.uniform(-3, 3), random.uniform(-2, 1)
    swing, pace, phase = random.uniform(0.03, 0.15), random.uniform(0.1, 0.3), random.uniform(0, 6)

    def path(
        index: int, shape: tuple[int, ...], camera: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        scale = side / max(shape) * (1 + growth * index)
        angle = swing * np.sin(pace * index + phase)
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        centre = np.array([x + dx * index, y + dy * index]) + camera
        offset = centre - turn @ (np.array(shape[1::-1]) / 2)
        return np.column_stack([turn, offset])

    return path


def _cutouts(photos: Path) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Colours and opacity of every large balloon of a split."""
    regions = json.loads((photos / "via_region_data.json").read_text())
    for photo in sorted(regions.values(), key=lambda one: one["filename"]):
        picture = Picture.open(photos / photo["filename"]).convert("RGB")
        shapes = photo["regions"]
        for region in shapes.values() if isinstance(shapes, dict) else shapes:
            outline = region["shape_attributes"]
            points = list(zip(outline["all_points_x"], outline["all_points_y"], strict=True))
            (x0, y0), (x1, y1) = np.min(points, axis=0), np.max(points, axis=0)
            if min(x1 - x0, y1 - y0) < 150:
                continue
            mask = Picture.new("L", picture.size)
            ImageDraw.Draw(mask).polygon(points, fill=255)
            box = (int(x0) - 4, int(y0) - 4, int(x1) + 5, int(y1) + 5)
            alpha = np.asarray(mask.crop(box), np.float32) / 255
            yield (
                np.asarray(picture.crop(box), np.float32),
                np.asarray(cv2.GaussianBlur(alpha, (5, 5), 0), np.float32),
            )


def speed(model: str, frames: int, every: Every, rounds: int) -> None:
    """Ratios of wall and processor time, every frame beside keyframes, in turns."""
    limit_threads()  # before torch is imported, as the program does
    import torch

    import vidseg
    from tests.benchmarks.duel import make_clip
    from tests.support.planted_objects import CLASSES, planted
    from vidseg.models.inference.predictor import MaskRCNNPredictor, PredictorOptions
    from vidseg.video.decoding.reader import read_frames
    from vidseg.video.probe import probe

    with TemporaryDirectory() as folder:
        clip = make_clip(Path(folder) / "720p.mp4", 720, frames)
        image = next(read_frames(probe(clip))).image
        picture = torch.from_numpy(image.copy()).permute(2, 0, 1) / 255
        network = planted(model, 5, picture=picture)
        names = {label: str(label) for label in range(1, CLASSES)}
        predictor = MaskRCNNPredictor(network, PredictorOptions(names, precision="auto"))
        taken: dict[Every, list[tuple[float, float]]] = {1: [], every: []}
        for _ in range(rounds):
            for step in taken:
                search = Search(model=predictor, every=step)
                start, used = time.perf_counter(), time.process_time()
                vidseg.overlay(
                    clip,
                    Path(folder) / "out.mp4",
                    search=search,
                    options=vidseg.RunOptions(force=True),
                )
                taken[step].append((time.perf_counter() - start, time.process_time() - used))
    for name, n in (("seconds", 0), ("processor seconds", 1)):
        all_of_them, some = (median(one[n] for one in taken[step]) for step in taken)
        ratios = [a[n] / b[n] for a, b in zip(taken[1], taken[every], strict=True)]
        print(f"{name}: {all_of_them:.1f} to {some:.1f}; {median(ratios):.2f} times as fast")


def j_and_f(found: Mask, truth: Mask) -> tuple[float, float]:
    """Region and outline of one frame, each 0..1."""
    union = np.count_nonzero(found | truth)
    j = np.count_nonzero(found & truth) / union if union else 1.0
    ours, theirs = outline(found), outline(truth)
    if not ours.any() or not theirs.any():
        return j, float(not ours.any() and not theirs.any())
    reach = int(np.ceil(BOUND * np.hypot(*truth.shape)))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    precision = _near(ours, theirs, disc)
    recall = _near(theirs, ours, disc)
    return j, 2 * precision * recall / max(precision + recall, 1e-9)


def outline(mask: Mask) -> Mask:
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return mask & (inner == 0)


def _near(some: Mask, others: Mask, disc: NDArray) -> float:
    wide = cv2.dilate(others.astype(np.uint8), disc) > 0
    return np.count_nonzero(some & wide) / np.count_nonzero(some)


def whole(instances: Instances) -> Mask:
    """All objects of a frame together."""
    mask = np.zeros(instances.size, bool)
    for row in range(len(instances)):
        mask |= full_mask(instances, row)
    return mask


def as_instances(masks: list[Mask]) -> Instances:
    size = masks[0].shape
    crops = [Crop(slice(0, size[0]), slice(0, size[1]), mask) for mask in masks if mask.any()]
    ids = list(range(1, len(crops) + 1))
    return from_masks(crops, ids=ids, labels=[1] * len(crops), size=(size[0], size[1]))


if __name__ == "__main__":
    main()
