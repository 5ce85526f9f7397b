"""The folder of a run: `last.pt`, `best.pt`, `metrics.jsonl`, `curves.png` and `photos.json`."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from vidseg.atomic_output import atomic_output, output_error
from vidseg.errors import ModelError, OutputError, OutputExistsError
from vidseg.evaluation.line_chart import Points, line_chart
from vidseg.models.checkpoint import load_state, read_header, save_checkpoint

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

MetricsRow = dict[str, Any]
CHART_POINTS = 100
"""Points of a loss curve: each is a mean over steps, since losses of single batches are noisy."""


class RunFolder:
    """The files of a run. Nothing is written before `begun`."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.last, self.best = self.path / "last.pt", self.path / "best.pt"
        self.metrics, self.curves = self.path / "metrics.jsonl", self.path / "curves.png"
        self.photo_list = self.path / "photos.json"

    def check(self, *, resume: bool, force: bool) -> None:
        """Refuse a run that cannot be started or resumed here; cheap.

        Raises:
            OutputExistsError: there is a run already, and neither `resume` nor `force` is given.
            ModelError: there is nothing to resume.
            OutputError: the path is a file.
        """
        if self.path.exists() and not self.path.is_dir():
            raise OutputError(f"{self.path} is a file, not a folder; choose another path.")
        if resume and not self.last.exists():
            raise ModelError(f"There is no run to resume: {self.last} is missing.")
        there = [path for path in self._files() if path.exists()]
        if there and not (resume or force):
            raise OutputExistsError(
                f"{there[0]} exists already; resume with `weights='last'`, choose another `out`, "
                "or overwrite it with `force=True`."
            )

    @contextmanager
    def begun(self, *, force: bool) -> Iterator[None]:
        """Create the folder, delete the files of an earlier run, and hold the lock.

        Raises OutputExistsError or OutputError: as `check`, or another run is in it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise output_error(self.path, error) from error
        with self.locked():
            self.check(resume=False, force=force)
            try:
                for path in self._files():
                    path.unlink(missing_ok=True)
            except OSError as error:
                raise output_error(self.path, error) from error
            yield

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Within, no other run can use the folder. Raises OutputError: another one does."""
        if fcntl is None:
            yield
            return
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise OutputError(
                f"Another run is in {self.path}; wait for it, or choose another folder."
            ) from error
        except OSError:  # a file system without locks
            pass
        try:
            yield
        finally:
            os.close(descriptor)

    def keep_photos(self, train: Sequence[Path], val: Sequence[Path]) -> None:
        """Write `photos.json`: the photos trained on and those held out, by their paths from here.

        Raises OutputError: it cannot be written.
        """
        parts = {"train": train, "val": val}
        lists = {
            name: [_relative(path, self.path) for path in paths] for name, paths in parts.items()
        }
        with atomic_output(self.photo_list, force=True) as part:
            part.write_text(json.dumps(lists, indent=1) + "\n", encoding="utf-8")

    def photos(self) -> tuple[frozenset[Path], frozenset[Path]]:
        """The photos trained on and those held out, resolved; none if the run kept no list."""
        try:
            lists = json.loads(self.photo_list.read_text(encoding="utf-8"))
            train, val = (
                frozenset((self.path / name).resolve() for name in lists[split])
                for split in ("train", "val")
            )
        except (OSError, ValueError, KeyError, TypeError):
            return frozenset(), frozenset()
        return train, val

    def load(self, *, drop_later: bool = True) -> tuple[dict[str, Any], dict[str, Any]]:
        """State and header of `last.pt`; drops the metrics of later steps, unless told otherwise.

        Raises ModelError: it is damaged, or was not saved by a run.
        """
        header, state = read_header(self.last), load_state(self.last)
        if "settings" not in state:
            raise ModelError(f"{self.last} is a model, not a checkpoint of a run.")
        if not drop_later:
            return state, header
        rows = [row for row in self.rows() if row["step"] <= state["step"]]
        with atomic_output(self.metrics, force=True) as part:
            part.write_text("".join(map(_line, rows)), encoding="utf-8")
        return state, header

    def save(self, path: Path, state: dict[str, Any], header: dict[str, Any]) -> None:
        """Replace the previous checkpoint, which is kept if this fails.

        Raises OutputError: the file cannot be written.
        """
        try:
            save_checkpoint(path, state, header)
        except (OSError, RuntimeError) as error:  # RuntimeError: torch's writer, at a full disk
            kept = f"; {path} is still the previous one" if path.exists() else ""
            raise OutputError(
                f"A checkpoint could not be written, {_reason(error)}{kept}."
            ) from error

    def append(self, rows: list[MetricsRow]) -> None:
        """Append lines to `metrics.jsonl`."""
        try:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.writelines(map(_line, rows))
        except OSError as error:
            raise output_error(self.metrics, error) from error

    def rows(self) -> Iterator[MetricsRow]:
        """The lines of `metrics.jsonl`, without one that a crash truncated."""
        if not self.metrics.exists():
            return
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                return

    def draw(self) -> None:
        """Draw `curves.png`: the losses, and AP if it was measured."""
        rows = list(self.rows())
        charts = [line_chart(_losses(rows), title="losses", x_label="step")]
        if measured := _measured(rows):
            charts.append(line_chart(measured, title="val", x_label="step", y_range=(0, 1)))
        picture = cv2.cvtColor(np.concatenate(charts, axis=1), cv2.COLOR_RGB2BGR)
        with atomic_output(self.curves, force=True) as part:
            part.write_bytes(cv2.imencode(".png", picture)[1].tobytes())

    def _files(self) -> tuple[Path, ...]:
        return self.last, self.best, self.metrics, self.curves, self.photo_list


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def _line(row: MetricsRow) -> str:
    return json.dumps(row) + "\n"


def _reason(error: BaseException) -> str:
    """The system's reason, which torch's writer may wrap."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in errno.errorcode:
            return str(cause.strerror)
        cause = cause.__cause__ or cause.__context__
    return str(error).splitlines()[0]


def _losses(rows: list[MetricsRow]) -> dict[str, Points]:
    found = [row for row in rows if "loss" in row]
    names = [name for name in (found[0] if found else {}) if name.startswith("loss")]
    length = max(1, -(-len(found) // CHART_POINTS))
    groups = [found[start : start + length] for start in range(0, len(found), length)]
    return {
        name.removeprefix("loss_"): [
            (group[-1]["step"], sum(row[name] for row in group) / len(group)) for group in groups
        ]
        for name in names
    }


def _measured(rows: list[MetricsRow]) -> dict[str, Points]:
    names = dict.fromkeys(name for row in rows for name in row if "AP" in name)
    lines = {
        name.replace("_", " "): [
            (row["step"], row[name]) for row in rows if row.get(name) is not None
        ]
        for name in names
    }
    return {name: points for name, points in lines.items() if points}
