"""Cut-outs as files: alpha read back by ffmpeg and PIL, put over a colour, and compared."""

import subprocess
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as Picture

import vidseg
from tests.support.commands import fails, run
from tests.support.doubles import BrokenPredictor, OraclePredictor
from tests.support.scenes import read_barcode, scene_image, scene_instances, write_scene
from vidseg.effects.cutout import Cutout, Matte, cut_objects
from vidseg.errors import OptionError
from vidseg.pipeline.outputs import CutoutOutput
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.video.codecs import choose_codec
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding.writer import open_writer
from vidseg.video.probe import probe

pytestmark = pytest.mark.usefixtures("oracle")

RATE = Fraction(30000, 1001)
FRAMES, HEIGHT, WIDTH = 10, 128, 192
GREEN = (30, 200, 60)


@pytest.fixture
def named(model: str) -> list[object]:
    """The model that knows the scenes' classes."""
    return ["--model", model]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "in.mp4", frames=FRAMES, rate=RATE, sound=1)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    Picture.fromarray(scene_image(4)).save(path)
    return path


def look(image: Image) -> Instances:
    return OraclePredictor().predict([image])[0]


def drawn(clip: Path, effect: Callable[[Image, Instances], Image]) -> list[Image]:
    return [effect(frame.image, look(frame.image)) for frame in read_frames(probe(clip))]


def over(picture: Image) -> NDArray[np.float64]:
    share = picture[..., 3:] / 255
    return picture[..., :3] * share + np.array(GREEN) * (1 - share)


def composed(path: Path) -> NDArray[np.uint8]:
    """(N, H, W, 3): the video over green, put together by ffmpeg."""
    ground = f"[0]split[a][b];[a]format=gbrp,drawbox=c=0x{bytes(GREEN).hex()}:t=fill[c]"
    decoder = [] if path.suffix == ".mov" else ["-c:v", "libvpx-vp9"]
    command = [
        *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *decoder, "-i", str(path)),
        *("-filter_complex", f"{ground};[c][b]overlay=format=gbrp", "-fps_mode", "passthrough"),
        *("-pix_fmt", "rgb24", "-f", "rawvideo", "-"),
    ]
    done = subprocess.run(command, capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)


def times(path: Path) -> list[Fraction]:
    with av.open(str(path)) as container:
        packets: Iterator[Any] = container.demux(container.streams.video[0])
        return sorted(packet.pts * packet.time_base for packet in packets if packet.size)


@pytest.mark.parametrize(("suffix", "mean", "most"), [(".mov", 1, 12), (".webm", 3, 120)])
def test_a_video_put_over_a_colour_is_what_numpy_makes(
    named: list[object], clip: Path, tmp_path: Path, suffix: str, mean: float, most: float
) -> None:
    out = tmp_path / f"out{suffix}"
    assert run("cutout", *named, "--no-track", clip, out).exit_code == 0
    want = np.stack([over(picture) for picture in drawn(clip, Cutout())])
    got = composed(out)
    assert got.shape == want.shape
    away = np.abs(got - want)
    assert away.mean() < mean
    assert away.max() < most
    for index, picture in enumerate(got):
        assert np.abs(want - picture).mean((1, 2, 3)).argmin() == index


@pytest.mark.parametrize("suffix", [".mov", ".webm", ".mkv"])
def test_times_and_sound_are_the_inputs(
    named: list[object], clip: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"out{suffix}"
    assert run("cutout", *named, clip, out).exit_code == 0
    exact = suffix == ".mov"
    for here, there in zip(times(out), times(clip), strict=True):
        assert abs(here - there) <= (0 if exact else Fraction(1, 2000))
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == 1
        video: Any = container.streams.video[0]
        if exact:
            assert video.codec_context.format.name.startswith("yuva444p")
        else:
            assert {k.lower(): v for k, v in video.metadata.items()}["alpha_mode"] == "1"


def test_a_folder_of_frames_is_exact(named: list[object], clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("cutout", *named, "--no-track", "--no-refine", clip, out).exit_code == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == [f"{index:05d}.png" for index in range(FRAMES)]
    for name, want in zip(names, drawn(clip, Cutout(refine=False)), strict=True):
        got = Picture.open(out / name)
        assert got.mode == "RGBA"
        assert (np.array(got) == want).all()


def test_a_folder_an_object(named: list[object], clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("cutout", *named, "--per-object", clip, out).exit_code == 0
    folders = sorted(path.name for path in out.iterdir())
    assert folders == ["disc_001", "disc_002", "rectangle_003"]
    for folder in folders:
        pictures = sorted((out / folder).iterdir())
        assert [path.name for path in pictures] == [f"{index:05d}.png" for index in range(FRAMES)]
        picture = np.array(Picture.open(pictures[0]))
        assert picture.shape == (HEIGHT, WIDTH, 4)
        assert 0 < np.count_nonzero(picture[..., 3]) < HEIGHT * WIDTH / 4


def test_a_matte_shows_full_black_and_white(
    named: list[object], clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    assert run("cutout", *named, "--no-track", "--matte", "--crf", "4", clip, out).exit_code == 0
    want = drawn(clip, Matte())
    with av.open(str(out)) as container:
        coded = [frame.to_ndarray()[:HEIGHT] for frame in container.decode(video=0)]
        assert container.streams.video[0].codec_context.name == "h264"
    assert len(coded) == FRAMES
    for luma, shown, matte in zip(coded, read_frames(probe(out)), want, strict=True):
        inside = cv2.erode(matte[..., 0], np.ones((9, 9))) == 255
        outside = cv2.dilate(matte[..., 0], np.ones((9, 9))) == 0
        assert abs(luma[inside].mean() - 235) < 0.5
        assert abs(luma[outside].mean() - 16) < 0.5
        assert shown.image[inside].min() >= 252
        assert shown.image[outside].max() <= 3
        assert np.abs(shown.image.astype(int) - matte).mean() < 1


def test_a_photo_becomes_a_picture_an_object(
    named: list[object], photo: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert run("cutout", *named, photo, out).exit_code == 0
    names = sorted(path.name for path in out.iterdir())
    assert names == ["disc_1.png", "disc_2.png", "rectangle_3.png"]
    crops = cut_objects(scene_image(4), scene_instances(4), refine=True)
    for name, crop in zip(names, crops, strict=True):
        assert (np.array(Picture.open(out / name)) == crop.mask).all()


@pytest.mark.parametrize("suffix", [".png", ".webp", ".tiff"])
def test_a_photo_becomes_one_picture(
    named: list[object], photo: Path, tmp_path: Path, suffix: str
) -> None:
    out = tmp_path / f"out{suffix}"
    assert run("cutout", *named, photo, out).exit_code == 0
    want = Cutout()(scene_image(4), scene_instances(4))
    got = np.array(Picture.open(out))
    assert (got[..., 3] == want[..., 3]).all()
    opaque = want[..., 3] == 255
    loss = np.abs(got[opaque].astype(int) - want[opaque])
    assert loss.max() == 0 if suffix != ".webp" else loss.mean() < 6


def test_photos_in_a_folder(named: list[object], tmp_path: Path) -> None:
    source = tmp_path / "in"
    source.mkdir()
    for index, name in enumerate(("a.png", "b.jpg")):
        Picture.fromarray(scene_image(index)).save(source / name, quality=95)
    assert run("cutout", *named, source, tmp_path / "all").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "all").iterdir()) == ["a.png", "b.jpg.png"]
    assert Picture.open(tmp_path / "all" / "b.jpg.png").mode == "RGBA"
    assert run("cutout", *named, "--per-object", source, tmp_path / "each").exit_code == 0
    found = sorted(str(p.relative_to(tmp_path / "each")) for p in (tmp_path / "each").rglob("*.*g"))
    assert "a.png/disc_1.png" in found
    assert "b.jpg/rectangle_3.png" in found


def test_several_inputs_get_folders(
    named: list[object], clip: Path, photo: Path, tmp_path: Path
) -> None:
    photo = photo.rename(tmp_path / "still.png")
    out = tmp_path / "out"
    assert run("cutout", *named, clip, photo, f"{out}/").exit_code == 0
    assert len(list((out / "in").iterdir())) == FRAMES
    assert (out / "still" / "disc_1.png").exists()
    assert run("cutout", *named, "--matte", clip, photo, f"{tmp_path}/mattes/").exit_code == 0
    assert {path.name for path in (tmp_path / "mattes").iterdir()} == {"in.mp4", "still.png"}


def test_a_part_of_the_video(named: list[object], clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mov"
    assert run("cutout", *named, "--start", "0.12", "--matte", clip, out).exit_code == 0
    assert len(times(out)) == FRAMES - 4


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".jpg", ".bmp", ".m4v"])
def test_what_holds_no_transparency_is_refused(
    named: list[object], clip: Path, tmp_path: Path, suffix: str
) -> None:
    sentence = fails("cutout", *named, clip, tmp_path / f"out{suffix}", code=2)
    assert f"{suffix} cannot store transparency" in sentence
    for ending in (".mov", ".webm", ".png", "folder"):
        assert ending in sentence
    assert not (tmp_path / f"out{suffix}").exists()


def test_options_that_do_not_go_together(
    named: list[object], clip: Path, photo: Path, tmp_path: Path
) -> None:
    assert "no ending" in fails(
        "cutout", *named, "--per-object", clip, tmp_path / "out.mov", code=2
    )
    both = fails("cutout", *named, "--per-object", "--matte", clip, tmp_path / "out", code=2)
    assert "--per-object and --matte" in both
    assert "h264 with" in fails(
        "cutout", *named, "--codec", "h264", clip, tmp_path / "out.mov", code=2
    )
    assert "4444" in fails("cutout", *named, "--preset", "hq", clip, tmp_path / "out.mov", code=2)
    assert "photo" in fails("cutout", *named, photo, tmp_path / "out.mov", code=2)
    assert "photo" in fails("cutout", *named, clip, tmp_path / "out.png", code=2)
    with pytest.raises(OptionError, match="alpha"):
        CutoutOutput(tmp_path / "out.mov", encoding=choose_codec(tmp_path / "out.mov"))


@pytest.mark.parametrize("suffix", [".mov", ".webm"])
def test_a_frame_without_alpha_is_refused(clip: Path, tmp_path: Path, suffix: str) -> None:
    info, out = probe(clip), tmp_path / f"out{suffix}"
    encoding = choose_codec(out, alpha=True)
    with (
        pytest.raises(ValueError, match="4"),
        open_writer(out, info, encoding=encoding) as sink,
    ):
        sink.write(Frame(0, Fraction(0), scene_image(0)))
    assert not out.exists()


def test_alpha_survives_odd_sizes_and_wide_pixels(tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "in.mkv", frames=3, pixel_aspect=Fraction(4, 3))
    for suffix in (".mov", ".webm"):
        out = tmp_path / f"out{suffix}"
        info = probe(clip)
        with open_writer(out, info, encoding=choose_codec(out, alpha=True)) as sink:
            for frame in read_frames(info):
                opacity = np.full((*frame.image.shape[:2], 1), 255, np.uint8)
                sink.write(Frame(frame.index, frame.time, np.dstack([frame.image, opacity])))
        shown = list(read_frames(probe(out)))
        assert [read_barcode(frame.image) for frame in shown] == [0, 1, 2]


def test_one_call_does_what_the_command_does(clip: Path, model: str, tmp_path: Path) -> None:
    search = vidseg.Search("disc", model=str(model))
    assert vidseg.cutout(clip, tmp_path / "out", search=search, refine=False).frames == FRAMES
    words = ["--model", model, "--class", "disc", "--no-refine"]
    assert run("cutout", *words, clip, tmp_path / "b").exit_code == 0
    for path in (tmp_path / "out").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()


def test_a_run_that_breaks_leaves_nothing(clip: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    for target in ("out", "out.mov", "out.webm"):
        output = CutoutOutput(tmp_path / target, per_object=target == "out")
        with pytest.raises(RuntimeError, match="broke"):
            vidseg.run(clip, [output], search=vidseg.Search(model=BrokenPredictor(6)))
        assert set(tmp_path.iterdir()) == before
