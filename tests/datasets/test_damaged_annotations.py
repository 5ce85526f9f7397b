"""Whatever is wrong in an annotation file, it is one sentence or a reason, never a traceback."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.datasets.test_formats import RECTLABEL, SIZE, SQUARE, photo, ring, uncompressed, write
from vidseg.datasets import read_dataset
from vidseg.errors import VidsegError
from vidseg.structures.masks import to_rle

JUNK = (
    None,
    True,
    -1,
    0,
    1e30,
    float("nan"),
    "",
    "x",
    "7",
    [],
    [None],
    {},
    {"x": 1},
    [[1]],
    [1, 2],
)


def documents() -> dict[str, Any]:
    """A small sound file of every JSON format."""
    height, width = SIZE
    outline = [{"x": x, "y": y} for x, y in ((10, 5), (30, 5), (30, 25))]
    thing = {"name": "cat", "annotation_kind": "ImagePolygon", "polygon": outline}
    region = {"shape_attributes": SQUARE, "region_attributes": {"class": "cat"}}
    circle = {"shape_attributes": {"name": "circle", "cx": 9, "cy": 9, "r": 5},
              "region_attributes": {"class": {"dog": True}}}  # fmt: skip
    files = {"a": {"filename": "a.jpg", "size": 3, "regions": [region, circle]}}
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 1, "iscrowd": 0, "area": 9.5, "bbox": [1, 2, 3, 4],
         "segmentation": [[10, 5, 30, 5, 30, 25]]},
        {"id": 2, "image_id": 7, "category_id": 1, "segmentation": uncompressed(ring())},
        {"id": 3, "image_id": 7, "category_id": 1, "segmentation": dict(to_rle(ring()))},
    ]  # fmt: skip
    return {
        "via": files,
        "project": {
            "_via_settings": {"core": {"default_filepath": ""}},
            "_via_img_metadata": files,
            "_via_attributes": {"region": {"class": {"type": "radio", "options": {"1": "cat"}}}},
        },
        "coco": {
            "images": [{"id": 7, "file_name": "a.jpg", "height": height, "width": width}],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "cat"}],
        },
        "labelme": {
            "imagePath": "a.jpg",
            "imageHeight": height,
            "imageWidth": width,
            "shapes": [
                {"label": "cat", "points": [[1, 2], [9, 2], [9, 9]], "shape_type": "polygon",
                 "group_id": 1},
                {"label": "cat", "points": [[1, 2], [9, 9]], "shape_type": "circle", "group_id": 1},
                {"label": "cat", "points": [[1, 2], [3, 3]], "shape_type": "mask", "mask": "iVBO"},
            ],
        },
        "labelbox": {
            "data_row": {"id": "c", "external_id": "a.jpg", "row_data": "https://x/a.jpg"},
            "media_attributes": {"height": height, "width": width},
            "projects": {"p": {"labels": [{"id": "l", "annotations": {"objects": [thing]}}]}},
        },
        "frames": {
            "format": "vidseg frames",
            "classes": {"1": "cat"},
            "frames": [{"file": "a.jpg", "size": list(SIZE), "objects": [
                {"object": 1, "class": "cat", "segmentation": dict(to_rle(ring()))}]}],
        },
    }  # fmt: skip


def places(node: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value in a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node)
    for key, value in inner:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


def damaged(document: Any, rng: random.Random) -> Any:
    """With one value gone or replaced by junk."""
    document = copy.deepcopy(document)
    *way, last = rng.choice(list(places(document)))
    node = document
    for key in way:
        node = node[key]
    if rng.random() < 0.2:
        del node[last]
    else:
        node[last] = rng.choice(JUNK)
    return document


FORMATS = {
    "via": "via", "project": "via", "coco": "coco", "labelme": "labelme", "labelbox": "labelbox",
    "frames": "frames",
}  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_sound_documents_are_read(tmp_path: Path, kind: str) -> None:
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "a.jpg")
    write(tmp_path / "x.json", documents()[kind])
    content = read_dataset(tmp_path / "x.json")
    assert content.formats == (FORMATS[kind],)
    assert content.samples[0].objects


@pytest.mark.parametrize("kind", FORMATS)
def test_junk_anywhere_is_told_in_words(tmp_path: Path, kind: str) -> None:
    photo(tmp_path / "images" / "a.jpg")
    photo(tmp_path / "a.jpg")
    rng = random.Random(kind)
    for _ in range(120):
        document = damaged(documents()[kind], rng)
        write(tmp_path / "x.json", json.dumps(document))
        try:
            content = read_dataset(tmp_path / "x.json", format=FORMATS[kind])  # type: ignore[arg-type]
        except VidsegError:
            continue
        except Exception as error:
            raise AssertionError(json.dumps(document)) from error
        for each in (each for sample in content.samples for each in sample.objects):
            x0, y0, x1, y1 = each.box
            assert x0 < x1
            assert y0 < y1
            assert isinstance(each.label, str)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.json", ""),
        ("x.json", '{"images": ['),
        ("x.json", '["images", "annotations", "categories"]'),
        ("x.csv", "filename,region_shape_attributes\na.jpg,{\n"),
        ("data.yaml", "names: [cat\n"),
        ("data.yaml", "names: 7\n"),
        ("data.yaml", "names: [cat]\ntrain: [1, {x: 2}]\n"),
        ("data.yaml", "names: [cat]\npath: 7\ntrain: {a: b}\n"),
        ("a.xml", "<annotation><object></annotation>"),
        ("a.xml", "<annotation><size><width>x</width></size></annotation>"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, content: str) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / name, content)
    with pytest.raises(VidsegError):
        read_dataset(tmp_path)


@pytest.mark.parametrize("cut", range(40, len(RECTLABEL), 97))
def test_cut_xml(tmp_path: Path, cut: int) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", RECTLABEL[:cut])
    with pytest.raises(VidsegError, match="is not valid XML"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    "broken", ["<x1>a</x1>", "<x1></x1>", "<x1>1</x1><y1>nan</y1>", "<id>/</id>"]
)
def test_broken_numbers_in_xml(tmp_path: Path, broken: str) -> None:
    photo(tmp_path / "a.jpg")
    head = "<annotation><filename>a.jpg</filename>"
    for kind in ("polygon", "cubic_bezier", "pixels"):
        thing = f"<object><name>cat</name><{kind}>{broken}</{kind}></object>"
        write(tmp_path / "a.xml", f"{head}{thing}</annotation>")
        content = read_dataset(tmp_path)
        assert len(content.skipped) == 1


def test_a_folder_that_may_not_be_read(tmp_path: Path) -> None:
    write(tmp_path / "x.json", b"\xff\xfe\x00".decode("latin-1") + '"shapes" "imagePath"')
    with pytest.raises(VidsegError):
        read_dataset(tmp_path)
