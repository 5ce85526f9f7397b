"""Model files with anything in them: a model, or one sentence; no traceback, no memory without end.

VIDSEG_MUTATIONS sets how many files of each kind are tried; 60 take seconds.
"""

import json
import math
import os
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.tiny_models import tiny_maskrcnn
from vidseg.errors import ModelError
from vidseg.models import architectures
from vidseg.models.checkpoint import HEADER_RECORD, load_model, read_header, save_checkpoint
from vidseg.models.names import MAX_LABEL

HEADER = {"architecture": "tiny", "classes": {"1": "cat", "2": "dog"}, "image_size": [96, 160]}

MUTATIONS = settings(
    max_examples=int(os.environ.get("VIDSEG_MUTATIONS", "60")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TEXTS = st.text(st.characters(), max_size=30) | st.sampled_from(["\ud800", "a" * 1000, "\x1b[2J"])
NUMBERS = st.integers(-(10**20), 10**20) | st.floats() | st.sampled_from([0, 1, 32, 8193, math.inf])
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
LABELS = st.integers(-2, 30_000).map(str) | TEXTS


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(classes: int, image_size: tuple[int, int]) -> Any:
        return tiny_maskrcnn(num_classes=classes, image_size=image_size)

    monkeypatch.setitem(architectures.ARCHITECTURES, "tiny", build)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny.pt"
    save_checkpoint(path, {"model": tiny_maskrcnn(num_classes=3).state_dict()}, HEADER)
    return path


def with_header(path: Path, record: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr(HEADER_RECORD, record)
    return path


def check_header(path: Path) -> None:
    """It is refused, or all of it can be used."""
    try:
        header = read_header(path)
    except ModelError:
        return
    assert header["classes"]
    for label, name in header["classes"].items():
        assert 1 <= label <= MAX_LABEL
        assert name.encode()
        assert not any(unicodedata.category(character) == "Cc" for character in name)
    shorter, longest = header["image_size"]
    assert 32 <= shorter <= longest <= 16384


@MUTATIONS
@given(key=st.sampled_from([*HEADER, "provenance"]), value=JSON)
def test_any_value_in_the_header(key: str, value: Any, tmp_path: Path) -> None:
    check_header(with_header(tmp_path / "m.pt", json.dumps({**HEADER, key: value}).encode()))


@MUTATIONS
@given(classes=st.dictionaries(LABELS, TEXTS | JSON, max_size=4))
def test_any_classes(classes: dict[str, Any], tmp_path: Path) -> None:
    check_header(
        with_header(tmp_path / "m.pt", json.dumps({**HEADER, "classes": classes}).encode())
    )


@MUTATIONS
@given(record=st.binary(max_size=60) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_header_record(record: bytes, tmp_path: Path) -> None:
    check_header(with_header(tmp_path / "m.pt", record))


@MUTATIONS
@given(data=st.data())
def test_any_bytes_changed(data: st.DataObject, good: Path, tmp_path: Path) -> None:
    content = bytearray(good.read_bytes())
    # Near both ends lie what tells torch and zip where everything is.
    ends = st.integers(0, 4000) | st.integers(len(content) - 4000, len(content) - 1)
    places = st.lists(ends | st.integers(0, len(content) - 1), min_size=1, max_size=5)
    for place in data.draw(places):
        content[place] = data.draw(st.integers(0, 255))
    end = data.draw(st.just(len(content)) | st.integers(0, len(content)))
    path = tmp_path / "m.pt"
    path.write_bytes(content[:end])
    check_header(path)
    try:
        model, _ = load_model(path)
    except ModelError:
        return
    assert all(value.isfinite().all() for value in model.state_dict().values())


NAME = "roi_heads.box_predictor.cls_score.weight"


@pytest.mark.filterwarnings("ignore:Validating sparse:UserWarning")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: [], "damaged"),
        (lambda w: {}, "no weights"),
        (lambda w: {"model": [1, 2]}, "no weights"),
        (lambda w: {"model": {**w, NAME: "text"}}, "no weights"),
        (lambda w: {"model": {**w, NAME: w[NAME].to_sparse()}}, "no weights"),
        (lambda w: {"model": {**w, NAME: w[NAME].to(torch.complex64)}}, "no weights"),
        (lambda w: {"model": {**w, NAME: torch.zeros(1).expand(3, 32)}}, "no weights"),
        (lambda w: {"model": {**w, NAME: w[NAME] * math.nan}}, "not all finite"),
        (lambda w: {"model": {**w, NAME: w[NAME] / 0}}, "not all finite"),
        (lambda w: {"model": {**w, NAME: w[NAME].T}}, "do not fit"),
        (lambda w: {"model": {**w, "more": w[NAME]}}, "do not fit"),
        (lambda w: {"model": {k: v for k, v in w.items() if k != NAME}}, "do not fit"),
        (lambda w: {"model": {**w, 1: w[NAME]}}, "do not fit"),
    ],
)
def test_any_weights(change: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "m.pt"
    save_checkpoint(path, change(tiny_maskrcnn(num_classes=3).state_dict()), HEADER)
    with pytest.raises(ModelError, match=message):
        load_model(path)


def test_bombs_are_not_unpacked(tmp_path: Path, good: Path) -> None:
    large = with_header(tmp_path / "h.pt", bytes(100 << 20), zipfile.ZIP_DEFLATED)
    assert large.stat().st_size < 1 << 20
    with pytest.raises(ModelError, match="header of more than 16 MiB"):
        read_header(large)
    path = tmp_path / "r.pt"
    path.write_bytes(good.read_bytes())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/999", bytes(100 << 20))
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


def test_deep_nesting(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nested too deeply"):
        read_header(with_header(tmp_path / "m.pt", b"[" * 100_000))


def test_what_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pt")
    with pytest.raises(ModelError, match="not a regular file"):
        read_header(tmp_path / "fifo.pt")


def test_two_classes_of_one_name_are_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="2 classes called 'cat'"):
        save_checkpoint(tmp_path / "m.pt", {}, {**HEADER, "classes": {1: "cat", 2: "cat"}})
    assert not list(tmp_path.iterdir())
