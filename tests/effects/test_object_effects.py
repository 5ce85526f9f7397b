"""Effects on the objects and on the background, pixel by pixel; `test_effect_runs` has the rest."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from tests.support.random_instances import blobs
from vidseg.effects import Effect
from vidseg.effects._alpha_masks import blend_into, dilated_alpha, soft_alpha
from vidseg.effects.background import BlurBackground, DimBackground, Spotlight
from vidseg.effects.chain import Chain, Only, Split
from vidseg.effects.decorations import Contour, Halo
from vidseg.effects.privacy import Blur, Fill, Pixelate, mosaic_cell
from vidseg.effects.replace_background import CHROMA_GREEN, ReplaceBackground, fitted_to_fill
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances
from vidseg.structures.masks import full_mask

SIZE = (120, 160)
HIDING = [Fill(color=(255, 0, 0)), Blur(), Pixelate()]
KEEPING = [BlurBackground(), DimBackground(), ReplaceBackground()]


def noise(size: tuple[int, int] = SIZE, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def boxed(*boxes: tuple[float, ...], size: tuple[int, int] = SIZE) -> Instances:
    """Objects that fill their boxes."""
    count = len(boxes)
    return replace(
        blobs(count, size),
        boxes=np.array(boxes, np.float32),
        masks=np.full((count, 28, 28), 255, np.uint8),
        ids=np.arange(1, count + 1),
        labels=np.arange(1, count + 1),
    )


WHOLE = boxed((0, 0, 160, 120))
CORNER = boxed((0, 0, 40, 30))
MIDDLE = boxed((40, 30, 100, 80))


def distance_to(found: Instances) -> np.ndarray:
    """(H, W) pixels to the nearest object; 0 inside."""
    inside = np.zeros(found.size, bool)
    for row in range(len(found)):
        inside |= full_mask(found, row)
    return np.asarray(distance_transform_edt(~inside))


@pytest.mark.parametrize("fade", [1, 9])
@pytest.mark.parametrize("radius", [0, 1, 2, 5, 6, 12, 17, 30, 80])
def test_a_grown_object_covers_all_within_the_radius(radius: int, fade: int) -> None:
    found = blobs(8, (150, 200), share=0.1)
    for row in range(len(found)):
        rows, cols, cover = dilated_alpha(found, row, radius, fade)
        full = np.zeros(found.size, np.uint8)
        full[rows, cols] = cover
        distance = distance_to(found[row : row + 1])
        assert (full[distance <= radius] == 255).all()
        assert not full[distance > 1.7 * radius + fade + 6].any()
        edges = [full[rows.start], full[rows.stop - 1], full[:, cols.start], full[:, cols.stop - 1]]
        inside = [rows.start > 0, rows.stop < 150, cols.start > 0, cols.stop < 200]
        for line, within in zip(edges, inside, strict=True):
            assert not (within and line.any()), "cut off before it has faded out"


@pytest.mark.parametrize("effect", HIDING, ids=str)
@pytest.mark.parametrize("found", [CORNER, MIDDLE, blobs(5, SIZE, share=0.1)], ids=len)
def test_hiding_leaves_what_is_far_from_the_objects(effect: Effect, found: Instances) -> None:
    image = noise()
    drawn = effect(image, found)
    assert np.array_equal(drawn[distance_to(found) > 30], image[distance_to(found) > 30])
    assert not np.array_equal(drawn, image)


@pytest.mark.parametrize("dilate", [0, 0.05, 0.2])
def test_fill_covers_object_and_margin_with_its_colour(dilate: float) -> None:
    for found in (CORNER, MIDDLE, WHOLE, blobs(1, SIZE, share=0.2)):
        drawn = Fill(dilate=dilate, color=(9, 200, 77))(noise(), found)
        x0, y0, x1, y1 = found.boxes[0]
        near = distance_to(found) <= dilate * max(x1 - x0, y1 - y0)
        assert (drawn[near] == (9, 200, 77)).all()


@pytest.mark.parametrize("found", [CORNER, MIDDLE, WHOLE, blobs(1, SIZE, share=0.2)])
def test_pixelated_cells_are_the_means_of_what_was_there(found: Instances) -> None:
    image = noise()
    drawn = Pixelate(cells=6)(image, found)
    x0, y0, x1, y1 = found.boxes[0]
    cell = mosaic_cell(max(x1 - x0, y1 - y0) / 6)
    rim = distance_to(found) <= 0.05 * max(x1 - x0, y1 - y0)
    for top in range(0, SIZE[0], cell):
        for left in range(0, SIZE[1], cell):
            block = slice(top, top + cell), slice(left, left + cell)
            if rim[block].any():
                assert (drawn[block] == drawn[top, left]).all()
                if image[block].shape[:2] == (cell, cell):
                    assert np.abs(drawn[top, left] - image[block].mean(axis=(0, 1))).max() <= 1
            elif not np.array_equal(drawn[block], image[block]):
                assert (drawn[block] == drawn[top, left]).all()


def test_cells_grow_in_steps_and_are_never_fine() -> None:
    assert [mosaic_cell(least) for least in (0.1, 8, 8.1, 11.4, 16, 60)] == [8, 8, 11, 16, 16, 64]
    assert all(mosaic_cell(least) >= round(least) - 1 for least in np.arange(8, 300, 0.7))


@pytest.mark.parametrize("strength", [0.04, 0.08, 0.3])
def test_blur_leaves_no_detail_in_the_object(strength: float) -> None:
    """White noise becomes as flat as a Gaussian of that width makes it."""
    image = noise((400, 400))
    found = boxed((100, 100, 300, 300), size=(400, 400))
    drawn = Blur(strength=strength)(image, found)[100:300, 100:300]
    sigma = strength * 200
    assert drawn.std() < 2 * 73.9 / (2 * np.sqrt(np.pi) * sigma) + 1
    assert np.abs(np.diff(drawn.astype(int), axis=0)).max() <= 8
    assert abs(drawn.mean() - image[100:300, 100:300].mean()) < 2


def test_a_small_object_is_hidden_as_well() -> None:
    image = noise()
    tiny = boxed((50, 50, 53, 53))
    for effect in HIDING:
        drawn = effect(image, tiny)
        assert np.abs(drawn[50:53, 50:53].astype(int) - image[50:53, 50:53]).mean() > 15


def test_nothing_of_a_finer_mosaic_shows_in_a_coarser_one() -> None:
    """A small object before a large one: its cells are means of the large one's cells."""
    found = boxed((0, 0, 160, 120), (60, 50, 84, 74))
    image = noise()
    drawn = Pixelate(dilate=0)(image, found)
    assert len(np.unique(drawn.reshape(-1, 3), axis=0)) <= -(-160 // 16) * -(-120 // 16) + 9
    assert drawn.std() < 12


@pytest.mark.parametrize("effect", KEEPING, ids=str)
def test_objects_keep_every_pixel(effect: Effect) -> None:
    image = noise()
    for found in (CORNER, MIDDLE, WHOLE, blobs(5, SIZE, share=0.1)):
        sure = soft_alpha(found) == 255
        assert np.array_equal(effect(image, found)[sure], image[sure])
    assert np.array_equal(effect(image, WHOLE), image)


def test_dimming_is_exact_outside() -> None:
    image = noise()
    drawn = DimBackground(0.6)(image, MIDDLE)
    far = soft_alpha(MIDDLE) == 0
    assert np.abs(drawn[far] - image[far] * 0.4).max() <= 0.51
    none = Instances.empty(SIZE)
    assert not DimBackground(1)(image, none).any()
    assert np.array_equal(DimBackground(0)(image, MIDDLE), image)


@pytest.mark.parametrize("strength", [0.01, 0.05, 0.2])
def test_colours_of_objects_do_not_bleed_into_the_blur(strength: float) -> None:
    image = np.full((240, 320, 3), (60, 90, 120), np.uint8)
    found = boxed((80, 60, 220, 160), size=(240, 320))
    opacity = soft_alpha(found)
    blend_into(image, np.full_like(image, (250, 10, 10)), opacity)
    drawn = BlurBackground(strength)(image, found)
    assert np.abs(drawn[opacity == 0].astype(int) - (60, 90, 120)).max() <= 10


def test_background_blur_is_as_wide_as_asked_for() -> None:
    """An edge from black to white becomes the normal distribution."""
    image = np.zeros((200, 300, 3), np.uint8)
    image[:, 150:] = 255
    for strength, sigma in ((0.01, 2), (0.05, 10), (0.1, 20)):
        line = BlurBackground(strength)(image, Instances.empty((200, 300)))[100, :, 0]
        inner = np.flatnonzero((line > 0.159 * 255) & (line < 0.841 * 255))
        assert len(inner) == pytest.approx(2 * sigma, abs=0.3 * sigma + 1)
    assert np.array_equal(BlurBackground(0)(image, Instances.empty((200, 300))), image)


def test_the_background_becomes_the_colour() -> None:
    drawn = ReplaceBackground((1, 2, 3))(noise(), MIDDLE)
    assert (drawn[soft_alpha(MIDDLE) == 0] == (1, 2, 3)).all()
    assert (ReplaceBackground()(noise(), Instances.empty(SIZE)) == CHROMA_GREEN).all()


def test_a_photo_behind_the_objects_fills_the_frame(tmp_path: Path) -> None:
    photo = noise((60, 60), seed=3)
    path = tmp_path / "behind.png"
    cv2.imwrite(str(path), photo[..., ::-1])
    drawn = ReplaceBackground(file=path)(noise(), MIDDLE)
    far = soft_alpha(MIDDLE) == 0
    assert np.array_equal(drawn[far], fitted_to_fill(photo, SIZE)[far])


@pytest.mark.parametrize("size", [(120, 160), (60, 160), (240, 160), (30, 40), (1, 1), (480, 640)])
def test_fitting_keeps_the_aspect_and_the_middle(size: tuple[int, int]) -> None:
    """Left half red, right half blue: the border stays in the middle, and nothing is left empty."""
    picture = np.zeros((*size, 3), np.uint8)
    picture[:, : size[1] // 2, 0] = picture[:, size[1] // 2 :, 2] = 255
    fitted = fitted_to_fill(picture, SIZE)
    assert fitted.shape == (*SIZE, 3)
    assert not np.shares_memory(fitted, picture)
    if size != (1, 1):
        assert (fitted[:, :70] == (255, 0, 0)).all()
        assert (fitted[:, 90:] == (0, 0, 255)).all()


def test_the_contour_runs_along_the_edge_alone() -> None:
    image = np.zeros((*SIZE, 3), np.uint8)
    drawn = Contour(4, (255, 255, 255))(image, MIDDLE).max(axis=2)
    inside, outside = distance_to(MIDDLE) == 0, distance_to(MIDDLE)
    depth = np.asarray(distance_transform_edt(inside))
    assert (drawn[50, 39:42] > 150).all()
    assert not drawn[outside > 5].any()
    assert not drawn[depth > 5].any()
    own = Contour()(image, MIDDLE)
    assert own.max() > 200
    assert len({tuple(color) for color in own[drawn > 250]}) < 20


def test_the_halo_lies_around_the_object() -> None:
    image = np.full((240, 320, 3), 40, np.uint8)
    found = boxed((80, 60, 220, 160), size=(240, 320))
    drawn = Halo(size=0.1, color=(255, 0, 255))(image, found)
    assert np.array_equal(drawn[soft_alpha(found) == 255], image[soft_alpha(found) == 255])
    assert np.array_equal(drawn[distance_to(found) > 27], image[distance_to(found) > 27])
    line = drawn[110, 220:250, 0].astype(int)
    assert line[2] > 180
    assert (np.diff(line[2:]) <= 0).all()
    assert np.array_equal(Halo(strength=0)(image, found), image)


def test_a_large_halo_reaches_as_far_as_it_should() -> None:
    image = np.full((1600, 1700, 3), 40, np.uint8)
    found = boxed((0, 0, 900, 1600), size=(1600, 1700))
    line = Halo(size=0.2, color=(255, 0, 0))(image, found)[800, 920:, 0].astype(int)
    assert (np.diff(line) <= 0).all()
    assert line[140] > 60
    assert (line[320:] == 40).all()


def test_the_spotlight_shines_on_the_object() -> None:
    image = noise((240, 320))
    found = boxed((120, 80, 200, 160), size=(240, 320))
    drawn = Spotlight(amount=0.75)(image, found)
    assert np.array_equal(drawn[100:140, 140:180], image[100:140, 140:180])
    assert np.abs(drawn[:30] - image[:30] * 0.25).max() <= 1
    none = Spotlight(amount=0.75)(image, Instances.empty((240, 320)))
    assert np.abs(none - image * 0.25).max() <= 1


def test_effects_for_some_objects_leave_the_others() -> None:
    found = boxed((10, 10, 50, 50), (90, 60, 130, 100))
    image, second = noise(), found[1:]
    expected = Fill()(image, second)
    assert np.array_equal(Only(Fill(), labels=frozenset({2, 7}))(image, found), expected)
    assert np.array_equal(Only(Fill(), ids=frozenset({2}))(image, found), expected)
    both = Only(Fill(), labels=frozenset({1}), ids=frozenset({2}))
    assert np.array_equal(both(image, found), image)
    assert np.array_equal(Only(Fill())(image, found), Fill()(image, found))


def test_a_chain_draws_in_order_on_what_was_drawn() -> None:
    image = noise()
    chain = Chain((DimBackground(), Contour(), Pixelate()))
    expected = Pixelate()(Contour()(DimBackground()(image, MIDDLE), MIDDLE), MIDDLE)
    assert np.array_equal(chain(image, MIDDLE), expected)


@pytest.mark.parametrize("at", [0, 0.3, 0.5, 1])
def test_split_shows_the_original_on_the_left(at: float) -> None:
    image = noise()
    chain = Chain((Fill(), Split(at), Contour(color=(0, 255, 0))))
    drawn = chain(image, MIDDLE)
    place = round(at * SIZE[1])
    left, right = slice(0, max(place - 2, 0)), slice(place + 2, None)
    contour = Contour(color=(0, 255, 0))
    assert np.array_equal(drawn[:, left], contour(image, MIDDLE)[:, left])
    expected = contour(Fill()(image, MIDDLE), MIDDLE)
    assert np.array_equal(drawn[:, right], expected[:, right])
    if 0 < at < 1:
        assert (drawn[0, place] == 255).all()
        assert (drawn[0, place - 2] == 0).all()


def test_blending_is_that_of_the_whole_picture() -> None:
    """Tiles are invisible in the result."""
    size = (300, 400)
    under, over = noise(size, 1), noise(size, 2)
    opacity = np.tile(np.arange(400) * 255 // 399, (300, 1)).astype(np.uint8)
    opacity[:130, :260], opacity[:130, 260:] = 0, 255
    mixed = under.copy()
    blend_into(mixed, over, opacity)
    share = opacity[..., None] / 255
    assert np.abs(mixed - (over * share + under * (1 - share))).max() <= 1
    assert np.array_equal(mixed[opacity == 0], under[opacity == 0])
    assert np.array_equal(mixed[opacity == 255], over[opacity == 255])
