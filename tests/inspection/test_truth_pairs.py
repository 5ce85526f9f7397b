"""Annotated tracks are paired with those that were found, frame by frame."""

from dataclasses import replace

import numpy as np
import pytest

from vidseg.evaluation.clips import Clip, MaskTrack
from vidseg.inspection.clip_part import clip_part
from vidseg.inspection.truth_pairs import pair_with_truth
from vidseg.inspection.video_facts import About
from vidseg.inspection.video_page import video_page
from vidseg.structures.masks import RLE, to_rle

SIZE = (40, 80)


def square(left: int, side: int = 20) -> RLE:
    mask = np.zeros(SIZE, np.bool_)
    mask[10 : 10 + side, left : left + side] = True
    return to_rle(mask)


def track(number: int, masks: dict[int, RLE]) -> MaskTrack:
    return MaskTrack(number, masks, score=0.8)


CLIP = Clip(
    "clip",
    SIZE,
    6,
    [
        track(1, {frame: square(5 + frame) for frame in range(6)}),
        track(2, {frame: square(50) for frame in range(2, 5)}),
    ],
    {1: "dog", 2: "cat"},
)
FOUND = {
    1: track(1, {0: square(5), 1: square(6)}),
    2: track(1, {3: square(9), 4: square(9), 5: square(60)}),
    3: track(1, {2: square(50)}),
}


def test_pairs_need_their_class_and_half_of_the_union() -> None:
    paired = pair_with_truth(CLIP, FOUND)
    dog, cat = paired.true
    assert dog.ids.tolist() == [1, 1, 0, 2, 2, 0]
    assert dog.ious[:2].tolist() == [1, 1]
    assert dog.ious[3] == pytest.approx(19 / 21)
    assert dog.ious[2] == dog.ious[5] == 0
    assert dog.nearest.tolist() == [1, 1, 0, 2, 2, 0]
    assert (dog.found, dog.found_ids) == (4, [1, 2])
    assert (cat.found, cat.found_ids, cat.nearest.tolist()) == (0, [], [0, 0, 0])
    assert paired.unmatched == {1: 0, 2: 1, 3: 1}


def test_only_annotated_frames_count() -> None:
    paired = pair_with_truth(replace(CLIP, annotated=(0, 5)), FOUND)
    assert paired.true[0].ids.tolist() == [1, 0]
    assert len(paired.true) == 1
    assert paired.unmatched == {1: 0, 2: 1, 3: 0}


def test_the_part_of_a_page_says_the_same() -> None:
    part = clip_part(CLIP, list(FOUND.values()), About("clip", 0.5, {}), None)
    dog, cat = part.facts["truth"]
    assert (dog["name"], dog["frames"], dog["found"], dog["ids"]) == ("dog", 6, 4, [1, 3])
    assert (dog["spans"], cat["spans"]) == ([[0, 6]], [[2, 5]])
    assert dog["mean_iou"] == pytest.approx((1 + 1 + 19 / 21 + 1) / 4, abs=1e-4)
    assert (cat["found"], cat["mean_iou"], cat["ids"]) == (0, None, [])
    assert [one["unmatched"] for one in part.facts["tracks"]] == [0, 1, 1]
    assert [one["frames"] for one in part.facts["tracks"]] == [2, 1, 3]
    assert part.facts["tracks"][0]["area"]["mean"] == 400
    assert part.facts["coverage"]["bins"][0] == pytest.approx(400 / (40 * 80))
    html = video_page("clip", [part, part], "vidseg")
    assert 'id="v2-truth-1"' in html
    assert "found in 4 of 6" in html


def test_other_objects_are_no_mistakes_where_one_is_annotated() -> None:
    part = clip_part(replace(CLIP, single=True), [*FOUND.values()], About("clip", 0.5, {}), None)
    assert all("unmatched" not in one for one in part.facts["tracks"])
