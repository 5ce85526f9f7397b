"""Predictors of one's own, by name: of a module, of a file, as an object."""

from pathlib import Path

import pytest

from tests.support import plugged
from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import CLASSES, scene_image, write_scene
from vidseg.detection.plugin import is_plugin, load_plugin
from vidseg.detection.predictor import predict_named
from vidseg.errors import ModelError, OptionError, VidsegError
from vidseg.pipeline.search import Search

CODE = """
from tests.support.doubles import OraclePredictor

class Mine(OraclePredictor):
    pass

def make():
    return Mine()

ready = Mine()
number = 7

class Broken:
    def __init__(self):
        raise RuntimeError("no such card")
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(
    ("model", "plugin"),
    [
        ("my.module:Model", True),
        ("folder/mine.py:Model", True),
        ("balloon", False),
        ("runs/a/best.pt", False),
        ("C:model", True),
        ("a:b:c", False),
    ],
)
def test_names_of_python_objects(model: str, plugin: bool) -> None:
    assert is_plugin(model) is plugin


def test_a_file_with_a_colon_in_its_name_stays_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a:b").touch()
    assert not is_plugin("a:b")


@pytest.mark.parametrize("name", ["Mine", "make", "ready"])
def test_a_class_a_function_and_an_object_of_a_file(file: Path, name: str) -> None:
    assert load_plugin(f"{file}:{name}").classes == CLASSES


def test_an_object_of_a_module() -> None:
    assert load_plugin(plugged.MODEL) is plugged.predictor


@pytest.mark.parametrize(
    ("name", "says"),
    [("absent", "no object 'absent'"), ("number", "not a predictor")],
)
def test_what_is_no_predictor_is_a_wrong_option(file: Path, name: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        load_plugin(f"{file}:{name}")


def test_code_that_fails_is_named(file: Path) -> None:
    with pytest.raises(ModelError, match="RuntimeError: no such card"):
        load_plugin(f"{file}:Broken")
    file.write_text("import nothing_of_this_name")
    with pytest.raises(OptionError, match="nothing_of_this_name"):
        load_plugin(f"{file}:Mine")
    with pytest.raises(OptionError, match="cannot be found"):
        load_plugin("no_module_of_this_name:Mine")


def test_a_command_takes_a_file_of_ones_own(file: Path, tmp_path: Path) -> None:
    clip, out = write_scene(tmp_path / "in.mp4", frames=5), tmp_path / "out.mp4"
    done = run("splash", "--model", f"{file}:Mine", "--class", "disc", clip, out)
    assert done.exit_code == 0, done.stderr
    assert "in 5 of 5 frames" in done.stderr
    assert run("classes", "--model", f"{file}:Mine").stdout.split() == list(CLASSES.values())
    assert "'dsic'" in fails(
        "splash", "--model", f"{file}:Mine", "--class", "dsic", clip, tmp_path / "b.mp4", code=2
    )


def test_an_object_is_a_model_of_a_search() -> None:
    predictor = OraclePredictor()
    search = Search("disc", model=predictor)
    assert search.predictor() is predictor
    assert search.labels == {1}
    assert search.choice.model == "OraclePredictor"


@pytest.mark.parametrize("results", [None, [{"boxes": []}]])
def test_results_of_another_kind_are_named(results: object) -> None:
    class Other:
        classes = CLASSES

        def predict(self, images: object) -> object:
            return results

    with pytest.raises(VidsegError, match="must return a list"):
        predict_named(Other(), [scene_image(0)])  # type: ignore[arg-type]


def test_classes_without_labels_are_refused() -> None:
    predictor = OraclePredictor()
    predictor.classes = ["disc", "rectangle"]  # type: ignore[assignment]
    with pytest.raises(OptionError, match="must be labels to names"):
        Search(model=predictor)
