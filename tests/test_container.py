"""The container's files name what is there."""

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.commands import ROOT
from vidseg.cli import main
from vidseg.cli.exit_codes import SYSTEM_PACKAGES

FOLDER = ROOT / "examples" / "container"
DOCKERFILE = (FOLDER / "Dockerfile").read_text(encoding="utf-8")


def test_the_dockerfile_installs_extras_and_copies_files_that_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.search(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert named is not None
    assert set(named[1].split(",")) <= set(project["optional-dependencies"])
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE):
        assert all((ROOT / name).exists() for name in line.split())
    for package in SYSTEM_PACKAGES.split(" and "):
        assert package in DOCKERFILE
    for stage in re.findall(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE):
        assert f"Programming Language :: Python :: {stage}" in project["classifiers"]


def test_the_job_of_kuberay_is_a_command_that_is_understood() -> None:
    yaml = pytest.importorskip("yaml")
    spec = yaml.safe_load((FOLDER / "kuberay.yaml").read_text(encoding="utf-8"))["spec"]
    program, command, *words = spec["entrypoint"].split()
    assert program == "vidseg"
    context = main.commands[command].make_context(command, words, resilient_parsing=True)
    assert context.params["target"].startswith("s3://")
    cluster = spec["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {group["template"]["spec"]["containers"][0]["image"] for group in groups}
    page = (ROOT / "vidseg" / "cluster" / "README.md").read_text(encoding="utf-8")
    assert all(f"-t {image}" in page for image in images)


def test_the_files_are_where_the_page_says() -> None:
    assert {path.name for path in Path(FOLDER).iterdir()} == {"Dockerfile", "kuberay.yaml"}
