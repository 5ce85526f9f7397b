"""CVAT, LabelMe 3.0, LVIS, Label Studio, VIA 3, Datumaro, nuclei, Carvana and embedded photos."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from tests.datasets.test_formats import SIZE, objects, photo, reasons, write
from vidseg.datasets import open_dataset, read_dataset
from vidseg.datasets.convert import write_dataset
from vidseg.datasets.formats.label_studio import decode_brush
from vidseg.errors import InputError
from vidseg.structures.masks import from_rle

HEIGHT, WIDTH = SIZE
SQUARE = "10,5;30,5;30,25;10,25"


def coco(images: list[Any], annotations: list[Any]) -> dict[str, Any]:
    categories = [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def mask_image(path: Path, *boxes: tuple[int, int, int, int], value: int = 255) -> Path:
    """Grey, with boxes (x0, y0, x1, y1) of a value; of the next value for each further box."""
    pixels = np.zeros(SIZE, np.uint8)
    for number, (x0, y0, x1, y1) in enumerate(boxes):
        pixels[y0:y1, x0:x1] = value + number
    path.parent.mkdir(parents=True, exist_ok=True)
    Pictures.fromarray(pixels).save(path)
    return path


def test_cvat_images(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    shapes = f"""
      <polygon label="cat" points="{SQUARE}" z_order="0"/>
      <mask label="dog" rle="2, 3, 5" left="40" top="5" width="5" height="2" z_order="0"/>
      <polygon label="dog" points="0,0;5,0;5,5" group_id="3"/>
      <polygon label="dog" points="60,40;70,40;70,50" group_id="3"/>
      <ellipse label="cat" cx="60" cy="30" rx="8" ry="4" rotation="90"/>
      <box label="cat" xtl="1" ytl="1" xbr="9" ybr="9"/>
      <polygon label="cat" points="1,2;3"/>
    """
    write(
        tmp_path / "annotations.xml",
        f'<?xml version="1.0"?>\n<annotations><version>1.1</version><image id="0" name="a.jpg" '
        f'subset="Train" width="{WIDTH}" height="{HEIGHT}">{shapes}</image></annotations>',
    )
    content = read_dataset(tmp_path)
    assert content.formats == ("cvat",)
    assert content.splits == ("train",)
    by_label = {(o.label, len(o.polygons)): o for o in objects(content)}
    assert by_label["dog", 0].area == 3
    assert np.argwhere(from_rle(by_label["dog", 0].rle)).tolist() == [[5, 42], [5, 43], [5, 44]]
    assert by_label["dog", 2].box == pytest.approx((0, 0, 70, 50), abs=1)
    ellipse, square = sorted(o.area for o in objects(content) if o.label == "cat")
    assert (square, ellipse) == (400, pytest.approx(np.pi * 32, rel=0.05))
    assert dict(reasons(content)) == {
        "shape 5": "a box without a mask",
        "shape 6": "not a valid polygon: not enough values to unpack (expected 2, got 1)",
    }


def test_cvat_video(tmp_path: Path) -> None:
    for number in (0, 1):
        photo(tmp_path / "images" / f"frame_{number:06}.PNG")
    shape = '<polygon frame="{}" outside="{}" keyframe="1" points="{}"/>'
    track = "".join(shape.format(n, int(n == 1), SQUARE) for n in (0, 1, 5))
    size = f"<original_size><width>{WIDTH}</width><height>{HEIGHT}</height></original_size>"
    write(
        tmp_path / "annotations.xml",
        f"<annotations><meta><task>{size}</task></meta>"
        f'<track id="0" label="cat">{track}</track></annotations>',
    )
    content = read_dataset(tmp_path)
    assert [(s.path.name, len(s.objects)) for s in content.samples] == [("frame_000000.PNG", 1)]
    assert ("", "the photo does not exist") in reasons(content)


def test_labelme_3(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    mask_image(tmp_path / "Masks" / "a_mask_0.png", (40, 30, 50, 40))
    points = "<pt><x>10</x><y>5</y></pt><pt><x>30</x><y>5</y></pt><pt><x>30</x><y>25</y></pt>"
    thing = "<object><name>{}</name><deleted>{}</deleted>{}</object>"
    write(
        tmp_path / "a.xml",
        f"<annotation><filename>a.jpg</filename><imagesize><nrows>{HEIGHT}</nrows>"
        f"<ncols>{WIDTH}</ncols></imagesize>"
        + thing.format("cat", 0, f"<polygon>{points}</polygon>")
        + thing.format("cat", 1, f"<polygon>{points}</polygon>")
        + thing.format("dog", 0, "<segm><mask>a_mask_0.png</mask></segm>")
        + thing.format("dog", 0, f"<type>bounding_box</type><polygon>{points}</polygon>")
        + "</annotation>",
    )
    content = read_dataset(tmp_path)
    assert content.formats == ("labelme-xml",)
    assert [(o.label, o.area) for o in objects(content)] == [("cat", 190), ("dog", 100)]
    assert reasons(content) == [("object 3", "a box without a mask")]


def test_labelme_3_in_the_folders_of_mit(tmp_path: Path) -> None:
    photo(tmp_path / "Images" / "train" / "a.jpg")
    mask_image(tmp_path / "Masks" / "train" / "a_mask_0.png", (40, 30, 50, 40))
    thing = "<object><name>dog</name><segm><mask>a_mask_0.png</mask></segm></object>"
    write(
        tmp_path / "Annotations" / "train" / "a.xml",
        f"<annotation><filename>a.jpg</filename>{thing}</annotation>",
    )
    content = read_dataset(tmp_path)
    assert (content.formats, content.splits) == (("labelme-xml",), ("train",))
    assert [each.area for each in objects(content)] == [100]


def test_lvis_has_no_file_names(tmp_path: Path) -> None:
    photo(tmp_path / "val2017" / "000000397133.jpg")
    image = {"id": 397133, "coco_url": "http://x.org/val2017/000000397133.jpg"}
    annotation = {"id": 1, "image_id": 397133, "category_id": 1, "segmentation": [[10, 5, 30, 5,
                  30, 25, 10, 25]], "bbox": [10, 5, 20, 20], "area": 400}  # fmt: skip
    write(tmp_path / "lvis_v1_val.json", coco([image], [annotation]))
    (found,) = objects(read_dataset(tmp_path))
    assert (found.label, found.area, found.crowd) == ("cat", 400, False)


def packed_brush(mask: np.ndarray) -> list[int]:
    """As Label Studio writes it, with runs of at most 8 bits, and two single bytes at the end."""
    values = np.repeat((mask * 255).astype(np.uint8).ravel(), 4)
    bits = f"{len(values):032b}{7:05b}" + f"{3:04b}{7:04b}{7:04b}{7:04b}"
    place = 0
    while place < len(values) - 2:
        run = 1
        while run < 256 and place + run < len(values) - 2 and values[place + run] == values[place]:
            run += 1
        bits += f"1{1:02b}{run - 1:08b}{values[place]:08b}"
        place += run
    bits += f"0{0:02b}{1:04b}" + "".join(f"{value:08b}" for value in values[place:])
    bits += "0" * (-len(bits) % 8)
    return [int(bits[at : at + 8], 2) for at in range(0, len(bits), 8)]


def test_label_studio(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "0a1f9c2d-a.jpg")
    photo(tmp_path / "images" / "b.jpg")
    mask = np.zeros(SIZE, bool)
    mask[7:12, 40:60] = True
    size = {"original_width": WIDTH, "original_height": HEIGHT}
    square = {"points": [[12.5, 100 / 12], [37.5, 100 / 12], [37.5, 125 / 3], [12.5, 125 / 3]]}
    result = [
        {"type": "polygonlabels", "value": {**square, "polygonlabels": ["cat"]}, **size},
        {
            "type": "brushlabels",
            "value": {"format": "rle", "rle": packed_brush(mask), "brushlabels": ["dog"]},
            **size,
        },
        {"type": "rectanglelabels", "value": {"x": 1, "rectanglelabels": ["cat"]}, **size},
        {
            "type": "brushlabels",
            "value": {"format": "rle", "rle": [0, 0, 1], "brushlabels": ["dog"]},
            **size,
        },
    ]
    tasks = [
        {
            "data": {"image": "/data/upload/4/0a1f9c2d-a.jpg"},
            "annotations": [{"was_cancelled": True, "result": []}, {"result": result}],
        },
        {
            "data": {"image": "/data/local-files/?d=images/b.jpg"},
            "annotations": [{"result": result[:1]}],
        },
    ]
    write(tmp_path / "export.json", tasks)
    content = read_dataset(tmp_path)
    assert content.formats == ("label-studio",)
    assert [(o.label, o.area) for o in objects(content)] == [
        ("cat", 400),
        ("dog", 100),
        ("cat", 400),
    ]
    assert reasons(content) == [
        ("shape 2", "a box without a mask"),
        ("shape 3", "not a valid mask: it breaks off"),
    ]
    shape = {**square, "polygonlabels": ["cat"], **size}
    write(tmp_path / "export.json", [{"image": "x/0a1f9c2d-a.jpg", "id": 1, "label": [shape]}])
    (found,) = objects(read_dataset(tmp_path))
    assert (found.label, found.area) == ("cat", 400)


@pytest.mark.parametrize("bits", [b"", b"\xff" * 9, b"\0" * 9, bytes(range(60))])
def test_a_brush_mask_that_is_none(bits: bytes) -> None:
    with pytest.raises(ValueError, match=r"breaks off|fit the photo|longer"):
        decode_brush([*bits], SIZE)


def test_via_3(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    attribute = {"aname": "class", "options": {"0": "cat", "1": "dog"}}
    shapes = {
        "p": ([7, 10, 5, 30, 5, 30, 25, 10, 25], "0"),
        "r": ([2, 10, 5, 20, 8], "1"),
        "c": ([3, 40, 30, 9], "1"),
        "dot": ([1, 4, 4], "1"),
    }
    metadata = {
        name: {"vid": "1", "flg": 0, "z": [], "xy": xy, "av": {"1": option}}
        for name, (xy, option) in shapes.items()
    }
    metadata["t"] = {"vid": "1", "flg": 0, "z": [1, 2], "xy": [2, 1, 1, 5, 5], "av": {"1": "0"}}
    write(
        tmp_path / "project.json",
        {
            "project": {"pid": "__VIA__"},
            "attribute": {"1": attribute},
            "file": {"1": {"fid": "1", "fname": "a.jpg", "type": 2, "loc": 1, "src": "a.jpg"}},
            "view": {"1": {"fid_list": ["1"]}},
            "metadata": metadata,
        },
    )
    content = read_dataset(tmp_path)
    assert content.formats == ("via3",)
    assert [(o.label, o.area) for o in objects(content)][:2] == [("cat", 400), ("dog", 160)]
    assert objects(content)[2].area == pytest.approx(np.pi * 81, rel=0.05)
    assert reasons(content) == [
        ("region 3", "a shape of the kind 1 has no area"),
        ("region 4", "a segment in time has no area"),
    ]


def test_datumaro(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "train" / "a.jpg")
    square = [10, 5, 30, 5, 30, 25, 10, 25]
    kinds = [
        {"id": 0, "type": "polygon", "group": 0, "label_id": 0, "points": square},
        {"id": 1, "type": "polygon", "group": 7, "label_id": 1, "points": [40, 5, 50, 5, 50, 15]},
        {"id": 2, "type": "polygon", "group": 7, "label_id": 1, "points": [60, 5, 70, 5, 70, 15]},
        {"id": 3, "type": "mask", "group": 0, "label_id": 0,
         "rle": {"size": [*SIZE], "counts": [60 * 40, 10, 60 * 40 - 10]}},
        {"id": 4, "type": "bbox", "label_id": 0, "bbox": [1, 1, 2, 2]},
        {"id": 5, "type": "polygon", "label_id": 9, "points": square},
    ]  # fmt: skip
    names = [{"name": "cat", "parent": ""}, {"name": "dog", "parent": ""}]
    item = {"id": "a", "annotations": kinds, "image": {"path": "a.jpg", "size": [*SIZE]}}
    document = {"info": {}, "categories": {"label": {"labels": names}}, "items": [item]}
    write(tmp_path / "annotations" / "train.json", document)
    content = read_dataset(tmp_path)
    assert (content.formats, content.splits) == (("datumaro",), ("train",))
    found = sorted((o.label, o.area) for o in objects(content))
    assert [label for label, _ in found] == ["cat", "cat", "dog"]
    assert {area for _, area in found[:2]} == {400, 10}
    assert dict(reasons(content)) == {
        "annotation 4": "a box without a mask",
        "annotation 5": "its label 9 is not in the list of labels",
    }


def test_nuclei_have_a_file_per_object(tmp_path: Path) -> None:
    for number in ("0a", "0b"):
        photo(tmp_path / "stage1_train" / number / "images" / f"{number}.png")
        for n in range(3):
            file = tmp_path / "stage1_train" / number / "masks" / f"{number}{n}f.png"
            mask_image(file, (5, 5 + 10 * n, 15, 12 + 10 * n))
    for path in (tmp_path, tmp_path / "stage1_train"):
        content = read_dataset(path)
        assert [len(sample.objects) for sample in content.samples] == [3, 3]
        assert {each.area for each in objects(content)} == {70}
    assert content.formats == ("nuclei",)


@pytest.mark.parametrize(
    ("photos", "mask"),
    [
        ("images", "masks/a_mask.png"),
        ("images", "masks/a_seg_mask.png"),
        ("images", "masks/a.jpg.png"),
        ("images", "masks/A.PNG"),
        ("imgs", "masks/a.tif"),
        ("imgs", "masks/a_mask.gif"),
        ("train", "train_masks/a_mask.gif"),
        ("train_images", "train_masks/a.bmp"),
    ],
)
def test_names_of_mask_images(tmp_path: Path, photos: str, mask: str) -> None:
    photo(tmp_path / photos / "a.jpg")
    mask_image(tmp_path / mask, (10, 5, 30, 25))
    content = read_dataset(tmp_path)
    assert [(each.area, each.label) for each in objects(content)] == [(400, "object")]
    assert not content.skipped


def test_yolo_of_label_studio(tmp_path: Path) -> None:
    photo(tmp_path / "images" / "a.jpg")
    write(tmp_path / "classes.txt", "cat\ndog\n")
    write(tmp_path / "notes.json", {"categories": [{"id": 0, "name": "cat"}]})
    write(tmp_path / "labels" / "a.txt", "1.000e+00 0.1 0.1 0.5 0.1 0.5 0.5\n2 0 0 1 0 1 1\n")
    write(tmp_path / "labels" / "gone.txt", "0 0 0 1 0 1 1\n")
    content = read_dataset(tmp_path)
    assert [each.label for each in objects(content)] == ["dog"]
    assert content.classes == {1: "cat", 2: "dog"}
    assert reasons(content) == [
        ("line 2", "its class 2 is not in the list of names"),
        ("", "there is no photo of this name"),
    ]


def test_photos_inside_labelme_files(tmp_path: Path) -> None:
    picture = Pictures.fromarray(np.full((*SIZE, 3), 77, np.uint8))
    data = io.BytesIO()
    picture.save(data, "PNG")
    square = [[10, 5], [30, 5], [30, 25], [10, 25]]
    document = {
        "imagePath": "gone.jpg",
        "imageData": base64.b64encode(data.getvalue()).decode(),
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        "shapes": [
            {"label": "cat", "points": square, "shape_type": "rotation"},
            {"label": "__ignore__", "points": square},
        ],
    }
    write(tmp_path / "a.json", document)
    dataset = open_dataset(tmp_path)
    assert [each.area for each in objects(dataset.content)] == [400]
    image, target = dataset[0]
    assert image.shape == (3, *SIZE)
    assert (image == 77).all()
    assert int(target["masks"].sum()) == 400
    (lost,) = write_dataset(dataset.content, tmp_path / "out.json", to="coco").values()
    assert [each.reason for each in lost] == ["the photo is inside this file; save it as a file"]
    write(tmp_path / "a.json", {**document, "imageData": "nothing"})
    with pytest.raises(InputError, match="no photo in imageData"):
        read_dataset(tmp_path)


def test_a_kind_of_file_is_not_taken_for_another(tmp_path: Path) -> None:
    """RectLabel's reader takes any VOC-like XML, so the others must be known before it."""
    photo(tmp_path / "a.jpg")
    write(tmp_path / "a.xml", "<annotation><filename>a.jpg</filename></annotation>")
    assert read_dataset(tmp_path).formats == ("rectlabel",)
    write(tmp_path / "notes.json", json.dumps({"categories": []}))
    assert not read_dataset(tmp_path).skipped
