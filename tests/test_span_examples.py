"""The examples of spans for Slurm, Kubernetes and make, run with stand-ins for the engines."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import ROOT, run
from tests.support.doubles import OraclePredictor
from tests.support.scenes import write_scene

FRAMES, LENGTH = 40, 32
SPANS = ROOT / "examples" / "spans"

SBATCH = """#!/bin/bash
# Stands in for Slurm: runs the tasks of an array one after another.
array=none
while [[ $1 == --* ]]; do
    case $1 in
    --array) array=$2; shift 2 ;;
    --parsable) shift ;;
    *) shift 2 ;;
    esac
done
if [ "$array" = none ]; then exec "$@"; fi
for SLURM_ARRAY_TASK_ID in $(seq "${array%-*}" "${array#*-}"); do
    export SLURM_ARRAY_TASK_ID
    "$@" >&2
done
echo 1
"""

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.skipif(shutil.which("bash") is None, reason="no bash"),
]


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """An environment with `vidseg` and `sbatch` on the path."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "vidseg").write_text(f'#!/bin/bash\nexec "{sys.executable}" -m vidseg "$@"\n')
    (tools / "sbatch").write_text(SBATCH)
    for tool in tools.iterdir():
        tool.chmod(0o755)
    path = f"{tools}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "LENGTH": str(LENGTH)}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_scene(tmp_path / "street.mp4", frames=FRAMES)


@pytest.fixture
def whole(clip: Path, model: str, oracle: OraclePredictor, tmp_path: Path) -> bytes:
    assert run("detect", "--model", model, clip, tmp_path / "one.vidseg").exit_code == 0
    return (tmp_path / "one.vidseg").read_bytes()


def test_slurm(clip: Path, whole: bytes, model: str, shell: dict[str, str]) -> None:
    out = clip.with_suffix(".vidseg")
    words = ["bash", SPANS / "slurm.sh", clip, out, "--model", model]
    subprocess.run(words, env=shell, check=True, timeout=200)
    assert out.read_bytes() == whole


@pytest.mark.skipif(shutil.which("make") is None, reason="no make")
def test_make(clip: Path, whole: bytes, model: str, shell: dict[str, str]) -> None:
    words = ["make", "-f", str(SPANS / "Makefile"), f"VIDEO={clip}", f"OPTIONS=--model {model}"]
    subprocess.run(words, env=shell, check=True, timeout=200, cwd=clip.parent)
    assert clip.with_suffix(".vidseg").read_bytes() == whole
    again = subprocess.run(words, env=shell, check=True, timeout=60, capture_output=True)
    assert b"up to date" in again.stdout


def test_kubernetes(clip: Path, whole: bytes, model: str, shell: dict[str, str]) -> None:
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load((SPANS / "kubernetes.yaml").read_text())
    (container,) = job["spec"]["template"]["spec"]["containers"]
    *shell_words, script = container["command"]
    data = clip.parent
    script = script.replace("/data", str(data)).replace("--resume", f"--model {model} --resume")
    names = {each["name"]: each["value"] for each in container["env"]}
    assert set(names) == {"LAST", "LENGTH"}
    assert int(names["LAST"]) == job["spec"]["completions"] - 1
    for index in range(2):
        variables = {"LAST": "1", "LENGTH": str(LENGTH), "JOB_COMPLETION_INDEX": str(index)}
        words = [*shell_words, script]
        subprocess.run(words, env={**shell, **variables}, check=True, timeout=100)
    assert run("merge", data / "parts", data / "street.vidseg").exit_code == 0
    assert (data / "street.vidseg").read_bytes() == whole
