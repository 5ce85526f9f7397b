"""Annotation files with random faults: an InputError or a dataset, soon, and no other error.

Runs about a second a format; VIDSEG_MUTATIONS sets the number of faulty files of each.
"""

import json
import os
import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.datasets.test_formats import SIZE, photo, write
from tests.datasets.test_formats_of_more_tools import coco, mask_image, packed_brush
from tests.datasets.test_ids_and_photos import annotation, image
from tests.evaluation.test_photo_results import packed, result
from vidseg.datasets import read_dataset
from vidseg.datasets.copies import report_copies
from vidseg.datasets.statistics import report
from vidseg.errors import VidsegError
from vidseg.evaluation import mots, ytvis
from vidseg.evaluation.photo_results import read_coco

MUTATIONS = int(os.environ.get("VIDSEG_MUTATIONS", "40"))
SQUARE = [10, 5, 30, 5, 30, 25, 10, 25]
POINTS = [[10, 5], [30, 5], [30, 25], [10, 25]]
HEIGHT, WIDTH = SIZE


def _coco(folder: Path) -> Path:
    rle = {"size": [*SIZE], "counts": [2405, 10, 2385]}
    rows = [annotation(1), annotation(2, segmentation=packed(SQUARE), iscrowd=1),
            annotation(3, category=2, segmentation=rle)]  # fmt: skip
    return write(folder / "x.json", coco([image(1, "a.jpg")], rows))


def _via(folder: Path) -> Path:
    xs, ys = SQUARE[::2], SQUARE[1::2]
    shapes = [
        {"name": "polygon", "all_points_x": xs, "all_points_y": ys},
        {"name": "ellipse", "cx": 40, "cy": 30, "rx": 9, "ry": 5, "theta": 0.3},
        {"name": "rect", "x": 1, "y": 2, "width": 9, "height": 9},
    ]
    regions = [{"shape_attributes": s, "region_attributes": {"class": "cat"}} for s in shapes]
    entry = {"filename": "a.jpg", "size": 9, "regions": regions, "file_attributes": {}}
    settings = {"core": {"default_filepath": ""}}
    return write(
        folder / "x.json", {"_via_settings": settings, "_via_img_metadata": {"a.jpg9": entry}}
    )


def _via_csv(folder: Path) -> Path:
    shape = json.dumps({"name": "circle", "cx": 40, "cy": 30, "r": 9}).replace('"', '""')
    head = "filename,file_size,region_shape_attributes,region_attributes\n"
    return write(folder / "x.csv", f'{head}a.jpg,9,"{shape}","{{""class"":""cat""}}"\n')


def _via3(folder: Path) -> Path:
    regions = {
        "p": {"vid": "1", "flg": 0, "z": [], "xy": [7, *SQUARE], "av": {"1": "0"}},
        "c": {"vid": "1", "flg": 0, "z": [], "xy": [3, 40, 30, 9], "av": {"1": "0"}},
    }
    document = {
        "attribute": {"1": {"aname": "class", "options": {"0": "cat"}}},
        "file": {"1": {"fid": "1", "fname": "a.jpg", "src": "a.jpg"}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": regions,
    }
    return write(folder / "x.json", document)


def _labelme(folder: Path) -> Path:
    shapes = [
        {"label": "cat", "points": POINTS, "group_id": 1, "shape_type": "polygon"},
        {"label": "cat", "points": POINTS[:2], "group_id": 1, "shape_type": "circle"},
        {"label": "dog", "points": POINTS[::2], "shape_type": "rectangle"},
    ]
    facts = {"imagePath": "a.jpg", "imageData": None, "imageHeight": HEIGHT, "imageWidth": WIDTH}
    return write(folder / "a.json", {**facts, "shapes": shapes})


def _labelme_xml(folder: Path) -> Path:
    points = "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in POINTS)
    return write(
        folder / "a.xml",
        f"<annotation><filename>a.jpg</filename><imagesize><nrows>{HEIGHT}</nrows>"
        f"<ncols>{WIDTH}</ncols></imagesize><object><name>cat</name>"
        f"<polygon>{points}</polygon></object></annotation>",
    )


def _cvat(folder: Path) -> Path:
    outline = ";".join(f"{x},{y}" for x, y in POINTS)
    shapes = (
        f'<polygon label="cat" points="{outline}" group_id="2"/><ellipse label="cat" cx="40" '
        'cy="30" rx="9" ry="5"/><mask label="dog" rle="2, 3, 5" left="40" top="5" width="5" '
        'height="2"/>'
    )
    head = f'<image id="0" name="a.jpg" width="{WIDTH}" height="{HEIGHT}">'
    return write(folder / "annotations.xml", f"<annotations>{head}{shapes}</image></annotations>")


def _cvat_video(folder: Path) -> Path:
    outline = ";".join(f"{x},{y}" for x, y in POINTS)
    shape = f'<polygon frame="0" outside="0" points="{outline}"/>'
    size = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
    photo(folder / "frame_000000.jpg")
    return write(
        folder / "annotations.xml",
        f'<annotations><meta>{size}</meta><track id="0" label="cat">{shape}</track></annotations>',
    )


def _rectlabel(folder: Path) -> Path:
    pairs = "".join(f"<x{n}>{x}</x{n}><y{n}>{y}</y{n}>" for n, (x, y) in enumerate(POINTS, 1))
    return write(
        folder / "a.xml",
        f"<annotation><filename>a.jpg</filename><size><width>{WIDTH}</width><height>{HEIGHT}"
        f"</height></size><object><name>cat</name><polygon>{pairs}</polygon></object></annotation>",
    )


def _yolo(folder: Path) -> Path:
    photo(folder / "images" / "a.jpg")
    write(folder / "data.yaml", "path: .\ntrain: images\nnames: {0: cat, 1: dog}\n")
    return write(folder / "labels" / "a.txt", "0 0.1 0.1 0.5 0.1 0.5 0.5\n1 0 0 1 0 1 1 0 1\n")


def _yolo_yaml(folder: Path) -> Path:
    _yolo(folder)
    return folder / "data.yaml"


def _labelbox(folder: Path) -> Path:
    polygon = [{"x": x, "y": y} for x, y in POINTS]
    label = {"annotations": {"objects": [{"name": "cat", "polygon": polygon}]}}
    row = {
        "data_row": {"external_id": "a.jpg"},
        "media_attributes": {"height": HEIGHT, "width": WIDTH},
        "projects": {"p": {"labels": [label]}},
    }
    return write(folder / "x.ndjson", json.dumps(row) + "\n")


def _label_studio(folder: Path) -> Path:
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    mask = np.zeros(SIZE, bool)
    mask[7:12, 40:60] = True
    shapes = [
        {"points": POINTS, "polygonlabels": ["cat"]},
        {"format": "rle", "rle": packed_brush(mask), "brushlabels": ["dog"]},
        {"x": 50, "y": 50, "radiusX": 9, "radiusY": 5, "rotation": 9, "ellipselabels": ["cat"]},
    ]
    task = {
        "data": {"image": "/data/upload/1/a.jpg"},
        "annotations": [{"result": [{"value": shape, **size} for shape in shapes]}],
    }
    return write(folder / "x.json", [task])


def _datumaro(folder: Path) -> Path:
    kinds = [
        {"id": 0, "type": "polygon", "group": 1, "label_id": 0, "points": SQUARE},
        {"id": 1, "type": "mask", "group": 1, "label_id": 0, "rle": packed(SQUARE)},
        {"id": 2, "type": "ellipse", "label_id": 0, "points": [40, 20, 60, 30]},
    ]
    item = {"id": "a", "annotations": kinds, "image": {"path": "a.jpg", "size": [*SIZE]}}
    labels = {"label": {"labels": [{"name": "cat"}]}}
    return write(folder / "x.json", {"categories": labels, "items": [item]})


def _frames(folder: Path) -> Path:
    photo(folder / "images" / "a.jpg")
    thing = {"object": 1, "class": "cat", "segmentation": packed(SQUARE)}
    frame = {"file": "a.jpg", "size": [*SIZE], "objects": [thing]}
    facts = {"format": "vidseg frames", "classes": {"1": "cat"}, "frames": [frame]}
    return write(folder / "instances.json", facts)


def _list(folder: Path) -> Path:
    _coco(folder)
    return write(folder / "train.txt", "a.jpg\n./images/a.jpg\nC:\\x\\a.jpg\n")


def _mask(folder: Path) -> Path:
    photo(folder / "images" / "a.jpg")
    return mask_image(folder / "masks" / "a.png", (10, 5, 30, 25), (40, 30, 60, 50), value=1)


def _photo(folder: Path) -> Path:
    _coco(folder)
    return folder / "a.jpg"


def _results(folder: Path) -> Path:
    _coco(folder)
    rows = [result(1, 1), result(1, 2, [SQUARE], bbox=[10, 5, 20, 20]), result(1, 1, SQUARE)]
    return write(folder / "results.txt", json.dumps(rows))


def _ytvis(folder: Path) -> Path:
    video = {"id": 1, "width": WIDTH, "height": HEIGHT, "file_names": ["a/0.jpg", "a/1.jpg"]}
    masks = [packed(SQUARE), [SQUARE]]
    track = {"id": 1, "video_id": 1, "category_id": 1, "score": 0.5, "segmentations": masks}
    facts = {"videos": [video], "annotations": [track], "categories": [{"id": 1, "name": "cat"}]}
    return write(folder / "tracks.txt", facts)


def _mots(folder: Path) -> Path:
    counts = packed(SQUARE)["counts"]
    lines = [f"{n} 2001 2 {HEIGHT} {WIDTH} {counts}\n" for n in range(3)]
    return write(folder / "instances_txt" / "a.txt", "".join(lines))


def read(folder: Path, file: Path) -> None:
    """What `data check` does with the folder."""
    content = read_dataset(folder)
    json.dumps({**report(content), **report_copies(content)})


def read_found(folder: Path, file: Path) -> None:
    read_coco(file, read_dataset(folder), ())


def read_tracks(folder: Path, file: Path) -> None:
    ytvis.read_truth(file)


def read_mots(folder: Path, file: Path) -> None:
    mots.read_truth(folder)


Make = Callable[[Path], Path]
KINDS: dict[str, tuple[Make, Callable[[Path, Path], None]]] = {
    **{
        make.__name__[1:]: (make, read)
        for make in (
            *(_coco, _via, _via_csv, _via3, _labelme, _labelme_xml, _cvat, _cvat_video),
            *(_rectlabel, _yolo, _yolo_yaml, _labelbox, _label_studio, _datumaro, _frames),
            *(_list, _mask, _photo),
        )
    },
    "results": (_results, read_found),
    "ytvis": (_ytvis, read_tracks),
    "mots": (_mots, read_mots),
}
NUMBERS = [b"-1", b"0", b"1e308", b"-1e308", b"NaN", b"Infinity", b"1e9", b"99999999999999999999"]
WORDS = [b"null", b"true", b"[]", b"{}", b'""', b'"x"', b"[[]]", b'"\\ud800"', b"[" * 3000]


def mutated(data: bytes, chance: random.Random) -> bytes:
    """One to three faults: bytes, cuts, repeats, numbers and values of JSON."""
    for _ in range(chance.randint(1, 3)):
        kind = chance.randrange(7)
        at = chance.randrange(len(data) + 1)
        end = min(len(data), at + chance.randint(1, 40))
        if kind == 0 and at < len(data):
            data = data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        elif kind == 1:
            data = data[:at] + data[end:]
        elif kind == 2:
            data = data[:at] + data[at:end] * chance.randint(2, 300) + data[end:]
        elif kind == 3:
            data = data[: chance.randrange(len(data) + 1)]
        elif spots := list(re.finditer(rb'-?\d+\.?\d*|"[^"]*"|null|\[\]', data)):
            spot = chance.choice(spots)
            value = chance.choice(NUMBERS if kind < 6 else WORDS)
            data = data[: spot.start()] + value + data[spot.end() :]
        if not data:
            return data
    return data


@pytest.mark.timeout(max(120, MUTATIONS))
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", KINDS)
def test_faulty_files(tmp_path: Path, kind: str) -> None:
    make, look = KINDS[kind]
    photo(tmp_path / "a.jpg")
    file = make(tmp_path)
    whole = file.read_bytes()
    look(tmp_path, file)
    sentence = ""
    for seed in range(MUTATIONS):
        data = mutated(whole, random.Random(f"{kind} {seed}"))
        file.write_bytes(data)
        try:
            look(tmp_path, file)
        except VidsegError as error:
            sentence = str(error)
        except Exception as error:
            pytest.fail(f"seed {seed}: {repr(error)[:300]} of {data[:300]!r}")
        assert len(sentence) < 2000
