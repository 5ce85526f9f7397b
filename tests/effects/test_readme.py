"""The room's README and the help of `draw` against the code."""

import re
from pathlib import Path

import pytest

import vidseg.effects
from tests.support.commands import run
from vidseg.effects.describe import effects_in_words, presets_in_words
from vidseg.effects.parse import EFFECT_PRESETS, EFFECTS, parse_effects, settings_of

README = (Path(vidseg.effects.__path__[0]) / "README.md").read_text(encoding="utf-8")


def rows(title: str) -> list[list[str]]:
    """The cells of the table under a title, without its head."""
    section = README.partition(f"## {title}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_every_effect_stands_in_the_table_with_its_settings() -> None:
    table = [(name.strip("`"), tuple(re.findall("`([^`]+)`", keys))) for name, keys, _ in
             rows("The effects")]  # fmt: skip
    assert table == [(each.name, each.settings) for each in effects_in_words()]


def test_every_setting_is_explained() -> None:
    explained = {key for keys, _, _ in rows("The settings") for key in re.findall("`(.+?)`", keys)}
    assert explained == {key for name in EFFECTS for key in settings_of(name)} - {"class", "id"}


def test_every_preset_stands_in_the_table() -> None:
    table = [(name.strip("`"), stands.replace("`", "")) for name, stands in rows("Presets")]
    assert table == [(each.name, each.summary) for each in presets_in_words()]


@pytest.mark.parametrize("name", EFFECT_PRESETS)
def test_a_preset_stands_for_its_effects_with_the_settings_given_to_each(name: str) -> None:
    names = {1: "dog"}
    texts = EFFECT_PRESETS[name]
    assert parse_effects([name], names).effects[0] == parse_effects(texts, names)
    chosen = parse_effects([f"{name}:class=dog"], names)
    for_dogs = [f"{text}{',' if ':' in text else ':'}class=dog" for text in texts]
    assert chosen.effects[0] == parse_effects(for_dogs, names)


def test_the_help_of_draw_names_every_effect_preset_and_setting() -> None:
    help_text = " ".join(run("draw", "--help").output.split())
    for each in effects_in_words():
        assert f"{each.name} {each.summary} Settings: {', '.join(each.settings)}." in help_text
    for each in presets_in_words():
        assert f"{each.name} {each.summary}" in help_text
