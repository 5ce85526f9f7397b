"""Saved detections: exact, small, crash-safe, and readable by anyone."""

import json
import re
import textwrap
from dataclasses import replace
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import vidseg.results.vidseg_file as detections
from tests.support.random_instances import any_instances, blobs
from tests.support.saved_detections import folder_facts, header_for_tests
from tests.support.scenes import scene_instances, write_scene
from vidseg.errors import InputError, OptionError, OutputError, OutputExistsError
from vidseg.results._fingerprint import fingerprint_of_input, same_input
from vidseg.results._part_file import part_of
from vidseg.results._records import SavedFrame, decode_frame, encode_frame, read_records
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_header import Header, read_header_line
from vidseg.results.vidseg_writer import DetectionWriter
from vidseg.structures.frame import Moment
from vidseg.structures.instances import ARRAY_FIELDS, Instances
from vidseg.video.probe import probe

CLASS_NAMES = {1: "disc", 2: "rectangle", 3: "cross", 4: "ring"}
HEADER = header_for_tests(
    CLASS_NAMES, options={"start": None, "end": "7/3"}, program="vidseg 0", kept_score=0.1
)
FOLDER = replace(HEADER, source=folder_facts("0.png"))
"""Its frames may be of any size."""


def moment(index: int) -> Moment:
    return Moment(index, Fraction(index * 1001, 30000), Fraction(1001, 30000))


def scenes(count: int) -> list[SavedFrame]:
    return [(moment(i), scene_instances(i)) for i in range(count)]


def write(path: Path, found: list[SavedFrame], header: Header = HEADER, **options: Any) -> Path:
    with DetectionWriter(path, header, **options) as sink:
        for place, instances in found[sink.count :]:
            sink.write(place, instances)
    return path


def assert_same(a: Instances, b: Instances) -> None:
    for name in ARRAY_FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
        assert np.asarray(getattr(a, name)).dtype == np.asarray(getattr(b, name)).dtype
    assert a.size == b.size


def test_what_is_saved_reads_back_the_same(tmp_path: Path) -> None:
    tracked = replace(blobs(9, (720, 1280)), ids=np.arange(9) - 1, filled=np.arange(9) % 2 == 0)
    found = [*scenes(30), (moment(30), Instances.empty((9, 7))), (moment(31), tracked)]
    read = read_detections(write(tmp_path / "a.vidseg", found, FOLDER))
    assert read.header == FOLDER
    again = list(read)
    assert [place for place, _ in again] == [place for place, _ in found]
    for (_, a), (_, b) in zip(again, found, strict=True):
        assert_same(a, b)
        assert a.names == HEADER.classes
    assert not part_of(tmp_path / "a.vidseg").exists()


@given(any_instances())
@settings(max_examples=60, deadline=None)
def test_a_record_is_exact(instances: Instances) -> None:
    (record,) = read_records(BytesIO(encode_frame(moment(3), instances)), Path("x"))
    place, decoded = decode_frame(record, FOLDER, Path("x"))
    assert place == moment(3)
    assert_same(decoded, instances)


def test_the_documented_lines_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "street.vidseg", scenes(5))
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"To read it all:\n\n(.*?)\n\n", str(detections.__doc__), re.DOTALL)
    assert len(code.splitlines()) <= 10
    looked: list[tuple[dict[str, Any], Any, Any]] = []
    body = textwrap.dedent(code) + "\n        looked.append((frame, objects, masks))\n"
    exec(body, {"looked": looked})
    assert looked.pop()[0] == {"end": True, "frames": 5}
    for (place, instances), (frame, objects, masks) in zip(scenes(5), looked, strict=True):
        assert (frame["index"], Fraction(frame["time"])) == (place.index, place.time)
        np.testing.assert_array_equal(masks, instances.masks)
        np.testing.assert_array_equal(objects["box"], instances.boxes)
        np.testing.assert_array_equal(objects["label"], instances.labels)


def test_a_torn_record_is_dropped_wherever_it_is_torn(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = write(tmp_path / "a.vidseg", scenes(4)).read_bytes()
    with (tmp_path / "a.vidseg").open("rb") as file:
        read_header_line(file)
        ends = [record.end for record in read_records(file, tmp_path)]
    torn = tmp_path / "torn.vidseg"
    for length in range(len(whole.split(b"\n")[0]) + 1, len(whole), 7):
        torn.write_bytes(whole[:length])
        caplog.clear()
        assert len(list(read_detections(torn))) == sum(end <= length for end in ends)
        assert "was interrupted" in caplog.text


def test_a_damaged_record_in_the_middle_is_told(tmp_path: Path) -> None:
    path = write(tmp_path / "a.vidseg", scenes(4))
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputError, match="corrupted at byte"):
        list(read_detections(path))


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\xfe\n", b"[1]\n", b'{"format": "x"}\n'])
def test_other_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.vidseg").write_bytes(content)
    with pytest.raises(InputError, match="not a file of detections"):
        read_detections(tmp_path / "a.vidseg")


def test_files_of_a_later_version_and_missing_ones_are_refused(tmp_path: Path) -> None:
    line = json.dumps({"format": "vidseg detections", "version": 9}).encode() + b"\n"
    (tmp_path / "a.vidseg").write_bytes(line)
    with pytest.raises(InputError, match="newer vidseg"):
        read_detections(tmp_path / "a.vidseg")
    with pytest.raises(InputError, match="cannot be read"):
        read_detections(tmp_path / "b.vidseg")


@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1), every=st.integers(1, 5))
def test_resuming_gives_the_bytes_of_an_unbroken_run(
    share: float, every: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("resume")
    whole = write(folder / "whole.vidseg", scenes(12)).read_bytes()
    part_of(folder / "a.vidseg").write_bytes(whole[: round(len(whole) * share)])
    with DetectionWriter(folder / "a.vidseg", HEADER, resume=True, every=every) as sink:
        assert sink.count % every == 0
        assert sink.resume_at in (None, moment(sink.count))
        assert sink.resume_at or not sink.count
        for place, instances in scenes(12)[sink.count :]:
            sink.write(place, instances)
    assert (folder / "a.vidseg").read_bytes() == whole


def test_a_broken_run_keeps_what_was_found(tmp_path: Path) -> None:
    def broken() -> None:
        with DetectionWriter(tmp_path / "a.vidseg", HEADER) as sink:
            for place, instances in scenes(5):
                sink.write(place, instances)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        broken()
    assert not (tmp_path / "a.vidseg").exists()
    assert len(list(read_detections(part_of(tmp_path / "a.vidseg")))) == 5
    with pytest.raises(OutputExistsError, match="`resume=True`"):
        write(tmp_path / "a.vidseg", scenes(5))
    other = replace(HEADER, kept_score=0.3)
    with (
        pytest.raises(OptionError, match=r"started with kept_score 0.1, now 0.3"),
        DetectionWriter(tmp_path / "a.vidseg", other, resume=True),
    ):
        pass
    write(tmp_path / "a.vidseg", scenes(2), force=True)
    assert len(list(read_detections(tmp_path / "a.vidseg"))) == 2


def test_nothing_is_left_of_a_run_that_found_nothing(tmp_path: Path) -> None:
    with (
        pytest.raises(ZeroDivisionError),
        DetectionWriter(tmp_path / "a.vidseg", HEADER),
    ):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_one_sentence() -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("no /dev/full here")
    sink = DetectionWriter("unused.vidseg", HEADER)
    with full.open("wb", buffering=0) as file:
        sink._file = file  # type: ignore[assignment]
        with pytest.raises(OutputError, match="No space left"):
            sink.write(moment(0), scene_instances(0))


def test_an_input_is_told_from_others_under_any_name(tmp_path: Path) -> None:
    a = write_scene(tmp_path / "a.mp4", frames=5)
    mark = fingerprint_of_input(probe(a))
    assert (mark["frames"], mark["rate"], mark["size"]) == (5, "30", [128, 192])
    b = a.rename(tmp_path / "b.mp4")
    assert same_input(mark, fingerprint_of_input(probe(b)))
    c = write_scene(tmp_path / "c.mp4", frames=5, first=1)
    assert not same_input(mark, fingerprint_of_input(probe(c)))


def test_soft_masks_stay_small() -> None:
    """Noise costs 784 bytes an object; shapes with a soft rim a small part of it."""
    instances = blobs(50, (720, 1280))
    assert len(encode_frame(moment(0), instances)) / 50 < 350


def test_one_run_at_a_time_writes_a_file(tmp_path: Path) -> None:
    with DetectionWriter(tmp_path / "a.vidseg", HEADER) as first:
        first.write(moment(0), scene_instances(0))
        with (
            pytest.raises(OutputError, match="Another run is writing"),
            DetectionWriter(tmp_path / "a.vidseg", HEADER, force=True),
        ):
            pass
        first.write(moment(1), scene_instances(1))
    assert len(list(read_detections(tmp_path / "a.vidseg"))) == 2


def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    part_of(tmp_path / "a.vidseg").symlink_to(victim)
    with (
        pytest.raises(OutputError),
        DetectionWriter(tmp_path / "a.vidseg", HEADER, force=True),
    ):
        pass
    assert victim.read_text() == "mine"


def test_a_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.vidseg"

    def run() -> None:
        with DetectionWriter(path, HEADER) as sink:
            sink.write(moment(0), scene_instances(0))
            path.write_text("mine")

    with pytest.raises(OutputExistsError, match="appeared during the run"):
        run()
    assert path.read_text() == "mine"
    assert len(list(read_detections(part_of(path)))) == 1
