"""`examples/app.py`: what the page does, and the page itself in a browser where there is one."""

import importlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

import vidseg
from tests.support.commands import ROOT
from tests.support.doubles import OraclePredictor
from tests.support.scenes import scene_image, scene_masks, write_scene

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    module = importlib.import_module("app")
    module.predictor_of.cache_clear()
    return module


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=12)


def middle(row: int) -> tuple[int, int]:
    """A point inside object `row` of the first scene."""
    rows, cols = np.nonzero(scene_masks(0)[row])
    return int(np.median(cols)), int(np.median(rows))


def changed(picture: Any) -> Any:
    """(H, W) where the picture differs from the first scene."""
    return (np.abs(np.asarray(picture)[..., :3].astype(int) - scene_image(0)) > 60).any(axis=2)


def test_the_first_frame_shows_all_objects_or_the_one_that_was_clicked(
    app: Any, oracle: OraclePredictor, model: str, clip: Path
) -> None:
    picture, words = app.first_frame(app.Wish(str(clip), model, effect="fill"))
    assert words == "2 disc, 1 rectangle here."
    masks = scene_masks(0)
    assert all(changed(picture)[mask].mean() > 0.8 for mask in masks)
    point = middle(1)
    picture, words = app.first_frame(app.Wish(str(clip), model, effect="fill", point=point))
    assert words == "1 disc at this point."
    assert [changed(picture)[mask].mean() > 0.8 for mask in masks] == [False, True, False]
    _, words = app.first_frame(app.Wish(str(clip), model, point=(0, 127)))
    assert words == "Nothing at this point."


def test_a_photo_is_rendered_with_the_chosen_object(
    app: Any, oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    PIL.Image.fromarray(scene_image(0)).save(photo)
    wish = app.Wish(str(photo), model, effect="fill", point=middle(2))
    path = app.render(wish, tmp_path, 10)
    assert path.name == "photo_fill.png"
    inside = [changed(PIL.Image.open(path))[mask].mean() > 0.8 for mask in scene_masks(0)]
    assert inside == [False, False, True]


def test_a_video_is_rendered_up_to_the_limit(
    app: Any, oracle: OraclePredictor, model: str, tmp_path: Path
) -> None:
    clip = write_scene(tmp_path / "long.mp4", frames=45)
    seen: list[int] = []
    wish = app.Wish(str(clip), model, effect="splash", point=middle(0))
    path = app.render(wish, tmp_path, 1, lambda done, total: seen.append(done))
    assert vidseg.probe(path).frames == 30
    assert seen == list(range(1, 31))
    assert app.preview(app.Wish(str(clip), model), tmp_path).stat().st_size > 0


def test_the_page_in_a_browser(
    app: Any, oracle: OraclePredictor, model: str, clip: Path, tmp_path: Path
) -> None:
    """Drop a clip, click on an object, preview, render, download; on this machine alone."""
    pytest.importorskip("gradio")
    browsers = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None:
        pytest.skip("there is no Chromium")
    page = app.build([model], tmp_path, 10)
    address = app.launch(page, port=None, max_mb=1, block=False)
    try:
        assert address.startswith("http://127.0.0.1:")
        with browsers.sync_playwright() as playwright:
            chromium = playwright.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            try:
                use(
                    chromium.new_page(viewport={"width": 1280, "height": 1000}),
                    address,
                    clip,
                    tmp_path,
                )
            finally:
                chromium.close()
    finally:
        page.close()


def use(view: Any, address: str, clip: Path, tmp_path: Path) -> None:
    errors: list[str] = []
    view.on("pageerror", lambda error: errors.append(str(error)))
    view.goto(address)
    view.set_input_files("input[type=file]", str(clip))
    view.get_by_text("2 disc, 1 rectangle here.").wait_for(timeout=120_000)
    picture = view.locator("img").first
    box = picture.bounding_box()
    x, y = middle(1)
    picture.click(position={"x": x / 192 * box["width"], "y": y / 128 * box["height"]})
    view.get_by_text("1 disc at this point.").wait_for(timeout=60_000)
    view.get_by_role("button", name="All objects again").click()
    view.get_by_text("2 disc, 1 rectangle here.").wait_for(timeout=60_000)
    view.get_by_role("button", name="Preview").click()
    view.wait_for_function("document.querySelectorAll('img').length >= 2", timeout=60_000)
    view.get_by_role("button", name="Render").click()
    link = view.locator("a[download='in_overlay.mp4']").first
    link.wait_for(timeout=60_000)
    view.screenshot(path=str(tmp_path / "page.png"), full_page=True)
    with view.expect_download() as download:
        link.click()
    assert vidseg.probe(download.value.path()).frames == 12
    assert errors == []


def test_what_cannot_be_shown_is_one_sentence(
    app: Any, oracle: OraclePredictor, model: str, clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "words.mp4").write_text("no video")
    with pytest.raises(vidseg.VidsegError):
        app.first_frame(app.Wish(str(tmp_path / "words.mp4"), model))
    with pytest.raises(vidseg.VidsegError, match="no object"):
        app.render(app.Wish(str(clip), model, point=(0, 127)), tmp_path, 10)
