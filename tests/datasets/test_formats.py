"""Each format's shapes and oddities, and that nothing goes missing without a reason."""

import base64
import io
import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from PIL import Image as Pictures
from pycocotools import mask as coco

from vidseg.datasets import Annotation, Content, read_dataset
from vidseg.datasets.rasterize import checked_rle
from vidseg.errors import InputError, OptionError
from vidseg.structures.masks import from_rle, to_rle

HEIGHT, WIDTH = SIZE = 60, 80
SQUARE = {"name": "polygon", "all_points_x": [10, 30, 30, 10], "all_points_y": [5, 5, 25, 25]}


def photo(path: Path, size: tuple[int, int] = SIZE, *, exif: int | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Pictures.fromarray(np.full((*size, 3), 90, np.uint8))
    tags = Pictures.Exif()
    if exif is not None:
        tags[0x0112] = exif
    picture.save(path, exif=tags.tobytes())
    return path


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def via(folder: Path, *regions: Any, name: str = "a.jpg") -> Path:
    """VIA 2's regions JSON of one photo; a region is its shape or (shape, attributes)."""
    pairs = [each if isinstance(each, tuple) else (each, {}) for each in regions]
    listed = [{"shape_attributes": shape, "region_attributes": more} for shape, more in pairs]
    photo(folder / name)
    entry = {"filename": name, "size": 9, "regions": listed, "file_attributes": {}}
    write(folder / "via_region_data.json", {name + "9": entry})
    return folder


def objects(content: Content) -> list[Annotation]:
    return [each for sample in content.samples for each in sample.objects]


def reasons(content: Content) -> list[tuple[str, str]]:
    return [(each.item, each.reason) for each in content.skipped]


# VIA


@pytest.mark.parametrize(
    ("shape", "area", "box"),
    [
        (SQUARE, 400, (10, 5, 30, 25)),
        ({**SQUARE, "name": "polyline"}, 400, (10, 5, 30, 25)),
        ({"name": "rect", "x": 10, "y": 5, "width": 20, "height": 8}, 160, (10, 5, 30, 13)),
        ({"name": "circle", "cx": 40, "cy": 30, "r": 20}, math.pi * 400, (20, 10, 60, 50)),
        ({"name": "circle", "cx": 40, "cy": 30, "r": 5}, math.pi * 25, (35, 25, 45, 35)),
        (
            {"name": "ellipse", "cx": 40, "cy": 30, "rx": 20, "ry": 10},
            math.pi * 200,
            (20, 20, 60, 40),
        ),
        (
            {"name": "ellipse", "cx": 40, "cy": 30, "rx": 20, "ry": 10, "theta": math.pi / 2},
            math.pi * 200,
            (30, 10, 50, 50),
        ),
    ],
)
def test_via_shapes(tmp_path: Path, shape: Any, area: float, box: Any) -> None:
    (found,) = objects(read_dataset(via(tmp_path, shape)))
    assert found.area == pytest.approx(area, rel=0.02)
    assert found.box == pytest.approx(box, abs=1)
    assert found.label == "object"


def test_an_ellipse_turns_clockwise_on_the_screen(tmp_path: Path) -> None:
    shape = {"name": "ellipse", "cx": 40, "cy": 30, "rx": 20, "ry": 4, "theta": math.pi / 4}
    (found,) = objects(read_dataset(via(tmp_path, shape)))
    pixels = from_rle(found.rle)
    assert pixels[40, 50]
    assert not pixels[20, 50]


def test_via_that_has_no_area_is_named(tmp_path: Path) -> None:
    shapes = (
        SQUARE,
        {"name": "point", "cx": 3, "cy": 4},
        {"name": "polygon", "all_points_x": [1, 2], "all_points_y": [1, 2]},
        {"name": "circle", "cx": 3, "cy": 4},
        {"name": "polygon", "all_points_x": [200, 210, 210], "all_points_y": [5, 5, 25]},
        {"name": "polygon", "all_points_x": [1e9, 210, 210], "all_points_y": [5, 5, 25]},
        {"name": "rect", "x": 10, "y": 5, "width": 0, "height": 8},
        {"name": "polygon", "all_points_x": [1, "x", 3], "all_points_y": [1, 2, 3]},
        {"name": "polygon", "all_points_x": [1, 2, 3], "all_points_y": [1, 2]},
    )
    content = read_dataset(via(tmp_path, *shapes))
    assert len(objects(content)) == 1
    assert sorted(item for item, _ in reasons(content)) == [f"region {n}" for n in range(1, 9)]
    assert {each.file for each in content.skipped} == {str(tmp_path / "a.jpg")}
    told = dict(reasons(content))
    assert told["region 1"] == "a point has no area"
    assert told["region 2"] == "not a valid polygon: an outline needs 3 points and it has 2"
    assert told["region 3"] == "the circle has no 'r'"
    assert told["region 4"] == "it covers no pixel of the photo"
    assert told["region 5"] == "it lies far outside the photo"
    assert told["region 6"] == "it covers no pixel of the photo"


def test_via_1_has_a_dict_of_regions(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    region = {"shape_attributes": SQUARE, "region_attributes": {}}
    entry = {"fileref": "", "size": 9, "filename": "a.jpg", "base64_img_data": "",
             "file_attributes": {}, "regions": {"0": region}}  # fmt: skip
    write(tmp_path / "via_region_data.json", {"a.jpg9": entry})
    assert len(objects(read_dataset(tmp_path))) == 1


def test_via_project_with_its_folder_of_photos(tmp_path: Path) -> None:
    photo(tmp_path / "shots" / "a.jpg")
    region = {"shape_attributes": SQUARE, "region_attributes": {"kind": "cat"}}
    metadata = {"a.jpg9": {"filename": "a.jpg", "size": 9, "regions": [region]}}
    settings = {"core": {"default_filepath": "shots/"}, "project": {"name": "p"}}
    write(tmp_path / "p.json", {"_via_settings": settings, "_via_img_metadata": metadata})
    content = read_dataset(tmp_path / "p.json")
    assert [each.label for each in objects(content)] == ["cat"]


def test_via_choices_numbered_by_the_person_have_their_meaning(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    regions = [
        {"shape_attributes": SQUARE, "region_attributes": {"kind": choice}}
        for choice in ("1", "cat")
    ]
    options = {"1": "total", "cat": "a cat"}
    document = {
        "_via_settings": {},
        "_via_img_metadata": {"a": {"filename": "a.jpg", "regions": regions}},
        "_via_attributes": {"region": {"kind": {"type": "radio", "options": options}}, "file": {}},
    }
    write(tmp_path / "p.json", document)
    assert [each.label for each in objects(read_dataset(tmp_path))] == ["total", "cat"]


@pytest.mark.parametrize("first", ["filename", "#filename"])
def test_via_csv(tmp_path: Path, first: str) -> None:
    photo(tmp_path / "a.jpg")
    photo(tmp_path / "b.jpg")
    quoted = json.dumps(SQUARE).replace('"', '""')
    write(
        tmp_path / "via.csv",
        f"{first},file_size,file_attributes,region_count,region_id,region_shape_attributes,"
        "region_attributes\n"
        f'a.jpg,9,"{{}}",2,0,"{quoted}","{{""class"":""cat""}}"\n'
        f'a.jpg,9,"{{}}",2,1,"{quoted}","{{""class"":""dog""}}"\n'
        'b.jpg,9,"{}",0,0,"{}","{}"\n',
    )
    content = read_dataset(tmp_path)
    assert [len(sample.objects) for sample in content.samples] == [2, 0]
    assert content.classes == {1: "cat", 2: "dog"}


def test_via_classes_by_attribute(tmp_path: Path) -> None:
    def region(**attributes: Any) -> tuple[Any, Any]:
        return SQUARE, attributes

    folder = via(
        tmp_path,
        region(animal="cat", size="big"),
        region(animal={"dog": True, "cat": False}, size=""),
        region(animal={"dog": True, "cat": True}, size="big"),
        region(animal="", size="big"),
    )
    with pytest.raises(
        OptionError, match=r"attributes animal, size; name the one .* with `class_attribute`"
    ):
        read_dataset(folder)
    with pytest.raises(OptionError, match=r"No region has .* animl; .*Did you mean animal"):
        read_dataset(folder, class_attribute="animl")
    content = read_dataset(folder, class_attribute="animal")
    assert content.classes == {1: "cat", 2: "dog"}
    why = "it has no single value for the attribute animal"
    assert reasons(content) == [("region 2", why), ("region 3", why)]
    assert read_dataset(via(tmp_path, region(animal="cat"))).classes == {1: "cat"}
    usual = read_dataset(via(tmp_path, region(label="cat", size="big")))
    assert usual.classes == {1: "cat"}


# COCO


def coco_file(path: Path, *annotations: Any, first: int = 1, **image: Any) -> Path:
    record = {"id": 7, "file_name": "a.jpg", "height": HEIGHT, "width": WIDTH, **image}
    filled = [{"id": n, "image_id": 7, **each} for n, each in enumerate(annotations)]
    categories = [{"id": first, "name": "cat"}, {"id": first + 4, "name": "dog"}]
    return write(path, {"images": [record], "annotations": filled, "categories": categories})


def ring() -> np.ndarray:
    mask = np.zeros(SIZE, bool)
    mask[10:40, 10:40] = True
    mask[20:30, 20:30] = False
    return mask


def uncompressed(mask: np.ndarray) -> dict[str, Any]:
    flat = mask.ravel(order="F")
    turns = np.flatnonzero(np.diff(flat.astype(int))) + 1
    counts = np.diff(np.array([0, *turns, flat.size])).tolist()
    return {"size": list(mask.shape), "counts": ([0] if flat[0] else []) + counts}


def test_coco_kinds_of_masks(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    outline = [[10, 5, 30, 5, 30, 25, 10, 25], [40, 5, 50, 5, 50, 15, 40, 15]]
    coco_file(
        tmp_path / "x.json",
        {"category_id": 5, "segmentation": outline, "area": 123.5, "bbox": [9.5, 4.5, 41, 21]},
        {"category_id": 1, "segmentation": uncompressed(ring()), "iscrowd": 1},
        {"category_id": 1, "segmentation": to_rle(ring())},
        {"category_id": 1, "segmentation": outline[0]},
    )
    content = read_dataset(tmp_path)
    parts, crowd, compressed, flat = objects(content)
    assert content.classes == {1: "cat", 5: "dog"}
    assert (parts.label, parts.area, parts.box) == ("dog", 123.5, (9.5, 4.5, 50.5, 25.5))
    assert from_rle(parts.rle).sum() == 500
    assert [each.crowd for each in (parts, crowd, compressed)] == [False, True, False]
    assert (from_rle(crowd.rle) == ring()).all()
    assert (from_rle(compressed.rle) == ring()).all()
    assert compressed.area == 800
    assert compressed.box == (10, 10, 40, 40)
    assert flat.area == 400
    assert reasons(content) == []


def test_coco_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    small = {"size": [5, 5], "counts": [25]}
    coco_file(
        tmp_path / "x.json",
        {"category_id": 1, "bbox": [1, 2, 3, 4], "segmentation": []},
        {"category_id": 99, "segmentation": [[1, 1, 9, 1, 9, 9]]},
        {"category_id": 1, "segmentation": [[1, 1, 9, 1], [1, 1, 9, 1, 9, 9]]},
        {"category_id": 1, "segmentation": small},
        {"category_id": 1, "segmentation": {"size": [5, 5], "counts": [3]}},
        {"category_id": 1, "segmentation": [[1, 1, 2]]},
        {"category_id": 1, "segmentation": {"size": SIZE, "counts": "PPPP0"}},
        {"category_id": 1, "segmentation": [[1, 1, 2, 2, 3, 3]], "image_id": 8},
    )
    content = read_dataset(tmp_path)
    assert len(objects(content)) == 1
    assert dict(reasons(content)) == {
        "annotation 0": "a box without a mask",
        "annotation 1": "its category 99 is not in the list of categories",
        "annotation 2, part 0": "an outline needs 3 points and it has 2",
        "annotation 3": "its mask has another size",
        "annotation 4": "its run lengths do not fill its size",
        "annotation 5, part 0": "cannot reshape array of size 3 into shape (2)",
        "annotation 5": "none of its parts can be used",
        "annotation 6": "its run lengths do not fill its size",
        "image 8": "1 annotations of an image that is not listed",
    }


def test_coco_that_counts_from_0_leaves_0_to_the_background(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    coco_file(tmp_path / "x.json", {"category_id": 0, "segmentation": to_rle(ring())}, first=0)
    assert read_dataset(tmp_path).classes == {1: "cat", 5: "dog"}


def test_coco_archives_keep_photos_in_a_folder_a_split(tmp_path: Path) -> None:
    for split in ("train2017", "val2017"):
        photo(tmp_path / split / "a.jpg")
        coco_file(tmp_path / "annotations" / f"instances_{split}.json")
    content = read_dataset(tmp_path)
    assert [(each.path.parent.name, each.split) for each in content.samples] == [
        ("train2017", "train"),
        ("val2017", "val"),
    ]


# Photos


@pytest.mark.parametrize("exif", [1, 2, 3, 4, 5, 6, 7, 8])
def test_photos_stand_upright(tmp_path: Path, exif: int) -> None:
    """A file that knows the upright size means upright pixels, for any way of storing."""
    height, width = (WIDTH, HEIGHT) if exif >= 5 else SIZE
    photo(tmp_path / "a.jpg", exif=exif)
    outline = [[2, 3, 12, 3, 12, 8, 2, 8]]
    coco_file(tmp_path / "x.json", {"category_id": 1, "segmentation": outline},
              height=height, width=width)  # fmt: skip
    content = read_dataset(tmp_path)
    assert content.samples[0].size == (height, width)
    assert objects(content)[0].box == (2, 3, 12, 8)


@pytest.mark.parametrize("exif", [5, 6, 7, 8])
def test_what_was_drawn_on_the_stored_photo_turns_with_it(tmp_path: Path, exif: int) -> None:
    pixels = np.zeros((*SIZE, 3), np.uint8)
    pixels[3:8, 2:12] = 255
    tags = Pictures.Exif()
    tags[0x0112] = exif
    Pictures.fromarray(pixels).save(tmp_path / "a.png", exif=tags.tobytes())
    outline = [[2, 3, 12, 3, 12, 8, 2, 8]]
    coco_file(
        tmp_path / "x.json",
        {"category_id": 1, "segmentation": outline, "bbox": [2, 3, 10, 5]},
        {"category_id": 1, "segmentation": to_rle(pixels[..., 0] > 0)},
        file_name="a.png",
    )
    from vidseg.video.decoding.image_reader import read_photo

    shown = read_photo(tmp_path / "a.png")[..., 0] > 0
    content = read_dataset(tmp_path)
    rows, cols = np.nonzero(shown)
    box = (cols.min(), rows.min(), cols.max() + 1, rows.max() + 1)
    for each in objects(content):
        assert content.samples[0].size == shown.shape == (WIDTH, HEIGHT)
        assert (from_rle(each.rle) == shown).all()
        assert each.box == box
    corners = objects(content)[0].polygons[0]
    assert (*corners.min(axis=0), *corners.max(axis=0)) == box


def test_photos_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    photo(tmp_path / "good.jpg")
    photo(tmp_path / "one" / "twice.jpg")
    photo(tmp_path / "two" / "twice.jpg")
    photo(tmp_path / "unnamed.jpg")
    write(tmp_path / "broken.jpg", "no picture")
    names = ["good.jpg", "gone.jpg", "twice.jpg", "broken.jpg", "good.jpg"]
    entries = {f"{n}": {"filename": name, "regions": []} for n, name in enumerate(names)}
    write(tmp_path / "via.json", entries)
    write(tmp_path / "notes.csv", "a,b")
    content = read_dataset(tmp_path)
    told = {Path(each.file).name: each.reason for each in content.skipped}
    assert [sample.path.name for sample in content.samples] == ["good.jpg"]
    assert told.pop("broken.jpg").startswith(f"{tmp_path / 'broken.jpg'} is a damaged image")
    assert told == {
        "gone.jpg": "the photo does not exist",
        "twice.jpg": "2 photos have this name",
        "good.jpg": "the photo was described before",
        "unnamed.jpg": "no annotation names this photo",
        "notes.csv": "the file has no annotations of a known format",
    }


def test_accents_of_file_names_agree_however_they_are_written(tmp_path: Path) -> None:
    photo(tmp_path / "cafe\u0301.jpg")
    write(tmp_path / "via.json", {"a": {"filename": "caf\u00e9.jpg", "regions": []}})
    assert len(read_dataset(tmp_path).samples) == 1


def test_a_photo_of_another_size_is_not_guessed_at(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    coco_file(tmp_path / "x.json", height=600, width=800)
    with pytest.raises(InputError, match="annotated at 800x600 and is 80x60"):
        read_dataset(tmp_path)


# The others


def test_yolo_with_splits(tmp_path: Path) -> None:
    """Roboflow's layout, whose paths have one `../` too many."""
    for split, name in (("train", "a"), ("valid", "b")):
        photo(tmp_path / split / "images" / f"{name}.jpg")
    lines = [
        "1 0.125 0.25 0.375 0.25 0.375 0.5 0.125 0.5",
        "0 0.5 0.5 0.25 0.25",
        "7 0.1 0.1 0.2 0.1 0.2 0.2",
        "0 0.1 0.1 0.2 0.1 0.2 0.2 0.3",
        "0 10 10 20 10 20 20",
        "cat 0.1 0.1 0.2 0.1 0.2 0.2",
        "",
    ]
    write(tmp_path / "train" / "labels" / "a.txt", "\n".join(lines))
    write(tmp_path / "data.yaml", "train: ../train/images\nval: ../valid/images\ntest: nowhere\n"
          "nc: 2\nnames: ['cat', 'dog']\n")  # fmt: skip
    content = read_dataset(tmp_path)
    (found,) = objects(content)
    assert content.classes == {1: "cat", 2: "dog"}
    assert [(each.path.name, each.split) for each in content.samples] == [
        ("a.jpg", "train"),
        ("b.jpg", "val"),
    ]
    assert (found.label, found.box) == ("dog", (10, 15, 30, 30))
    assert dict(reasons(content)) == {
        "line 2": "a box without a mask",
        "line 3": "its class 7 is not in the list of names",
        "line 4": "7 coordinates",
        "line 5": "its coordinates are not fractions of the photo",
        "line 6": "it holds something other than numbers",
        "test: nowhere": "it does not exist",
    }


def test_yolo_lists_of_paths_and_named_classes(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "deep" / "a.jpg")
    write(tmp_path / "labels" / "deep" / "a.txt", "3 0.1 0.1 0.2 0.1 0.2 0.2\n")
    write(tmp_path / "train.txt", "./images/deep/a.jpg\n")
    write(tmp_path / "data.yaml", f"path: {tmp_path}\ntrain: train.txt\nnames:\n  3: cat\n")
    content = read_dataset(tmp_path / "data.yaml")
    assert content.classes == {4: "cat"}
    assert [each.split for each in content.samples] == ["train"]
    assert len(objects(content)) == 1


def save_values(path: Path, values: np.ndarray, mode: str = "L") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Pictures.fromarray(values.astype(np.uint8))
    if mode == "P":
        picture.putpalette([value % 256 for value in range(768)])
    picture.save(path)


def test_penn_fudan(tmp_path: Path) -> None:
    photo(tmp_path / "PNGImages" / "a.png")
    photo(tmp_path / "PNGImages" / "b.png")
    values = np.zeros(SIZE)
    values[5:10, 5:10], values[20:30, 20:30] = 1, 2
    save_values(tmp_path / "PedMasks" / "a_mask.png", values)
    save_values(tmp_path / "PedMasks" / "c_mask.png", values)
    content = read_dataset(tmp_path)
    assert [(each.label, each.area) for each in objects(content)] == [
        ("person", 25),
        ("person", 100),
    ]
    assert sorted((Path(each.file).name, each.reason) for each in content.skipped) == [
        ("b.png", "it has no mask image"),
        ("c_mask.png", "there is no photo of this name"),
    ]


@pytest.mark.parametrize(
    ("values", "count"), [((0, 255), 1), ((0, 1, 255), 1), ((0, 1, 2, 254), 2), ((0,), 0)]
)
def test_davis_values(tmp_path: Path, values: tuple[int, ...], count: int) -> None:
    """255 and 254 are void beside numbered objects, and the object where it is alone."""
    photo(tmp_path / "JPEGImages" / "480p" / "clip" / "00000.jpg")
    strips = np.repeat(np.resize(values, 20), 4)[None].repeat(HEIGHT, axis=0)
    save_values(tmp_path / "Annotations" / "480p" / "clip" / "00000.png", strips, mode="P")
    assert len(objects(read_dataset(tmp_path))) == count


@pytest.mark.parametrize("listed", [True, False])
def test_voc(tmp_path: Path, listed: bool) -> None:
    root = tmp_path / "VOC2012"
    photo(root / "JPEGImages" / "a.jpg")
    values, classes = np.zeros(SIZE), np.zeros(SIZE)
    values[5:10, 5:10], values[20:30, 20:30], values[30:31] = 1, 2, 255
    classes[5:10, 5:10], classes[20:30, 20:30], classes[30:31] = 8, 15, 255
    save_values(root / "SegmentationObject" / "a.png", values, mode="P")
    save_values(root / "SegmentationClass" / "a.png", classes, mode="P")
    names = "<object><name>cat</name></object><object><name>person</name></object>"
    if listed:
        write(root / "Annotations" / "a.xml", f"<annotation>{names}</annotation>")
    write(root / "ImageSets" / "Segmentation" / "val.txt", "a\n")
    content = read_dataset(tmp_path)
    assert [(each.label, each.area) for each in objects(content)] == [("cat", 25), ("person", 100)]
    assert content.samples[0].split == "val"
    assert reasons(content) == []


RECTLABEL = """<annotation><folder>x</folder><filename>a.jpg</filename>
<size><width>80</width><height>60</height><depth>3</depth></size>
<object><name>plate</name><polygon><x1>10</x1><y1>5</y1><x2>30</x2><y2>5</y2><x3>30</x3><y3>25</y3>
<x4>10</x4><y4>25</y4></polygon></object>
<object><name>disc</name><cubic_bezier>
<x1>40</x1><y1>20</y1><x1_c1>45.52</x1_c1><y1_c1>20</y1_c1><x1_c2>34.48</x1_c2><y1_c2>20</y1_c2>
<x2>50</x2><y2>30</y2><x2_c1>50</x2_c1><y2_c1>35.52</y2_c1><x2_c2>50</x2_c2><y2_c2>24.48</y2_c2>
<x3>40</x3><y3>40</y3><x3_c1>34.48</x3_c1><y3_c1>40</y3_c1><x3_c2>45.52</x3_c2><y3_c2>40</y3_c2>
<x4>30</x4><y4>30</y4><x4_c1>30</x4_c1><y4_c1>24.48</y4_c1><x4_c2>30</x4_c2><y4_c2>35.52</y4_c2>
</cubic_bezier></object>
<object><name>toy</name><pixels><id>0</id></pixels></object>
<object><name>toy</name><pixels><id>1</id></pixels></object>
<object><name>box</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>5</xmax><ymax>5</ymax></bndbox>
</object><object><name>line</name><line><x1>1</x1><y1>1</y1></line></object></annotation>"""


def test_rectlabel(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    write(tmp_path / "annotations" / "a.xml", RECTLABEL)
    save_values(tmp_path / "annotations" / "a_pixels0.png", ring() * 255)
    content = read_dataset(tmp_path)
    plate, disc, toy = objects(content)
    assert content.formats == ("rectlabel",)
    assert (plate.label, plate.box) == ("plate", (10, 5, 30, 25))
    assert disc.area == pytest.approx(math.pi * 100, rel=0.02)
    assert disc.box == (30, 20, 50, 40)
    assert (from_rle(toy.rle) == ring()).all()
    told = dict(reasons(content))
    assert "a_pixels1.png" in told.pop("object 3")
    assert told == {"object 4": "a box without a mask", "object 5": "it has no outline"}


def test_labelbox(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    outline = [{"x": x, "y": y} for x, y in ((10, 5), (30, 5), (30, 25), (10, 25))]
    things = [
        {"name": "cat", "annotation_kind": "ImagePolygon", "polygon": outline},
        {"name": "cat", "annotation_kind": "ImageBoundingBox", "bounding_box": {"top": 1}},
        {"name": "cat", "annotation_kind": "ImageSegmentationMask", "mask": {"url": "https://x"}},
        {"name": "cat", "annotation_kind": "ImagePoint", "point": {"x": 1, "y": 1}},
    ]
    labels = [{"id": "l1", "annotations": {"objects": things}}, {"id": "l2", "annotations": {}}]
    row = {
        "data_row": {"id": "c1", "row_data": "https://storage.example/some/a.jpg?sig=1"},
        "media_attributes": {"height": HEIGHT, "width": WIDTH},
        "projects": {"p1": {"name": "P", "labels": labels}},
    }
    write(tmp_path / "export.ndjson", f"{json.dumps(row)}\n\nnot json\n")
    content = read_dataset(tmp_path)
    (found,) = objects(content)
    assert (found.label, found.box) == ("cat", (10, 5, 30, 25))
    told = dict(reasons(content))
    assert told.pop("line 3").startswith("the row does not follow")
    assert told == {
        "label l2": "the photo has an earlier label",
        "object 1": "a box without a mask",
        "object 2": "a mask that is kept on Labelbox's server",
        "object 3": "ImagePoint has no area",
    }


def test_what_frames_wrote(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "00000.png")
    found = {
        "object": 1,
        "class": "kite",
        "label": 38,
        "score": 0.9,
        "segmentation": to_rle(ring()),
    }
    frame = {"index": 0, "file": "00000.png", "size": list(SIZE), "objects": [found]}
    text = json.dumps({"format": "vidseg frames", "classes": {"38": "kite"}, "frames": [frame]})
    write(tmp_path / "instances.json", text)
    Pictures.fromarray(ring().astype(np.uint8)).save(tmp_path / "00000.png")
    content = read_dataset(tmp_path)
    assert content.formats == ("frames",)
    assert content.classes == {38: "kite"}
    assert content.samples[0].path == tmp_path / "images" / "00000.png"
    assert (from_rle(objects(content)[0].rle) == ring()).all()


def test_labelme_joins_masks_and_outlines_of_a_group(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    buffer = io.BytesIO()
    Pictures.fromarray(np.full((4, 5), 1, np.uint8)).save(buffer, "PNG")
    picture = base64.b64encode(buffer.getvalue()).decode()
    shapes = [
        {"label": "cat", "points": [[78, 10], [82, 13]], "shape_type": "mask", "mask": picture,
         "group_id": 4},
        {"label": "cat", "points": [[10, 5], [30, 25]], "shape_type": "rectangle", "group_id": 4},
        {"label": "dog", "points": [[10, 5], [30, 25]], "shape_type": "rectangle", "group_id": 4},
    ]  # fmt: skip
    sizes = {"imageHeight": HEIGHT, "imageWidth": WIDTH}
    write(tmp_path / "a.json", {"shapes": shapes, "imagePath": "..\\x\\a.jpg", **sizes})
    cat, dog = objects(read_dataset(tmp_path))
    assert (cat.label, cat.area) == ("cat", 400 + 4 * 2)
    assert (dog.label, dog.area) == ("dog", 400)


# The door


def test_formats_may_be_said_and_are_checked(tmp_path: Path) -> None:
    folder = via(tmp_path, SQUARE)
    assert read_dataset(folder, format="via").formats == ("via",)
    with pytest.raises(OptionError, match=r"no format vai; there are: via, .*Did you mean via\?"):
        read_dataset(folder, format="vai")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="nothing in the format coco"):
        read_dataset(folder, format="coco")
    with pytest.raises(InputError, match="does not follow COCO's format"):
        read_dataset(folder / "via_region_data.json", format="coco")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        read_dataset(tmp_path / "gone")
    with pytest.raises(InputError, match="no annotations of a known format"):
        read_dataset(tmp_path)
    write(tmp_path / "x.json", '{"images": 1, "annotations": 2, "categories": 3}')
    with pytest.raises(InputError, match="does not follow COCO's format"):
        read_dataset(tmp_path)
    write(tmp_path / "x.json", '{"_via_img_metadata": {"a": 3}}')
    with pytest.raises(InputError, match="does not follow VIA's format"):
        read_dataset(tmp_path)


def test_splits_by_folder_share_their_classes(tmp_path: Path) -> None:
    via(tmp_path / "train", (SQUARE, {"class": "dog"}))
    via(tmp_path / "valid", (SQUARE, {"class": "cat"}))
    content = read_dataset(tmp_path, split="val")
    assert content.classes == {1: "cat", 2: "dog"}
    assert [each.split for each in content.samples] == ["val"]
    with pytest.raises(OptionError, match="no split test; it has: train, val"):
        read_dataset(tmp_path, split="test")
    with pytest.raises(OptionError, match="it has no splits; see `vidseg data split`"):
        read_dataset(tmp_path / "train", split="val")


def test_lists_of_photos_make_splits(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "c.jpg"):
        photo(tmp_path / "images" / name)
    names = ["a.jpg", "b.jpg", "c.jpg"]
    write(tmp_path / "via.json", {name: {"filename": name, "regions": []} for name in names})
    write(tmp_path / "train.txt", "images/a.jpg\n")
    write(tmp_path / "val.txt", "b.jpg\n")
    content = read_dataset(tmp_path)
    assert [each.split for each in content.samples] == ["train", "val", None]


def test_links_to_folders_are_followed_and_circles_are_not(tmp_path: Path) -> None:
    photo(tmp_path / "elsewhere" / "a.jpg")
    folder = tmp_path / "set"
    write(folder / "via.json", {"a": {"filename": "a.jpg", "regions": []}})
    (folder / "photos").symlink_to(tmp_path / "elsewhere")
    (folder / "again").symlink_to(folder)
    assert len(read_dataset(folder).samples) == 1


def test_polygons_are_drawn_as_coco_does(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    corners = random.uniform(0, 1, (6, 2)) * (WIDTH, HEIGHT)
    xs, ys = corners.T.tolist()
    shape = {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
    (found,) = objects(read_dataset(via(tmp_path, shape)))
    flat: Any = [corners.ravel().tolist()]
    drawn: Any = coco.frPyObjects(flat, HEIGHT, WIDTH)
    assert (from_rle(found.rle) == coco.decode(drawn)[..., 0]).all()


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_run_lengths_of_any_mask_pass(mask: np.ndarray) -> None:
    rle = to_rle(mask)
    assert checked_rle(rle["size"], rle["counts"]) == rle
    assert checked_rle(rle["size"], rle["counts"].encode()) == rle
    assert checked_rle(rle["size"], uncompressed(mask)["counts"]) == rle
    with pytest.raises(ValueError, match="do not fill"):
        checked_rle([rle["size"][0] + 1, rle["size"][1]], rle["counts"])


def test_yolo_without_yaml_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data.yaml").write_text("names: [disc]\n")
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(InputError, match=r"vidseg\[yolo\]"):
        read_dataset(tmp_path / "data.yaml")
