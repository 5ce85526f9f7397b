"""How reading of mutated photos and videos ends: told, warned of, whole, or fewer frames unseen.

    python -m tests.benchmarks.mutations [--count 1000] [KIND ...]

The kinds and their faults are those of `tests/video/test_mutated_inputs.py`; each file is read
without and with `keep_going`. On stdout comes a line of JSON for each kind.
"""

import argparse
import json
import logging
import random
import time
import warnings
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.video.test_mutated_inputs import KINDS, mutated
from vidseg.errors import InputError
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe


class Warnings(logging.Handler):
    """Counts the library's warnings."""

    count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self.count += 1


def ending(path: Path, frames: int, said: Warnings, *, keep_going: bool) -> str:
    """One word or two about how reading ended; `frames` are those of the whole file."""
    said.count = 0
    try:
        found = sum(1 for _ in read_frames(probe(path), keep_going=keep_going))
    except InputError:
        return "told"
    except Exception as error:
        return f"traceback of {type(error).__name__}"
    if found >= frames:
        return "all frames"
    return "fewer, warned" if said.count else "fewer, silent"


def measure(kind: str, count: int, folder: Path, said: Warnings) -> dict[str, object]:
    path = KINDS[kind](folder)
    whole, frames = path.read_bytes(), sum(1 for _ in read_frames(probe(path)))
    ends, slowest = Counter[str](), 0.0
    for seed in range(count):
        path.write_bytes(mutated(whole, random.Random(f"{kind} {seed}")))
        for keep_going in (False, True):
            began = time.monotonic()
            ends[ending(path, frames, said, keep_going=keep_going)] += 1
            slowest = max(slowest, time.monotonic() - began)
    return {"kind": kind, **ends, "slowest_seconds": round(slowest, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("kinds", nargs="*", metavar="KIND", default=[*KINDS])
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    said = Warnings(logging.WARNING)
    logging.getLogger("vidseg").addHandler(said)
    for kind in options.kinds:
        with TemporaryDirectory() as folder:
            print(json.dumps(measure(kind, options.count, Path(folder), said)), flush=True)


if __name__ == "__main__":
    main()
