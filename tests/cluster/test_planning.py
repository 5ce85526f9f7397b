"""How work is cut and handed out; all of it without Ray."""

import logging
import pickle
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from tests.support import plugged
from tests.support.commands import fails
from tests.support.doubles import OraclePredictor
from tests.support.scenes import scene_image, write_scene
from vidseg.cluster import ClusterOptions, Outcome, Task, detect
from vidseg.cluster._pool import MAX_ATTEMPTS, Pool
from vidseg.cluster._ray import load_ray
from vidseg.cluster._spans import (
    PLAN_NAME,
    kept_plan,
    open_folder,
    parts_folder,
    plan_spans,
    remove_folder,
)
from vidseg.cluster._start import share_out
from vidseg.cluster.worker import Weights, Worker, alike
from vidseg.cpu_budget import CORES_VARIABLE, cores
from vidseg.errors import InputError, OptionError, OutputExistsError, VidsegError
from vidseg.models.download import RemoteFile
from vidseg.pipeline.detect_to_file import detect_to_file
from vidseg.pipeline.run_options import RunResult
from vidseg.pipeline.search import Search


@given(frames=st.integers(1, 20_000), step=st.integers(1, 100), workers=st.integers(1, 70))
def test_spans_cover_the_video_and_begin_where_batches_do(
    frames: int, step: int, workers: int
) -> None:
    spans = plan_spans(frames, step, workers)
    assert spans[0][0] == 0
    assert spans[-1][1] is None
    assert spans[-1][0] < frames
    for (first, end), (following, _) in pairwise(spans):
        assert first < following == end
        assert following % step == 0


def test_a_video_of_unknown_length_is_one_span() -> None:
    assert plan_spans(None, 8, 4) == [(0, None)]


def test_a_plan_is_kept_for_the_run_that_resumes(tmp_path: Path) -> None:
    assert kept_plan(tmp_path, [(0, 8), (8, None)]) == [(0, 8), (8, None)]
    assert kept_plan(tmp_path, [(0, None)]) == [(0, 8), (8, None)]
    (tmp_path / PLAN_NAME).write_text("[1]")
    with pytest.raises(InputError, match="damaged"):
        kept_plan(tmp_path, [])


def test_a_folder_of_parts_is_not_overwritten_unasked(tmp_path: Path) -> None:
    folder = parts_folder(tmp_path / "a.vidseg")
    open_folder(folder, resume=False, force=False)
    (folder / "00000000-end.vidseg.part").touch()
    (folder / "mine.txt").touch()
    with pytest.raises(OutputExistsError, match="`resume=True`"):
        open_folder(folder, resume=False, force=False)
    open_folder(folder, resume=True, force=True)
    assert len(list(folder.iterdir())) == 2
    remove_folder(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_search_travels_without_a_model_that_has_a_name(model: str) -> None:
    search = Search("disc", model=model, score=0.6)
    sent = pickle.loads(pickle.dumps(search))
    assert search._predictor is plugged.predictor
    assert sent._predictor is None
    assert (sent.score, sent.labels, sent.choice) == (0.6, search.labels, search.choice)
    assert sent.predictor() is plugged.predictor
    own = pickle.loads(pickle.dumps(Search(model=OraclePredictor())))
    assert isinstance(own._predictor, OraclePredictor)


@pytest.fixture
def worker(model: str, oracle: OraclePredictor) -> Worker:
    return Worker(Search(model=model), ".", None)


def test_a_worker_says_what_became_of_a_task(worker: Worker, tmp_path: Path) -> None:
    clip = write_scene(tmp_path / "a.mp4", frames=12)
    facts = worker.load()
    assert isinstance(facts, dict)
    assert facts["batch_size"] == 4
    done = worker.do(Task("a", partial(detect_to_file, clip, tmp_path / "a.vidseg")), again=False)
    assert (done.frames, worker.frames(), done.error) == (12, 12, None)
    assert done.result
    assert done.result.frames == 12
    missing = partial(detect_to_file, tmp_path / "b.mp4", tmp_path / "b.vidseg")
    assert "b.mp4" in str(worker.do(Task("b", missing), again=False).error)


def test_a_worker_gives_errors_and_warnings_as_sentences(worker: Worker) -> None:
    def noisy(**_: Any) -> RunResult:
        logging.getLogger("vidseg").warning("mind the %s", "gap")
        raise ZeroDivisionError("no way")

    outcome = worker.do(Task("noisy", noisy), again=False)
    assert outcome.error == "ZeroDivisionError: no way"
    assert outcome.warnings == ("mind the gap",)


def test_a_model_that_does_not_load_is_a_sentence(tmp_path: Path) -> None:
    search = Search(model=OraclePredictor())
    search._predictor = None
    assert "OraclePredictor" in str(Worker(search, ".", None).load())


def test_weights_are_placed_where_they_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "hub" / "checkpoints" / "a.pth"
    monkeypatch.setattr("vidseg.cluster.worker.weights_path", lambda published: path)
    Weights(RemoteFile("a.pth", 3, "0"), b"abc").put()
    Weights(RemoteFile("a.pth", 3, "0"), b"new").put()
    assert path.read_bytes() == b"abc"
    assert [each.name for each in path.parent.iterdir()] == ["a.pth"]


def test_what_differs_between_workers_is_named() -> None:
    assert alike({"precision": "float32"}, {"precision": "float32"}) is None
    named = alike({"a": 1, "precision": "float32"}, {"a": 1, "precision": "bfloat16"})
    assert named == "precision is float32 and bfloat16"


def node(**resources: float) -> dict[str, Any]:
    return {"Alive": True, "Resources": resources}


GPU_NODES = [node(CPU=16, GPU=4), node(CPU=16, GPU=4), node(CPU=8)]


@pytest.mark.parametrize(
    ("nodes", "device", "workers", "most", "share"),
    [
        ([node(CPU=8)], "auto", 4, None, (4, 2, 0)),
        ([node(CPU=2)], "auto", 8, None, (8, 1, 0)),
        ([node(CPU=8), node(CPU=4), node(memory=1)], "auto", None, None, (2, 4, 0)),
        (GPU_NODES, "auto", None, None, (8, 4, 1)),
        (GPU_NODES, "cuda", 12, None, (12, 2, 0.5)),
        (GPU_NODES, "cpu", None, None, (3, 8, 0)),
        (GPU_NODES, "auto", None, 2, (2, 16, 1)),
    ],
)
def test_machines_are_shared_out(
    nodes: Any, device: str, workers: int | None, most: int | None, share: tuple[int, int, float]
) -> None:
    found = share_out(nodes, device, workers, most)
    assert (found.workers, found.cpus, found.gpus) == share


def test_a_cluster_without_machines_is_refused() -> None:
    with pytest.raises(VidsegError, match="no machine"):
        share_out([{"Alive": False, "Resources": {"CPU": 4}}], "auto", None, None)


@pytest.mark.parametrize(("text", "count"), [("1", 1), ("many", cores()), ("", cores())])
def test_a_share_of_the_cores(text: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CORES_VARIABLE, text)
    assert cores() == count


class RayError(Exception):
    """Ray's error for a process that died."""


class FakeRay:
    """Runs every call when it is waited for; an outcome that is an exception kills the worker."""

    exceptions = SimpleNamespace(RayError=RayError)

    def __init__(self, outcomes: dict[str, list[Any]], loads: list[Any]) -> None:
        self.outcomes, self.loads = outcomes, loads
        self.log: list[str] = []
        self.alive = 0

    def start(self) -> Any:
        self.alive += 1
        return SimpleNamespace(load=self._call(self._load), do=self._call(self._do))

    def _call(self, do: Any) -> Any:
        return SimpleNamespace(remote=lambda *words, **named: partial(do, *words, **named))

    def _load(self) -> Any:
        return self.loads.pop(0) if self.loads else {"batch_size": 4}

    def _do(self, task: Task, *, again: bool) -> Any:
        self.log.append(f"{task.name}{' again' if again else ''}")
        return self.outcomes[task.name].pop(0)

    def wait(self, calls: list[Any], **_: Any) -> tuple[list[Any], list[Any]]:
        return calls[:1], calls[1:]

    def get(self, call: Any) -> Any:
        found = call()
        if isinstance(found, Exception):
            raise found
        return found

    def kill(self, worker: Any) -> None:
        self.alive -= 1


def nothing(**_: Any) -> None:
    """The work of a task that is never done."""


def outcomes_of(
    ray: FakeRay, names: str, *, retry_errors: bool, workers: int = 1
) -> dict[str, Outcome]:
    tasks = [Task(name, nothing, retry_errors=retry_errors) for name in names]
    pool = Pool(ray, ray.start, workers)
    try:
        return {names[number]: outcome for number, outcome in pool.outcomes(tasks, None)}
    finally:
        pool.stop()
        assert ray.alive == 0


def test_a_task_of_a_dead_worker_is_the_next() -> None:
    ray = FakeRay({"a": [RayError("killed"), Outcome(frames=3)], "b": [Outcome()]}, [])
    found = outcomes_of(ray, "ab", retry_errors=False)
    assert ray.log == ["a", "a again", "b"]
    assert [each.error for each in found.values()] == [None, None]


def test_tasks_that_fail_too_often_are_given_up() -> None:
    failed = [Outcome(error="broken")] * MAX_ATTEMPTS
    ray = FakeRay({"a": [*failed], "b": [Outcome()]}, [])
    assert outcomes_of(ray, "ab", retry_errors=True)["a"].error == "broken"
    assert ray.log == ["a", "b", "a again", "a again", "a again"]
    ray = FakeRay({"a": [*failed], "b": [Outcome()]}, [])
    assert outcomes_of(ray, "ab", retry_errors=False)["a"].error == "broken"
    assert ray.log == ["a", "b"]
    ray = FakeRay({"a": [RayError("killed")] * MAX_ATTEMPTS}, [])
    assert outcomes_of(ray, "a", retry_errors=False)["a"].lost


def test_workers_that_cannot_start_end_the_run() -> None:
    ray = FakeRay({"a": []}, ["no such model"])
    with pytest.raises(VidsegError, match="could not start: no such model"):
        outcomes_of(ray, "a", retry_errors=True)
    ray = FakeRay({"a": []}, [RayError("out of memory")] * MAX_ATTEMPTS)
    with pytest.raises(VidsegError, match="die while they start: out of memory"):
        outcomes_of(ray, "a", retry_errors=True)


def test_unlike_workers_are_refused_where_they_share_a_video() -> None:
    ray = FakeRay({}, [{"batch_size": 4}, {"batch_size": 8}])
    pool = Pool(ray, ray.start, 2)
    assert pool.agree() == {"batch_size": 4}
    with pytest.raises(VidsegError, match="unlike: batch_size is 4 and 8"):
        list(pool.outcomes([Task("a", nothing), Task("b", nothing)], None))


def test_missing_ray_is_one_sentence(
    tmp_path: Path, model: str, oracle: OraclePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(VidsegError, match=r"pip install 'vidseg\[cluster\]'"):
        load_ray()
    clip, out = write_scene(tmp_path / "a.mp4", frames=4), tmp_path / "a.vidseg"
    assert "vidseg[cluster]" in fails("detect", "--workers", 2, "--model", model, clip, out)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_options_that_do_not_go_together(
    tmp_path: Path, model: str, oracle: OraclePredictor
) -> None:
    clip, out = write_scene(tmp_path / "a.mp4", frames=4), tmp_path / "a.vidseg"
    words = ("--workers", 2, "--model", model)
    assert "--start" in fails("overlay", *words, "--start", "1", clip, tmp_path / "b.mp4", code=2)
    assert "--frames" in fails("detect", *words, "--frames", "0:4", clip, out, code=2)
    assert "--start" in fails("detect", *words, "--start", "1", clip, out, code=2)
    with pytest.raises(OptionError, match="at least 1"):
        ClusterOptions(0)
    search = Search(model=model, tracker=OraclePredictor)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="tracker of your own"):
        detect(clip, out, search=search, cluster=ClusterOptions(2))


def test_inputs_that_cannot_be_cut_are_refused_before_workers_start(
    tmp_path: Path, model: str, oracle: OraclePredictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace())
    photo, words = tmp_path / "a.png", ("--workers", 2, "--model", model)
    Picture.fromarray(scene_image(0)).save(photo)
    assert "share the frames" in fails("detect", *words, photo, tmp_path / "a.vidseg", code=2)
    clip = write_scene(tmp_path / "b.mkv", frames=40)
    clip.write_bytes(clip.read_bytes()[:-2000])
    assert "damaged" in fails("detect", *words, clip, tmp_path / "b.vidseg")
    missing = fails("detect", *words, tmp_path / "c.mp4", tmp_path / "c.vidseg")
    assert "No such file" in missing
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.mkv"]
