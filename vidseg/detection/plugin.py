"""Predictors that users bring: `package.module:object` or `path/to/file.py:object`."""

import importlib
import importlib.util
import inspect
import re
from pathlib import Path
from types import ModuleType
from typing import Any

from vidseg.detection.predictor import Predictor, check_predictor
from vidseg.errors import ModelError, OptionError

PLUGIN_NAME = re.compile(r"(?P<module>.+\.py|[A-Za-z_][\w.]*):(?P<object>[A-Za-z_]\w*)")
"""A module or a Python file, and after a colon the name of an object in it."""


def is_plugin(model: str | Path) -> bool:
    """Whether `model` names an object of Python code, rather than a model or a model file."""
    return PLUGIN_NAME.fullmatch(str(model)) is not None and not Path(model).exists()


def load_plugin(model: str | Path) -> Predictor:
    """The predictor of that name. A class, or a function without arguments, is called to make it.

    This runs the code of that module.

    Raises:
        OptionError: no such module or object, or the object is not a predictor.
        ModelError: its code raised an error.
    """
    match = PLUGIN_NAME.fullmatch(str(model))
    assert match is not None
    found = _attribute(_module(match["module"]), match["object"], model)
    try:
        predictor: Any = found() if inspect.isroutine(found) or inspect.isclass(found) else found
    except Exception as error:
        raise ModelError(f"{model} cannot be made: {type(error).__name__}: {error}") from error
    check_predictor(predictor, str(model))
    return predictor


def _module(name: str) -> ModuleType:
    try:
        if not name.endswith(".py"):
            return importlib.import_module(name)
        spec = importlib.util.spec_from_file_location(Path(name).stem, name)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (ModuleNotFoundError, FileNotFoundError) as error:
        raise OptionError(f"The code of `model='{name}'` cannot be found: {error}.") from error
    except Exception as error:
        raise ModelError(f"{name} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _attribute(module: ModuleType, name: str, model: str | Path) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise OptionError(f"{model}: {module.__name__} has no object {name!r}.") from None
