"""Downloads against a server on this machine that drops connections, refuses ranges or lies."""

import errno
import hashlib
import io
import os
import socket
import subprocess
import sys
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
from vidseg.models.download import MAX_VAIN_TRIES, RemoteFile, is_offered
from vidseg.models.torchvision_weights import (
    COCO_WEIGHTS,
    IMAGENET_WEIGHTS,
    MIRROR_VARIABLE,
    fetch_weights,
    weights_path,
    weights_url,
)

CONTENT = np.random.default_rng(0).bytes(1_000_000)
NAME = "tiny.pth"
PUBLISHED = RemoteFile(NAME, len(CONTENT), hashlib.sha256(CONTENT).hexdigest())


@dataclass
class Behaviour:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    ranges: bool = True
    length: bool | str = True
    """Whether to send the length, or what in its place."""
    redirect: str = ""
    """Where to send the client."""
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
            if behaviour.redirect:
                self.send_response(302)
                self.send_header("Location", behaviour.redirect)
                return self.end_headers()
            start = int(wanted[6:-1]) if wanted and behaviour.ranges else 0
            size = len(behaviour.content)
            if start >= size:
                return self.send_error(416)
            self.send_response(206 if start else 200)
            if start:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            if behaviour.length:
                told = size - start if behaviour.length is True else behaviour.length
                self.send_header("Content-Length", str(told))
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
    """The file from a mirror, of which `url` is the file's address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MIRROR_VARIABLE, url.rpartition("/")[0])
        return fetch_weights(PUBLISHED, pause=0.001, **options)


def test_good_file_lands_where_torchvision_looks_and_is_fetched_once(folder):
    steps = []
    with serving() as server:
        path = fetch(server.url, on_download=lambda *step: steps.append(step))
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
        serving(content=bytes(len(CONTENT))) as server,
        pytest.raises(WeightsUnavailableError, match="its SHA-256 differs"),
    ):
        fetch(server.url)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("content", [b"<html>Welcome to our Wi-Fi</html>", bytes(2_000_000)])
def test_a_file_of_another_size_is_refused_before_it_is_read(folder, content, length):
    with (
        serving(content=content, length=length) as server,
        pytest.raises(WeightsUnavailableError, match=r"bytes|differs"),
    ):
        fetch(server.url)
    assert sum(path.stat().st_size for path in folder.iterdir()) <= len(CONTENT)


def test_cut_connection_is_resumed_where_it_broke(folder):
    with serving(cuts=[300_000, 200_000]) as server:
        path = fetch(server.url)
    assert path.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-", "bytes=500000-"]


def test_any_number_of_cuts_is_fine_while_bytes_arrive(folder):
    with serving(cuts=[20_000] * 3 * MAX_VAIN_TRIES) as server:
        assert fetch(server.url).read_bytes() == CONTENT
    assert len(server.asked) == 3 * MAX_VAIN_TRIES + 1


def test_connections_that_bring_nothing_end_in_an_error_and_keep_the_part(folder):
    with (
        serving(cuts=[300_000] + [0] * MAX_VAIN_TRIES) as server,
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
        path = fetch(server.url, on_download=lambda *step: steps.append(step))
    assert path.read_bytes() == CONTENT
    assert steps[-1] == (len(CONTENT), len(CONTENT))


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
    assert f"curl -L --create-dirs -o {folder / NAME} {server.url}" in message
    assert MIRROR_VARIABLE in message


def test_a_busy_server_is_asked_again(folder):
    with serving(statuses=[503, 429]) as server:
        assert fetch(server.url).read_bytes() == CONTENT


def test_no_server_is_an_error_at_once(folder, monkeypatch):
    monkeypatch.setattr(downloads.time, "sleep", lambda _: pytest.fail("waited"))
    with serving() as server:
        pass
    with pytest.raises(WeightsUnavailableError, match=r"refused.*curl") as caught:
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

    monkeypatch.setattr(downloads.os, "fdopen", Full)
    with (
        serving() as server,
        pytest.raises(WeightsUnavailableError, match="cannot be written: No space left"),
    ):
        fetch(server.url)
    assert [path.name for path in folder.iterdir()] == [f"{NAME}.part"]


def test_eight_downloads_at_once_fetch_the_file_once(folder):
    """In processes of their own, as locks are held by a process."""
    code = (
        "import sys; from pathlib import Path; "
        "from vidseg.models.download import RemoteFile, download; "
        f"download(sys.argv[1], Path(sys.argv[2]), {PUBLISHED!r})"
    )
    with serving() as server:
        words = [sys.executable, "-c", code, server.url, str(folder / NAME)]
        processes = [subprocess.Popen(words) for _ in range(8)]
        assert [process.wait() for process in processes] == [0] * 8
    assert [path.name for path in folder.iterdir()] == [NAME]
    assert (folder / NAME).read_bytes() == CONTENT
    assert server.asked == [None]


def test_a_link_in_the_place_of_the_part_is_not_followed(folder, tmp_path):
    folder.mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    (folder / f"{NAME}.part").symlink_to(victim)
    with serving() as server, pytest.raises(WeightsUnavailableError, match="cannot be written"):
        fetch(server.url)
    assert victim.read_bytes() == b"mine"


def test_what_is_no_regular_file_is_refused(folder):
    folder.mkdir(parents=True)
    os.mkfifo(folder / f"{NAME}.part")
    with serving() as server, pytest.raises(WeightsUnavailableError, match="not a regular file"):
        fetch(server.url)


@pytest.mark.parametrize("url", ["http://example.org/x", "ftp://example.org/x", "file:///etc/x"])
def test_only_https_is_taken(folder, url):
    with pytest.raises(WeightsUnavailableError, match="does not begin with https://"):
        fetch(f"{url}/{NAME}")
    with (
        serving(redirect=url) as server,
        pytest.raises(WeightsUnavailableError, match=r"https://|not allowed"),
    ):
        fetch(server.url)
    assert not is_offered(url)


def test_a_redirect_is_followed(folder):
    with serving() as server, serving(redirect=server.url) as first:
        assert fetch(first.url).read_bytes() == CONTENT


def test_a_network_that_leads_nowhere_is_told_soon(folder, monkeypatch):
    """Names that nobody resolves, and servers that never answer."""
    never = threading.Event()
    monkeypatch.setattr("vidseg.models._connection.CONNECT_SECONDS", 0.05)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [] * never.wait(20))
    try:
        with pytest.raises(WeightsUnavailableError, match=r"no connection to example\.org"):
            fetch(f"https://example.org/{NAME}")
        assert not is_offered("https://example.org")
    finally:
        never.set()


def test_a_strange_length_is_no_length(folder):
    with serving(length="abc") as server:
        assert fetch(server.url).read_bytes() == CONTENT


def test_is_offered():
    with serving() as server:
        assert is_offered(server.url)
        server.statuses = [404]
        assert not is_offered(server.url)
    assert not is_offered(server.url)


def test_files_are_torchvisions():
    get_weight = pytest.importorskip("torchvision.models").get_weight
    entries = {
        "MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1": COCO_WEIGHTS["maskrcnn_resnet50_fpn_v2"],
        "MaskRCNN_ResNet50_FPN_Weights.COCO_V1": COCO_WEIGHTS["maskrcnn_resnet50_fpn"],
        "ResNet50_Weights.IMAGENET1K_V1": IMAGENET_WEIGHTS["maskrcnn_resnet50_fpn"],
        "ResNet101_Weights.IMAGENET1K_V1": IMAGENET_WEIGHTS["maskrcnn_resnet101_fpn"],
        "MobileNet_V3_Large_Weights.IMAGENET1K_V1": IMAGENET_WEIGHTS[
            "maskrcnn_mobilenet_v3_large_fpn"
        ],
    }
    for name, published in entries.items():
        entry = get_weight(name)
        assert weights_url(published) == entry.url
        assert round(published.size / 2**20, 3) == entry.meta["_file_size"]
        assert entry.url.endswith(f"-{published.sha256[:8]}.pth")
        assert len(published.sha256) == 64


@pytest.mark.parametrize("variables", [{}, {"XDG_CACHE_HOME": "/x"}, {"TORCH_HOME": "~/y"}])
def test_weights_lie_where_torch_looks(variables, monkeypatch):
    hub = pytest.importorskip("torch.hub")
    for name in ("XDG_CACHE_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.delitem(sys.modules, "torch.hub")
        alone = weights_path(PUBLISHED)
    assert alone == Path(hub.get_dir(), "checkpoints", NAME)
    monkeypatch.setattr(hub, "_hub_dir", "/set")
    assert weights_path(PUBLISHED) == Path("/set/checkpoints", NAME)
