"""vidseg data check, split and convert."""

import json
from pathlib import Path

import click
import pytest

from tests.datasets.test_formats import SQUARE, photo, via, write
from tests.support.commands import fails, run
from vidseg.cli.commands.data import FORMATS, data
from vidseg.datasets.format_names import FORMATS as KNOWN
from vidseg.datasets.loading import READERS


def dataset(folder: Path) -> Path:
    via(folder / "train", (SQUARE, {"class": "dog"}), ({"name": "point"}, {"class": "dog"}))
    via(folder / "val", (SQUARE, {"class": "cat"}))
    return folder


def test_check_gives_json_and_a_table(tmp_path: Path) -> None:
    result = run("data", "check", dataset(tmp_path))
    facts = json.loads(result.stdout)
    assert facts["splits"]["train"]["by_class"] == {"cat": 0, "dog": 1}
    assert facts["skipped"] == [
        {
            "file": str(tmp_path / "train" / "a.jpg"),
            "item": "region 1",
            "reason": "a point has no area",
        }
    ]
    lines = [line.split() for line in result.stderr.splitlines()]
    for row in (["train", "val"], ["photos", "1", "1"], ["dog", "1", "0"], ["cat", "0", "1"]):
        assert row in lines
    assert "photo sizes: 80x60 (2)" in result.stderr
    assert f"{tmp_path / 'train' / 'a.jpg'}: a point has no area" in result.stderr
    quiet = run("data", "check", tmp_path, "-q")
    assert quiet.stderr == ""
    assert json.loads(quiet.stdout) == facts


def test_a_person_sees_the_table_and_a_program_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`CliRunner` gives no terminal; with one, the table is all there is."""
    dataset(tmp_path)
    assert "format:" not in run("data", "check", tmp_path, "-q").stdout
    assert json.loads(run("data", "check", tmp_path, "--json").stdout)["photos"] == 2
    monkeypatch.setattr("vidseg.cli.json_or_table.is_terminal", lambda: True)
    table = run("data", "check", tmp_path)
    assert table.stdout.startswith("format: via\n")
    assert table.stderr == ""
    both = run("data", "check", tmp_path, "--json")
    assert json.loads(both.stdout)["photos"] == 2
    assert both.stderr == ""


def test_long_lists_end_early_in_the_table_alone(tmp_path: Path) -> None:
    via(tmp_path, *((SQUARE, {"class": f"class {n}"}) for n in range(30)))
    for n in range(30):
        photo(tmp_path / f"unnamed {n:02}.jpg")
    result = run("data", "check", tmp_path)
    assert len(json.loads(result.stdout)["skipped"]) == 30
    assert "... and 10 more classes" in result.stderr
    assert "... and 10 more lines like these" in result.stderr


def test_split_then_convert(tmp_path: Path) -> None:
    names = [f"{n}.jpg" for n in range(10)]
    for name in names:
        photo(tmp_path / name)
    write(tmp_path / "via.json", {name: {"filename": name, "regions": []} for name in names})
    result = run("data", "split", tmp_path, "--val", "0.3")
    assert "train: 7 photos" in result.stderr
    assert len((tmp_path / "val.txt").read_text().splitlines()) == 3
    assert "exists already" in fails("data", "split", tmp_path)
    run("data", "split", tmp_path, "--force", "--by", "image", "--seed", "4")
    out = tmp_path / "out"
    out.mkdir()
    run("data", "convert", tmp_path, out / "coco.json", "--to", "coco")
    assert sorted(file.name for file in out.iterdir()) == ["coco_train.json", "coco_val.json"]
    run("data", "convert", tmp_path, out / "val.json", "--to", "via", "--split", "val")
    assert len(json.loads((out / "val.json").read_text())["_via_img_metadata"]) == 2


def test_lists_elsewhere(tmp_path: Path) -> None:
    dataset(tmp_path / "set")
    (tmp_path / "lists").mkdir()
    run("data", "split", tmp_path / "set", tmp_path / "lists", "-q", "--val", "0.5")
    assert (tmp_path / "lists" / "train.txt").read_text().startswith("../set/")


def test_errors(tmp_path: Path) -> None:
    dataset(tmp_path)
    assert "does not exist" in fails("data", "check", tmp_path / "gone")
    assert "no split tset" in fails("data", "convert", tmp_path, tmp_path / "x.json",
                                    "--to", "coco", "--split", "tset", code=2)  # fmt: skip
    assert "Did you mean class?" in fails(
        "data", "check", tmp_path, "--class-attribute", "clas", code=2
    )
    assert "between 0 and 1" in fails("data", "split", tmp_path, "--val", "7", code=2)
    assert "folder" in fails("data", "convert", tmp_path, tmp_path / "no" / "x.json", "--to", "via")


def test_the_formats_are_those_of_the_library() -> None:
    assert FORMATS == KNOWN == tuple(READERS)


@pytest.mark.parametrize("name", data.commands)
def test_help_has_two_examples_and_a_line_for_every_option(name: str) -> None:
    result = run("data", name, "--help")
    _, shown = result.stdout.split("Examples:")
    assert shown.count("vidseg data") >= 2
    for parameter in data.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help
            assert parameter.opts[0] in result.stdout


def test_split_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    folder = dataset(tmp_path / "photos")
    assert "make it first" in fails("data", "split", folder, tmp_path / "no" / "lists")
    assert "make it first" in fails("data", "split", folder, tmp_path / "lists")
    assert not list(tmp_path.glob("*.txt"))


@pytest.mark.parametrize("tolerance", ["nan", "inf", "-1"])
def test_a_tolerance_that_is_no_number_of_pixels(tolerance: str, tmp_path: Path) -> None:
    words = ["data", "convert", tmp_path, tmp_path / "out.json", "--to", "via"]
    assert tolerance in fails(*words, "--tolerance", tolerance, code=2)
