"""Photos and animated images as they are read."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pictures

from tests.support import corpus
from tests.support.reading import codes, read
from vidseg.video.probe import probe


@pytest.mark.parametrize("suffix", [".gif", ".png", ".webp"])
def test_animated_image(tmp_path: Path, suffix: str) -> None:
    frames = read(corpus.animation(tmp_path, suffix, [50, 120, 80, 200]))
    assert codes(frames) == [0, 1, 2, 3]
    assert [f.time for f in frames] == [Fraction(t, 100) for t in (0, 5, 17, 25)]
    assert frames[-1].duration == Fraction(1, 5)
    assert all(f.image.flags.writeable for f in frames)


def test_frames_of_a_gif_are_composed(tmp_path: Path) -> None:
    first = Pictures.new("P", (20, 10), 0)
    first.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    second = first.copy()
    second.paste(1, (0, 0, 5, 10))
    first.save(tmp_path / "a.gif", save_all=True, append_images=[second], duration=100, disposal=1)
    image = read(tmp_path / "a.gif")[1].image
    assert image[5, 2].tolist() == [0, 255, 0]
    assert image[5, 15].tolist() == [255, 0, 0]


def grey16() -> Any:
    return Pictures.fromarray(np.full((4, 6), 40000, np.uint16))


def palette() -> Any:
    return Pictures.new("RGB", (6, 4), (200, 100, 50)).quantize(4)


PHOTOS = {
    "grey.png": (lambda: Pictures.new("L", (6, 4), 90), (90, 90, 90)),
    "grey16.png": (grey16, (156, 156, 156)),
    "palette.png": (palette, (200, 100, 50)),
    "alpha.png": (lambda: Pictures.new("RGBA", (6, 4), (10, 200, 30, 128)), (10, 200, 30)),
    "bits.png": (lambda: Pictures.new("1", (6, 4), 1), (255, 255, 255)),
    "ink.tif": (lambda: Pictures.new("CMYK", (6, 4), (0, 255, 255, 0)), (255, 0, 0)),
    "plain.bmp": (lambda: Pictures.new("RGB", (6, 4), (1, 2, 3)), (1, 2, 3)),
}


@pytest.mark.parametrize("name", PHOTOS)
def test_photo_modes(tmp_path: Path, name: str) -> None:
    make, color = PHOTOS[name]
    make().save(tmp_path / name)
    (frame,) = read(tmp_path / name)
    assert (frame.index, frame.time, frame.image.shape) == (0, 0, (4, 6, 3))
    assert np.abs(frame.image.astype(int) - color).max() <= 2


def test_tiff_of_sixteen_bits(tmp_path: Path) -> None:
    deep = np.full((4, 6, 3), (1000, 30000, 65535), np.uint16)
    cv2.imwrite(str(tmp_path / "deep.tif"), deep)  # BGR
    (frame,) = read(tmp_path / "deep.tif")
    assert np.abs(frame.image.astype(int) - (255, 117, 4)).max() <= 1


@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_orientation(tmp_path: Path, tag: int) -> None:
    upright = np.zeros((8, 12, 3), np.uint8)
    upright[:4, :6], upright[4:, :6], upright[:4, 6:] = 255, 128, 64
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[tag]  # fmt: skip
    exif = Pictures.Exif()
    exif[0x0112] = tag
    Pictures.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "p.png", exif=exif)
    (frame,) = read(tmp_path / "p.png")
    assert probe(tmp_path / "p.png").size == (8, 12)
    assert np.array_equal(frame.image, upright)
