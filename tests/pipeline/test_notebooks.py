"""What a notebook shows: a bar, pictures and tables."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

import vidseg
from tests.support.doubles import OraclePredictor
from tests.support.scenes import CLASSES, scene_image, scene_instances, write_scene
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances


def test_the_bar_counts_the_frames_of_a_call(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = write_scene(tmp_path / "in.mp4", frames=12)
    with vidseg.progress_bar("scenes") as on_frame:
        vidseg.splash(
            clip,
            tmp_path / "out.mp4",
            search=vidseg.Search(model=OraclePredictor()),
            options=vidseg.RunOptions(on_frame=on_frame),
        )
    shown = capsys.readouterr().err
    assert "scenes: 100%" in shown
    assert "12/12" in shown


def test_a_bar_that_never_began_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with vidseg.progress_bar():
        pass
    assert capsys.readouterr().err == ""


def test_a_frame_shows_its_picture() -> None:
    png = Frame(0, Fraction(0), scene_image(3))._repr_png_()
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None
    assert np.array_equal(image, scene_image(3))


def test_objects_show_a_table() -> None:
    objects = replace(scene_instances(0), names={**CLASSES, 2: "<rectangle>"})
    table = objects._repr_html_()
    assert table.count("<tr>") == 1 + len(objects)
    assert "<caption>3 objects in 192 x 128</caption>" in table
    assert "<td>&lt;rectangle&gt;</td>" in table
    assert "<th>id</th>" not in table
    tracked = objects.with_ids(np.array([7, 8, -1]))._repr_html_()
    assert "<tr><td>7</td><td>disc</td><td>0.95</td>" in tracked
    assert "0 objects" in Instances.empty((4, 4))._repr_html_()
