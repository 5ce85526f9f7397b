"""How fast the network alone is, beside torchvision's `model([image])` with the same weights.

    python -m tests.benchmarks.network [--model balloon_maskrcnn ...] [--objects 5]
                                       [--precision auto] [--device cpu] [--rounds 3] [--batch 1]

ResNet-50 models have random weights with planted objects (`tests.support.planted_objects`); the
bundled one has its
own and looks at a frame of the example video. Before the clock runs, float32 must find what
torchvision finds and the precision asked for as many objects. Both ways then run in turns; a round
gives one ratio, and the medians of the rounds count. On the CPU, with one thread, the clock is
processor time, which a busy machine does not stretch. JSON on stdout, a table on stderr.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from statistics import median

import numpy as np
import torch
from torchvision.models.detection import MaskRCNN

from tests.benchmarks.duel import EXAMPLE, machine
from tests.support.planted_objects import CLASSES, planted
from vidseg.models.architectures import ARCHITECTURES
from vidseg.models.catalog import class_names
from vidseg.models.device import resolve_device
from vidseg.models.inference.forward import detect_boxes, extract_features, predict_masks
from vidseg.models.inference.predictor import MaskRCNNPredictor, PredictorOptions
from vidseg.models.inference.preprocess import preprocess
from vidseg.models.inference.proposals import propose_regions
from vidseg.models.predictor import load_network
from vidseg.structures.frame import Image
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

MODELS = ("maskrcnn_resnet50_fpn", "maskrcnn_resnet50_fpn_v2", "balloon_maskrcnn")
PARTS = ("pre-process", "backbone", "rpn", "box head", "mask head")
SCORE = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", default=MODELS)
    parser.add_argument("--objects", type=int, default=5)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(1)
    image = next(read_frames(probe(EXAMPLE))).image
    results = [measure(name, image, options) for name in options.model]
    print_table(results)
    print(json.dumps({**machine(), "results": results}, indent=2))


def measure(name: str, image: Image, options: argparse.Namespace) -> dict:
    network, names = make(name, image, options.objects)
    device = resolve_device(options.device)
    float32 = PredictorOptions(names, device, keep_score=SCORE)
    exact = MaskRCNNPredictor(deepcopy(network), float32)
    asked = replace(float32, precision=options.precision, batch_size=options.batch)
    fast = MaskRCNNPredictor(deepcopy(network), asked)
    network.to(device)
    images = [image] * options.batch
    objects = verify(network, exact, fast, image)
    ways = {"torchvision": lambda: plain(network, images), "vidseg": lambda: fast.predict(images)}
    rounds = [
        {way: clock(run, device) / options.batch for way, run in ways.items()}
        for _ in range(options.rounds)
    ]
    return {
        "model": name,
        "objects": objects,
        "precision": str(fast.precision).removeprefix("torch."),
        "device": device.type,
        "milliseconds": {way: round(median(r[way] for r in rounds) * 1e3, 1) for way in ways},
        "speed": round(median(r["torchvision"] / r["vidseg"] for r in rounds), 2),
        "speeds": [round(r["torchvision"] / r["vidseg"], 2) for r in rounds],
        "stages": network_stages(fast, images, device, rounds=options.rounds),
    }


def make(name: str, image: Image, objects: int) -> tuple[MaskRCNN, dict[int, str]]:
    if name not in ARCHITECTURES:
        network = load_network(name)
        if not isinstance(network, MaskRCNN):
            raise SystemExit(f"{name} is no Mask R-CNN; see tests.benchmarks.everyday.")
        return network, class_names(name)
    picture = torch.from_numpy(image).permute(2, 0, 1) / 255
    return planted(name, objects, picture=picture), {i: str(i) for i in range(1, CLASSES)}


def plain(network: MaskRCNN, images: list[Image]) -> dict[str, torch.Tensor]:
    """What torchvision finds in the last image; one after the other, as one writes it."""
    device = next(network.parameters()).device
    found: dict[str, torch.Tensor] = {}
    for image in images:
        with torch.inference_mode():
            (found,) = network([torch.from_numpy(image).to(device).permute(2, 0, 1) / 255])
        found = {key: values.cpu() for key, values in found.items()}
    return found


def verify(
    network: MaskRCNN, exact: MaskRCNNPredictor, fast: MaskRCNNPredictor, image: Image
) -> int:
    """How many objects all ways find; the exact one at the same places."""
    found = plain(network, [image])
    boxes = found["boxes"][found["scores"] > SCORE].numpy()
    (ours,), (quick,) = exact.predict([image]), fast.predict([image])
    if len(ours) != len(boxes) or len(quick) != len(boxes):
        raise SystemExit(f"Objects: {len(boxes)}, {len(ours)} in float32, {len(quick)} fast.")
    if (
        exact.device.type == "cpu"
        and np.abs(np.sort(ours.boxes, 0) - np.sort(boxes, 0)).max() > 0.02
    ):
        raise SystemExit("In float32 the boxes are not those of torchvision.")
    return len(boxes)


def network_stages(
    predictor: MaskRCNNPredictor, images: list[Image], device: torch.device, *, rounds: int
) -> dict[str, float]:
    """Median milliseconds an image of each part of our way."""
    model, box_filter = predictor._model, predictor._filter
    pixels = torch.from_numpy(np.stack(images)).to(device)
    rows = []
    for _ in range(rounds):
        with torch.inference_mode():
            times = [now(device)]
            ready = preprocess(model, pixels, predictor.precision)
            times.append(now(device))
            features = extract_features(model, ready)
            times.append(now(device))
            maps = list(features.values())
            regions = propose_regions(model, maps, ready, max_proposals=box_filter.max_proposals)
            times.append(now(device))
            found = detect_boxes(model, features, regions, ready, box_filter)
            times.append(now(device))
            predict_masks(model, features, found, ready)
            times.append(now(device))
        rows.append(np.diff(times))
    medians = np.median(rows, axis=0) * 1e3 / len(images)
    return dict(zip(PARTS, medians.round(1).tolist(), strict=True))


def clock(run: Callable[[], object], device: torch.device) -> float:
    start = now(device)
    run()
    return now(device) - start


def now(device: torch.device) -> float:
    """Seconds, when all that was asked of the device is done."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def print_table(results: list[dict]) -> None:
    line = "{:<28} {:>7} {:>12} {:>9} {:>7}  {}"
    titles = ("model", "objects", "torchvision", "vidseg", "speed", "stages, ms")
    print(line.format(*titles), file=sys.stderr)
    for result in results:
        took = result["milliseconds"]
        parts = ", ".join(f"{part} {ms}" for part, ms in result["stages"].items())
        cells = (result["model"], result["objects"], took["torchvision"], took["vidseg"])
        print(line.format(*map(str, cells), str(result["speed"]), parts), file=sys.stderr)


if __name__ == "__main__":
    main()
