"""Options from a file that --config names."""

from pathlib import Path

import pytest

from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene
from vidseg.cli import main
from vidseg.cli.config_file import read_config
from vidseg.video.probe import probe


def config(folder: Path, text: str) -> Path:
    path = folder / "vidseg.toml"
    path.write_text(text, encoding="utf-8")
    return path


def values(folder: Path, text: str, *names: str) -> dict[str, object]:
    return read_config(config(folder, text), main, names)


def test_a_table_is_for_its_command_and_overrides_what_all_share(tmp_path: Path) -> None:
    text = """
        device = "cpu"
        score = 0.4
        class = ["person", "traffic light"]
        [overlay]
        score = 0.7
        no_such = 1
        """.replace("no_such = 1", "contours = true")
    assert values(tmp_path, text, "overlay") == {
        "device": "cpu",
        "score": "0.7",
        "classes": ["person", "traffic light"],
        "contours": True,
    }
    assert values(tmp_path, text, "splash")["score"] == "0.4"
    assert "score" not in values(tmp_path, text, "train")
    assert values(tmp_path, text, "train")["device"] == "cpu"


def test_commands_in_groups_have_tables(tmp_path: Path) -> None:
    text = "[data.split]\nval = 0.3\n"
    assert values(tmp_path, text, "data", "split") == {"val": "0.3"}
    assert values(tmp_path, text, "data", "check") == {}


def test_a_run_takes_what_the_command_line_leaves_open(
    oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=30)
    text = f'model = "{model}"\nstart = "0.5"\n[splash]\nend = 00:00:00.8\nclass = "disc"\n'
    path = config(tmp_path, text)
    for out, words, frames in (("a.mp4", (), 9), ("b.mp4", ("--end", "0.6"), 3)):
        result = run("splash", "--config", path, clip, tmp_path / out, *words)
        assert result.exit_code == 0, result.output
        assert probe(tmp_path / out).frames == frames


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch) -> None:
    path = config(tmp_path, 'class = "zebrra"\n')
    monkeypatch.setenv("VIDSEG_CLASS", "girafe")
    assert "girafe" in fails("overlay", "--config", path, "no.mp4", "out.mp4", code=2)


def test_no_file_is_read_that_was_not_named(tmp_path: Path, monkeypatch, model: str) -> None:
    config(tmp_path, "this is no TOML")
    monkeypatch.chdir(tmp_path)
    assert "no.mp4" in fails("overlay", "--model", model, "no.mp4", "out.mp4")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("scor = 0.5", "sets 'scor', which is not known for any command; did you mean score?"),
        ("[overlay]\nalhpa = 1", "'alhpa', which is not known for overlay; did you mean alpha?"),
        ("[overlya]\nalpha = 1", "'overlya', which is not known as a command; did you mean over"),
        ("[data.spilt]\nval = 1", "did you mean split?"),
        ("overlay = 3", "gives the command overlay a value; write a table, [overlay]"),
        ("[splash]\nno-track = true", "write track = false"),
        ("[overlay]\nconfig = 'x'", "'config'"),
        ("[overlay]\ntrack = 1", "track in "),
        ("[overlay]\nscore = [0.1, 0.2]", "takes one value, got 2"),
        ("[overlay]\nscore = true", "takes text or a number"),
        ("[overlay]\nscore = 7", "7"),
        ("[overlay", "is not valid TOML"),
    ],
)
def test_mistakes_in_the_file_are_one_sentence(
    text: str, says: str, model: str, tmp_path: Path
) -> None:
    path = config(tmp_path, text)
    words = ("overlay", "--model", model, "--config", path, "no.mp4", "out.mp4")
    assert says in fails(*words, code=2)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "no.toml"
    told = fails("overlay", "--config", path, "no.mp4", "out.mp4")
    assert told == f"{path} cannot be read: No such file or directory."
