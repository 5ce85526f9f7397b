"""A preview shows the moments as a run would draw them, and writes nothing else."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

import vidseg
from tests.support.doubles import BrokenPredictor, OraclePredictor
from tests.support.scenes import scene_image, scene_instances, write_scene
from vidseg.effects.contact_sheet import contact_sheet
from vidseg.effects.cutout import Cutout
from vidseg.errors import InputError, OptionError, OutputError, OutputExistsError, VidsegError
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Six seconds, lossless, with a keyframe every ten frames."""
    options = {"g": "10", "sc_threshold": "0", "qp": "0"}
    return write_scene(tmp_path / "in.mp4", frames=180, options=options)


def test_nine_moments_are_found_and_drawn(clip: Path, tmp_path: Path) -> None:
    oracle = OraclePredictor()
    calls: list[tuple[int, int | None]] = []
    result = vidseg.preview(
        clip,
        tmp_path / "look.png",
        vidseg.Splash(0),
        search=Search(model=oracle),
        options=RunOptions(on_frame=lambda *call: calls.append(call)),
    )
    indexes = [10, 30, 50, 70, 90, 110, 130, 150, 170]
    assert oracle.seen == indexes
    assert calls == [(number, 9) for number in range(1, 10)]
    assert (result.frames, result.frames_with_objects) == (9, 9)
    assert result.objects == sum(len(scene_instances(index)) for index in indexes)
    sheet = np.asarray(Picture.open(tmp_path / "look.png")).astype(int)
    drawn = [vidseg.Splash(0)(scene_image(i), scene_instances(i)) for i in indexes]
    captions = [
        f"0:00:{index / 30:04.1f}  frame {index}  {len(scene_instances(index))} objects"
        for index in indexes
    ]
    expected = contact_sheet(drawn, captions)
    assert sheet.shape == expected.shape
    assert np.abs(sheet - expected).mean() < 3  # 4:2:0 smears the edges of colours
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "look.png"]


def test_classes_scores_and_spans_count(clip: Path, tmp_path: Path) -> None:
    oracle = OraclePredictor()
    search = Search("disc", model=oracle, max_objects=1)
    span = vidseg.Span(1, 3)
    result = vidseg.preview(
        clip, tmp_path / "a.png", vidseg.Splash(), search=search, span=span, moments=2
    )
    assert result == vidseg.RunResult(2, 2, 2)
    assert oracle.seen == [40, 70]
    high = Search(model=OraclePredictor(), score=1)
    assert vidseg.preview(clip, tmp_path / "b.png", vidseg.Splash(), search=high).objects == 0


def test_a_cutout_is_shown_over_a_chessboard(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "look.jpg"
    vidseg.preview(clip, target, Cutout(), search=Search(model=OraclePredictor()))
    assert Picture.open(target).mode == "RGB"


def test_saved_detections_are_shown_without_a_model(clip: Path, tmp_path: Path) -> None:
    saved, oracle = tmp_path / "in.vidseg", OraclePredictor()
    vidseg.detect_to_file(clip, saved, search=Search(model=oracle))
    looks = [tmp_path / "found.png", tmp_path / "saved.png"]
    searches = [Search(model=oracle), Search(detections=saved)]
    for target, search in zip(looks, searches, strict=True):
        vidseg.preview(clip, target, vidseg.Overlay(search.names), search=search)
    assert looks[0].read_bytes() == looks[1].read_bytes()


def test_what_a_search_would_save_is_not_saved(clip: Path, tmp_path: Path) -> None:
    search = Search(model=OraclePredictor(), save_detections=tmp_path / "found.vidseg")
    vidseg.preview(clip, tmp_path / "look.png", vidseg.Splash(), search=search)
    assert not (tmp_path / "found.vidseg").exists()


@pytest.mark.parametrize("name", ["photo.png", "in.apng", "folder"])
def test_every_kind_of_input_has_a_preview(name: str, tmp_path: Path) -> None:
    source = tmp_path / name
    if name == "in.apng":
        write_scene(source, frames=12, pixel_format="rgb24")
    else:
        source.mkdir() if name == "folder" else None
        photo = source / "a.png" if name == "folder" else source
        Picture.fromarray(scene_image(3)).save(photo)
    search = Search(model=OraclePredictor())
    result = vidseg.preview(source, tmp_path / "look.png", vidseg.Splash(), search=search)
    assert result.frames == (9 if name == "in.apng" else 1)


def test_what_a_preview_cannot_show_is_told_first(clip: Path, tmp_path: Path) -> None:
    oracle = OraclePredictor()

    def refused(error: type[VidsegError], words: str, target: Path, **options: object) -> None:
        search = Search(model=oracle, **options)  # type: ignore[arg-type]
        with pytest.raises(error, match=words):
            vidseg.preview(clip, target, vidseg.Splash(), search=search)

    refused(OptionError, "is a picture", tmp_path / "look.mp4")
    refused(OptionError, "leave `ids`, `follow` and `at`", tmp_path / "look.png", ids=[1])
    refused(OptionError, "leave `ids`, `follow` and `at`", tmp_path / "look.png", follow="largest")
    refused(OutputError, "does not exist", tmp_path / "no" / "look.png")
    (tmp_path / "look.png").write_bytes(b"mine")
    refused(OutputExistsError, "exists", tmp_path / "look.png")
    assert (tmp_path / "look.png").read_bytes() == b"mine"
    assert not oracle.batches


def test_a_preview_that_fails_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    target = tmp_path / "look.png"
    broken = Search(model=BrokenPredictor(at=5))
    with pytest.raises(RuntimeError):
        vidseg.preview(clip, target, vidseg.Splash(), search=broken)
    with pytest.raises(InputError, match="no frame between"):
        vidseg.preview(
            clip,
            target,
            vidseg.Splash(),
            search=Search(model=OraclePredictor()),
            span=vidseg.Span(20, 30),
        )
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]
