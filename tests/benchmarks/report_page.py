"""Size of a report's page, and how soon a browser can use it: 10,000 frames and 300 tracks.

    python -m tests.benchmarks.report_page [FOLDER]

Makes a video with simulated tracks and their detections, writes the report, and opens it in
Chromium (with Playwright, `pip install playwright`). Prints JSON: bytes of the page; seconds by the
clock and of the processor, and peak memory, of making it; milliseconds in the browser until it is
interactive and loaded, until an opened track is painted, and until the sorted list is painted.
"""

import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

import vidseg
from tests.support.pages import opened
from tests.support.saved_videos import many_tracks, save_detections, write_video
from vidseg.structures.frame import Image

FRAMES, TRACKS = 10_000, 300
PAINTED = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"
"""JavaScript that ends after the next frame is painted."""


def pictures(frames: int) -> Iterator[Image]:
    """A textured ground that moves: as costly to store as a photo."""
    random = np.random.default_rng(3)
    ground = cv2.GaussianBlur(random.integers(0, 255, (420, 1200, 3), np.uint8), (0, 0), 2)
    spread = cv2.normalize(ground, np.empty_like(ground), 0, 255, cv2.NORM_MINMAX)
    ground = np.asarray(spread, np.uint8)
    for index in range(frames):
        left = index % 500
        yield np.ascontiguousarray(ground[:360, left : left + 640])


def timed(page: object, action: str) -> float:
    """Milliseconds until JavaScript has run and its result is painted."""
    script = f"async () => {{ const t = performance.now(); {action}; await ({PAINTED})(); "
    return page.evaluate(script + "return performance.now() - t; }")  # type: ignore[attr-defined]


def main(folder: Path) -> None:
    page = folder / "out.html"
    if not (folder / "in.vidseg").exists():
        video = write_video(folder / "in.mp4", pictures(FRAMES))
        save_detections(folder / "in.vidseg", video, many_tracks(frames=FRAMES, tracks=TRACKS))
    began, work = time.monotonic(), time.process_time()
    options = vidseg.RunOptions(force=True)
    result = vidseg.report(folder / "in.vidseg", page, options=options)
    seconds = time.monotonic() - began
    processor = time.process_time() - work
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    facts = {"found": str(result), "bytes": page.stat().st_size, "seconds": round(seconds, 1)}
    facts["processor_seconds"] = round(processor, 1)
    facts["peak_mb"] = round(peak)
    with opened(page) as tab:
        entry = "performance.getEntriesByType('navigation')[0]"
        facts["interactive_ms"] = round(tab.page.evaluate(f"{entry}.domInteractive"))
        facts["loaded_ms"] = round(tab.page.evaluate(f"{entry}.loadEventEnd"))
        open_one = "document.querySelector('#track-150').open = true"
        facts["open_ms"] = round(timed(tab.page, open_one))
        sort = (
            "const s = document.querySelector('[data-do=sort]'); s.value = 'score'; "
            "s.dispatchEvent(new Event('change', {bubbles: true}))"
        )
        facts["sort_ms"] = round(timed(tab.page, sort))
        facts["complaints"] = tab.complaints
    print(json.dumps(facts, indent=2))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
