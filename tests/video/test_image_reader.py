"""Photos and animated images as they are read."""

import io
import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as Pictures
from PIL import ImageCms

from tests.support import corpus
from tests.support.reading import codes, read
from vidseg.errors import InputError
from vidseg.video.decoding.image_files import has_heic
from vidseg.video.decoding.image_pixels import scale_grey
from vidseg.video.decoding.reader import read_frames
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
    "alpha.png": (lambda: Pictures.new("RGBA", (6, 4), (10, 200, 30, 128)), (132, 227, 142)),
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


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("tag", range(1, 9))
def test_exif_orientation(tmp_path: Path, tag: int, suffix: str) -> None:
    upright = np.zeros((8, 12, 3), np.uint8)
    upright[:4, :6], upright[4:, :6], upright[:4, 6:] = 255, 128, 64
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1],
        5: upright.transpose(1, 0, 2), 6: np.rot90(upright), 7: np.rot90(upright, 2).swapaxes(0, 1),
        8: np.rot90(upright, -1),
    }[tag]  # fmt: skip
    exif = Pictures.Exif()
    exif[0x0112] = tag
    Pictures.fromarray(np.ascontiguousarray(stored)).save(tmp_path / f"p{suffix}", exif=exif)
    (frame,) = read(tmp_path / f"p{suffix}")
    assert probe(tmp_path / f"p{suffix}").size == (8, 12)
    assert np.array_equal(frame.image, upright)


RAMP = np.linspace(0, 65535, 64)[None].repeat(48, 0)
FIVE = [0, 16, 32, 48, 63]
"""Columns of the ramp."""


def deep_photo(folder: Path, kind: str) -> Path:
    """The ramp in a form that holds more than 8 bits."""
    values, path = RAMP.astype(np.uint16), folder / f"ramp.{kind.split()[0]}"
    if kind == "pgm 16":
        path.write_bytes(b"P5\n64 48\n65535\n" + values.byteswap().tobytes())
    elif kind == "pgm 10":
        path.write_bytes(b"P5\n64 48\n1023\n" + (values >> 6).byteswap().tobytes())
    elif kind == "jp2":
        cv2.imwrite(str(path), np.stack([values] * 3, -1))
    else:
        stored = {
            "tif int32": values.astype(np.int32), "tif float": (RAMP / 65535).astype(np.float32),
            "tif float 255": (RAMP / 257).astype(np.float32), "png 16": values,
            "png 12": values >> 4, "tif 12 in 16": values >> 4,
        }[kind]  # fmt: skip
        Pictures.fromarray(stored).save(path)
    return path


@pytest.mark.parametrize(
    "kind",
    [
        *("pgm 16", "pgm 10", "png 16", "png 12", "tif 12 in 16", "tif int32", "tif float"),
        *("tif float 255", "jp2"),
    ],
)
def test_deep_grey_is_neither_black_nor_white(tmp_path: Path, kind: str) -> None:
    (frame,) = read(deep_photo(tmp_path, kind))
    expected = np.array([0, 65, 130, 195, 255])
    assert np.abs(frame.image[10, FIVE].astype(int) - expected[:, None]).max() <= 1


def test_grey_without_a_range_of_its_own_is_stretched() -> None:
    assert scale_grey(np.array([[-1.0, 0.0, 1.0]], np.float32)).tolist() == [[0, 128, 255]]
    assert scale_grey(np.array([[0, 500000, 1000000]], np.int32)).tolist() == [[0, 128, 255]]
    assert scale_grey(np.array([[np.nan, 0.5, 1.0]], np.float32)).tolist() == [[0, 128, 255]]
    assert scale_grey(np.zeros((1, 3), np.float32)).tolist() == [[0, 0, 0]]


def swapped_profile() -> bytes:
    """sRGB with red and blue exchanged, which no eye can miss."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = int.from_bytes(data[128:132], "big")
    tags = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * count, 12)}
    red, blue = tags[b"rXYZ"] + 4, tags[b"bXYZ"] + 4
    data[red : red + 8], data[blue : blue + 8] = data[blue : blue + 8], data[red : red + 8]
    return bytes(data)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_profiles_are_converted_to_srgb(tmp_path: Path, suffix: str, mode: str) -> None:
    if (suffix, mode) in ((".jpg", "RGBA"), (".jpg", "P"), (".webp", "P")):
        pytest.skip("the format has no such mode")
    photo = Pictures.new("RGB", (64, 48), (200, 30, 30))
    photo = photo.quantize(4) if mode == "P" else photo.convert(mode)
    path = tmp_path / f"photo{suffix}"
    photo.save(path, icc_profile=swapped_profile())
    (frame,) = read(path)
    assert np.abs(frame.image.astype(int) - (30, 30, 200)).max() <= 8


def test_an_srgb_profile_changes_no_value(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Pictures.fromarray(image).save(tmp_path / "photo.png", icc_profile=profile)
    assert np.array_equal(read(tmp_path / "photo.png")[0].image, image)


def test_a_damaged_profile_is_told_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Pictures.new("RGB", (6, 4), (1, 2, 3)).save(tmp_path / "photo.png", icc_profile=b"nonsense")
    assert read(tmp_path / "photo.png")[0].image[0, 0].tolist() == [1, 2, 3]
    assert "ICC profile that cannot be used" in caplog.text


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tif"])
def test_transparent_pixels_are_white(tmp_path: Path, suffix: str) -> None:
    stored = np.random.default_rng(0).integers(0, 255, (48, 64, 4), np.uint8)
    stored[..., 3] = 0
    stored[10:30, 10:30] = (255, 0, 0, 255)
    Pictures.fromarray(stored).save(tmp_path / f"photo{suffix}", lossless=True)
    image = read(tmp_path / f"photo{suffix}")[0].image
    assert (image[10:30, 10:30] == (255, 0, 0)).all()
    assert (image[:10] == 255).all()


def transparent_palettes(path: Path) -> Path:
    """A GIF whose frames each have another colour behind their transparent index."""
    data = b"GIF89a" + struct.pack("<HHBBB", 64, 48, 0x70, 0, 0)
    for number, hidden in enumerate(([0, 255, 0], [255, 0, 255], [0, 0, 255])):
        frame = Pictures.new("P", (64, 48), 0)
        frame.putpalette([*hidden, 255, 0, 0, *[number] * 762])
        frame.paste(1, (5 + 10 * number, 10, 20 + 10 * number, 30))
        one = io.BytesIO()
        frame.save(one, "GIF", optimize=False, interlace=0)
        stored = one.getvalue()
        colors = 3 * (2 << (stored[10] & 7))
        at = stored.find(b"\x2c", 13 + colors)
        data += b"\x21\xf9\x04\x09" + struct.pack("<H", 10) + b"\0\0" + stored[at : at + 9]
        data += bytes([0x80 | stored[10] & 7]) + stored[13 : 13 + colors] + stored[at + 10 : -1]
    path.write_bytes(data + b"\x3b")
    return path


def test_the_background_of_a_transparent_gif_stays_still(tmp_path: Path) -> None:
    frames = read(transparent_palettes(tmp_path / "a.gif"))
    for number, frame in enumerate(frames):
        assert frame.image[20, 10 + 10 * number].tolist() == [255, 0, 0]
        assert (frame.image[:10] == 255).all()


def test_pages_of_a_tiff_that_are_not_read_are_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pages = [Pictures.new("RGB", (6, 4), (k, k, k)) for k in range(3)]
    pages[0].save(tmp_path / "stack.tif", save_all=True, append_images=pages[1:])
    assert len(read(tmp_path / "stack.tif")) == 1
    assert "stack.tif has 3 pages; only the first is read." in caplog.text


def test_a_raw_photo_is_not_taken_for_its_preview(tmp_path: Path) -> None:
    Pictures.new("RGB", (6, 4)).save(tmp_path / "preview.tif", tiffinfo={50706: b"\1\4\0\0"})
    with pytest.raises(InputError, match="raw photo of a camera; export it as JPEG"):
        probe(tmp_path / "preview.tif")


def test_nothing_in_a_folder_is_passed_over_silently(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("IMG_1.jpg", "IMG_2.JPG"):
        Pictures.new("RGB", (6, 4)).save(tmp_path / name)
    for name in ("IMG_3.DNG", "IMG_4.jxl", "IMG_5.JXL", ".hidden"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "more").mkdir()
    assert probe(tmp_path).frames == 2
    assert "not read as photos: 1 .dng, 2 .jxl, 1 folder." in caplog.text


HEIC_HEAD = b"\0\0\0\x18ftypheic"


@pytest.mark.skipif(has_heic(), reason="pillow-heif is installed")
def test_heic_names_what_is_missing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.HEIC").write_bytes(HEIC_HEAD + bytes(100))
    with pytest.raises(InputError, match=r"needs pillow-heif; install it with .*vidseg\[heic\]"):
        probe(tmp_path / "a.HEIC")
    Pictures.new("RGB", (6, 4)).save(tmp_path / "b.jpg")
    assert probe(tmp_path).frames == 1
    assert "1 .heic. pip install 'vidseg[heic]' reads HEIC." in caplog.text


@pytest.mark.skipif(not has_heic(), reason="needs pillow-heif")
def test_heic_is_read(tmp_path: Path) -> None:
    Pictures.new("RGB", (64, 48), (200, 30, 40)).save(tmp_path / "a.heic", quality=95)
    (frame,) = read(tmp_path / "a.heic")
    assert np.abs(frame.image.astype(int) - (200, 30, 40)).max() <= 6
    assert probe(tmp_path).frames == 1


def test_avif_is_read(tmp_path: Path) -> None:
    Pictures.new("RGB", (64, 48), (200, 30, 40)).save(tmp_path / "a.avif", quality=95)
    assert np.abs(read(tmp_path / "a.avif")[0].image.astype(int) - (200, 30, 40)).max() <= 6


def test_a_gif_cut_anywhere_is_read_or_told(tmp_path: Path) -> None:
    whole = transparent_palettes(tmp_path / "whole.gif").read_bytes()
    path = tmp_path / "cut.gif"
    for length in range(1, len(whole), 5):
        path.write_bytes(whole[:length])
        with suppress(InputError):
            info = probe(path)
            assert len(list(read_frames(info, keep_going=True))) <= 3


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp", ".jp2", ".jpg", ".avif", ".gif"])
def test_photos_of_changed_bytes_are_read_or_told(
    tmp_path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("CRITICAL", "PIL")  # which logs some damage before it raises
    random = np.random.default_rng(0)
    path = tmp_path / f"photo{suffix}"
    Pictures.fromarray(random.integers(0, 256, (16, 24, 3), np.uint8)).save(path)
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(60):
        data = whole.copy()
        data[random.integers(0, len(data), 4)] = random.integers(0, 256, 4)
        path.write_bytes(data.tobytes())
        with suppress(InputError):
            list(read_frames(probe(path)))
