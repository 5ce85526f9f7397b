"""A store for files by URL: in memory always, and a local S3 server where moto is installed."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import fsspec
import pytest
from fsspec.asyn import get_loop

from vidseg.remote.paths import UrlPath, url_of

BUCKET = "clips"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for fetched files, one for each test."""
    monkeypatch.setenv("VIDSEG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture(scope="session", autouse=True)
def s3_server() -> Iterator[bool]:
    """A local S3 server with one bucket, its address and keys in the environment; False without.

    It starts before the first test, so that it does not count as left by one.
    """
    get_loop()  # starts fsspec's one thread
    if not (find_spec("moto") and find_spec("flask") and find_spec("s3fs")):
        yield False
        return
    code = (
        "from moto.server import ThreadedMotoServer; import sys\n"
        "server = ThreadedMotoServer('127.0.0.1', 0, verbose=False); server.start()\n"
        "print(server.get_host_and_port()[1], flush=True); sys.stdin.read()"
    )
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as server,
    ):
        assert server.stdout is not None
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{int(server.stdout.readline())}")
        patch.setenv("AWS_ACCESS_KEY_ID", "tests")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "tests")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.filesystem("s3").mkdir(BUCKET)
        yield True
        server.terminate()


@pytest.fixture
def bucket(s3_server: bool) -> Path:
    """A folder of the S3 server that nothing is in."""
    if not s3_server:
        pytest.skip("moto or s3fs is not installed")
    return UrlPath(f"s3://{BUCKET}/{secrets.token_hex(4)}")


@pytest.fixture(params=["memory", "s3"])
def store(request: pytest.FixtureRequest) -> Path:
    """A folder that nothing is in."""
    if request.param == "memory":
        return UrlPath(f"memory://{secrets.token_hex(4)}")
    return request.getfixturevalue("bucket")


def names_in(folder: Path) -> list[str]:
    """The names of the files there, with their folders."""
    fs, key = fsspec.url_to_fs(url_of(folder), use_listings_cache=False)
    return sorted(name.removeprefix(key).lstrip("/") for name in fs.find(key))


def place(file: Path, url: Path) -> Path:
    """Puts a file at the URL."""
    fs, key = fsspec.url_to_fs(url_of(url))
    fs.put_file(os.fspath(file), key)
    return url


def content(url: Path) -> bytes:
    fs, key = fsspec.url_to_fs(url_of(url), use_listings_cache=False)
    return fs.cat_file(key)
