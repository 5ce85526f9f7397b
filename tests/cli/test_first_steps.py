"""What a newcomer types first: nothing, `demo`, `doctor`, and words with a slip in them."""

import json
from pathlib import Path

import pytest

from tests.support.commands import fails, run
from tests.support.doubles import OraclePredictor
from vidseg.cli import main
from vidseg.cli.commands import demo, doctor
from vidseg.cli.commands.doctor import LIBRARIES, Finding, table
from vidseg.models.torchvision_weights import COCO_WEIGHTS
from vidseg.video.codecs import CODECS
from vidseg.video.encoding import available_codecs
from vidseg.video.probe import probe

MAX_CLIP_BYTES = 100_000


def test_vidseg_alone_shows_how_to_begin() -> None:
    result = run()
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines() if line.startswith("  vidseg ")]
    assert {words[1] for words in lines} <= set(main.commands)
    assert [words[1] for words in lines][:2] == ["demo", "overlay"]
    assert "Options:" not in result.stdout


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["overley", "a", "b"], "overlay"),
        (["data", "chek"], "check"),
        (["splash", "--claas", "x", "a", "b"], "--class"),
        (["overlay", "--colour-by", "class", "a", "b"], "--color-by"),
        (["cutout", "--refined", "a", "b"], "--refine"),
        (["overlay", "--preveiw", "a", "b"], "--preview"),
        (["--verson"], "--version"),
    ],
)
def test_a_slip_gets_a_suggestion(words: list[str], meant: str) -> None:
    said = fails(*words, code=2)
    assert "Did you mean" in said
    assert meant in said


def test_the_demo_draws_the_bundled_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str, oracle: OraclePredictor
) -> None:
    monkeypatch.setattr(demo, "DEMO_MODEL", model)
    folder = tmp_path / "new"
    result = run("demo", folder)
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    assert "VIDEO" in result.stderr
    clip = probe(demo.DEMO_CLIP)
    assert len(oracle.seen) == clip.frames == 48
    for name in ("balloons_overlay.mp4", "balloons_splash.mp4"):
        assert probe(folder / name).frames == clip.frames
    before = (folder / "balloons_splash.mp4").read_bytes()
    (folder / "balloons_overlay.mp4").unlink()
    assert "balloons_splash.mp4 exists already" in fails("demo", folder)
    assert (folder / "balloons_splash.mp4").read_bytes() == before
    assert run("demo", "--force", folder).exit_code == 0


def test_a_demo_that_fails_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "DEMO_MODEL", str(tmp_path / "none.pt"))
    assert "none.pt" in fails("demo", tmp_path / "new")
    assert not list(tmp_path.iterdir())
    assert "does not exist" in fails("demo", tmp_path / "no" / "new")


def test_the_clip_of_the_demo_stays_small() -> None:
    assert demo.DEMO_CLIP.stat().st_size < MAX_CLIP_BYTES


def test_doctor_tells_what_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")  # without it, doctor says so and fails
    monkeypatch.setattr("vidseg.models.torchvision_weights._hub_folder", lambda: tmp_path)
    published = COCO_WEIGHTS["maskrcnn_resnet50_fpn"]
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / published.name).write_bytes(bytes(2_000_000))
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.output
    found = {each["name"]: each for each in json.loads(result.stdout)["findings"]}
    assert {name for name, _ in LIBRARIES.values()} <= set(found)
    assert not any(each["broken"] for each in found.values())
    assert found["maskrcnn_resnet50_fpn"]["value"].endswith("2 MB")
    missing = found["maskrcnn_resnet50_fpn_v2"]
    assert missing["value"] == "is not here yet"
    assert "downloads 186 MB" in missing["advice"]
    assert found["balloon"]["advice"] is None
    assert "h264" in found["reads"]["value"]
    for line in table([Finding(**each) for each in found.values()]):
        assert line in result.stderr


def test_doctor_names_a_library_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(module: str) -> object:
        if module == "cv2":
            raise ImportError("libGL.so.1: cannot open shared object file: No such file")
        raise ImportError(f"No module named {module!r}")

    monkeypatch.setattr(doctor, "import_module", broken)
    result = run("doctor", "--json")
    assert result.exit_code == 1
    found = {each["name"]: each for each in json.loads(result.stdout)["findings"]}
    assert "apt-get install -y libgl1" in found["OpenCV"]["advice"]
    assert found["PyAV"]["advice"] == "Install it: pip install --force-reinstall av"
    assert "processor" not in found
    assert "[yolo]" in found["[yolo]"]["advice"]


def test_codecs_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert available_codecs.written_codecs().keys() == CODECS.keys()
    assert available_codecs.written_codecs()["h264"]
    assert all(available_codecs.read_codecs()[name] for name in ("h264", "vp9", "mpeg4"))
    monkeypatch.setattr(available_codecs, "READ_CODECS", ("h264", "nosuchcodec"))
    assert available_codecs.read_codecs() == {"h264": True, "nosuchcodec": False}
    (reads, *_) = [each for each in doctor._codecs() if each.name == "reads"]
    assert reads.value == "h264; not nosuchcodec"
    assert reads.advice is not None
