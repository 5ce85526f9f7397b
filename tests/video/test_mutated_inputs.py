"""Photos and videos with random faults: frames, or one sentence; no other error, crash or hang.

VIDSEG_MUTATIONS sets the number of faulty files of each kind; a few of each take seconds.
"""

import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

from tests.support import corpus
from tests.support.scenes import scene_image, write_scene
from vidseg.errors import InputError
from vidseg.video.decoding.reader import read_frames
from vidseg.video.probe import probe

MUTATIONS = int(os.environ.get("VIDSEG_MUTATIONS", "15"))
SIZE = (48, 64)
FRAMES = 8
PHOTOS = ("jpg", "png", "webp", "gif", "tif", "bmp", "jp2", "ppm", "pgm", "avif")
ANIMATIONS = (".gif", ".png", ".webp")
CONTAINERS = ("mp4", "mov", "mkv", "webm", "avi", "ts", "flv", "mpg", "wmv", "mxf", "nut")
CODECS = {
    "webm": "libvpx", "flv": "flv", "mpg": "mpeg2video", "wmv": "wmv2", "avi": "mpeg4",
    "mxf": "mpeg2video", "nut": "ffv1",
}  # fmt: skip


def a_photo(folder: Path, suffix: str) -> Path:
    path = folder / f"a.{suffix}"
    picture = Pictures.fromarray(scene_image(3, SIZE))
    (picture.convert("L") if suffix == "pgm" else picture).save(path)
    return path


def deep_photo(folder: Path, suffix: str) -> Path:
    path = folder / f"deep.{suffix}"
    grey = np.arange(SIZE[0] * SIZE[1], dtype=np.uint16).reshape(SIZE)
    Pictures.fromarray(grey * 20).save(path)
    return path


def a_video(folder: Path, suffix: str) -> Path:
    sound = 1 if suffix in ("mp4", "mkv", "ts") else 0
    path = folder / f"a.{suffix}"
    return write_scene(
        path, frames=FRAMES, size=SIZE, sound=sound, codec=CODECS.get(suffix, "libx264")
    )


def fragments(folder: Path) -> Path:
    return corpus.remux(
        a_video(folder, "mp4"), folder / "f.mp4", movflags="frag_keyframe+empty_moov"
    )


KINDS: dict[str, Callable[[Path], Path]] = {
    **{f"photo {s}": lambda folder, s=s: a_photo(folder, s) for s in PHOTOS},
    **{f"deep {s}": lambda folder, s=s: deep_photo(folder, s) for s in ("png", "tif")},
    **{f"animation {s}": lambda f, s=s: corpus.animation(f, s, [50, 120, 80]) for s in ANIMATIONS},
    **{f"video {s}": lambda folder, s=s: a_video(folder, s) for s in CONTAINERS},
    "fragments": fragments,
}


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to three faults, half of them within the first and last 2,000 bytes: bits, bytes, large
    and small numbers, and what is missing, doubled or zero."""
    for _ in range(chance.randint(1, 3)):
        if not data:
            return data
        near = min(len(data), 2000)
        at = chance.choice(
            (chance.randrange(near), len(data) - 1 - chance.randrange(near))
            + (chance.randrange(len(data)),) * 2
        )
        end = min(len(data), at + chance.randint(1, 300))
        kind = chance.randrange(8)
        if kind == 0:
            data = data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + chance.randbytes(end - at) + data[end:]
        elif kind == 2:
            number = chance.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 0x80000000, 0xFFFF, 0x10000))
            order = chance.choice(("big", "little"))
            data = data[:at] + number.to_bytes(4, order) + data[at + 4 :]
        elif kind == 3:
            data = data[:at]
        elif kind == 4:
            data = data[:at] + data[end:]
        elif kind == 5:
            data = data[:at] + data[at:end] * chance.randint(2, 30) + data[end:]
        elif kind == 6:
            data = data[:at] + bytes(end - at) + data[end:]
        else:
            data = data[end:]
    return data


def look(path: Path, *, keep_going: bool) -> str:
    """How reading ended: "" or a sentence."""
    try:
        info = probe(path)
        last = -1
        for frame in read_frames(info, keep_going=keep_going):
            assert frame.image.dtype == np.uint8
            assert frame.image.shape == (*info.size, 3)
            assert frame.index > last
            last = frame.index
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.timeout(max(120, 2 * MUTATIONS))
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_faulty_files(tmp_path: Path, kind: str) -> None:
    path = KINDS[kind](tmp_path)
    whole = path.read_bytes()
    assert look(path, keep_going=False) == ""
    for seed in range(MUTATIONS):
        path.write_bytes(mutated(whole, random.Random(f"{kind} {seed}")))
        for keep_going in (False, True):
            try:
                sentence = look(path, keep_going=keep_going)
            except Exception as error:
                pytest.fail(f"seed {seed}: {repr(error)[:300]}")
            assert len(sentence) < 1000
            assert "\n" not in sentence
