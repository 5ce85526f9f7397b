"""The notebook in `examples/` runs from top to bottom, on a few small photos and two steps."""

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import pytest

from tests.support.commands import ROOT
from tests.test_example import maker as maker
from vidseg.video.probe import probe

NOTEBOOK = ROOT / "examples" / "balloon.ipynb"


def cells() -> list[str]:
    notebook = json.loads(NOTEBOOK.read_text())
    return ["".join(c["source"]) for c in notebook["cells"] if c["cell_type"] == "code"]


def write_photos(maker: ModuleType, folder: Path, indices: list[int]) -> None:
    """Frames of the example video as photos, with their true outlines in VIA's form."""
    folder.mkdir(parents=True)
    table: dict[str, Any] = {}
    for index in indices:
        image, masks = maker.scene(index)
        name = f"{index}.jpg"
        cv2.imwrite(str(folder / name), image[..., ::-1])
        regions = []
        for mask in masks[masks.any((1, 2))]:
            outlines, _ = cv2.findContours(
                mask.astype("uint8"), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
            )
            points = max(outlines, key=cv2.contourArea)[:, 0]
            x, y = points[:, 0].tolist(), points[:, 1].tolist()
            shape = {"name": "polygon", "all_points_x": x, "all_points_y": y}
            regions.append({"shape_attributes": shape, "region_attributes": {}})
        table[name] = {"filename": name, "regions": regions}
    (folder / "via_region_data.json").write_text(json.dumps(table))


def test_the_notebook_runs(
    maker: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_photos(maker, tmp_path / "balloon" / "train", [0, 30])
    write_photos(maker, tmp_path / "balloon" / "val", [60])
    for name, value in {
        "DATA": tmp_path / "balloon",
        "VIDEO": ROOT / "examples" / "balloons.mp4",
        "STEPS": 2,
        "OUT": tmp_path / "out",
    }.items():
        monkeypatch.setenv(f"BALLOON_{name}", str(value))
    names: dict[str, Any] = {"__name__": "notebook"}
    for cell in cells():
        exec(compile(cell, str(NOTEBOOK), "exec"), names)
    assert names["result"].masks.ap50 > 0.5
    assert probe(tmp_path / "out" / "splash.mp4").frames == 5
    for page in ("data.html", "model.html"):
        assert "<h1>" in (tmp_path / "out" / page).read_text()


def test_the_notebook_holds_no_results() -> None:
    notebook = json.loads(NOTEBOOK.read_text())
    assert all(not cell.get("outputs") for cell in notebook["cells"])
