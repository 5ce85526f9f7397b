"""`everyday` without torch: on ONNX Runtime, as a predictor of vidseg and as a small web service.

    pip install 'vidseg[onnx]' && vidseg export --onnx everyday everyday_onnx
    python examples/onnx_everyday.py everyday_onnx --port 8000
    curl --data-binary @photo.jpg http://127.0.0.1:8000/

The answer is a JSON list of objects: class, score, box (xyxy) and mask (COCO RLE). The same
predictor finds objects in videos, for the folder that VIDSEG_ONNX names:

    export VIDSEG_ONNX=everyday_onnx
    vidseg overlay --model examples/onnx_everyday.py:predictor in.mp4 out.mp4

Serves this machine only, one photo at a time, of at most 20 MB.
"""

import argparse
import json
import os
from collections.abc import Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import cv2
import numpy as np
import onnxruntime  # pyright: ignore[reportMissingImports]
from numpy.typing import NDArray

from vidseg.structures.frame import Image
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import instance_rle

MAX_BYTES = 20_000_000
NMS_IOU = 0.6
MAX_OBJECTS = 100
"""As in NanoDet."""
Floats = NDArray[np.float32]


class OnnxEveryday:
    """Finds objects with the networks in a folder of `vidseg export --onnx everyday`."""

    def __init__(self, folder: str | Path, *, keep_score: float = 0.1, threads: int = 0) -> None:
        """`threads` of 0 are as many as there are cores."""
        folder = Path(folder)
        self._facts = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        self.classes = {int(label): name for label, name in self._facts["classes"].items()}
        self.input_size = self._facts["shorter_side"], self._facts["longest_side"]
        self.keep_score = keep_score
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._heads, self._masks = (
            onnxruntime.InferenceSession(folder / f"{name}.onnx", options)
            for name in ("heads", "masks")
        )

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        return [self._look(image) for image in images]

    def _look(self, image: Image) -> Instances:
        pixels, size = self._prepared(image)
        *levels, fine, coarse = self._heads.run(None, {"images": pixels})
        boxes, scores, labels = self._boxes(levels, size)
        masks = np.zeros((0, 28, 28), np.float32)
        if len(boxes):
            given = {"fine": fine, "coarse": coarse, "boxes": boxes, "labels": labels}
            masks = _sigmoid(self._masks.run(None, given)[0])
        height, width = image.shape[:2]
        factor = np.array([width / size[1], height / size[0]] * 2, np.float32)
        return Instances(
            boxes=np.minimum(boxes * factor, np.array([width, height] * 2, np.float32)),
            masks=np.rint(masks * 255).astype(np.uint8),
            scores=scores,
            labels=labels,
            ids=np.full(len(boxes), UNTRACKED, np.int64),
            size=(height, width),
            names=self.classes,
        )

    def _prepared(self, image: Image) -> tuple[Floats, tuple[int, int]]:
        """(1, 3, H, W) normalised and padded, and the height and width without padding."""
        shorter, longest = self.input_size
        scale = float(
            np.float32(min(shorter / min(image.shape[:2]), longest / max(image.shape[:2])))
        )
        height, width = (int(side * scale) for side in image.shape[:2])
        resized = cv2.resize(image.astype(np.float32), (width, height))
        multiple = self._facts["size_divisible"]
        down, across = (-(-side // multiple) * multiple for side in (height, width))
        padded = np.zeros((down, across, 3), np.float32)
        mean, std = (np.array(self._facts[name], np.float32) for name in ("mean", "std"))
        padded[:height, :width] = (resized - mean) / std
        return np.ascontiguousarray(padded.transpose(2, 0, 1)[None]), (height, width)

    def _boxes(
        self, levels: list[Floats], size: tuple[int, int]
    ) -> tuple[Floats, Floats, NDArray[np.int64]]:
        """Boxes in pixels of the network's input, scores and labels, best first."""
        bins = self._facts["bins"]
        found = []
        for stride, level in zip(self._facts["strides"], levels, strict=True):
            scores = _sigmoid(level[0, : -4 * bins])
            kinds, rows, columns = np.nonzero(scores > self.keep_score)
            sides = level[0, -4 * bins :, rows, columns].reshape(-1, 4, bins)
            likely = np.exp(sides - sides.max(-1, keepdims=True))
            away = (likely / likely.sum(-1, keepdims=True)) @ np.arange(bins) * stride
            centre = np.stack([columns, rows], 1) * stride
            boxes = np.concatenate([centre - away[:, :2], centre + away[:, 2:]], 1)
            found.append((boxes, scores[kinds, rows, columns], kinds + 1))
        boxes, scores, labels = (np.concatenate(parts) for parts in zip(*found, strict=True))
        boxes = boxes.clip(0, np.array([size[1], size[0]] * 2)).astype(np.float32)
        large = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)
        boxes, scores, labels = boxes[large], scores[large], labels[large]
        kept = _best(boxes, scores, labels)
        return boxes[kept], scores[kept], labels[kept].astype(np.int64)


def _best(boxes: Floats, scores: Floats, labels: NDArray[np.int64]) -> list[int]:
    """Rows after NMS within each class, best score first."""
    waiting, kept = np.argsort(-scores, kind="stable"), []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    while len(waiting) and len(kept) < MAX_OBJECTS:
        one, waiting = waiting[0], waiting[1:]
        kept.append(int(one))
        low = np.maximum(boxes[one, :2], boxes[waiting, :2])
        high = np.minimum(boxes[one, 2:], boxes[waiting, 2:])
        shared = (high - low).clip(min=0).prod(axis=1)
        iou = shared / (areas[one] + areas[waiting] - shared)
        waiting = waiting[(iou <= NMS_IOU) | (labels[waiting] != labels[one])]
    return kept


def _sigmoid(values: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-values)), np.float32)


def predictor() -> OnnxEveryday:
    """For `--model examples/onnx_everyday.py:predictor`."""
    return OnnxEveryday(os.environ.get("VIDSEG_ONNX", "everyday_onnx"))


def serve(model: OnnxEveryday, port: int) -> HTTPServer:
    """A server on this machine alone that answers a photo with its objects."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if not 0 < length <= MAX_BYTES:
                self.send_error(413, f"Send a photo of at most {MAX_BYTES} bytes.")
                return
            bgr = cv2.imdecode(np.frombuffer(self.rfile.read(length), np.uint8), cv2.IMREAD_COLOR)
            if bgr is None:
                self.send_error(400, "This is no photo.")
                return
            (found,) = model.predict([np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)])
            body = json.dumps(answer(found)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return HTTPServer(("127.0.0.1", port), Handler)


def answer(found: Instances) -> list[dict[str, object]]:
    return [
        {
            "class": one.name,
            "score": round(one.score, 4),
            "box": [round(side, 1) for side in one.box],
            "mask": instance_rle(found, one.row),
        }
        for one in found
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--score", type=float, default=0.5)
    options = parser.parse_args()
    server = serve(OnnxEveryday(options.folder, keep_score=options.score), options.port)
    print(f"http://127.0.0.1:{server.server_port}/")
    server.serve_forever()


if __name__ == "__main__":
    main()
