"""How fast `vidseg overlay` is, beside the plain way of moviepy and torchvision.

    python -m tests.benchmarks.overlay [--model balloon_maskrcnn] [--objects 5] [--precision auto]
                                       [--device cpu] [--height 720 1080] [--frames 48] [--rounds 3]

The plain way is moviepy's `image_transform` over a function that runs torchvision's model on one
frame and draws with `draw_segmentation_masks` and `draw_bounding_boxes`. Both have the same
weights, write H.264, veryfast, crf 18, and show objects from a score of 0.5; making the network is
not counted, making it ready is. Models of `ARCHITECTURES` have random weights with so many planted
objects (`tests.support.planted_objects`), the others their own. Before the clock runs, both must
find the same
objects and have drawn on the same places (planted ones: as many), and vidseg must have written
every frame. On stdout comes JSON, on stderr a table; `speed` and `cpu` are as in `io`.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from moviepy import VideoFileClip
from numpy.typing import NDArray
from torchvision.models.detection import MaskRCNN
from torchvision.ops import box_iou
from torchvision.utils import draw_bounding_boxes, draw_segmentation_masks

import vidseg
from tests.benchmarks.duel import (
    Run,
    count_frames,
    duel,
    machine,
    make_clip,
    pictures,
    print_table,
    run,
    work,
)
from tests.benchmarks.network import make
from vidseg.cli.threads import limit_threads
from vidseg.cpu_budget import threads_per_frame
from vidseg.models.architectures import ARCHITECTURES
from vidseg.models.catalog import class_names
from vidseg.models.device import resolve_device
from vidseg.models.inference.predictor import MaskRCNNPredictor, PredictorOptions
from vidseg.pipeline.search import DEFAULT_KEEP_SCORE, Search
from vidseg.structures.colors import color_of
from vidseg.structures.frame import Image
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

MODULE = "tests.benchmarks.overlay"
THREADS = {"vidseg": {"OMP_NUM_THREADS": str(threads_per_frame()), "OMP_WAIT_POLICY": "passive"}}
"""What the program sets before it imports torch; the plain way has torch's own defaults."""
SURE, LEAST_IOU = 0.6, 0.75
SCORE = 0.5


def search_with(network: MaskRCNN, options: argparse.Namespace) -> Search:
    """A search with a network that is there already; the names of planted objects are COCO's."""
    names = class_names(
        "maskrcnn_resnet50_fpn" if options.model in ARCHITECTURES else options.model
    )
    device = resolve_device(options.device)
    about = PredictorOptions(names, device, options.precision, keep_score=DEFAULT_KEEP_SCORE)
    return Search(model=MaskRCNNPredictor(network, about), score=SCORE)


def first_picture(source: Path) -> Image:
    return next(read_frames(probe(source))).image


def vidseg_way(source: Path, target: Path, *, search: Search) -> None:
    vidseg.overlay(
        source, target, search=search, color_by="class", options=vidseg.RunOptions(force=True)
    )


def plain_way(
    source: Path, target: Path, *, network: MaskRCNN, names: Mapping[int, str], device: str
) -> None:
    place = resolve_device(device)
    draw = partial(drawn, network.to(place), names, place)
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


def drawn(network: MaskRCNN, names: Mapping[int, str], device: torch.device, image: Image) -> Image:
    found = find(network, image, device)
    scored = zip(found["labels"].tolist(), found["scores"].tolist(), strict=True)
    texts = [f"{names.get(label, label)} {score:.0%}" for label, score in scored]
    picture = torch.from_numpy(image.copy()).permute(2, 0, 1)
    if texts:
        colors: list[Any] = [color_of(label) for label in found["labels"].tolist()]
        picture = draw_segmentation_masks(picture, found["masks"][:, 0] >= 0.5, 0.5, colors)
        picture = draw_bounding_boxes(picture, found["boxes"], texts, colors, width=2)
    return picture.permute(1, 2, 0).numpy()


def way(name: str, source: Path, options: argparse.Namespace) -> Callable[[Path, Path], None]:
    """One way with its network."""
    network, names = make(options.model, first_picture(source), options.objects)
    if name == "vidseg":
        limit_threads()
        return partial(vidseg_way, search=search_with(network, options))
    return partial(plain_way, network=network, names=names, device=options.device)


def verify_found(source: Path, options: argparse.Namespace) -> dict[str, float]:
    """What one way is sure of the other must see too, here in every tenth frame, in its place.

    In reduced precision scores move by a point or two, so objects may pass 0.5 in one way alone,
    and those that are nearly as sure may change places. Random weights may put planted objects
    anywhere.
    """
    network, _ = make(options.model, first_picture(source), options.objects)
    copy, _ = make(options.model, first_picture(source), options.objects)
    predictor, device = search_with(copy, options).predictor(), resolve_device(options.device)
    network.to(device)
    overlaps: list[float] = []
    for frame in read_frames(probe(source)):
        if frame.index % 10:
            continue
        plain = {k: v.numpy() for k, v in find(network, frame.image, device).items()}
        (ours,) = predictor.predict([frame.image])
        shown = ours.scores > SCORE
        if options.model in ARCHITECTURES:
            return same_count(int(shown.sum()), len(plain["boxes"]))
        iou = box_iou(torch.from_numpy(ours.boxes[shown]), torch.from_numpy(plain["boxes"])).numpy()
        iou *= ours.labels[shown][:, None] == plain["labels"]
        overlaps += iou[ours.scores[shown] > SURE].max(1, initial=0).tolist()
        overlaps += iou[:, plain["scores"] > SURE].max(0, initial=0).tolist()
    if min(overlaps, default=1) < LEAST_IOU:
        raise SystemExit(f"A sure object of one way is not in the other: IoU {min(overlaps):.2f}.")
    return {"sure_objects": len(overlaps) // 2, "box_iou": round(float(np.mean(overlaps)), 4)}


def same_count(ours: int, plain: int) -> dict[str, float]:
    if ours != plain:
        raise SystemExit(f"vidseg finds {ours} objects, torchvision {plain}.")
    return {"objects": ours}


def verify_drawn(source: Path, targets: dict[str, Path], *, places: bool) -> dict[str, object]:
    """How many frames each way wrote, and the IoU, over all frames, of the places drawn on.

    Ours must have every frame; moviepy loses the last one of some clips.
    """
    written = {way: count_frames(target) for way, target in targets.items()}
    if written["vidseg"] != count_frames(source):
        raise SystemExit(f"vidseg wrote {written['vidseg']} of {count_frames(source)} frames.")
    if not places:
        return {"written": written}
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


def measure(folder: Path, height: int, options: argparse.Namespace) -> dict[str, Any]:
    source = make_clip(folder / f"{height}p.mp4", height, options.frames)
    targets = {name: folder / f"{height}p_{name}.mp4" for name in ("plain", "vidseg")}
    runs = {name: partial(run_way, name, source, out, options) for name, out in targets.items()}
    for once in runs.values():
        once()
    return {
        "model": options.model,
        "height": height,
        "frames": options.frames,
        **verify_found(source, options),
        **verify_drawn(source, targets, places=options.model not in ARCHITECTURES),
        **duel(runs, options.rounds),
    }


def run_way(name: str, source: Path, target: Path, options: argparse.Namespace) -> Run:
    """One way in a process of its own."""
    words = ("--model", options.model, "--objects", str(options.objects))
    words += ("--precision", options.precision, "--device", options.device)
    return run(MODULE, name, source, target, *words, environment=THREADS.get(name))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="balloon_maskrcnn")
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--height", type=int, nargs="+", default=[720, 1080])
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--way", choices=("plain", "vidseg"), help=argparse.SUPPRESS)
    parser.add_argument("files", type=Path, nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    options = parse()
    if options.way:
        work(way(options.way, options.files[0], options), *options.files)
        return
    with TemporaryDirectory() as folder:
        results = [measure(Path(folder), height, options) for height in options.height]
    print(json.dumps({**machine(), "model": options.model, "results": results}, indent=2))
    print_table(results)


if __name__ == "__main__":
    main()
