"""What the words of a command line mean, and which of them are refused at once with exit code 2."""

import ast
import os
import re
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete

from tests.support.commands import ROOT, fails, run
from vidseg.cli import main
from vidseg.cli.option import as_options
from vidseg.cli.param_types import Time, split_names
from vidseg.errors import OptionError
from vidseg.models.torchvision_weights import MIRROR_VARIABLE
from vidseg.pipeline.search import Search

COMMANDS = sorted(main.commands)
DRAWING = ("overlay", "splash")
RUNNING = (*DRAWING, "frames")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", Fraction(0)),
        ("12.5", Fraction(25, 2)),
        (".04", Fraction(1, 25)),
        ("0.041708333", Fraction(41708333, 10**9)),
        ("1:30", Fraction(90)),
        ("00:01:02.5", Fraction(125, 2)),
        ("100:00:00", Fraction(360000)),
    ],
)
def test_times_are_exact(text: str, seconds: Fraction) -> None:
    assert Time().convert(text, None, None) == seconds


@pytest.mark.parametrize("text", ["", "-1", "1:2:3:4", "abc", "1e3", "nan", "1:", "1/3"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not a time"):
        Time().convert(text, None, None)


def test_class_names_split_at_commas_and_repeat_once() -> None:
    assert split_names(("a, b", "c", "a", "")) == ("a", "b", "c")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_two_examples_and_a_line_for_every_option(name: str) -> None:
    result = run(name, "--help")
    assert result.exit_code == 0
    _, examples = result.stdout.split("Examples:")
    assert examples.count("vidseg ") >= 2
    for parameter in main.commands[name].params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{parameter.name} has no help"
            assert parameter.opts[0] in result.stdout


@pytest.mark.parametrize("command", RUNNING)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--score", "7"], "7"),
        (["--score", "-0.1"], "-0.1"),
        (["--score", "nan"], "nan"),
        (["--start", "5", "--end", "4"], "The start, 5 s, must be before the end, 4 s"),
        (["--end", "0"], "The start, 0 s, must be before the end, 0 s"),
        (["--start", "soon"], "'soon' is not a time"),
        (["--device", "tpu"], "'tpu' is not a device"),
        (["--batch-size", "0"], "'0' is not a batch size"),
        (["--batch-size", "many"], "'many' is not a batch size"),
        (["--max-objects", "0"], "0"),
        (["--class", "disk"], "did you mean disc?"),
        (["--class", "disc,rectangel"], "did you mean rectangle?"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_wrong_options_come_before_everything(
    command: str, words: list[str], says: str, model: str, tmp_path: Path
) -> None:
    """The input is missing and so is the output's folder: that would be exit code 1."""
    missing = tmp_path / "missing" / "in.mp4"
    sentence = fails(
        command, "--model", model, *words, missing, tmp_path / "no" / "out.mp4", code=2
    )
    assert says in sentence


@pytest.mark.parametrize("command", DRAWING)
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--codec", "nosuchcodec"], "nosuchcodec"),
        (["--codec", "vp9", "out.mov"], "vp9"),
        (["--codec", "h264", "out.webm"], "h264"),
        (["--crf", "99"], "99"),
        (["--preset", "warp"], "warp"),
        (["--depth", "10"], "10 bits need one of hevc, av1, prores"),
        (["--depth", "12"], "12"),
        (["out.avi"], "out.avi"),
    ],
)
def test_impossible_encodings_are_refused_at_once(
    command: str, words: list[str], says: str, model: str
) -> None:
    target = words[-1] if words[-1].startswith("out.") else "out.mp4"
    options = [word for word in words if word != target]
    assert says in fails(command, "--model", model, *options, "missing.mp4", target, code=2)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("overlay", ["--alpha", "2"]),
        ("overlay", ["--color-by", "mood"]),
        ("splash", ["--feather", "-1"]),
        ("splash", ["--feather", "251"]),
        ("splash", ["--class", ","]),
        ("splash", ["--size", "5000000000000"]),
    ],
)
def test_effect_options_are_checked(command: str, words: list[str], model: str) -> None:
    assert words[1] in fails(command, "--model", model, *words, "missing.mp4", "o.mp4", code=2)


@pytest.mark.parametrize(
    ("command", "words"), [("overlay", ["--alpha", "nan"]), ("splash", ["--feather", "nan"])]
)
def test_effect_options_that_are_no_number_are_refused(
    command: str, words: list[str], model: str, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    assert "got nan" in fails(command, "--model", model, *words, "missing.mp4", out, code=2)


@pytest.mark.parametrize("command", RUNNING)
def test_an_empty_path_is_not_the_working_folder(command: str, model: str) -> None:
    assert "empty" in fails(command, "--model", model, "", "out.mp4", code=2)
    assert "empty" in fails(command, "--model", model, "missing.mp4", "", code=2)


def test_an_empty_model_is_not_the_default() -> None:
    assert fails("classes", "--model", "")


def test_the_help_of_the_program_has_two_examples() -> None:
    assert run("--help").stdout.split("Examples:")[1].count("vidseg ") == 2


def test_an_unknown_model_is_a_wrong_option() -> None:
    sentence = fails("splash", "--model", "baloon", "missing.mp4", "out.mp4", code=2)
    assert "did you mean balloon?" in sentence


def test_options_come_from_the_environment(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIDSEG_MODEL", str(model))
    monkeypatch.setenv("VIDSEG_CLASS", "disc,traffic light")
    assert "'traffic light'" in fails("overlay", "missing.mp4", "out.mp4", code=2)


def test_no_words_show_the_help() -> None:
    assert "overlay" in run("--help").stdout
    assert run("--version").stdout.startswith("vidseg, version ")


def complete(words: list[str], incomplete: str) -> list[str]:
    shell = ShellComplete(main, {}, "vidseg", "_VIDSEG_COMPLETE")
    return [item.value for item in shell.get_completions(words, incomplete)]


def test_completion_knows_classes_and_models(model_file: Path) -> None:
    assert complete(["overlay", "--class"], "traf") == ["traffic light"]
    asked = ["overlay", "--model", str(model_file), "--class"]
    assert complete(asked, "disc,re") == ["disc,rectangle"]
    assert complete(["overlay", "--model"], "ball") == ["balloon", "balloon_maskrcnn"]
    assert complete(["overlay", "--device"], "cu") == ["cuda", "cuda:0"]


@pytest.mark.parametrize("command", ["overlay", "frames", "detect"])
def test_one_path_alone_is_told_that_the_output_comes_last(command: str) -> None:
    assert "what to write last" in fails(command, "in.mp4", code=2)


def test_the_mirror_of_an_option_is_that_of_the_environment(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv(MIRROR_VARIABLE, "")
    target = str(tmp_path / "out.mp4")
    fails("overlay", str(tmp_path / "none.mp4"), target, "--weights-url", "https://mirror/x")
    assert os.environ[MIRROR_VARIABLE] == "https://mirror/x"


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("use `keep_going=True` or `size=800`.", "use --keep-going or --size 800."),
        ("leave `ids` and `classes` out", "leave --id and --class out"),
        ("`track=False`", "--no-track"),
        ("`weights='my runs/last.pt'`", "--weights 'my runs/last.pt'"),
        ("see `vidseg data check`, `MyPredictor`", "see `vidseg data check`, `MyPredictor`"),
    ],
)
def test_sentences_of_the_library_name_options(sentence: str, shown: str) -> None:
    assert as_options(sentence) == shown


def test_the_library_speaks_of_arguments_and_the_command_of_options(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="`ids`, `follow` and `at` each select"):
        Search("person", ids=[1], follow="first")
    words = ("overlay", "--id", "1", "--follow", "first", tmp_path / "a.mp4", tmp_path / "b.mp4")
    assert "--id, --follow and --at each select" in fails(*words, code=2)


def test_every_argument_that_a_sentence_names_is_an_option_of_some_command() -> None:
    known = {
        name.split("/")[0]
        for command in commands_of(main)
        for parameter in command.params
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    texts = [
        node.value
        for path in (ROOT / "vidseg").rglob("*.py")
        if "cli" not in path.relative_to(ROOT / "vidseg").parts
        for tree in [ast.parse(path.read_text())]
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if id(node) not in docstrings_of(tree)
    ]
    named = [option for text in texts for option in re.findall(r"--[a-z-]+", as_options(text))]
    assert len(named) > 50
    assert {*named} - {"--create-dirs"} <= known  # curl's


def commands_of(command: click.Command) -> Iterator[click.Command]:
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from commands_of(each)


def docstrings_of(tree: ast.AST) -> set[int]:
    """Strings that stand alone as a statement."""
    return {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
