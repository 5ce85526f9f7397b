"""Commands and calls that take URLs, in memory and on a local S3 server."""

import json
import subprocess
import sys
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest
from PIL import Image

import vidseg
from tests.remote.conftest import content, names_in, place
from tests.support.commands import ROOT, fails, run, write_scene_model
from tests.support.doubles import BrokenPredictor, OraclePredictor
from tests.support.scenes import write_scene
from vidseg.datasets import read_dataset
from vidseg.errors import InputError, OptionError, OutputError, OutputExistsError, VidsegError
from vidseg.models.catalog import class_names
from vidseg.pipeline.detect_part import detect_part
from vidseg.pipeline.merge import merge
from vidseg.pipeline.run_options import RunOptions
from vidseg.remote import put as putting
from vidseg.remote._filesystem import open_url
from vidseg.remote.fetch import local, origin
from vidseg.remote.paths import UrlPath, as_path, url_of


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "clip.mp4", frames=12)


def search(**options: Any) -> vidseg.Search:
    return vidseg.Search(model=OraclePredictor(), **options)


@pytest.mark.usefixtures("oracle")
def test_a_video_by_url_is_drawn_to_a_url(store: Path, clip: Path, tmp_path: Path, model: str):
    place(clip, store / "clip.mp4")
    assert run("overlay", "--model", model, clip, tmp_path / "out.mp4").exit_code == 0
    done = run("overlay", "--model", model, store / "clip.mp4", store / "drawn" / "out.mp4")
    assert done.exit_code == 0, done.output
    assert f"{store}/drawn/out.mp4: 12 frames" in done.stderr
    assert content(store / "drawn" / "out.mp4") == (tmp_path / "out.mp4").read_bytes()


def test_what_was_fetched_knows_its_url(store: Path, clip: Path):
    url = place(clip, store / "clip.mp4")
    assert origin(local(url)) == url
    assert origin(clip) == clip


@pytest.mark.usefixtures("oracle")
def test_an_output_that_exists_is_refused_skipped_or_replaced(store: Path, clip: Path, model: str):
    target = place(clip, store / "out.mp4")
    words = ("splash", "--model", model, clip, target)
    assert fails(*words) == (f"{target} exists already; choose another name, or give --force.")
    skipped = run("splash", "--skip-existing", *words[1:])
    assert skipped.exit_code == 0
    assert f"{target} exists, so {clip} is left out." in skipped.stderr
    assert content(target) == clip.read_bytes()
    assert run(*words, "--force").exit_code == 0
    assert content(target) != clip.read_bytes()


@pytest.mark.usefixtures("oracle")
def test_a_folder_of_videos_by_url_stands_for_its_videos(store: Path, clip: Path, model: str):
    for name in ("a.mp4", "b.mp4"):
        place(clip, store / "clips" / name)
    place(clip, store / "clips" / "readme.txt")
    done = run("overlay", "--model", model, f"{store}/clips/", f"{store}/drawn/")
    assert done.exit_code == 0, done.output
    assert names_in(store / "drawn") == ["a.mp4", "b.mp4"]


@pytest.mark.usefixtures("oracle")
def test_detections_by_url_are_saved_read_and_exported(
    store: Path, clip: Path, tmp_path: Path, model: str
):
    saved = store / "clip.vidseg"
    assert run("detect", "--model", model, clip, saved).exit_code == 0
    assert run("detect", "--model", model, clip, tmp_path / "clip.vidseg").exit_code == 0
    assert content(saved) == (tmp_path / "clip.vidseg").read_bytes()
    assert run("overlay", "--detections", saved, clip, store / "out.mp4").exit_code == 0
    assert run("export", "--format", "coco", saved, store / "found.json").exit_code == 0
    assert run("frames", "--detections", saved, clip, store / "masks").exit_code == 0
    assert "instances.json" in names_in(store / "masks")
    assert "is not empty" in fails("frames", "--detections", saved, clip, store / "masks")
    assert names_in(store)[:3] == ["clip.vidseg", "found.json", "masks/00000.png"]


def test_an_interrupted_detect_goes_on_and_is_put_when_whole(store: Path, clip: Path):
    whole, target = store / "whole.vidseg", store / "clip.vidseg"
    vidseg.detect_to_file(clip, whole, search=search(batch_size=4))

    def stop(done: int, total: int | None) -> None:
        if done == 9:
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        vidseg.detect_to_file(
            clip, target, search=search(batch_size=4), options=RunOptions(on_frame=stop)
        )
    assert names_in(store) == ["whole.vidseg"]
    with pytest.raises(OutputExistsError, match="interrupted run"):
        vidseg.detect_to_file(clip, target, search=search(batch_size=4))
    options = RunOptions(resume=True)
    vidseg.detect_to_file(clip, target, search=search(batch_size=4), options=options)
    assert content(target) == content(whole)


def test_find_reads_a_url_and_fetches_it_once(store: Path, clip: Path, cache: Path):
    place(clip, store / "clip.mp4")
    for _ in range(2):
        found = list(vidseg.find(f"{store}/clip.mp4", search()))
        assert [frame.index for frame, _ in found] == list(range(12))
    assert [path.name for path in cache.rglob("*.mp4")] == ["clip.mp4"]


def test_a_file_that_changed_is_fetched_again(store: Path, clip: Path, tmp_path: Path):
    place(clip, store / "clip.mp4")
    assert vidseg.probe(str(store / "clip.mp4")).frames == 12
    place(write_scene(tmp_path / "other.mp4", frames=7), store / "clip.mp4")
    assert vidseg.probe(str(store / "clip.mp4")).frames == 7


def test_parts_by_url_are_the_file_of_one_run(store: Path, clip: Path, tmp_path: Path):
    place(clip, store / "clip.mp4")
    vidseg.detect_to_file(clip, tmp_path / "whole.vidseg", search=search(batch_size=4))
    parts, frames = store / "parts", [(0, 4), (4, 8), (8, None)]
    for span in frames:
        assert detect_part(store / "clip.mp4", parts, span, search=search(batch_size=4))
    with pytest.raises(OutputExistsError):
        detect_part(store / "clip.mp4", parts, (0, 4), search=search(batch_size=4))
    again = RunOptions(resume=True)
    where = store / "clip.mp4"
    assert detect_part(where, parts, (0, 4), search=search(batch_size=4), options=again) is None
    assert "index.json" in names_in(parts)
    merge(parts, store / "clip.vidseg")
    assert content(store / "clip.vidseg") == (tmp_path / "whole.vidseg").read_bytes()


def test_a_model_by_url(store: Path, tmp_path: Path):
    place(write_scene_model(tmp_path / "scene.pt"), store / "scene.pt")
    assert set(class_names(f"{store}/scene.pt").values()) == {"disc", "rectangle"}


def test_annotated_photos_by_url(store: Path, tmp_path: Path):
    photo = Image.new("RGB", (64, 48))
    photo.save(tmp_path / "a.jpg")
    outline = {"label": "disc", "shape_type": "polygon", "points": [[8, 8], [40, 8], [8, 40]]}
    facts = {"imagePath": "a.jpg", "imageData": None, "imageWidth": 64, "imageHeight": 48}
    (tmp_path / "a.json").write_text(json.dumps({"version": "5", "shapes": [outline], **facts}))
    for name in ("a.jpg", "a.json"):
        place(tmp_path / name, store / "photos" / "deep" / name)
    dataset = read_dataset(f"{store}/photos")
    assert dataset.classes == {1: "disc"}
    assert [sample.path.name for sample in dataset.samples] == ["a.jpg"]
    sentence = fails("data", "split", store / "photos", code=2)
    assert sentence == f"The lists cannot be written to {store}/photos; name OUTDIR."


def test_what_is_missing_is_told(store: Path, clip: Path):
    with pytest.raises(InputError, match=f"{store}/missing.mp4 does not exist; check the URL"):
        vidseg.probe(f"{store}/missing.mp4")
    assert "does not exist" in fails("overlay", f"{store}/missing.mp4", "out.mp4")


def test_nothing_is_put_by_a_run_that_fails(store: Path, clip: Path):
    broken = vidseg.Search(model=BrokenPredictor(at=5))
    with pytest.raises(RuntimeError, match="broke"):
        vidseg.splash(clip, f"{store}/out.mp4", search=broken)
    assert names_in(store) == []


def test_what_cannot_be_put_is_kept(
    store: Path, clip: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    fs = open_url(str(store)).fs

    def refuse(*_: object, **__: object) -> None:
        raise OSError("the server is away")

    monkeypatch.setattr(fs, "put_file", refuse)
    with pytest.raises(OutputError, match="the server is away") as caught:
        vidseg.splash(clip, f"{store}/out.mp4", search=search())
    kept = next(cache.rglob("out.mp4"))
    assert str(kept) in str(caught.value)
    assert vidseg.probe(kept).frames == 12


@pytest.mark.parametrize("ending", [OSError("the server is away"), KeyboardInterrupt()])
def test_of_a_folder_that_is_put_in_part_nothing_stays(
    ending: BaseException, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
):
    url, folder, memory = "memory://half/out", tmp_path / "out", fsspec.filesystem("memory")
    folder.mkdir()
    for name in "ab":
        (folder / name).write_text(name)
    (putting.outgoing_folder(url) / "out").write_text("a file of that name was kept before")
    put_file = memory.put_file

    def end_at_b(path: str, key: str, **options: Any) -> None:
        if key.endswith("b"):
            raise ending
        put_file(path, key, **options)

    monkeypatch.setattr(memory, "put_file", end_at_b)
    with pytest.raises((OutputError, KeyboardInterrupt)):
        putting.put(folder, url, force=False)
    assert not memory.find("/half")
    kept = folder if isinstance(ending, KeyboardInterrupt) else next(cache.rglob("out"))
    assert sorted(path.name for path in kept.iterdir()) == ["a", "b"]


def test_an_output_that_appears_meanwhile_is_not_overwritten(store: Path, clip: Path):
    def appear(done: int, total: int | None) -> None:
        if done == 3:
            place(clip, store / "out.mp4")

    with pytest.raises(OutputExistsError, match="appeared"):
        vidseg.splash(
            clip, f"{store}/out.mp4", search=search(), options=RunOptions(on_frame=appear)
        )
    assert content(store / "out.mp4") == clip.read_bytes()


def test_an_input_is_no_output(store: Path, clip: Path):
    place(clip, store / "clip.mp4")
    with pytest.raises(OutputError, match="the input itself"):
        vidseg.splash(
            f"{store}/clip.mp4",
            f"{store}/clip.mp4",
            search=search(),
            options=RunOptions(force=True),
        )


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_missing_is_told_before_the_work(clip: Path):
    with pytest.raises(OutputError, match=r"The bucket nowhere of .* is missing"):
        vidseg.splash(clip, "s3://nowhere/out.mp4", search=search())


def test_of_two_processes_one_fetches(bucket: Path, clip: Path):
    url = place(clip, bucket / "clip.mp4")
    code = (
        "import sys, time; from vidseg.remote import fetch; get = fetch._get\n"
        "def slow(*arguments): print('fetches'); time.sleep(1); get(*arguments)\n"
        "fetch._get = slow; print(fetch.local(sys.argv[1]).stat().st_size)"
    )
    words = [sys.executable, "-c", code, str(url)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in "ab"]
    said = [each.communicate()[0].split() for each in both]
    assert sorted(map(len, said)) == [1, 2]
    assert {lines[-1] for lines in said} == {str(clip.stat().st_size)}


def test_a_second_thread_waits_for_the_first(clip: Path, monkeypatch: pytest.MonkeyPatch):
    url = place(clip, UrlPath("memory://waiting/clip.mp4"))
    fetched, found = [], []
    get = fsspec.filesystem("memory").get_file

    def slow(*args: Any, **options: Any) -> None:
        fetched.append(args)
        time.sleep(0.3)
        get(*args, **options)

    monkeypatch.setattr(
        type(fsspec.filesystem("memory")), "get_file", lambda _, *a, **o: slow(*a, **o)
    )
    threads = [threading.Thread(target=lambda: found.append(local(url))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(fetched) == 1
    assert found[0] == found[1]


def test_a_missing_package_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    def lacks(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "filesystem", lacks)
    with pytest.raises(VidsegError, match=r"pip install 'vidseg\[remote\]'"):
        local("s3://clips/a.mp4")


def test_an_input_by_http_is_fetched(clip: Path):
    pytest.importorskip("aiohttp", reason="aiohttp is not installed")
    handler = partial(QuietHandler, directory=str(clip.parent))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            assert vidseg.probe(f"{address}/clip.mp4?signed=1").frames == 12
            with pytest.raises(InputError, match=r"missing\.mp4 does not exist"):
                vidseg.probe(f"{address}/missing.mp4")
        finally:
            server.shutdown()
            thread.join()
    with pytest.raises(InputError, match=r"cannot be fetched: .*[Cc]onnect"):
        vidseg.probe(f"{address}/clip.mp4")


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def test_https_takes_no_outputs(clip: Path):
    sentence = fails("overlay", clip, "https://example.org/out.mp4")
    assert sentence == "https://example.org/out.mp4 cannot be written: https is for inputs only."


def test_other_schemes_are_wrong_options(clip: Path):
    sentence = fails("overlay", "rtsp://camera/1", "out.mp4", code=2)
    assert "rtsp://camera/1 cannot be opened; use a path, or a URL with s3://" in sentence


@pytest.mark.parametrize("text", ["clip.mp4", "/a/b.mp4", "C:\\a.mp4", "my:file.mp4", "a:/b.mp4"])
def test_a_path_is_a_path(text: str):
    assert as_path(text) == Path(text)
    assert type(as_path(text)) is type(Path())
    assert url_of(text) is None


def test_a_url_survives_pathlib():
    path = as_path("s3://bucket/clips/a.mp4")
    assert str(path) == str(path.parent / path.name) == "s3://bucket/clips/a.mp4"
    assert url_of(Path(path)) == str(path)
    assert (path.suffix, path.stem, path.name) == (".mp4", "a", "a.mp4")
    signed = as_path("https://host/a.mp4?X-Amz-Signature=00ff")
    assert (signed.suffix, signed.name) == (".mp4", "a.mp4")
    assert url_of(signed) == "https://host/a.mp4?X-Amz-Signature=00ff"
    with pytest.raises(OptionError, match="two slashes"):
        as_path("s3://bucket//a.mp4")
    for climbing in ("s3://bucket/..", "https://host/a/../b.mp4?at=1"):
        with pytest.raises(OptionError, match=r"has \.\. in its path"):
            as_path(climbing)
    assert as_path("https://host/a.mp4?from=../b").name == "a.mp4"


def test_a_bracket_in_a_url_is_a_character(clip: Path):
    sentence = fails("report", "memory://clips[/a.mp4", "out.html")
    assert sentence == "memory://clips[/a.mp4 does not exist; check the URL."
    assert not putting.exists("memory://clips[/out.mp4")
    putting.check_url("memory://clips[/out.mp4", force=False, folder=False)


def test_a_short_answer_is_an_error(clip: Path, monkeypatch: pytest.MonkeyPatch, cache: Path):
    url = place(clip, UrlPath("memory://short/clip.mp4"))
    memory = type(fsspec.filesystem("memory"))
    monkeypatch.setattr(memory, "get_file", lambda _, key, file, **__: Path(file).write_bytes(b"0"))
    with pytest.raises(InputError, match=r"cannot be fetched: 1 of \d+ bytes arrived"):
        local(url)
    assert not [path for path in cache.rglob("*") if path.is_file()]
    assert putting.exists(url)
