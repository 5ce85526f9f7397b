"""Do two checkouts make the same files, byte for byte, with every command on the example video?

    python -m tests.benchmarks.same_outputs OLD_CHECKOUT [NEW_CHECKOUT] [--only NAME...]

Each command runs in a process of its own with that checkout's vidseg. Prints one line per command,
and exits 1 where a file differs, is missing, or is new.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "examples" / "balloons.mp4"
PHOTO = ROOT / "examples" / "balloons.jpg"
SPAN = "--end 0.8"
FOUND = "{work}/found.vidseg"
"""Detections that the first command saves; the later ones draw from them, without the model."""

COMMANDS = {
    "detect": f"detect --model balloon {SPAN} {{clip}} {{out}}/found.vidseg",
    "detect-every": f"detect --model balloon --compact {SPAN} --every 5 {{clip}} {{out}}/5.vidseg",
    "overlay": f"overlay --model balloon {SPAN} {{clip}} {{out}}/out.mp4",
    "overlay-found": f"overlay --detections {FOUND} {SPAN} --contours {{clip}} {{out}}/out.mov",
    "overlay-photo": "overlay --model balloon {photo} {out}/out.png",
    "splash": f"splash --detections {FOUND} {SPAN} {{clip}} {{out}}/out.mp4",
    "draw": f"draw --detections {FOUND} {SPAN} --effect pixelate --effect contour {{clip}} "
    "{out}/out.mp4",
    "draw-background": f"draw --detections {FOUND} {SPAN} --effect blur-background "
    "--effect halo --effect trace {clip} {out}/out.gif",
    "cutout": f"cutout --detections {FOUND} {SPAN} {{clip}} {{out}}/out.mov",
    "cutout-photo": "cutout --model balloon {photo} {out}/objects",
    "frames": f"frames --detections {FOUND} {SPAN} --per-object --image {{clip}} {{out}}/masks",
    "run": f"run {{clip}} --detections {FOUND} {SPAN} --follow largest --to overlay={{out}}/a.mp4 "
    "--to frames={out}/masks --to csv={out}/a.csv",
} | {
    f"export-{name}": f"export --format {name} {FOUND} {{out}}/out{ending}"
    for name, ending in {
        "davis": "",
        "png16": "",
        "objects": "",
        "coco": ".json",
        "coco-dataset": ".json",
        "ytvis": ".json",
        "mots": ".txt",
        "yolo": "",
        "labelme": "",
        "via": ".json",
        "npz": ".npz",
        "csv": ".csv",
    }.items()
}


def run(checkout: Path, command: str, work: Path, name: str) -> dict[str, str]:
    """File to SHA-256 of what the command writes with the vidseg of this checkout."""
    out = work / name
    out.mkdir(parents=True)
    words = command.format(clip=CLIP, photo=PHOTO, out=out, work=work).split()
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "vidseg", *words, "-q"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        return {"failed": done.stderr.strip()}
    if name == "detect":
        (work / "found.vidseg").write_bytes((out / "found.vidseg").read_bytes())
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path, nargs="?", default=ROOT)
    parser.add_argument("--only", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    options = parser.parse_args()
    different = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in dict.fromkeys(["detect", *options.only]):
            old, new = (
                run(checkout.resolve(), COMMANDS[name], Path(folder) / side, name)
                for side, checkout in (("old", options.old), ("new", options.new))
            )
            wrong = sorted(file for file in {*old, *new} if old.get(file) != new.get(file))
            different += bool(wrong)
            print(name, f"differs: {wrong}" if wrong else f"same, {len(old)} files", flush=True)
            if "failed" in new:
                print("  new:", new["failed"])
            if "failed" in old:
                print("  old:", old["failed"])
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
