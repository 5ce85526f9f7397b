"""The map and the guide say what is there."""

import re

import pytest

from tests.support.commands import ROOT
from tests.test_layers import ROOMS

MAP = (ROOT / "vidseg" / "ARCHITECTURE.md").read_text(encoding="utf-8")
PAGES = [
    ROOT / "vidseg" / "ARCHITECTURE.md",
    ROOT / ".github" / "CONTRIBUTING.md",
    ROOT / "tests" / "support" / "README.md",
]


def test_the_rooms_of_the_map_are_those_that_exist_in_their_order() -> None:
    table = MAP.split("## The rooms")[1].split("\n## ")[0]
    named = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert named == [room for room in ROOMS if room not in ("", "__main__")]
    there = {path.stem for path in (ROOT / "vidseg").iterdir() if path.suffix in ("", ".py")}
    assert set(named) == {name for name in there if not name.startswith("__")}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page) -> None:  # type: ignore[no-untyped-def]
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/.]+\.(?:py|md))", text):
        if name != "my_file.py":
            places = [ROOT / name, ROOT / "vidseg" / name, ROOT / "tests" / "support" / name]
            assert any(place.exists() for place in places), f"{page.name} names {name}"
