"""What `probe` says about inputs of every kind, good and bad."""

import os
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pictures

from tests.support import corpus
from tests.support.scenes import write_scene
from vidseg.errors import InputError
from vidseg.pipeline._compatibility import check_kinds
from vidseg.video.codecs import choose_codec
from vidseg.video.color import matrix
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

RATES = [
    *(Fraction(24000, 1001), Fraction(25), Fraction(30000, 1001), Fraction(30)),
    *(Fraction(60000, 1001), Fraction(120)),
]


@pytest.mark.parametrize("rate", RATES, ids=str)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".webm", ".avi", ".flv"])
def test_rate_is_exact_in_every_container(tmp_path: Path, suffix: str, rate: Fraction) -> None:
    info = probe(write_scene(tmp_path / f"clip{suffix}", rate=rate))
    assert (info.rate, info.constant_rate, info.frames) == (rate, True, 30)
    assert info.size == (128, 192)
    assert info.damage == ""


def test_variable_rate(tmp_path: Path) -> None:
    info = probe(corpus.variable_rate(tmp_path))
    assert not info.constant_rate
    assert (info.frames, info.duration) == (40, Fraction(2, 3) + 2 - Fraction(2, 30))


def test_video_that_starts_after_its_sound(tmp_path: Path) -> None:
    info = probe(corpus.delayed_video(tmp_path))
    assert (info.start, info.duration) == (Fraction(1, 2), Fraction(3, 2))


def test_clock_that_starts_late(tmp_path: Path) -> None:
    info = probe(corpus.late_start(tmp_path))
    assert (info.start, info.origin, info.duration) == (0, 5, 1)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_turns_size_and_pixel_aspect(tmp_path: Path, rotation: int) -> None:
    path = write_scene(tmp_path / "r.mp4", rotation=rotation, pixel_aspect=Fraction(2), frames=3)
    info = probe(path)
    assert (info.rotation, info.size) == (rotation, (128, 192))
    assert info.pixel_aspect == (2 if rotation == 180 else Fraction(1, 2))


def test_pixel_aspect(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "s.mp4", pixel_aspect=Fraction(64, 45), frames=3)
    assert probe(path).pixel_aspect == Fraction(64, 45)


def test_colour_tags(tmp_path: Path) -> None:
    tagged = write_scene(tmp_path / "tagged.mp4", tags=corpus.BT709_TAGS, frames=3)
    color = probe(tagged).color
    assert (color.matrix, color.range) == ("bt709", "tv")
    assert (color.primaries, color.transfer) == ("bt709", "bt709")
    full = write_scene(tmp_path / "full.mp4", tags={"color_range": 2}, full_range=True, frames=3)
    assert probe(full).color.range == "pc"


@pytest.mark.parametrize(
    ("size", "guess"), [((128, 192), "smpte170m"), ((720, 64), "bt709")], ids=["sd", "hd"]
)
def test_matrix_of_untagged_video_is_guessed_by_height(
    tmp_path: Path, size: tuple[int, int], guess: str
) -> None:
    assert matrix(probe(write_scene(tmp_path / "plain.mp4", size=size, frames=2))) == guess


def test_hdr_and_alpha(tmp_path: Path) -> None:
    assert probe(corpus.hdr(tmp_path)).hdr
    info = probe(corpus.alpha(tmp_path))
    assert info.alpha
    assert not info.hdr


def test_default_stream_is_chosen_over_a_larger_one(tmp_path: Path) -> None:
    info = probe(corpus.two_videos(tmp_path))
    assert (info.stream, info.size, info.rate, info.frames) == (0, (128, 192), 30, 30)
    assert [stream.default for stream in info.streams] == [True, False]


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    info = probe(corpus.cover_art(tmp_path))
    assert (info.size, info.frames) == ((128, 192), 30)


def test_streams_are_listed(tmp_path: Path) -> None:
    info = probe(corpus.with_subtitles(tmp_path))
    assert [stream.kind for stream in info.streams] == ["video", "audio", "subtitle"]
    assert [stream.codec for stream in info.streams] == ["h264", "aac", "subrip"]


@pytest.mark.parametrize(
    "make", [corpus.timecode, corpus.edit_list, corpus.no_duration, corpus.fragmented]
)
def test_odd_but_healthy_files_are_whole(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    info = probe(make(tmp_path))
    assert info.damage == ""
    assert info.constant_rate
    assert info.rate == 30


def test_elementary_stream_takes_its_own_rate(tmp_path: Path) -> None:
    path = write_scene(tmp_path / "bare.h264", options={"preset": "veryfast", "bf": "2"})
    info = probe(path)
    assert (info.rate, info.frames, info.duration, info.timed) == (30, 30, 1, False)


@pytest.mark.parametrize(
    ("suffix", "asked", "shown"),
    [
        (".gif", [50, 70, 0, 10, 200], ["1/20", "7/100", "1/10", "1/10", "1/5"]),
        (".png", [50, 33, 40, 200], ["1/20", "33/1000", "1/25", "1/5"]),
        (".webp", [50, 33, 40, 200], ["1/20", "33/1000", "1/25", "1/5"]),
    ],
)
def test_animated_images(tmp_path: Path, suffix: str, asked: list[int], shown: list[str]) -> None:
    info = probe(corpus.animation(tmp_path, suffix, asked))
    assert (info.kind, info.frames, info.size) == ("animation", len(asked), (128, 192))
    assert info.duration == sum(map(Fraction, shown))
    assert not info.constant_rate


def test_photo_is_upright(tmp_path: Path) -> None:
    exif = Pictures.Exif()
    exif[0x0112] = 6
    path = tmp_path / "phone.jpg"
    Pictures.new("RGB", (60, 40)).save(path, exif=exif)
    info = probe(path)
    assert (info.kind, info.size, info.rotation, info.frames) == ("photo", (60, 40), 90, 1)


def test_folder_of_photos_in_natural_order(tmp_path: Path) -> None:
    for name, size in (("img10.png", (30, 20)), ("img2.jpg", (64, 48)), ("Img1.png", (10, 10))):
        Pictures.new("RGB", size).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no photo")
    (tmp_path / ".hidden.png").write_bytes(b"")
    info = probe(tmp_path)
    assert (info.kind, info.size, info.frames) == ("folder", (48, 64), 3)
    assert [photo.name for photo in info.photos] == ["Img1.png", "img2.jpg", "img10.png"]


def _nothing(path: Path) -> None:
    pass


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _text(path: Path) -> None:
    path.write_text("\x1b[31mThis is no video.\n" * 200)


def _noise(path: Path) -> None:
    path.write_bytes(np.random.default_rng(1).bytes(5000))


def _folder(path: Path) -> None:
    path.mkdir()


def _dead_link(path: Path) -> None:
    path.symlink_to(path.with_name("gone.mp4"))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _playlist(path: Path) -> None:
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n")


def _concat(path: Path) -> None:
    path.write_text("ffconcat version 1.0\nfile '/etc/hostname'\n")


def _only_sound(path: Path) -> None:
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        for start in range(0, 9600, 960):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), "fltp", "mono")
            frame.sample_rate, frame.pts = 48000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _heic(path: Path) -> None:
    path.write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))


def _no_index(path: Path) -> None:
    whole = write_scene(path.with_name("whole.mp4"))
    path.write_bytes(whole.read_bytes()[:9000])


BAD: dict[Callable[[Path], None], str] = {
    _nothing: "does not exist",
    _empty: "is empty",
    _text: "not a video",
    _noise: "not a video",
    _folder: "without photos",
    _dead_link: "link to a missing file",
    _pipe: "is not a regular file",
    _playlist: "not a video",
    _concat: "not a video",
    _only_sound: "only sound",
    _no_index: "index is missing",
    _heic: "HEIC photo",
}


@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__[1:])
def test_bad_input_is_one_sentence(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "in.mp4"
    make(path)
    with pytest.raises(InputError, match=BAD[make]) as caught:
        probe(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


NAMES = [
    *("a:b.mp4", "concat:x.mp4", "http:x.mp4", "pipe:1", "%03d.mp4", "-dash.mp4", "new\nline.mp4"),
    *('it\'s "quoted".mp4', "ümläut 🎈.mp4", "back\\slash.mp4", "a;b&c$[d]*?#.mp4", "video.txt"),
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_scene(tmp_path_factory.mktemp("names") / "plain.mp4", frames=3)


@pytest.mark.parametrize("name", NAMES)
def test_names_are_only_names(
    tmp_path: Path, plain: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(plain.read_bytes())
    monkeypatch.chdir(tmp_path)
    assert probe(name).frames == 3


def test_photo_named_like_a_pattern(tmp_path: Path) -> None:
    Pictures.new("RGB", (8, 6)).save(tmp_path / "%03d.png")
    Pictures.new("RGB", (80, 60)).save(tmp_path / "001.png")
    assert probe(tmp_path / "%03d.png").size == (6, 8)


def test_unreadable_file_says_why(tmp_path: Path, plain: Path) -> None:
    path = tmp_path / "secret.mp4"
    path.write_bytes(plain.read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(InputError, match="cannot be opened: Permission denied"):
        probe(path)


@pytest.mark.parametrize("part", [0.3, 0.7])
@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".flv"])
def test_cut_off_files_are_known_before_reading(tmp_path: Path, suffix: str, part: float) -> None:
    whole = write_scene(tmp_path / f"clip{suffix}", frames=60)
    assert probe(whole).damage == ""
    assert probe(corpus.cut(whole, part)).damage != ""


def test_info_is_hashable_and_frozen(plain: Path) -> None:
    info = probe(plain)
    assert isinstance(info, VideoInfo)
    assert hash(info) == hash(probe(str(plain)))


def test_a_gif_of_one_picture_is_a_photo_that_can_become_a_gif(tmp_path: Path) -> None:
    path = corpus.animation(tmp_path, ".gif", [100])
    info = probe(path)
    assert (info.kind, info.frames) == ("photo", 1)
    check_kinds(info.kind, choose_codec("out.gif").output)
