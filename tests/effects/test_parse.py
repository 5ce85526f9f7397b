"""Effects from descriptions, and wrong descriptions."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.support.random_instances import blobs
from tests.support.scenes import write_scene
from vidseg.effects import Overlay, Splash
from vidseg.effects.background import Spotlight
from vidseg.effects.chain import Chain, Only, Split
from vidseg.effects.decorations import Contour, Trace
from vidseg.effects.parse import EFFECTS, parse_effect, parse_effects, settings_of
from vidseg.effects.privacy import Blur, Fill, Pixelate
from vidseg.effects.replace_background import ReplaceBackground
from vidseg.errors import InputError, OptionError

NAMES = {1: "person", 2: "car", 3: "hot air balloon", 44: "Person"}


@pytest.mark.parametrize(
    ("text", "effect"),
    [
        ("overlay", Overlay(NAMES)),
        ("overlay:alpha=.3,color-by=class,boxes=off", Overlay(NAMES, 0.3, boxes=False, color_by="class")),  # noqa: E501
        ("splash:feather=4", Splash(4.0)),
        ("contour:width=3,color=red", Contour(3, (255, 0, 0))),
        ("fill:color=#ff8800", Fill(color=(255, 136, 0))),
        ("pixelate:cells=8,hold=0,dilate=0.1", Pixelate(dilate=0.1, hold=0, cells=8)),
        ("blur: strength = 0.1 ", Blur(strength=0.1)),
        ("trace:length=90", Trace(90)),
        ("split:at=0.25", Split(0.25)),
        ("replace-background", ReplaceBackground()),
        ("pixelate:class=car", Only(Pixelate(), frozenset({2}))),
        ("fill:class=PERSON + hot air balloon", Only(Fill(), frozenset({1, 3, 44}))),
        ("spotlight:id=3+12", Only(Spotlight(), None, frozenset({3, 12}))),
        ("contour:class=car,id=5", Only(Contour(), frozenset({2}), frozenset({5}))),
    ],
)  # fmt: skip
def test_descriptions_are_understood(text: str, effect: object) -> None:
    assert parse_effect(text, NAMES) == effect


def test_several_effects_make_a_chain_in_order() -> None:
    chain = parse_effects(["blur:class=person", "contour", "split"], NAMES)
    assert chain == Chain((Only(Blur(), frozenset({1, 44})), Contour(), Split()))
    with pytest.raises(OptionError, match="at least one"):
        parse_effects([], NAMES)


@pytest.mark.parametrize("name", EFFECTS)
def test_every_effect_works_by_its_name_alone(name: str) -> None:
    found = blobs(3, (40, 60), share=0.2)
    image = np.full((40, 60, 3), 90, np.uint8)
    assert parse_effect(name, NAMES)(image, found).shape == image.shape


GOOD = {
    **dict.fromkeys(("alpha", "amount", "strength", "dilate", "size", "at"), "0.2"),
    **dict.fromkeys(("width", "length", "cells", "hold", "feather"), "5"),
    **dict.fromkeys(("masks", "boxes", "contours"), "on"),
    "labels": "score",
    "color": "red",
    "color_by": "class",
}


@pytest.mark.parametrize("name", EFFECTS)
def test_every_setting_is_of_a_type_that_can_be_read(name: str) -> None:
    for key in set(settings_of(name)) - {"class", "id", "file"}:
        parse_effect(f"{name}:{key}={GOOD[key]}", NAMES)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "There is no effect ''; use overlay, splash"),
        ("blurr", r"no effect 'blurr' \(did you mean blur\?\); use overlay"),
        ("blur:dilat=1", r"blur has no setting 'dilat' \(did you mean dilate\?\); it has class"),
        ("blur:dilate=big", "In the effect 'blur:dilate=big': dilate must be a number, got 'big'"),
        ("blur:dilate=nan", "dilate must lie in 0..1, got nan"),
        ("blur:hold=-1", "hold must be 0 or more"),
        ("blur:hold=1.5", "hold must be a whole number, got '1.5'"),
        ("blur:hold=1,hold=2", "hold is given twice"),
        ("blur:strength=0", "strength must lie in 0.02..1"),
        ("pixelate:cells=51", "cells must lie in 1..50"),
        ("contour:color=redd", "color must be a colour, such as red or #ff8800, got 'redd'"),
        ("contour:width=0", "width must lie in 1..100"),
        ("contour:width", "'width' is not a setting; write key=value"),
        ("contour:width=3,red", "width must be a whole number, got '3,red'"),
        ("overlay:masks=maybe", "masks must be on or off, got 'maybe'"),
        ("overlay:color_by=shape", "color_by must be class or object, got 'shape'"),
        ("overlay:names=x", "overlay has no setting 'names'"),
        ("overlay:alpha=2", "In the effect 'overlay:alpha=2': alpha must lie in 0..1"),
        ("halo:class=persn", r"knows no class 'persn' \(did you mean person\?\)"),
        ("halo:class=", "knows no class ''"),
        ("halo:id=0", "id must be numbers of tracks from 1 on, such as 3[+]5, got '0'"),
        ("halo:id=a", "id must be numbers"),
        ("split:class=person", "split has no setting 'class'; it has at"),
        ("split:at=1.1", "at must lie in 0..1"),
        ("spotlight:size=0", "size must lie in 0.1..10"),
        ("trace:length=0", "length must lie in 1..10000"),
        ("replace-background:color=red,file=x", "a color or a file; give only one"),
        ("replace-background:file=", "file must be the path of a file"),
        ("replace-background:_info=3", "no setting '_info'"),
    ],
)  # fmt: skip
def test_wrong_descriptions_are_refused_in_one_sentence(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=says) as caught:
        parse_effect(text, NAMES)
    assert str(caught.value).endswith(".")


def test_wrong_options_are_raised_before_missing_files() -> None:
    with pytest.raises(OptionError, match="no effect 'bluur'"):
        parse_effects(["replace-background:file=missing.png", "bluur"], NAMES)
    with pytest.raises(InputError, match=r"missing\.png"):
        parse_effects(["replace-background:file=missing.png", "blur"], NAMES)


def test_a_path_may_hold_commas_and_colons(tmp_path: Path) -> None:
    path = tmp_path / "a, b:c.png"
    cv2.imwrite(str(path), np.zeros((4, 4, 3), np.uint8))
    effect = parse_effect(f"replace-background:file={path}", NAMES)
    assert isinstance(effect, ReplaceBackground)
    assert effect.file == path
    chosen = parse_effect(f"replace-background:file={path},class=car", NAMES)
    assert chosen == Only(effect, frozenset({2}))


def test_an_unreadable_background_is_refused_in_the_constructor(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no picture")
    with pytest.raises(InputError, match=r"notes\.txt"):
        parse_effect(f"replace-background:file={text}", NAMES)
    cut = write_scene(tmp_path / "in.mp4", frames=3)
    cut.write_bytes(cut.read_bytes()[:300])
    with pytest.raises(InputError, match=r"in\.mp4"):
        parse_effect(f"replace-background:file={cut}", NAMES)


def test_one_effect_may_stand_alone() -> None:
    assert parse_effects("contour:width=3", {}) == parse_effects(["contour:width=3"], {})
