"""Damaged and hostile `.vidseg` files: one sentence, or the very same frames, or a warning.

`VIDSEG_MUTATION_SECONDS=60` goes on mutating for a minute.
"""

import json
import os
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.commands import fails
from tests.support.random_instances import blobs
from tests.support.saved_detections import folder_facts, header_for_tests, source_facts
from vidseg.errors import InputError, ModelError, OptionError
from vidseg.results._records import RECORD_PREFIX, SavedFrame, encode_record
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import DetectionWriter
from vidseg.structures.frame import Moment
from vidseg.structures.instances import Instances

SECONDS = float(os.environ.get("VIDSEG_MUTATION_SECONDS", "0"))
MIN_MUTATIONS = 1000
CLASS_NAMES = {n: f"class {n}" for n in range(1, 5)}
HEADER = header_for_tests(CLASS_NAMES, options={"tracking": {"score": 0.5, "fill": 5}})
SIZE = (128, 192)
LINE = {"index": 0, "time": "0", "duration": "1/30", "size": [*SIZE], "side": 28}
FIELDS = [("box", "<f4", 4), ("score", "<f4"), ("label", "<i4"), ("id", "<i4"), ("filled", "?")]


def moment(index: int) -> Moment:
    return Moment(index, Fraction(index, 30), Fraction(1, 30))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "a.vidseg"
    with DetectionWriter(path, HEADER) as writer:
        for index in range(6):
            writer.write(moment(index), blobs(index, SIZE, seed=index, side=7))
    return path.read_bytes()


def frames_of(path: Path) -> list[SavedFrame]:
    return list(read_detections(path))


def is_prefix(found: list[SavedFrame], true: list[SavedFrame]) -> bool:
    return len(found) <= len(true) and all(
        place == other
        and all(
            np.array_equal(getattr(instances, name), getattr(others, name))
            for name in ("boxes", "masks", "scores", "labels", "ids", "filled", "size")
        )
        for (place, instances), (other, others) in zip(found, true, strict=False)
    )


def flipped(data: bytearray, chance: random.Random) -> None:
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def overwritten(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at : at + chance.randrange(1, 9)] = chance.randbytes(chance.randrange(0, 9))


def cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data)) :]


def doubled(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    data[at:at] = data[at : at + chance.randrange(1, 400)]


def appended(data: bytearray, chance: random.Random) -> None:
    data += chance.randbytes(chance.randrange(1, 40))


MUTATIONS: list[Callable[[bytearray, random.Random], None]] = [
    *(flipped, overwritten, cut, doubled, appended)
]


def mutated(whole: bytes, seconds: float) -> Iterator[tuple[str, bytes]]:
    """Files with one or two mutations each, half of them within the header; `MIN_MUTATIONS` of
    them, and more as long as there are `seconds` left."""
    end, seed = time.monotonic() + seconds, 0
    header = len(whole.partition(b"\n")[0])
    while seed < MIN_MUTATIONS or time.monotonic() < end:
        chance, seed = random.Random(seed), seed + 1
        head, rest = bytearray(whole[:header]), bytearray(whole[header:])
        for _ in range(chance.choice((1, 1, 2))):
            mutation = chance.choice(MUTATIONS)
            part = chance.choice((head, rest))
            if part:
                mutation(part, chance)
        yield f"seed {seed - 1}", bytes(head + rest)


@pytest.mark.timeout(SECONDS * 2 + 300)
def test_no_mutation_is_read_as_something_else(
    whole: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "whole.vidseg").write_bytes(whole)
    true = frames_of(tmp_path / "whole.vidseg")
    header = read_detections(tmp_path / "whole.vidseg").header
    path = tmp_path / "a.vidseg"
    for name, data in mutated(whole, SECONDS):
        path.write_bytes(data)
        caplog.clear()
        try:
            detections = read_detections(path)
            assert detections.header == header, name
            found = list(detections)
        except InputError:
            pass
        else:
            assert is_prefix(found, true), name
            assert len(found) == len(true) or caplog.records, name
            if not caplog.records:
                assert data == whole, name


def rewritten(whole: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The file with another header, under a right checksum."""
    line, _, rest = whole.partition(b"\n")
    facts = json.loads(line)
    del facts["crc32"]
    change(facts)
    text = json.dumps(facts).encode()[:-1]
    return text + b', "crc32": %d}\n' % zlib.crc32(text) + rest


def set_to(*path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(facts: dict[str, Any]) -> None:
        *above, last = path
        for name in above:
            facts = facts[name]
        facts[last] = value

    return change


WRONG_HEADERS = {
    "a source that is text": set_to("source", value="x"),
    "no frames": lambda facts: facts["source"].pop("frames"),
    "frames that are text": set_to("source", "frames", value="6"),
    "negative bytes": set_to("source", "bytes", value=-1),
    "a size of one number": set_to("source", "size", value=[128]),
    "a size of floats": set_to("source", "size", value=[1.5, 2]),
    "a size of zero": set_to("source", "size", value=[0, 192]),
    "an absurd size": set_to("source", "size", value=[10**9, 10**9]),
    "a rate of zero": set_to("source", "rate", value="0"),
    "a rate over zero": set_to("source", "rate", value="1/0"),
    "a rate that takes for ever": set_to("source", "rate", value="1e999999999"),
    "an unknown kind": set_to("source", "kind", value="book"),
    "a hash that is none": set_to("source", "sha256", value="x"),
    "a name that is a number": set_to("source", "name", value=7),
    "no classes": set_to("classes", value={}),
    "a label that is text": set_to("classes", value={"one": "disc"}),
    "an absurd label": set_to("classes", value={"1000000000": "disc"}),
    "a class without a name": set_to("classes", value={"1": ""}),
    "a class that is a number": set_to("classes", value={"1": 1}),
    "a lone surrogate": set_to("classes", value={"1": "\ud800"}),
    "a control character": set_to("classes", value={"1": "a\x1b]0;b"}),
    "a long name": set_to("classes", value={"1": "a" * 100_000}),
    "a score of text": set_to("kept_score", value="0.5"),
    "a score of two": set_to("kept_score", value=2),
    "labels that are text": set_to("labels", value="1"),
    "an unknown label": set_to("labels", value=[99]),
    "a fill of text": set_to("options", "tracking", value={"score": 0.5, "fill": "5"}),
    "no fill": set_to("options", "tracking", value={"score": 0.5}),
    "a step of zero": set_to("options", "every", value=0),
    "a model without a name": set_to("model", value={}),
    "an unknown entry": set_to("surprise", value=1),
    "a program that is a list": set_to("program", value=[]),
    "a part without frames": set_to("part", value={}),
}


@pytest.mark.parametrize("name", WRONG_HEADERS)
def test_a_header_that_is_wrong_is_refused(name: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.vidseg"
    path.write_bytes(rewritten(whole, WRONG_HEADERS[name]))
    with pytest.raises(InputError, match=r"its header \w+"):
        read_detections(path)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e400"])
def test_numbers_that_json_lacks_are_refused(constant: str, whole: bytes, tmp_path: Path) -> None:
    text = whole.partition(b"\n")[0].replace(
        b'"kept_score": 0.1', b'"kept_score": %s' % constant.encode()
    )
    body = text[: text.rfind(b', "crc32"')]
    path = tmp_path / "a.vidseg"
    path.write_bytes(body + b', "crc32": %d}\n' % zlib.crc32(body))
    with pytest.raises(InputError, match="its header"):
        read_detections(path)


@pytest.mark.parametrize("name", ["../a.png", "/etc/a.png", "b/a.png", "..", ""])
def test_photos_stay_in_their_folder(name: str, whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.vidseg"
    path.write_bytes(rewritten(whole, set_to("source", value=folder_facts("0.png", name))))
    with pytest.raises(InputError, match="photo"):
        read_detections(path)


def rows_of(instances: Instances) -> np.ndarray:
    side = instances.masks.shape[-1]
    rows = np.zeros(len(instances), np.dtype([*FIELDS, ("mask", "u1", (side, side))]))
    rows["box"], rows["score"] = instances.boxes, instances.scores
    rows["label"], rows["id"] = instances.labels, instances.ids
    return rows


def with_field(name: str, value: Any) -> bytes:
    rows = rows_of(blobs(2, SIZE))
    rows[name][1] = value
    return rows.tobytes()


GOOD = rows_of(blobs(2, SIZE)).tobytes()
WRONG_RECORDS: dict[str, tuple[dict[str, Any], bytes]] = {
    "no index": ({k: v for k, v in LINE.items() if k != "index"}, GOOD),
    "an index of text": ({**LINE, "index": "0"}, GOOD),
    "a negative index": ({**LINE, "index": -1}, GOOD),
    "a time that takes for ever": ({**LINE, "time": "1e999999999"}, GOOD),
    "a time over zero": ({**LINE, "time": "1/0"}, GOOD),
    "another size": ({**LINE, "size": [128, 193]}, GOOD),
    "no side": ({k: v for k, v in LINE.items() if k != "side"}, GOOD),
    "a side of zero": ({**LINE, "side": 0}, GOOD),
    "an absurd side": ({**LINE, "side": 10**9}, b""),
    "another side": ({**LINE, "side": 27}, GOOD),
    "half an object": (LINE, GOOD[:-1]),
    "a box of NaN": (LINE, with_field("box", np.nan)),
    "a box without end": (LINE, with_field("box", [0, 0, np.inf, 9])),
    "a box upside down": (LINE, with_field("box", [9, 9, 3, 3])),
    "a box outside": (LINE, with_field("box", [0, 0, 1e6, 9])),
    "a score of NaN": (LINE, with_field("score", np.nan)),
    "a score of two": (LINE, with_field("score", 2)),
    "an unknown label": (LINE, with_field("label", 99)),
    "an id below -1": (LINE, with_field("id", -7)),
    "the end before the end": ({"end": True, "frames": 7}, b""),
    "an end that is none": ({"end": False}, b""),
    "an end with objects": ({"end": True, "frames": 0}, GOOD),
}


@pytest.mark.parametrize("name", WRONG_RECORDS)
def test_a_record_that_is_wrong_is_refused(name: str, tmp_path: Path) -> None:
    frame, rows = WRONG_RECORDS[name]
    path = tmp_path / "a.vidseg"
    end = encode_record({"end": True, "frames": 1})
    path.write_bytes(HEADER.to_line() + encode_record(frame, rows) + end)
    with pytest.raises(InputError, match="corrupted at byte"):
        frames_of(path)


def test_a_good_record_written_by_hand_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.vidseg"
    end = encode_record({"end": True, "frames": 1})
    path.write_bytes(HEADER.to_line() + encode_record(LINE, GOOD) + end)
    assert [len(instances) for _, instances in frames_of(path)] == [2]


@pytest.mark.parametrize("other", [b"", encode_record(LINE, GOOD), b"\0"])
def test_the_count_at_the_end_is_held_against_the_frames(other: bytes, tmp_path: Path) -> None:
    path, end = tmp_path / "a.vidseg", encode_record({"end": True, "frames": 2 - len(other[:1])})
    path.write_bytes(HEADER.to_line() + encode_record(LINE, GOOD) + end + other)
    with pytest.raises(InputError, match=r"says otherwise|follows its end"):
        frames_of(path)


def test_frames_out_of_order_are_refused(tmp_path: Path) -> None:
    path, record = tmp_path / "a.vidseg", encode_record(LINE, GOOD)
    path.write_bytes(HEADER.to_line() + record + record + encode_record({"end": True, "frames": 2}))
    with pytest.raises(InputError, match="not in order"):
        frames_of(path)


def bombs() -> dict[str, bytes]:
    zeros, head = zlib.compress(bytes(1 << 30), 9), HEADER.to_line()
    deep = b"[" * 5_000_000 + b"\n"
    return {
        "a record of 1 GB": HEADER.to_line()
        + RECORD_PREFIX.pack(len(zeros), zlib.crc32(zeros))
        + zeros,
        "a header of nothing but brackets": deep,
        "a header without an end": b'{"format": "vidseg detections", "x": "' + b"x" * (1 << 25),
        "a deep record": head + raw_record(b"[" * 4000 + b"\n"),
        "a long number": head + raw_record(b'{"index": ' + b"9" * 4000 + b"}\n"),
        "a length of 4 GB": head + RECORD_PREFIX.pack((1 << 32) - 1, 0) + zeros,
    }


def raw_record(line: bytes) -> bytes:
    body = zlib.compress(line)
    return RECORD_PREFIX.pack(len(body), zlib.crc32(body)) + body


@pytest.mark.timeout(300)
def test_bombs_are_refused_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.vidseg"
    for name, data in bombs().items():
        path.write_bytes(data)
        tracemalloc.start()
        with pytest.raises(InputError):
            frames_of(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 500e6, f"{name}: {peak / 1e6:.0f} MB"


def test_what_no_reader_takes_is_not_written(tmp_path: Path) -> None:
    bad = replace(HEADER, classes={1: "a\nb"})
    with pytest.raises(OptionError, match="cannot be saved"), DetectionWriter(tmp_path / "a", bad):
        pass
    found = blobs(2, SIZE)
    wrong = replace(found, boxes=np.full_like(found.boxes, np.nan))
    with (
        pytest.raises(ModelError, match="found in frame 3 has a box"),
        DetectionWriter(tmp_path / "a", HEADER) as writer,
    ):
        writer.write(moment(3), wrong)
    assert list(tmp_path.iterdir()) == []


def test_version_1_is_still_read(whole: bytes, tmp_path: Path) -> None:
    line, _, rest = whole.partition(b"\n")
    facts = {**json.loads(line), "version": 1}
    del facts["crc32"], facts["part"]
    path = tmp_path / "a.vidseg"
    path.write_bytes(json.dumps(facts).encode() + b"\n" + rest)
    assert read_detections(path).header == replace(HEADER)
    assert len(frames_of(path)) == 6


def test_commands_say_one_sentence(whole: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.vidseg"
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    path.write_bytes(damaged)
    sentence = fails("export", "--format", "csv", path, tmp_path / "a.csv")
    assert sentence.startswith(f"{path} is corrupted at byte")
    assert source_facts()["name"] not in sentence
    assert not (tmp_path / "a.csv").exists()


def test_a_header_that_no_reader_takes_is_not_written(tmp_path: Path) -> None:
    """Half a million photos are too many."""
    photos = [f"{number:030d}.png" for number in range(500_000)]
    many = replace(HEADER, source=folder_facts(*photos))
    with pytest.raises(OptionError, match="too many photos"), DetectionWriter(tmp_path / "a", many):
        pass
    assert list(tmp_path.iterdir()) == []
