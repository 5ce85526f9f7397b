"""Exchange with the `supervision` package; most tests need it installed."""

import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.support.random_instances import blobs
from vidseg.errors import OptionError, VidsegError
from vidseg.structures.instances import Instances
from vidseg.structures.masks import iou_matrix

SIZE = (90, 160)
NAMES = {1: "disc", 2: "square", 3: "star", 4: "bar"}


def some() -> Instances:
    found = blobs(6, SIZE, share=0.05)
    return replace(found, ids=np.array([3, -1, 8, 9, 10, -1]), names=NAMES)


def test_without_the_package_the_message_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(VidsegError, match=r'pip install "supervision>=0\.30"'):
        some().to_supervision()


def test_detections_hold_the_same_objects() -> None:
    pytest.importorskip("supervision", "0.30")
    found = some()
    detections = found.to_supervision()
    np.testing.assert_array_equal(detections.xyxy, found.boxes)
    np.testing.assert_array_equal(detections.confidence, found.scores)
    np.testing.assert_array_equal(detections.class_id, found.labels)
    np.testing.assert_array_equal(detections.tracker_id, found.ids)
    assert detections.data["class_name"].tolist() == found.class_names
    np.testing.assert_array_equal(np.asarray(detections.mask), found.full_masks())


def test_detections_come_back() -> None:
    pytest.importorskip("supervision", "0.30")
    found = some()
    back = Instances.from_supervision(found.to_supervision(), SIZE)
    for name in ("boxes", "scores", "labels", "ids"):
        np.testing.assert_array_equal(getattr(back, name), getattr(found, name))
    assert back.class_names == found.class_names
    assert np.diag(iou_matrix(back, found)).min() > 0.95
    fine = Instances.from_supervision(found.to_supervision(), SIZE, side=112)
    assert np.diag(iou_matrix(fine, found)).min() > 0.98


def test_no_objects_go_there_and_back() -> None:
    supervision = pytest.importorskip("supervision", "0.30")
    detections = Instances.empty(SIZE).to_supervision()
    assert len(detections) == 0
    assert len(Instances.from_supervision(detections, SIZE)) == 0
    assert len(Instances.from_supervision(supervision.Detections.empty(), SIZE)) == 0


def test_what_other_tools_leave_out_has_a_meaning() -> None:
    supervision = pytest.importorskip("supervision", "0.30")
    box = np.array([[10.0, 20.0, 50.0, 60.0]])
    bare = supervision.Detections(xyxy=box, class_id=np.array([1]))
    found = Instances.from_supervision(bare, SIZE, names=NAMES)
    assert (found.class_names, found.scores.tolist(), found[0].id) == (["disc"], [1.0], None)
    assert found[0].full_mask().sum() == 40 * 40
    dense = np.zeros((1, *SIZE), bool)
    dense[0, 20:60, 10:30] = True
    half = supervision.Detections(xyxy=box, class_id=np.array([1]), mask=dense)
    np.testing.assert_array_equal(Instances.from_supervision(half, SIZE).full_masks(), dense)


def test_labels_that_vidseg_does_not_have_are_refused() -> None:
    supervision = pytest.importorskip("supervision", "0.30")
    box = np.array([[10.0, 20.0, 50.0, 60.0]])
    with pytest.raises(OptionError, match="add 1 to every class_id"):
        Instances.from_supervision(supervision.Detections(xyxy=box, class_id=np.array([0])), SIZE)
    with pytest.raises(OptionError, match="no class_id"):
        Instances.from_supervision(supervision.Detections(xyxy=box), SIZE)
