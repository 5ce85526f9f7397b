"""Downloads against a server on this machine that drops connections, refuses ranges or lies."""

import errno
import hashlib
import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from vidseg.errors import WeightsUnavailableError
from vidseg.models import download as downloads
from vidseg.models.download import TRIES, answers
from vidseg.models.torchvision_weights import fetch_weights

CONTENT = np.random.default_rng(0).bytes(1_000_000)
NAME = f"tiny-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    length: bool = True
    cuts: list[int] = field(default_factory=list)
    """Bytes after which each connection breaks; the whole rest once the list is used up."""
    statuses: list[int] = field(default_factory=list)
    """Answers before the good ones."""
    asked: list[str | None] = field(default_factory=list)
    """The Range header of each request."""
    url: str = ""


def handler(behaviour: Behaviour) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            behaviour.asked.append(wanted)
            if behaviour.statuses:
                return self.send_error(behaviour.statuses.pop(0))
            start = int(wanted[6:-1]) if wanted and behaviour.ranges else 0
            size = len(behaviour.content)
            if start >= size:
                return self.send_error(416)
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if behaviour.length:
                self.send_header("Content-Length", str(size - start))
            self.end_headers()
            end = start + behaviour.cuts.pop(0) if behaviour.cuts else size
            self.wfile.write(behaviour.content[start:end])
            return None

        def do_HEAD(self) -> None:
            self.send_response(behaviour.statuses[0] if behaviour.statuses else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Handler


@contextmanager
def serving(**options) -> Iterator[Behaviour]:
    behaviour = Behaviour(**options)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(behaviour))
    server.daemon_threads = False
    behaviour.url = f"http://127.0.0.1:{server.server_port}/{NAME}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield behaviour
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch" / "hub" / "checkpoints"


def fetch(url: str, **options) -> Path:
    return fetch_weights("maskrcnn_resnet50_fpn_v2", url=url, pause=0.001, **options)


def test_good_file_lands_where_torchvision_looks_and_is_fetched_once(folder):
    steps = []
    with serving() as server:
        path = fetch(server.url, progress=lambda *step: steps.append(step))
        assert fetch(server.url) == path
    assert path == folder / NAME
    assert path.read_bytes() == CONTENT
    assert list(folder.iterdir()) == [path]
    assert server.asked == [None]
    assert steps == sorted(steps)
    assert len(steps) > 2
    assert steps[-1] == (len(CONTENT), len(CONTENT))


def test_file_put_there_by_hand_needs_no_server(folder):
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"by hand")
    assert fetch(f"http://127.0.0.1:9/{NAME}").read_bytes() == b"by hand"


def test_wrong_hash_leaves_nothing(folder):
    with (
        serving(content=b"<html>Welcome to our Wi-Fi</html>") as server,
        pytest.raises(WeightsUnavailableError, match="does not match its hash"),
    ):
        fetch(server.url)
    assert list(folder.iterdir()) == []


def test_cut_connection_is_resumed_where_it_broke(folder):
    with serving(cuts=[300_000, 200_000]) as server:
        path = fetch(server.url)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_any_number_of_cuts_is_fine_while_bytes_arrive(folder):
    with serving(cuts=[20_000] * 3 * TRIES) as server:
        assert fetch(server.url).read_bytes() == CONTENT
    assert len(server.asked) == 3 * TRIES + 1


def test_connections_that_bring_nothing_end_in_an_error_and_keep_the_part(folder):
    with (
        serving(cuts=[300_000] + [0] * TRIES) as server,
        pytest.raises(WeightsUnavailableError, match="broke off at 300000 of 1000000 bytes"),
    ):
        fetch(server.url)
    assert (folder / f"{NAME}.part").read_bytes() == CONTENT[:300_000]
    with serving() as server:
        assert fetch(server.url).read_bytes() == CONTENT
    assert server.asked == ["bytes=300000-"]
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_server_without_ranges_starts_over(folder):
    with serving(ranges=False, cuts=[300_000]) as server:
        assert fetch(server.url).read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_server_that_does_not_say_the_length(folder):
    steps = []
    with serving(length=False) as server:
        path = fetch(server.url, progress=lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), None)


@pytest.mark.parametrize("part", [b"spoilt" * 1000, b"too long" * 200_000, CONTENT])
def test_whatever_an_earlier_run_left_the_result_is_right(folder, part):
    folder.mkdir(parents=True)
    (folder / f"{NAME}.part").write_bytes(part)
    with serving() as server:
        assert fetch(server.url).read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == [NAME]


@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_is_final_and_says_what_works_instead(folder, status):
    with (
        serving(statuses=[status]) as server,
        pytest.raises(WeightsUnavailableError, match=f"answers {status}") as caught,
    ):
        fetch(server.url)
    assert len(server.asked) == 1
    message = str(caught.value)
    for word in ("maskrcnn_resnet50_fpn_v2", NAME, str(folder), "--model balloon"):
        assert word in message


def test_a_busy_server_is_asked_again(folder):
    with serving(statuses=[503, 429]) as server:
        assert fetch(server.url).read_bytes() == CONTENT


def test_no_server_is_an_error_at_once(folder, monkeypatch):
    monkeypatch.setattr(downloads.time, "sleep", lambda _: pytest.fail("waited"))
    with serving() as server:
        pass
    with pytest.raises(WeightsUnavailableError, match=r"refused.*--model balloon") as caught:
        fetch(server.url)
    assert "\n" not in str(caught.value)


def test_folder_that_cannot_be_made(folder):
    folder.parents[1].write_text("a file where the folder should be")
    with (
        serving() as server,
        pytest.raises(WeightsUnavailableError, match=r"\.part cannot be written"),
    ):
        fetch(server.url)


def test_full_disk(folder, monkeypatch):
    class Full(io.FileIO):
        def write(self, _chunk: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(downloads, "open", Full, raising=False)
    with (
        serving() as server,
        pytest.raises(WeightsUnavailableError, match="cannot be written: No space left"),
    ):
        fetch(server.url)
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.part"]


def test_two_processes_at_once_do_not_harm_each_other(folder):
    """One process finishes the file that the other one is still writing."""

    def meanwhile(done: int, _total: int | None) -> None:
        if done < 600_000 and not (folder / NAME).exists():
            fetch(server.url)

    with serving() as server:
        assert fetch(server.url, progress=meanwhile).read_bytes() == CONTENT
    assert [path.name for path in folder.iterdir()] == [NAME]


def test_answers():
    with serving() as server:
        assert answers(server.url)
        server.statuses = [404]
        assert not answers(server.url)
    assert not answers(server.url)


def test_names_carry_their_hash():
    pytest.importorskip("torchvision")
    from vidseg.models.torchvision_weights import WEIGHTS, weights_url

    for name in WEIGHTS:
        assert re.fullmatch(rf"https://.*/{name}_coco-[0-9a-f]{{8}}\.pth", weights_url(name))
