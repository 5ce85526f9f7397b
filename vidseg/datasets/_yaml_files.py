"""Read YAML files in bounded time and memory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidseg.datasets.annotation_files import read_text
from vidseg.errors import InputError

MAX_YAML_BYTES = 500_000
"""PyYAML takes several seconds for more; a list of 1000 classes has 20 kB."""

MAX_BRACKETS = 1000
"""PyYAML's time grows with the square of the depth; a list of classes has one level."""


def read_yaml(path: Path) -> Mapping[str, Any]:
    """A YOLO dataset's settings, which have `names`.

    Aliases are not read: they let a small file stand for a huge document.

    Raises InputError: it is no such file, or PyYAML is not installed.
    """
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise InputError(
            f"Reading {path} needs PyYAML; install it with: pip install 'vidseg[yolo]'"
        ) from error
    text = read_text(path, max_bytes=MAX_YAML_BYTES)
    if text.count("[") + text.count("{") > MAX_BRACKETS:
        raise InputError(f"{path} has more than {MAX_BRACKETS} opening brackets; is it YOLO's?")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, yaml.SafeLoader)):
            raise InputError(f"{path} has YAML aliases (`*name`), which are not read.")
        settings = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(settings, dict) or "names" not in settings:
        raise InputError(f"{path} has no classes; a YOLO dataset has a list called names.")
    return settings
