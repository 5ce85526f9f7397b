"""Imports point down: read from the source, without importing anything."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "vidseg"
MODULES = sorted(PACKAGE.rglob("*.py"))

ROOMS = [
    *("errors", "version", "concurrency", "cpu_budget", "remote", "atomic_output", "structures"),
    *("models", "video", "detection", "tracking", "datasets", "effects"),
    *("results", "evaluation", "inspection", "training", "pipeline", "cluster", "cli"),
    *("", "__main__"),
]
"""Every room, lowest first: a room imports only from rooms before it, and from itself.

The package itself, "", only hands out names, when they are asked for.
"""
PARTS = {
    "video": [
        *("environment", "info", "pyav_versions", "large_arrays", "orientation", "codecs"),
        *("tone_mapping", "color", "analysis"),
        *("demuxing", "damage", "decoding", "encoding", "live"),
        *("probe", "saved_info", "moviepy_clip"),
    ],
    "cluster": [
        *("options", "worker", "_ray", "_arrivals", "_pool", "_spans", "_start", "_finding"),
        *("shared", "drawing", ""),
    ],
    "cli": [
        *("option", "config_file", "param_types", "threads", "console", "exit_codes", "progress"),
        *("standard_output", "tracking_options", "encoding_options", "model_options"),
        *("run_flags", "cluster_options", "live_options", "training_display"),
        *("options", "json_or_table", "batch", "sharing", "trial", "drawing", "output_specs"),
        *("commands", ""),
    ],
}
"""The parts of a room, lowest first, by the same rule; "" is the room's own `__init__`."""
HOMES = {
    "moviepy": {"video"},
    "av": {"video"},
    "imageio_ffmpeg": {"video"},
    "cv2": {
        *("structures", "video", "detection", "datasets", "effects", "results"),
        *("evaluation", "inspection", "training", "cli"),
    },
    "torch": {"models", "datasets", "inspection", "training", "cli"},
    "torchvision": {"models", "datasets", "inspection", "training"},
    "click": {"cli"},
    "jinja2": {"inspection"},
    "ray": {"cluster"},
    "fsspec": {"remote"},
    "tqdm": {"pipeline", "cli"},
}
"""Heavy library to the rooms that may know it; `cli` sets thread counts."""


def room(module: str) -> str:
    """`vidseg.video.probe` is in the room `video`."""
    return [*module.split("."), ""][1]


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imported(path: Path) -> Iterator[str]:
    """Every module that the file imports, anywhere in it, outside `if TYPE_CHECKING`."""
    tree = ast.parse(path.read_text())
    only_for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in only_for_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_is_listed() -> None:
    assert {room(name_of(path)) for path in MODULES} <= set(ROOMS)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_point_down(path: Path) -> None:
    here = name_of(path)
    below = ROOMS[: ROOMS.index(room(here)) + 1]
    upward = [
        target
        for target in imported(path)
        if target.split(".")[0] == "vidseg" and room(target) not in below
    ]
    assert not upward, f"{here} imports {upward}, which stand above it in ROOMS"


def part(module: str) -> str:
    """`vidseg.video.probe` is the part `probe` of its room."""
    return [*module.split("."), "", ""][2]


@pytest.mark.parametrize("divided", PARTS)
def test_every_part_is_listed_once(divided: str) -> None:
    found = {part(name_of(path)) for path in MODULES if room(name_of(path)) == divided}
    assert sorted({*PARTS[divided]} - {""}) == sorted(found - {""})


@pytest.mark.parametrize("path", [p for p in MODULES if room(name_of(p)) in PARTS], ids=name_of)
def test_imports_point_down_inside_a_room(path: Path) -> None:
    here = name_of(path)
    order = PARTS[room(here)]
    below = order[: order.index(part(here)) + 1] if part(here) in order else []
    upward = [
        target
        for target in imported(path)
        if target.split(".")[0] == "vidseg" and room(target) == room(here)
        if part(target) not in below
    ]
    assert not upward, f"{here} imports {upward}, which stand above it in PARTS"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_heavy_libraries_stay_in_their_rooms(path: Path) -> None:
    here = room(name_of(path))
    strangers = [
        target for target in imported(path) if here not in HOMES.get(target.split(".")[0], {here})
    ]
    assert not strangers, f"{name_of(path)} imports {strangers}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_files_stay_small_and_functions_short(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            documented = ast.get_docstring(node, clean=False)
            lines = (node.end_lineno or 0) - node.body[0].lineno + 1
            lines -= len(documented.splitlines()) if documented else 0
            assert lines <= 60, f"{node.name} has {lines} lines"


@pytest.mark.parametrize("module", ["vidseg", "vidseg.cli"])
def test_importing_is_light(module: str) -> None:
    heavy = {"torch", "torchvision", "cv2", "moviepy", "av", "numpy", "scipy", "pycocotools"}
    code = f"import sys, {module}; print(*({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == []


MAX_PARAMETERS = {"public": 12, "private": 8}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_functions_take_few_parameters(path: Path) -> None:
    """Those of a command of the program are its options, and click passes them."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and "cli.commands" not in name_of(path):
            given = node.args
            count = len([*given.posonlyargs, *given.args, *given.kwonlyargs])
            count -= bool(given.args) and given.args[0].arg in ("self", "cls")
            private = node.name.startswith("_") and not node.name.startswith("__")
            limit = MAX_PARAMETERS["private" if private else "public"]
            assert count <= limit, f"{node.name} takes {count} parameters"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_private_modules_stay_in_their_folder(path: Path) -> None:
    here = name_of(path).rpartition(".")[0] if path.name != "__init__.py" else name_of(path)
    for target in imported(path):
        folder, _, rest = target.partition("._")
        if target.startswith("vidseg.") and rest and not rest.startswith("_"):
            assert f"{here}.".startswith(f"{folder}."), (
                f"{name_of(path)} imports {target}, which is private to {folder}"
            )
