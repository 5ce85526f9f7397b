"""The room's README against the code."""

import re
from pathlib import Path

import vidseg.results
from vidseg.results.formats.names import FORMATS

README = Path(vidseg.results.__path__[0]) / "README.md"


def test_the_table_lists_every_format_and_whether_it_is_a_folder() -> None:
    text = README.read_text(encoding="utf-8").partition("## Formats")[2]
    rows = re.findall(r"^\| `([\w-]+)` \| a (file|folder) \|", text, re.MULTILINE)
    assert rows == [(name, "folder" if f.folder else "file") for name, f in FORMATS.items()]


def test_the_formats_of_standard_output_are_listed() -> None:
    text = README.read_text(encoding="utf-8").partition("`-` as OUT is standard output for")[2]
    listed = re.findall(r"`([\w-]+)`", text.partition(":")[0])
    assert sorted(listed) == sorted(name for name, look in FORMATS.items() if look.text)
