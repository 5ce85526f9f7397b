"""What passes before the model looks at the first frame, each part in the order of a run.

    python -m tests.benchmarks.start [--model balloon]

Seconds to import OpenCV; torch; the rest; to load the model and make it ready (with torchvision,
which `everyday` does without); to open the example video and decode its first frame; then what the
first frame and the second take the model. JSON on stdout. Run it twice: the first run reads all
files from the disk.
"""

import argparse
import importlib
import json
import time

from vidseg.cli.threads import limit_threads

REST = (
    "vidseg.pipeline.shortcuts",
    "vidseg.pipeline.run",
    "vidseg.pipeline.search",
    "vidseg.pipeline.outputs",
    "vidseg.effects",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--model", default="balloon")
    options = parser.parse_args()
    times, last = {}, time.perf_counter()

    def done(part: str) -> None:
        nonlocal last
        now = time.perf_counter()
        times[part], last = round(now - last, 2), now

    limit_threads()
    done("OpenCV and numpy")
    predict = importlib.import_module("vidseg.models.predictor")
    done("torch")
    for name in REST:
        importlib.import_module(name)
    done("other imports")
    predictor = predict.load_predictor(options.model)
    done("model loaded and made ready")
    from tests.benchmarks.duel import EXAMPLE
    from vidseg.video.decoding.reader import read_frames
    from vidseg.video.probe import probe

    image = next(read_frames(probe(EXAMPLE))).image
    done("first frame")
    for part in ("first prediction", "second prediction"):
        predictor.predict([image])
        done(part)
    print(json.dumps(times, indent=2))


if __name__ == "__main__":
    main()
