"""The pages about a dataset and a model, and the numbers on them."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.datasets.test_formats import SQUARE, photo, via
from tests.support.commands import fails, run
from tests.support.tiny_models import tiny_maskrcnn
from vidseg.inspection._blocks import bars, figure, page, short, table
from vidseg.inspection._model_stages import trace
from vidseg.inspection._weight_statistics import weight_rows
from vidseg.inspection.anchors import Anchors
from vidseg.inspection.model_page import inspect_model
from vidseg.models.inference.preprocess import network_size

PHOTO = np.random.default_rng(3).integers(0, 255, (90, 130, 3), np.uint8)


def test_the_steps_lead_to_what_the_model_itself_finds() -> None:
    model = tiny_maskrcnn()
    stages = trace(model, PHOTO)
    with torch.inference_mode():
        (whole,) = model([torch.from_numpy(PHOTO).permute(2, 0, 1) / 255])
    assert len(whole["boxes"]) > 5
    np.testing.assert_allclose(stages.found.boxes, whole["boxes"], atol=1e-3)
    np.testing.assert_allclose(stages.found.scores, whole["scores"], atol=1e-6)
    np.testing.assert_array_equal(stages.found.labels, whole["labels"])


def test_what_is_kept_of_each_step_fits_together() -> None:
    stages = trace(tiny_maskrcnn(), PHOTO, best=7)
    proposed, judged = stages.proposed, stages.classified
    assert proposed.anchors.shape == proposed.refined.shape == (7, 4)
    assert (proposed.scores.diff() <= 0).all()
    assert len(judged.boxes) == len(judged.labels) == len(proposed.kept)
    torch.testing.assert_close(judged.scores.sum(1), torch.ones(len(judged.scores)))
    assert stages.class_scores.shape == (len(stages.found), 6)


def test_anchors_are_those_of_the_model() -> None:
    model = tiny_maskrcnn()
    anchors = Anchors(model)
    assert anchors.strides == [4, 8, 16, 32, 64]
    levels, (down, across) = anchors.on((90, 130))
    seen = network_size(model, (90, 130))
    assert (down, across) == (seen[0] / 90, seen[1] / 130)
    with torch.inference_mode():
        images, _ = model.transform([torch.zeros(3, 90, 130)])
        maps = list(model.backbone(images.tensors).values())
        (truth,) = model.rpn.anchor_generator(images, maps)  # type: ignore[operator]
    torch.testing.assert_close(torch.cat(levels), truth)


def test_an_object_on_an_anchor_fits_it_and_a_sliver_fits_none() -> None:
    anchors = Anchors(tiny_maskrcnn())
    middle = anchors.middle((90, 130))[2][1]  # 32 pixels square
    sliver = torch.tensor([10.0, 10.0, 110.0, 11.0])
    fit = anchors.fit(torch.stack([middle, sliver]), (90, 130))
    assert fit[0] == pytest.approx(1, abs=1e-4)
    assert fit[1] < 0.1
    assert anchors.fit(torch.zeros(0, 4), (90, 130)).shape == (0,)


def test_the_model_page_has_every_step() -> None:
    html = inspect_model(tiny_maskrcnn(), {n: f"kind {n}" for n in range(1, 6)}, PHOTO, score=0)
    for title in ("Anchors", "Proposals", "Classes of the proposals", "Objects after NMS",
                  "Masks of the network", "The result", "Levels of the feature pyramid",
                  "Weights"):  # fmt: skip
        assert f"<h2>{title}</h2>" in html
    assert "kind 3" in html
    assert html.count("<figcaption>level ") == 5


def test_a_model_that_finds_nothing_has_a_page_too() -> None:
    html = inspect_model(tiny_maskrcnn(score_thresh=1.0), {1: "kind"}, PHOTO)
    assert "Nothing was found." in html


def test_weights_that_look_wrong_are_named() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2), nn.Linear(2, 2))
    nn.init.constant_(model[1].weight, 0.5)  # type: ignore[arg-type]
    nn.init.constant_(model[2].weight, float("nan"))  # type: ignore[arg-type]
    rows = list(weight_rows(model))
    assert [(row[0], row[1], row[-1]) for row in rows] == [
        ("0.weight", "4x3", ""),
        ("1.weight", "2x4", "all alike"),
        ("2.weight", "2x2", "not a number"),
    ]


def test_a_page_is_one_file_and_text_stays_text() -> None:
    html = page("a < b", [table(["<i>"], [["<b>x</b>", 3]]), figure(PHOTO, 'say "x"')])
    assert "<title>a &lt; b</title>" in html
    assert "<b>" not in html
    assert "<i>" not in html
    assert 'alt="say &#34;x&#34;"' in html
    assert not re.search(r'(src|href)="(?!data:)', html)


def test_numbers_are_short_and_have_no_exponent_where_they_are_large() -> None:
    assert [short(value) for value in (0.12345, 148.2, -999.0, 1970.4, 2048.0)] == [
        *("0.123", "148", "-999", "1970", "2048")
    ]


def test_bars_are_as_high_as_the_counts() -> None:
    chart = bars([1, 4, 0], [0.0, 1.0, 2.0, 3.0], height=100)
    heights = [float(tall) for tall in re.findall(r'height="([\d.]+)" fill', chart)]
    assert heights == [25, 100, 0]
    assert "1 to 2: 4" in chart


def test_inspect_data_shows_photos_and_what_was_left_out(tmp_path: Path) -> None:
    via(tmp_path / "photos", (SQUARE, {"class": "dog"}), ({"name": "point"}, {"class": "dog"}))
    target = tmp_path / "page.html"
    result = run("inspect", "data", tmp_path / "photos", target)
    assert f"wrote {target}" in result.stderr
    html = target.read_text()
    assert "a.jpg: dog" in html
    assert "a point has no area" in html
    assert "IoU of each object with its best anchor" in html
    assert "exists" in fails("inspect", "data", tmp_path / "photos", target)


def test_inspect_data_without_objects(tmp_path: Path) -> None:
    via(tmp_path / "photos")
    assert run("inspect", "data", tmp_path / "photos", tmp_path / "p.html").exit_code == 0
    assert "There are no objects." in (tmp_path / "p.html").read_text()


def test_inspect_model_of_the_bundled_model(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    assert run("inspect", "model", tmp_path / "a.jpg", tmp_path / "p.html").exit_code == 0
    assert "<h2>The result</h2>" in (tmp_path / "p.html").read_text()


def test_inspect_model_of_everyday(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    args = ("--model", "everyday", tmp_path / "a.jpg", tmp_path / "p.html")
    assert run("inspect", "model", *args).exit_code == 0
    html = (tmp_path / "p.html").read_text()
    for title in ("Scores of the places", "Boxes before NMS", "The result", "Weights"):
        assert f"<h2>{title}</h2>" in html


def test_inspect_data_needs_a_model_with_anchors(tmp_path: Path) -> None:
    via(tmp_path / "photos", (SQUARE, {"class": "dog"}))
    args = ("--model", "everyday", tmp_path / "photos", tmp_path / "p.html")
    assert "everyday has no anchors" in fails("inspect", "data", *args, code=2)


def test_inspect_model_refuses_what_it_cannot_use(tmp_path: Path) -> None:
    photo(tmp_path / "a.jpg")
    (tmp_path / "b.jpg").write_text("no photo")
    target = tmp_path / "p.html"
    assert "score must be between 0 and 1" in fails(
        "inspect", "model", "--score", 7, tmp_path / "a.jpg", target, code=2
    )
    for name in ("b.jpg", "missing.jpg"):
        assert name in fails("inspect", "model", tmp_path / name, target)
    assert not target.exists()
