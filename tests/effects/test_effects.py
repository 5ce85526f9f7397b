import colorsys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cv2
import moviepy
import numpy as np
import pytest
from hypothesis import given, settings

from tests.support.doubles import OraclePredictor
from tests.support.random_instances import any_instances, blobs
from tests.support.scenes import scene_image, scene_masks, write_scene
from vidseg.effects import Effect, Overlay, Splash, on_image
from vidseg.effects._blending import mix
from vidseg.effects._label_layout import place_tags
from vidseg.effects.overlay import Labels, letter_size, line_width
from vidseg.effects.parse import parse_effect, parse_effects
from vidseg.effects.text_labels import tag
from vidseg.structures.colors import color_of
from vidseg.structures.frame import Image
from vidseg.structures.instances import UNTRACKED, Instances
from vidseg.structures.masks import full_mask, label_map, soft_crop

NAMES = {1: "person", 2: "dog", 3: "hot air balloon", 4: "气球"}
MASKS_ONLY = Overlay(NAMES, boxes=False, labels="none")
EVERYTHING = Overlay(NAMES, contours=True)
DESCRIBED = ["contour", "halo", "trace", "spotlight", "blur", "pixelate", "fill", "split"]
DESCRIBED += ["blur-background", "dim-background", "replace-background", "pixelate:cells=2"]
DESCRIBED += ["blur:dilate=0", "blur:dilate=0.5", "blur-background:strength=0", "contour:width=9"]
EFFECTS: list[Effect] = [
    *(MASKS_ONLY, EVERYTHING, Splash(), Splash(0), Splash(3)),
    *(parse_effect(text, NAMES) for text in DESCRIBED),
    parse_effects(["blur:class=person", "halo:id=1", "split:at=0.3", "overlay"], NAMES),
]


def noise(size: tuple[int, int], seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def union(instances: Instances) -> np.ndarray:
    return label_map(instances) > 0


def luma(image: Image) -> Image:
    """BT.601 luma with OpenCV's fixed-point rounding."""
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    return grey[..., None].repeat(3, axis=2)


@given(any_instances())
@settings(deadline=None)
@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_every_effect_leaves_its_input_and_its_size(effect: Effect, found: Instances) -> None:
    image = noise(found.size)
    before = image.copy()
    image.flags.writeable = False
    drawn = effect(image, found)
    assert drawn.shape == image.shape
    assert drawn.dtype == np.uint8
    assert drawn.flags.writeable
    assert not np.shares_memory(drawn, image)
    assert np.array_equal(image, before)
    assert np.array_equal(drawn, effect(image, found))


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_any_layout_in_memory_gives_the_same(effect: Effect) -> None:
    found = blobs(5, (90, 120), share=0.1)
    image = noise(found.size)
    expected = effect(image, found)
    turned = np.ascontiguousarray(image[::-1, ::-1])[::-1, ::-1]
    assert np.array_equal(effect(turned, found), expected)
    assert np.array_equal(effect(np.asfortranarray(image), found), expected)


@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_a_picture_of_another_size_is_refused(effect: Effect) -> None:
    with pytest.raises(ValueError, match="the picture has"):
        effect(noise((20, 31)), blobs(1, (20, 30)))


@pytest.fixture
def one_opencv_thread() -> Iterator[None]:
    """OpenCV's stack blur rounds by how many threads share a picture: by fewer while others run."""
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    yield
    cv2.setNumThreads(threads)


@pytest.mark.usefixtures("one_opencv_thread")
@pytest.mark.parametrize("effect", EFFECTS, ids=str)
def test_threads_in_any_order_draw_the_same(effect: Effect) -> None:
    frames = [(noise((90, 120), n), blobs(n, (90, 120), seed=n, share=0.1)) for n in range(6)]
    expected = [effect(*frame) for frame in frames]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda n: effect(*frames[n % 6]), reversed(range(24))))
    for number, picture in zip(reversed(range(24)), drawn, strict=True):
        assert np.array_equal(picture, expected[number % 6])


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.5, 1.0])
def test_overlay_blends_inside_masks_and_leaves_the_rest(alpha: float) -> None:
    """The behaviour of torchvision's `draw_segmentation_masks`, without overlaps."""
    found = blobs(1, (120, 160), share=0.3).with_ids(np.array([7]))
    image = noise(found.size)
    drawn = replace(MASKS_ONLY, alpha=alpha)(image, found)
    inside = full_mask(found, 0)
    expected = image * (1 - alpha) + np.array(color_of(7)) * alpha
    assert inside.sum() > 1000
    assert np.array_equal(drawn[~inside], image[~inside])
    assert np.abs(drawn[inside] - expected[inside]).max() <= 1


def test_overlapping_masks_are_layers_with_the_best_score_on_top() -> None:
    found = blobs(12, (120, 160), share=0.3).with_ids(np.arange(1, 13))
    image = noise(found.size)
    drawn = MASKS_ONLY(image, found)
    assert np.array_equal(drawn[~union(found)], image[~union(found)])
    expected = image.astype(float)
    for row in np.argsort(found.scores):
        inside = full_mask(found, int(row))
        expected[inside] = (expected[inside] + color_of(int(row) + 1)) / 2
    assert np.abs(drawn - expected).max() <= 1


def test_a_box_is_drawn_around_its_object() -> None:
    found = replace(blobs(1, (120, 160)), boxes=np.array([[20, 30, 80, 90]], np.float32))
    image = np.zeros((120, 160, 3), np.uint8)
    drawn = Overlay(NAMES, masks=False, labels="none")(image, found)
    rows, cols = np.nonzero(drawn.any(axis=2))
    assert (rows.min(), rows.max(), cols.min(), cols.max()) == (30, 89, 20, 79)
    assert not drawn[31:89, 21:79].any()
    assert (drawn[30, 20:80] == color_of(int(found.labels[0]))).all()


def test_contours_run_along_the_edge_but_not_along_the_frame() -> None:
    solid = replace(
        blobs(1, (100, 100)),
        boxes=np.array([[0, 20, 60, 80]], np.float32),
        masks=np.full((1, 28, 28), 255, np.uint8),
    )
    image = np.zeros((100, 100, 3), np.uint8)
    drawn = Overlay(NAMES, masks=False, boxes=False, labels="none", contours=True)(image, solid)
    bright = drawn.max(axis=2) > 60
    assert bright[40:60, 59:61].all(axis=0).any()
    assert bright[19:21, 20:40].all(axis=1).any()
    assert not bright[30:70, :50].any()
    assert not bright[:, 70:].any()


@pytest.mark.parametrize("size", [(1, 1), (8, 300), (300, 8), (40, 40), (360, 640)])
def test_frames_of_any_size_are_drawn_on(size: tuple[int, int]) -> None:
    found = blobs(20, size, share=0.3)
    for effect in EFFECTS:
        assert effect(noise(size), found).shape == (*size, 3)


def test_colours_follow_ids_and_classes() -> None:
    found = replace(blobs(3, (50, 50)), labels=np.array([2, 3, 2]), ids=np.array([9, -1, 4]))
    by_object, by_class = Overlay(NAMES), Overlay(NAMES, color_by="class")
    assert [by_object.color(found, row) for row in range(3)] == [
        color_of(9),
        color_of(3),
        color_of(4),
    ]
    assert [by_class.color(found, row) for row in range(3)] == [
        color_of(2),
        color_of(3),
        color_of(2),
    ]
    other_order = found[np.array([2, 0, 1])]
    assert by_object.color(other_order, 1) == by_object.color(found, 0)


@pytest.mark.parametrize(
    ("labels", "texts"),
    [("id", ["#7 dog 99%", "77 50%"]), ("score", ["dog 99%", "77 50%"]), ("class", ["dog", "77"])],
)
def test_what_the_name_tags_say(labels: Labels, texts: list[str]) -> None:
    found = replace(
        blobs(2, (50, 50)),
        labels=np.array([2, 77]),
        scores=np.array([0.987, 0.5], np.float32),
        ids=np.array([7, UNTRACKED]),
    )
    assert [Overlay(NAMES, labels=labels).text(found, row) for row in (0, 1)] == texts
    carried = replace(found, names=NAMES)
    assert [Overlay(labels=labels).text(carried, row) for row in (0, 1)] == texts


@pytest.mark.parametrize("height", [360, 720, 1080, 2160])
def test_letters_and_lines_grow_with_the_picture(height: int) -> None:
    picture = np.empty((height, height * 16 // 9, 3), np.uint8)
    assert 12 <= letter_size(picture) <= 40
    assert letter_size(picture) >= height // 60
    assert line_width(picture) == max(1, height // 360)
    assert letter_size(picture.transpose(1, 0, 2)) == letter_size(picture)


@pytest.mark.parametrize("text", ["person 98%", "xyg", "воздушный шар", "气球 98%", "", "é 5%"])
def test_text_fits_its_tag(text: str) -> None:
    for size in (12, 20, 40):
        picture = tag(text, size, (240, 240, 200))
        assert picture.shape[0] == round(size * 1.4)
        ink = np.abs(picture.astype(int) - (240, 240, 200)).sum(axis=2) > 30
        assert ink.any() == bool(text)
        assert not ink[[0, -1]].any()
        assert not ink[:, [0, -1]].any()
        assert not picture.flags.writeable


@pytest.mark.parametrize(
    "letters", ["气球", "風船", "バル", "풍선", "шё", "άλ", "ñŁ", "בל", "شخ"], ids=ascii
)
def test_letters_of_other_scripts_are_drawn(letters: str) -> None:
    """A font without them would draw the same sign for each."""
    one, other = (tag(letter, 20, (0, 0, 0)) for letter in letters)
    assert not np.array_equal(one, other)
    assert not np.array_equal(one, tag("?", 20, (0, 0, 0)))


def test_words_that_are_read_from_right_to_left_begin_on_the_right() -> None:
    """Final nun is the longest letter of the word for balloon, and its last."""
    picture = tag("בלון", 40, (0, 0, 0))
    left, right = np.array_split(picture[44:50], 2, axis=1)
    assert left.any()
    assert not right.any()


def test_text_drawn_in_many_threads_is_the_same() -> None:
    words = [(f"word {number}%", 12 + number % 15, (10, 20, 30)) for number in range(60)]
    expected = [tag.__wrapped__(*word) for word in words]
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda word: tag.__wrapped__(*word), words * 5))
    assert all(np.array_equal(a, b) for a, b in zip(drawn, expected * 5, strict=True))


def test_tags_stay_in_the_picture_and_make_room() -> None:
    size, tag_size = (100, 200), (14, 60)
    boxes = [
        (10, 2, 50, 40),
        (12, 4, 52, 42),
        (190, 50, 200, 99),
        (150, 90, 170, 100),
        (9, 3, 40, 90),
    ]
    places = place_tags(boxes, [tag_size] * len(boxes), size)
    covered = np.zeros(size, int)
    for left, top in places:
        assert left >= 0
        assert top >= 0
        assert left + 60 <= 200
        assert top + 14 <= 100
        covered[top : top + 14, left : left + 60] += 1
    assert covered.max() == 1
    assert places[0] == (10, 0)
    assert place_tags([(30, 50, 90, 90)], [tag_size], size) == [(30, 36)]
    assert place_tags([], [], size) == []


def test_splash_is_grey_where_nothing_was_found() -> None:
    image = noise((40, 60))
    none = Instances.empty((40, 60))
    for feather in (None, 0, 5):
        assert np.array_equal(Splash(feather)(image, none), luma(image))


def test_hard_splash_is_exact_on_both_sides() -> None:
    found = blobs(6, (120, 160), share=0.1)
    image = noise(found.size)
    expected = np.where(union(found)[..., None], image, luma(image))
    assert np.array_equal(Splash(0)(image, found), expected)


def opacity_of(effect: Splash, found: Instances) -> np.ndarray:
    """How much of the colour is left, 0..255, measured on a pure green picture."""
    green = np.zeros((*found.size, 3), np.uint8)
    green[..., 1] = 255
    drawn = effect(green, found).astype(float)
    return 255 * (drawn[..., 1] - drawn[..., 0]) / 255


def test_soft_splash_follows_the_masks() -> None:
    found = blobs(1, (120, 160), share=0.4)
    image = noise(found.size)
    drawn = Splash()(image, found)
    soft = np.zeros(found.size, np.uint8)
    rows, cols, soft[rows, cols] = soft_crop(found, 0)
    assert np.array_equal(drawn[soft >= 192], image[soft >= 192])
    assert np.array_equal(drawn[soft <= 63], luma(image)[soft <= 63])
    share = ((soft.astype(float) * 2 - 127.5) / 255).clip(0, 1)[..., None]
    between = image * share + luma(image) * (1 - share)
    assert np.abs(drawn - between).max() <= 1.5


@pytest.mark.parametrize("feather", [1, 4, 12, 250])
def test_feather_is_measured_in_pixels(feather: int) -> None:
    half = replace(
        blobs(1, (60, 1200)),
        boxes=np.array([[0, 0, 600, 60]], np.float32),
        masks=np.full((1, 28, 28), 255, np.uint8),
    )
    opacity = opacity_of(Splash(feather), half)
    assert np.allclose(opacity, opacity[:1], atol=2)
    line = opacity[30]
    assert (line[: 600 - feather - 1] >= 254).all()
    assert (line[600 + feather + 1 :] <= 1).all()
    assert (np.diff(line) <= 1).all()
    assert line[599 - feather // 2] > 130
    assert line[600 + feather // 2] < 125


@pytest.mark.parametrize("effect", [Splash(), Splash(0), Splash(6)], ids=str)
def test_no_grey_seam_between_touching_objects(effect: Splash) -> None:
    cells = np.zeros((2, 28, 28), np.uint8)
    cells[0, :, :14] = cells[1, :, 14:] = 255
    both = replace(
        blobs(2, (80, 280)), boxes=np.array([[0, 0, 280, 80]] * 2, np.float32), masks=cells
    )
    assert opacity_of(effect, both).min() >= 250


@pytest.mark.parametrize("wrong", [-1, 251, float("nan"), float("inf")])
def test_impossible_feathers_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="feather must lie"):
        Splash(wrong)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_impossible_alphas_are_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="alpha must lie"):
        Overlay(NAMES, alpha=wrong)


def test_unknown_labels_and_colours_of_an_overlay_are_refused() -> None:
    with pytest.raises(ValueError, match="labels is one of id, class, score, none, got names"):
        Overlay(labels="names")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="color_by must be class or object"):
        Overlay(color_by="track")  # type: ignore[arg-type]


def test_mix_is_exact_at_both_ends_and_close_between() -> None:
    under, over = noise((64, 256), 1), noise((64, 256), 2)
    opacity = np.arange(256, dtype=np.uint8)[None].repeat(64, axis=0)
    mixed = mix(under, over, opacity)
    share = opacity[..., None] / 255
    assert np.array_equal(mixed[:, 0], under[:, 0])
    assert np.array_equal(mixed[:, 255], over[:, 255])
    assert np.abs(mixed - (over * share + under * (1 - share))).max() <= 1


def test_on_image_shows_what_was_asked_for() -> None:
    image, predictor = scene_image(5), OraclePredictor()
    discs, rectangle = scene_masks(5)[:2].any(axis=0), scene_masks(5)[2]
    drawn = on_image(Splash(0), predictor, labels=[1])(image)
    assert np.array_equal(drawn[rectangle], luma(image)[rectangle])
    colored = drawn.max(axis=2).astype(int) - drawn.min(axis=2) > 40
    assert np.count_nonzero(colored & discs) > 0.9 * np.count_nonzero(discs)
    assert not on_image(Splash(0), predictor, score=0.96)(image).std(axis=2).any()


def test_effects_work_in_a_plain_moviepy_script(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "scene.mp4", frames=5)
    with moviepy.VideoFileClip(str(path)) as clip:
        splashed = clip.image_transform(on_image(Splash(), OraclePredictor()))
        image = splashed.get_frame(0)
        drawn = clip.image_transform(on_image(Overlay(NAMES), OraclePredictor())).get_frame(0)
    true = scene_masks(0).any(axis=0)
    hue, saturation, _ = colorsys.rgb_to_hsv(*image[scene_masks(0)[0]].mean(axis=0))
    assert saturation > 0.5
    assert hue < 0.1 or hue > 0.9
    grown = cv2.dilate(np.asarray(true, np.uint8), np.ones((9, 9), np.uint8)) > 0
    assert np.ptp(image[~grown].astype(int), axis=1).max() == 0
    assert drawn.shape == image.shape
