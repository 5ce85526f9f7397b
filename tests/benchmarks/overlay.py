"""How fast `vidseg overlay` is, beside the plain way of moviepy and torchvision.

    python -m tests.benchmarks.overlay [--model balloon] [--device cpu] [--height 720 1080]
                                       [--frames 48] [--rounds 3]

The plain way is moviepy's `image_transform` over a function that runs torchvision's model on one
frame and draws with `draw_segmentation_masks` and `draw_bounding_boxes`. Both have the same
weights, write H.264, veryfast, crf 18, and show objects from a score of 0.5; loading the model
counts. Before the clock runs, both must find the same objects and have drawn on the same places,
and vidseg must have written every frame. On stdout comes JSON, on stderr a table; `speed` and `cpu`
are as in `io`.
"""

import argparse
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from moviepy import VideoFileClip
from numpy.typing import NDArray
from torchvision.models.detection import MaskRCNN
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

import vidseg
from tests.benchmarks.duel import (
    count_frames,
    duel,
    machine,
    make_clip,
    pictures,
    print_table,
    run,
    work,
)
from vidseg.boxes import box_iou_matrix
from vidseg.frame import Image
from vidseg.models.catalog import class_names
from vidseg.predict import load_network, load_predictor
from vidseg.video.probe import probe
from vidseg.video.reader import read_frames

MODULE = "tests.benchmarks.overlay"
SURE, LEAST_IOU = 0.6, 0.75
SCORE = 0.5


def vidseg_way(source: Path, target: Path, *, model: str, device: str) -> None:
    vidseg.overlay(source, target, model=model, device=device, score=SCORE, force=True)


def plain_way(source: Path, target: Path, *, model: str, device: str) -> None:
    network = load_network(model).to(device)
    draw = partial(drawn, network, class_names(model), torch.device(device))
    with VideoFileClip(str(source)) as clip:
        clip.image_transform(draw).write_videofile(
            str(target),
            codec="libx264",
            preset="veryfast",
            ffmpeg_params=["-crf", "18", "-pix_fmt", "yuv420p"],
            logger=None,
        )


def find(network: MaskRCNN, image: Image, device: torch.device) -> dict[str, torch.Tensor]:
    """Torchvision's own answer for one picture, from `SCORE` on."""
    picture = torch.from_numpy(image.copy()).to(device).permute(2, 0, 1)
    with torch.inference_mode():
        (found,) = network([picture / 255])
    return {name: values[found["scores"] > SCORE].cpu() for name, values in found.items()}


def drawn(network: MaskRCNN, names: dict[int, str], device: torch.device, image: Image) -> Image:
    found = find(network, image, device)
    scored = zip(found["labels"].tolist(), found["scores"].tolist(), strict=True)
    texts = [f"{names[label]} {score:.0%}" for label, score in scored]
    picture = torch.from_numpy(image.copy()).permute(2, 0, 1)
    if texts:
        picture = draw_segmentation_masks(picture, found["masks"][:, 0] >= 0.5, alpha=0.5)
        picture = draw_bounding_boxes(picture, found["boxes"], texts, width=2)
    return picture.permute(1, 2, 0).numpy()


WAYS: dict[str, Callable[..., None]] = {"plain": plain_way, "vidseg": vidseg_way}


def verify_found(source: Path, model: str, device: str) -> dict[str, float]:
    """What one way is sure of the other must see too, here in every tenth frame, in its place.

    In reduced precision scores move by a point or two, so objects may pass 0.5 in one way alone,
    and those that are nearly as sure may change places.
    """
    network, predictor = load_network(model).to(device), load_predictor(model, device=device)
    overlaps: list[float] = []
    for frame in read_frames(probe(source)):
        if frame.index % 10:
            continue
        plain = {k: v.numpy() for k, v in find(network, frame.image, torch.device(device)).items()}
        (ours,) = predictor.predict([frame.image])
        shown = ours.scores > SCORE
        iou = box_iou_matrix(ours.boxes[shown], plain["boxes"])
        iou *= ours.labels[shown][:, None] == plain["labels"]
        overlaps += iou[ours.scores[shown] > SURE].max(1, initial=0).tolist()
        overlaps += iou[:, plain["scores"] > SURE].max(0, initial=0).tolist()
    if min(overlaps, default=1) < LEAST_IOU:
        raise SystemExit(f"A sure object of one way is not in the other: IoU {min(overlaps):.2f}.")
    return {"sure_objects": len(overlaps) // 2, "box_iou": round(float(np.mean(overlaps)), 4)}


def verify_drawn(source: Path, targets: dict[str, Path]) -> dict[str, object]:
    """How many frames each way wrote, and the IoU, over all frames, of the places drawn on.

    Ours must have every frame; moviepy loses the last one of some clips.
    """
    written = {way: count_frames(target) for way, target in targets.items()}
    if written["vidseg"] != count_frames(source):
        raise SystemExit(f"vidseg wrote {written['vidseg']} of {count_frames(source)} frames.")
    before = pictures(source)
    plain, ours = (changed(before, pictures(target)) for target in targets.values())
    plain, ours = plain[: len(ours)], ours[: len(plain)]
    overlap = float((plain & ours).sum() / max((plain | ours).sum(), 1))
    if overlap < 0.7:
        raise SystemExit(f"The two ways draw on other places: IoU {overlap:.2f}.")
    return {"written": written, "drawn_iou": round(overlap, 3)}


def changed(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels of which frames look otherwise, (N, H, W)."""
    pairs = zip(before, after, strict=False)
    return np.array([np.abs(a.astype(np.int16) - b).max(2) > 30 for a, b in pairs])


def measure(folder: Path, height: int, options: argparse.Namespace) -> dict[str, object]:
    model, device = options.model, options.device
    source = make_clip(folder / f"{height}p.mp4", height, options.frames)
    targets = {way: folder / f"{height}p_{way}.mp4" for way in WAYS}
    words = ("--model", model, "--device", device)
    runs = {way: partial(run, MODULE, way, source, out, *words) for way, out in targets.items()}
    for once in runs.values():
        once()
    return {
        "height": height,
        "frames": options.frames,
        **verify_found(source, model, device),
        **verify_drawn(source, targets),
        **duel(runs, options.rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="balloon")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--height", type=int, nargs="+", default=[720, 1080])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("files", type=Path, nargs="*", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        way = partial(WAYS[options.way], model=options.model, device=options.device)
        work(way, *options.files)
        return
    with TemporaryDirectory() as folder:
        results = [measure(Path(folder), height, options) for height in options.height]
    print(json.dumps({**machine(), "model": options.model, "results": results}, indent=2))
    print_table(results)


if __name__ == "__main__":
    main()
