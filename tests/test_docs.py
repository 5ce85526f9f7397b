"""README says what the program does: every command and option, and code that runs."""

import importlib
import re
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import vidseg
from tests.support.commands import ROOT
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene
from vidseg.cli import main
from vidseg.errors import ExitCode
from vidseg.models.catalog import MODELS

README = (ROOT / "README.md").read_text(encoding="utf-8")
ROOM_PAGES = sorted((ROOT / "vidseg").glob("*/README.md"))
DOCUMENTED = "\n".join([README, *(page.read_text(encoding="utf-8") for page in ROOM_PAGES)])
"""README, and the pages of the rooms that it names."""
MAX_README_LINES = 250


def every_command(group: click.Group, before: str = "") -> dict[str, click.Command]:
    """Name to command, groups and what is in them."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        found[before + name] = command
        if isinstance(command, click.Group):
            found |= every_command(command, f"{before}{name}-")
    return found


EVERY_OPTION = [
    (name, parameter)
    for name, command in every_command(main).items()
    for parameter in command.params
    if isinstance(parameter, click.Option)
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("name", main.commands)
def test_readme_has_every_command(name: str) -> None:
    assert f"`vidseg {name}" in README


@pytest.mark.parametrize(
    "option", [option for _, option in EVERY_OPTION], ids=[f"{n}-{o.name}" for n, o in EVERY_OPTION]
)
def test_readme_has_every_option(option: click.Option) -> None:
    for word in (*option.opts, *option.secondary_opts):
        assert f"`{word}" in DOCUMENTED, f"{word} is missing"


def test_readme_is_short_and_names_the_pages_of_the_rooms() -> None:
    assert len(README.splitlines()) <= MAX_README_LINES
    for page in ROOM_PAGES:
        assert f"({page.relative_to(ROOT)})" in README


def test_readme_has_no_option_that_is_not_there() -> None:
    known = {word for _, option in EVERY_OPTION for word in (*option.opts, *option.secondary_opts)}
    known |= {"--help", "-h", "-vv", "--version"}
    assert set(re.findall(r"`(--?[a-z][a-z-]*)", DOCUMENTED)) <= known


def test_readme_names_every_model_with_its_exit_codes() -> None:
    for model in ("maskrcnn_resnet50_fpn_v2", "balloon"):
        assert model in MODELS
        assert f"`{model}`" in README
    told = re.search(r"Exit codes: .*?\n\n", README, re.DOTALL)
    assert told is not None
    stopped = [ExitCode.STOPPED + number for number in (signal.SIGINT, signal.SIGTERM)]
    for code in (ExitCode.DONE, ExitCode.FAILED, ExitCode.WRONG_OPTIONS, *stopped):
        assert re.search(rf"\b{int(code)}\b", told.group())


def test_readme_commands_are_understood() -> None:
    """Every `vidseg` line of the sh blocks parses, up to files that are not there."""
    for line in re.findall(r"vidseg (?:overlay|splash|frames|info) .*", "".join(blocks("sh"))):
        words = line.partition(" #")[0].split()
        command = main.commands[words[1]]
        context = command.make_context(words[1], words[2:], resilient_parsing=True)
        assert context.params["sources"], line


def without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every way to a predictor gives an oracle."""
    predict = SimpleNamespace(load_predictor=lambda *_, **__: OraclePredictor())
    monkeypatch.setitem(sys.modules, "vidseg.models.predictor", predict)


@pytest.mark.parametrize("code", blocks("python"))
def test_readme_python_runs(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    """With an oracle for the model, and a scene for the example video."""
    (tmp_path / "examples").mkdir()
    write_scene(tmp_path / "examples" / "balloons.mp4", frames=8)
    monkeypatch.chdir(tmp_path)
    without_torch(monkeypatch)
    code = code.replace('"balloon", model="balloon"', f'"disc", model="{model}"')
    code = code.replace('model="balloon"', f'model="{model}"')
    exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "out.mp4").exists() == ("out.mp4" in code)


@pytest.mark.parametrize("name", ["compose", "one_call"])
def test_examples_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=8)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    without_torch(monkeypatch)
    monkeypatch.setattr("vidseg.models.catalog.class_names", lambda name: {1: "disc"})
    importlib.import_module(name).main(str(clip), str(tmp_path / "out.mp4"))
    assert (tmp_path / "out.mp4").exists()


def test_every_public_name_is_there() -> None:
    for name in vidseg._HOMES:
        assert getattr(vidseg, name).__name__ == name
        assert name in dir(vidseg)
    with pytest.raises(AttributeError, match="nothing"):
        vidseg.nothing  # noqa: B018
