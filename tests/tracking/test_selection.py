"""Selection of objects: by id, by following one, by a point."""

import json
import logging
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.support.doubles import OraclePredictor
from tests.support.scenes import scene_instances, write_scene
from vidseg.errors import OptionError, VidsegError
from vidseg.pipeline.outputs import MaskFolderOutput
from vidseg.pipeline.run import run
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search
from vidseg.structures.instances import Instances
from vidseg.structures.span import Span
from vidseg.tracking.selection import GONE_AFTER_FRAMES, Selection, follow_one, id_at, select_ids

SIZE = (100, 200)


def objects(**sides: int) -> Instances:
    """Squares at x = 40 times their id; keywords such as `a1=20`: id 1 with sides of 20."""
    ids = [int(name[1:]) for name in sides]
    boxes = [
        (40 * n, 10, 40 * n + side, 10 + side) for n, side in zip(ids, sides.values(), strict=True)
    ]
    count = len(ids)
    return Instances(
        boxes=np.array(boxes, np.float32).reshape(count, 4),
        masks=np.full((count, 28, 28), 255, np.uint8),
        scores=np.full(count, 0.9, np.float32),
        labels=np.ones(count, np.int64),
        ids=np.array(ids, np.int64),
        size=SIZE,
    )


def stream(*found: Instances) -> Iterator[tuple[int, Instances]]:
    return iter(list(enumerate(found)))


def ids_of(pairs: Iterator[tuple[int, Instances]]) -> list[list[int]]:
    return [instances.ids.tolist() for _, instances in pairs]


def test_only_some_ids(caplog: pytest.LogCaptureFixture) -> None:
    found = stream(objects(a1=10, a2=10), objects(a3=10), objects())
    with caplog.at_level(logging.WARNING, "vidseg"):
        assert ids_of(select_ids(found, (2, 3))) == [[2], [3], []]
    assert not caplog.records


def test_an_id_that_never_occurs_gives_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "vidseg"):
        list(select_ids(stream(objects(a1=10, a2=10)), (7,)))
    assert "No object had the id 7; ids were 1 to 2." in caplog.text


def test_the_largest_is_followed_even_if_another_grows() -> None:
    found = stream(objects(), objects(a1=10, a2=20), objects(a1=30, a2=20), objects(a1=30))
    assert ids_of(follow_one(found, "largest")) == [[], [2], [2], []]


def test_the_first_is_followed() -> None:
    found = stream(objects(a2=10, a3=30), objects(a3=30), objects(a2=10, a3=30))
    assert ids_of(follow_one(found, "first")) == [[2], [], [2]]


def test_when_it_is_gone_another_one_is_followed() -> None:
    away = [objects(a2=10)] * (GONE_AFTER_FRAMES + 1)
    found = ids_of(follow_one(stream(objects(a1=20, a2=10), *away), "largest"))
    assert found == [[1]] + [[]] * GONE_AFTER_FRAMES + [[2]]


def test_a_new_scene_ends_following() -> None:
    found = stream(objects(a1=20, a2=10), objects(a1=20), objects(a3=10, a4=12))
    assert ids_of(follow_one(found, "largest")) == [[1], [1], [4]]


def test_the_object_at_a_point() -> None:
    found = objects(a1=20, a3=20)
    assert id_at(found, (45.0, 20.0), 1.0) == 1
    assert id_at(found, (139.0, 29.0), 1.0) == 3
    with pytest.raises(VidsegError, match=r"no object at 100,20 at 1\.5 s; .* with id 3"):
        id_at(found, (100.0, 20.0), 1.5)
    with pytest.raises(VidsegError, match="nothing was found in that frame"):
        id_at(objects(), (100.0, 20.0), 1.5)
    with pytest.raises(OptionError, match="outside the frame, which has 200 x 100 pixels"):
        id_at(found, (200.0, 20.0), 1.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ids": (1,), "follow": "first"}, "only one of them"),
        ({"at": Fraction(1)}, "go together"),
        ({"point": (1.0, 2.0)}, "go together"),
        ({"ids": (0,)}, "start at 1"),
        ({"follow": "best"}, "largest or first"),
        ({"at": Fraction(-1), "point": (1.0, 2.0)}, "negative"),
        ({"at": Fraction(1), "point": (-1.0, 2.0)}, "lie in the frame"),
    ],
)
def test_contradicting_selections_are_refused(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Selection(**options)


def test_selection_needs_tracks() -> None:
    with pytest.raises(OptionError, match="`track=False`"):
        Search(model="balloon", ids=(1,), track=False)


def searching(**options) -> Search:
    return Search(model=OraclePredictor(), **options)


def saved(tmp_path: Path, search: Search, span: Span | None = None) -> dict:
    clip = write_scene(tmp_path / "scene.mp4", frames=24)
    run(
        clip,
        [MaskFolderOutput(tmp_path / "out")],
        search=search,
        span=span,
        options=RunOptions(force=True),
    )
    return json.loads((tmp_path / "out" / "instances.json").read_text())


@pytest.mark.parametrize("every", [1, 4])
def test_a_point_selects_the_object_in_earlier_and_later_frames(tmp_path: Path, every: int) -> None:
    truth = scene_instances(12, (128, 192))
    x0, y0, x1, y1 = truth.boxes[1]
    point = float(x0 + x1) / 2, float(y0 + y1) / 2
    search = searching(at=Fraction(12, 30), point=point, every=every)
    frames = saved(tmp_path, search)["frames"]
    assert len(frames) == 24
    for index, frame in enumerate(frames):
        (one,) = frame["objects"]
        np.testing.assert_allclose(one["box"], scene_instances(index, (128, 192)).boxes[1], atol=4)


def test_a_point_beside_all_objects_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(VidsegError, match=r"no object at 100,20 at 0\.4 s; the nearest one"):
        saved(tmp_path, searching(at=Fraction(2, 5), point=(100.0, 20.0)))
    assert not (tmp_path / "out").exists()


def test_a_point_after_the_end_is_refused(tmp_path: Path) -> None:
    with pytest.raises(VidsegError, match="shows no frame at 9 s"):
        saved(tmp_path, searching(at=9, point=(5.0, 20.0)))


def test_a_point_in_a_part_of_the_video(tmp_path: Path) -> None:
    truth = scene_instances(12, (128, 192))
    x0, y0, x1, y1 = truth.boxes[0]
    point = float(x0 + x1) / 2, float(y0 + y1) / 2
    search = searching(at=Fraction(12, 30), point=point)
    frames = saved(tmp_path, search, Span(Fraction(8, 30), Fraction(20, 30)))["frames"]
    assert [len(frame["objects"]) for frame in frames] == [1] * 12


def test_selection_in_a_photo_is_refused(tmp_path: Path) -> None:
    from PIL import Image as Picture

    path = tmp_path / "photo.png"
    Picture.new("RGB", (64, 64)).save(path)
    with pytest.raises(OptionError, match="objects of videos"):
        run(path, [MaskFolderOutput(tmp_path / "out")], search=searching(follow="largest"))
