"""Outputs appear whole or not at all."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vidseg.atomic_output import atomic_output, check_output
from vidseg.errors import OutputError, OutputExistsError


def test_a_file_appears_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    with atomic_output(target) as part:
        assert (part.parent.parent, part.suffix) == (tmp_path, ".mp4")
        assert part.parent.stat().st_mode & 0o077 == 0
        part.write_bytes(b"film")
        assert not target.exists()
    assert target.read_bytes() == b"film"
    assert list(tmp_path.iterdir()) == [target]


def test_a_relative_name_lands_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with atomic_output("-out.mp4") as part:
        monkeypatch.chdir("/")
        part.write_bytes(b"film")
    assert (tmp_path / "-out.mp4").read_bytes() == b"film"


def test_the_longest_names_work(tmp_path: Path) -> None:
    target = tmp_path / ("ä" * 125 + ".mp4")
    with atomic_output(target) as part:
        part.write_bytes(b"film")
    assert target.exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("folder", [False, True])
def test_any_failure_leaves_nothing(
    tmp_path: Path, error: type[BaseException], folder: bool
) -> None:
    def fail() -> None:
        with atomic_output(tmp_path / "out", folder=folder) as part:
            (part / "a.png" if folder else part).write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_failure_keeps_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")

    def fail() -> None:
        with atomic_output(target, force=True) as part:
            part.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert target.read_bytes() == b"old"
    with atomic_output(target, force=True) as part:
        part.write_bytes(b"new")
    assert target.read_bytes() == b"new"


def test_existing_files_and_full_folders_are_refused(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_bytes(b"old")
    folder = tmp_path / "masks"
    folder.mkdir()
    (folder / "note.txt").write_text("mine")
    for path, kind, message in ((target, False, "exists already"), (folder, True, "is not empty")):
        with pytest.raises(OutputExistsError, match=message), atomic_output(path, folder=kind):
            pytest.fail("must not start")
    dangling = tmp_path / "link.mp4"
    dangling.symlink_to(tmp_path / "nowhere.mp4")
    with pytest.raises(OutputExistsError):
        check_output(dangling, [])


def test_a_file_that_appears_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"

    def race() -> None:
        with atomic_output(target) as part:
            part.write_bytes(b"film")
            target.write_bytes(b"other")

    with pytest.raises(OutputExistsError, match="appeared"):
        race()
    assert target.read_bytes() == b"other"
    assert list(tmp_path.iterdir()) == [target]


def test_folders_land_new_empty_or_merged(tmp_path: Path) -> None:
    target = tmp_path / "masks"
    for name, force in (("0.png", False), ("1.png", True)):
        with atomic_output(target, folder=True, force=force) as part:
            (part / "ids").mkdir()
            (part / "ids" / name).write_text("new")
            (part / "all.json").write_text(name)
    found = sorted(path.relative_to(target).as_posix() for path in target.rglob("*"))
    assert found == ["all.json", "ids", "ids/0.png", "ids/1.png"]
    assert (target / "all.json").read_text() == "1.png"
    empty = tmp_path / "empty"
    empty.mkdir()
    with atomic_output(empty, folder=True) as part:
        (part / "0.png").write_text("new")
    assert [path.name for path in empty.iterdir()] == ["0.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "masks"]


def test_the_input_is_never_the_output(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    source.write_bytes(b"film")
    soft, hard = tmp_path / "soft.mp4", tmp_path / "hard.mp4"
    soft.symlink_to(source)
    hard.hardlink_to(source)
    detour = tmp_path / "sub" / ".." / "in.mp4"
    (tmp_path / "sub").mkdir()
    for target in (source, soft, hard, detour):
        with pytest.raises(OutputError, match="is the input itself"):
            check_output(target, [source], force=True)
    with pytest.raises(OutputError, match="is one of the inputs"):
        check_output(source, [tmp_path], force=True)
    with pytest.raises(OutputError, match="is the input itself"):
        check_output(tmp_path, [tmp_path], force=True, folder=True)
    check_output(tmp_path / "new.mp4", [source, tmp_path / "missing.mp4"])


def test_missing_and_wrong_places_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("text")
    for target, folder, message in (
        (tmp_path / "no" / "out.mp4", False, "does not exist"),
        (file / "out.mp4", False, "does not exist"),
        (tmp_path, False, "is a folder"),
        (file, True, "is a file"),
    ):
        with pytest.raises(OutputError, match=message):
            check_output(target, [], force=True, folder=folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be written to"):
        check_output(tmp_path / "out.mp4", [])


def test_disk_errors_become_one_sentence_and_others_pass(tmp_path: Path) -> None:
    def fail(error: Exception) -> None:
        with atomic_output(tmp_path / "out.mp4"):
            raise error

    with pytest.raises(OutputError, match=r"No space left on the disk for .*; nothing was kept"):
        fail(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        fail(FileNotFoundError(errno.ENOENT, "missing", "/elsewhere"))


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="Nothing was written"),
        atomic_output(tmp_path / "out.mp4"),
    ):
        pass


def test_folders_that_fill_meanwhile_are_not_merged_without_force(tmp_path: Path) -> None:
    target = tmp_path / "masks"

    def race() -> None:
        with atomic_output(target, folder=True) as part:
            (part / "0.png").write_text("mine")
            target.mkdir()
            (target / "0.png").write_text("other")

    with pytest.raises(OutputExistsError, match="appeared"):
        race()
    assert (target / "0.png").read_text() == "other"
    assert list(tmp_path.iterdir()) == [target]


def test_linked_folders_are_replaced_and_not_followed(tmp_path: Path) -> None:
    elsewhere, target = tmp_path / "elsewhere", tmp_path / "masks"
    elsewhere.mkdir()
    target.mkdir()
    (target / "ids").symlink_to(elsewhere)
    with atomic_output(target, folder=True, force=True) as part:
        (part / "ids").mkdir()
        (part / "ids" / "0.png").write_text("new")
    assert list(elsewhere.iterdir()) == []
    assert not (target / "ids").is_symlink()
    assert (target / "ids" / "0.png").read_text() == "new"


def test_what_a_link_points_to_is_not_overwritten(tmp_path: Path) -> None:
    victim, target = tmp_path / "victim", tmp_path / "out.mp4"
    victim.write_text("old")
    target.symlink_to(victim)
    with atomic_output(target, force=True) as part:
        part.write_text("new")
    assert (victim.read_text(), target.read_text()) == ("old", "new")
    assert not target.is_symlink()


@pytest.mark.skipif(os.name == "nt", reason="no modes")
def test_a_private_file_stays_private(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    target.write_text("old")
    target.chmod(0o600)
    with atomic_output(target, force=True) as part:
        part.write_text("new")
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes")
def test_pipes_and_devices_are_never_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "out.mp4"
    os.mkfifo(pipe)
    for target in (pipe, Path("/dev/null")):
        with pytest.raises(OutputError, match="is a device"):
            check_output(target, [], force=True)


def test_a_file_system_without_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    target = tmp_path / "out.mp4"
    with atomic_output(target) as part:
        part.write_text("new")
    assert target.read_text() == "new"


@pytest.mark.skipif(os.name == "nt", reason="no locks")
def test_leftovers_of_killed_runs_are_cleared_and_those_of_others_are_not(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    leftover = tmp_path / f".vidseg-{dead.pid}-abc"
    (leftover / "output").mkdir(parents=True)
    mine = tmp_path / ".vidseg-notes"
    mine.mkdir()
    with atomic_output(tmp_path / "a.txt") as first:
        first.write_text("a")
        with atomic_output(tmp_path / "b.txt") as second:
            second.write_text("b")
    found = sorted(path.name for path in tmp_path.iterdir())
    assert found == [".vidseg-notes", "a.txt", "b.txt"]
