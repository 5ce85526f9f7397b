"""What written photos and GIFs keep of their source: transparency and EXIF data."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pictures

from tests.support.reading import read
from tests.video.test_image_reader import transparent_palettes
from vidseg.structures.frame import Frame, Image
from vidseg.video.codecs import choose_codec
from vidseg.video.decoding.image_pixels import flatten
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding._photo_source import restore_alpha
from vidseg.video.encoding.writer import open_writer
from vidseg.video.probe import probe


def redraw(source: Path, target: Path, square: tuple[int, int, int] | None = None) -> Path:
    """Write the frames of `source`, with an opaque square of 8 by 8 drawn at (4, 4)."""
    info = probe(source)
    with open_writer(target, info, encoding=choose_codec(target)) as writer:
        for frame in read_frames(info):
            image = frame.image.copy()
            if square is not None:
                image[4:12, 4:12] = square
            writer.write(replace(frame, image=image))
    return target


def random_pixels() -> Image:
    """Pixels of every opacity, with colours under the transparent ones that nobody sees."""
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64, 4), np.uint8)
    pixels[:24, :, 3] = 0
    pixels[24:30, :, 3] = 255
    return pixels


def stored(path: Path) -> Image:
    with Pictures.open(path) as image:
        return np.array(image.convert("RGBA"))


@pytest.mark.parametrize("suffix", [".png", ".tif", ".tiff"])
def test_transparency_is_kept_to_the_bit(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    Pictures.fromarray(random_pixels()).save(source)
    target = redraw(source, tmp_path / f"out{suffix}")
    assert np.array_equal(stored(target), random_pixels())


def test_webp_keeps_transparency(tmp_path: Path) -> None:
    Pictures.fromarray(random_pixels()).save(tmp_path / "in.webp", lossless=True, exact=True)
    target = redraw(tmp_path / "in.webp", tmp_path / "out.webp")
    assert np.array_equal(stored(target)[..., 3], random_pixels()[..., 3])


def test_what_is_drawn_on_nothing_is_opaque_with_its_white_letters(tmp_path: Path) -> None:
    source = random_pixels()
    drawn = flatten(source)
    drawn[4:12, 4:20] = (200, 0, 0)
    drawn[6:10, 8:10] = 255  # a letter
    restored = restore_alpha(drawn, source)
    assert (restored[4:12, 4:20, 3] == 255).all()
    assert np.array_equal(restored[4:12, 4:20, :3], drawn[4:12, 4:20])
    assert (restored[14:24, :, 3] == 0).all()


def test_recoloured_pixels_keep_their_look_and_soft_edges() -> None:
    source = random_pixels()
    grey = flatten(source).mean(axis=2).astype(np.uint8)
    drawn = np.repeat(grey[..., None], 3, axis=2)
    restored = restore_alpha(drawn, source)
    assert np.abs(flatten(restored).astype(int) - drawn).max() <= 1
    assert (restored[..., 3] <= np.maximum(source[..., 3], 1)).all()


def test_a_folder_keeps_the_transparency_of_each_photo(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    Pictures.fromarray(random_pixels()).save(tmp_path / "in" / "a.png")
    Pictures.new("RGB", (64, 48), (9, 9, 9)).save(tmp_path / "in" / "b.png")
    target = redraw(tmp_path / "in", tmp_path / "out")
    assert np.array_equal(stored(target / "a.png"), random_pixels())
    assert Pictures.open(target / "b.png").mode == "RGB"


def test_formats_without_transparency_show_white(tmp_path: Path) -> None:
    Pictures.fromarray(random_pixels()).save(tmp_path / "in.png")
    target = redraw(tmp_path / "in.png", tmp_path / "out.bmp")
    assert np.array_equal(read(target)[0].image, flatten(random_pixels()))


def test_a_gif_keeps_its_transparency(tmp_path: Path) -> None:
    source = transparent_palettes(tmp_path / "in.gif")
    target = redraw(source, tmp_path / "out.gif", (0, 0, 255))
    with Pictures.open(target) as image:
        for number in range(3):
            image.seek(number)
            pixels = np.array(image.convert("RGBA"))
            red = pixels[10:30, 5 + 10 * number : 20 + 10 * number]
            assert np.abs(red[12:].astype(int) - (255, 0, 0, 255)).max() <= 8
            assert np.abs(pixels[4:10, 4:12].astype(int) - (0, 0, 255, 255)).max() <= 8
            assert (pixels[32:, :, 3] == 0).all()


def test_frames_of_a_transparent_gif_become_transparent_photos(tmp_path: Path) -> None:
    target = redraw(transparent_palettes(tmp_path / "in.gif"), tmp_path / "out")
    for number in range(3):
        pixels = stored(target / f"0000{number}.png")
        assert (pixels[10:30, 5 + 10 * number : 20 + 10 * number] == (255, 0, 0, 255)).all()
        assert (pixels[:10, :, 3] == 0).all()


def photo_of_a_camera(path: Path) -> Path:
    """With orientation, make, date, exposure, place, and a maker's note."""
    exif = Pictures.Exif()
    exif[0x010F], exif[0x0132], exif[0x0112] = "Cam", "2024:01:01 00:00:00", 6
    exif.get_ifd(0x8769).update({0x9003: "2024:01:01 00:00:00", 0x927C: b"note", 0xA002: 64})
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 36.0, 22.0)})
    Pictures.new("RGB", (64, 48), (90, 90, 90)).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
@pytest.mark.parametrize("kind", [".jpg", ".png", ".tif", ".webp"])
def test_exif_data_that_still_hold_are_kept(tmp_path: Path, kind: str, suffix: str) -> None:
    source = photo_of_a_camera(tmp_path / f"in{kind}")
    target = redraw(source, tmp_path / f"out{suffix}")
    with Pictures.open(target) as image:
        exif = image.getexif()
        found, settings, place = dict(exif), exif.get_ifd(0x8769), exif.get_ifd(0x8825)
    assert image.size == (48, 64)
    assert (found[0x010F], found[0x0132]) == ("Cam", "2024:01:01 00:00:00")
    assert 0x0112 not in found
    if kind != ".tif":  # Pillow writes neither of them there
        assert dict(settings) == {0x9003: "2024:01:01 00:00:00"}
        assert dict(place) == {1: "N", 2: (47.0, 36.0, 22.0)}


def test_frames_without_a_source_are_written_as_they_are(tmp_path: Path) -> None:
    from tests.video.test_writer import facts

    info = facts(kind="photo", frames=1, path=tmp_path / "gone.png", size=(4, 6), alpha=True)
    image = np.full((4, 6, 3), 7, np.uint8)
    with open_writer(tmp_path / "out.png", info) as writer:
        writer.write(Frame(0, Fraction(0), image))
    assert np.array_equal(read(tmp_path / "out.png")[0].image, image)
