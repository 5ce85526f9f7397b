"""What PyAV gives in another form from release to release."""

from fractions import Fraction
from pathlib import Path

import av

from tests.support.scenes import write_scene
from vidseg.video.demuxing.container import open_container
from vidseg.video.probe import probe
from vidseg.video.pyav_versions import open_input, open_output, ratio


class Pair:
    """A ratio as PyAV 19 gives it: false where numerator or denominator is 0."""

    def __init__(self, numerator: int, denominator: int) -> None:
        self.numerator, self.denominator = numerator, denominator

    def __bool__(self) -> bool:
        return bool(self.numerator and self.denominator)


def test_ratios_are_exact_fractions() -> None:
    assert ratio(Fraction(30000, 1001)) == Fraction(30000, 1001)
    assert ratio(Pair(1, 90000)) == Fraction(1, 90000)
    assert type(ratio(Pair(1, 90000))) is Fraction


def test_ratios_that_are_not_set_are_none() -> None:
    assert ratio(None) is None
    assert ratio(Pair(0, 1)) is None
    assert ratio(Pair(1, 0)) is None


def test_facts_of_a_video_are_fractions(tmp_path: Path) -> None:
    info = probe(write_scene(tmp_path / "in.mkv", frames=5, sound=1))
    exact = (info.rate, info.time_base, info.pixel_aspect, info.start, info.origin, info.duration)
    assert [type(value) for value in exact] == [Fraction] * 6


def test_tags_that_are_not_utf8_go_through(tmp_path: Path) -> None:
    title = b"caf\xe9".decode("utf-8", "surrogateescape")
    path = tmp_path / "tagged.mkv"
    with open_output(str(path), "matroska", {}) as container:
        container.metadata["title"] = title
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for packet in [*stream.encode(av.VideoFrame(64, 48, "yuv420p")), *stream.encode(None)]:
            container.mux_one(packet)
    with open_input(str(path), {}) as container:
        assert container.metadata["title"] == title
    with open_container(path) as container:
        assert container.metadata["title"] == title
