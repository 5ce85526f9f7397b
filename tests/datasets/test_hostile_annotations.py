"""Files without end, or made to take time and memory: one sentence, soon, in little memory."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.test_formats import SIZE, objects, photo, reasons, via, write
from tests.datasets.test_formats_of_more_tools import coco
from tests.datasets.test_ids_and_photos import annotation, image
from tests.support.commands import ROOT
from vidseg.datasets import read_dataset
from vidseg.datasets.rasterize import checked_rle
from vidseg.errors import InputError

MEMORY = 1_500_000_000
"""Bytes of address space beyond what imports take; reading little files needs far less."""


def one_photo(folder: Path, **facts: Any) -> Path:
    photo(folder / "a.jpg")
    write(folder / "x.json", coco([image(1, "a.jpg")], [annotation(1, **facts)]))
    return folder


def checked_apart(folder: Path) -> str:
    """What `read_dataset` says in a process of its own, with bounded memory."""
    code = (
        "import resource, sys, cv2, torch\n"
        "from vidseg.datasets import loading\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        f"resource.setrlimit(resource.RLIMIT_AS, (used + {MEMORY},) * 2)\n"
        "try:\n"
        "    content = loading.read_dataset(sys.argv[1])\n"
        "    print(len(content.samples), [each.reason for each in content.skipped])\n"
        "except loading.InputError as error:\n"
        "    print(error)\n"
    )
    words = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=100)
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout


def zigzag(count: int, width: int, height: int) -> list[float]:
    return [v for n in range(count) for v in (n * width / count, height * (n % 2))]


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_AS"), reason="needs a limit of memory")
@pytest.mark.parametrize("points", [20_000, 1_000_000])
def test_outlines_with_long_edges(tmp_path: Path, points: int) -> None:
    """pycocotools crashes, or takes gigabytes."""
    said = checked_apart(one_photo(tmp_path, segmentation=[zigzag(points, 80, 60)]))
    assert said.startswith("1 "), said
    assert ("pixels long" in said) == (points > 100_000)


def test_outlines_far_outside_and_of_many_parts(tmp_path: Path) -> None:
    part = [10, 5, 30, 5, 30, 25]
    content = read_dataset(one_photo(tmp_path, segmentation=[part] * 10_001))
    assert reasons(content) == [
        ("annotation 1", "it has 10001 polygons, and at most 10000 are drawn")
    ]


@pytest.mark.timeout(20)
@pytest.mark.parametrize("text", ["o" * 400_000, "0" * 100, "\x00", "é", "~" * 50])
def test_run_lengths_without_end(text: str) -> None:
    with pytest.raises(ValueError, match="run lengths"):
        checked_rle(SIZE, text)


@pytest.mark.parametrize("size", [(10**6, 10**6), (0, 5), (-3, 5)])
def test_masks_of_absurd_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="a mask of"):
        checked_rle(size, [1])


DEEP = "[" * 200_000 + "]" * 200_000


def alias_bomb() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    return "\n".join([*lines, "names: [*a11]"])


HOSTILE: dict[str, Callable[[Path], Any]] = {
    "coco": lambda d: write(
        d / "x.json", f'{{"images": [], "annotations": {DEEP}, "categories":1}}'
    ),
    "via": lambda d: write(d / "x.json", f'{{"filename": 1, "regions": {DEEP}}}'),
    "labelme": lambda d: write(d / "x.json", f'{{"imagePath": "a.jpg", "shapes": {DEEP}}}'),
    "labelbox": lambda d: write(d / "x.ndjson", f'{{"data_row": 1, "projects": {DEEP}}}'),
    "label studio": lambda d: write(
        d / "x.json", f'[{{"original_width": 1, "original_height": {DEEP}}}]'
    ),
    "csv": lambda d: write(
        d / "x.csv",
        'filename,region_shape_attributes,region_attributes\na.jpg,"' + DEEP + '","{}"\n',
    ),
    "yaml": lambda d: write(d / "data.yaml", "names: " + "[" * 5_000),
    "aliases": lambda d: write(d / "data.yaml", alias_bomb()),
    "large yaml": lambda d: write(d / "data.yaml", "names: [x]\n" + "# y\n" * 200_000),
    "xml": lambda d: write(d / "a.xml", "<annotation>" + "<a>" * 100_000),
    "cvat": lambda d: write(d / "a.xml", "<annotations><track id='1'><polygon/></track>" * 2),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("kind", HOSTILE)
def test_deep_and_multiplied_documents(tmp_path: Path, kind: str) -> None:
    photo(tmp_path / "a.jpg")
    HOSTILE[kind](tmp_path)
    with pytest.raises(InputError) as caught:
        read_dataset(tmp_path)
    assert len(str(caught.value)) < 600


@pytest.mark.timeout(20)
def test_xml_of_many_points(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    pairs = "".join(
        f"<x{n}>{10 + n % 20}</x{n}><y{n}>{5 + n // 2000}</y{n}>" for n in range(1, 20_001)
    )
    write(
        tmp_path / "a.xml",
        "<annotation><filename>a.jpg</filename><object><name>cat</name>"
        f"<polygon>{pairs}</polygon></object></annotation>",
    )
    assert [each.label for each in objects(read_dataset(tmp_path))] == ["cat"]


def test_a_csv_cell_over_the_limit_of_python(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    xs = [x for x in (10, 30, 30, 10) for _ in range(9000)]
    ys = [y for y in (5, 5, 25, 25) for _ in range(9000)]
    shape = json.dumps({"name": "polygon", "all_points_x": xs, "all_points_y": ys})
    quoted = shape.replace('"', '""')
    write(
        tmp_path / "x.csv",
        f'filename,region_shape_attributes,region_attributes\na.jpg,"{quoted}","{{}}"\n',
    )
    assert len(objects(read_dataset(tmp_path))) == 1


@pytest.mark.timeout(20)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs FIFOs")
def test_special_files_are_not_opened(tmp_path: Path) -> None:
    via(tmp_path, {"name": "rect", "x": 10, "y": 5, "width": 20, "height": 8})
    for name in ("b.jpg", "c.json", "d.xml", "train.txt"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "loop").symlink_to(tmp_path)
    if os.path.isdir("/proc/self"):
        (tmp_path / "kernel").symlink_to("/proc")
        (tmp_path / "e.jpg").symlink_to("/dev/zero")
        (tmp_path / "f.json").symlink_to("/proc/kmsg")
    assert len(objects(read_dataset(tmp_path))) == 1
    with pytest.raises(InputError, match="not a regular file"):
        read_dataset(tmp_path / "c.json")
    for name in ("images", "masks"):
        (tmp_path / "other" / name).mkdir(parents=True)
        os.mkfifo(tmp_path / "other" / name / "a.png")
    with pytest.raises(InputError):
        read_dataset(tmp_path / "other")


def test_sparse_files_are_too_large(tmp_path: Path) -> None:
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(100 << 30)
    with pytest.raises(InputError, match="MB"):
        read_dataset(tmp_path)
