"""Writing saved detections so that a run that was broken off can go on; see
`vidseg.results.vidseg_file`.

The file grows as NAME.part beside its place, one record at a time, and gets its name when it is
whole. Whatever ends a run before, the records written until then stay in the part, unless they are
of keyframes: such a run cannot go on.
"""

import logging
import os
from collections.abc import Iterable
from dataclasses import fields
from io import FileIO
from pathlib import Path
from types import TracebackType

from vidseg.atomic_output import check_output, output_error
from vidseg.errors import InputError, OptionError, OutputExistsError
from vidseg.results.vidseg_file import (
    Header,
    packed,
    packed_frame,
    read_detections,
    records,
    skip_header,
    unpacked,
)
from vidseg.structures.frame import Instant, Moment
from vidseg.structures.instances import Instances

log = logging.getLogger("vidseg")


class DetectionWriter:
    """Adds frame after frame, holding none; the file gets its name when the block ends well."""

    def __init__(
        self,
        path: str | Path,
        header: Header,
        *,
        resume: bool = False,
        every: int = 1,
        unsettled: int = 1,
        force: bool = False,
    ) -> None:
        """With `resume`, goes on after what an earlier run left, at a multiple of `every` frames,
        so that batches of so many are what they would have been. The last `unsettled` frames of
        that run count for nothing: what came after them would have changed them."""
        self._path, self._header = Path(path), header
        self._resume, self._every, self._force = resume, every, force
        self._unsettled = max(unsettled, 1)
        self._file: FileIO
        self.part = part_of(path)
        """Where the file grows."""
        self.count = 0
        """Frames that are in the file."""
        self.again: Moment | None = None
        """The frame to go on with; None is the first of the run."""

    def __enter__(self) -> "DetectionWriter":
        """Raises:
        OutputExistsError: the file is there, or the part of an earlier run, and neither `force`
            nor, for the part, `resume` is given.
        OptionError: the run to resume had other options.
        InputError: its part is damaged.
        OutputError: the file cannot be written.
        """
        check_detections_output(self._path, resume=self._resume, force=self._force)
        header, end = self._header.to_line(), 0
        if self._resume and self.part.exists():
            end = self._rewound(header)
        try:
            self._file = FileIO(self.part, "r+" if end else "w")
            self._file.seek(end)
            self._file.truncate()
        except OSError as error:
            raise output_error(self.part, error) from error
        if not end:
            self._append(header)
        return self

    def write(self, frame: Instant, instances: Instances) -> None:
        """Add the next frame with its objects."""
        self._append(packed_frame(frame, instances))
        self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                self._append(packed({"end": True, "frames": self.count}))
                os.fsync(self._file.fileno())
        if kind is None:
            os.replace(self.part, self._path)
        elif self.count and self._header.options.get("every", 1) == 1:
            log.warning(
                "What was found in %d frames is kept in %s; vidseg detect --resume goes on.",
                *(self.count, self.part),
            )
        else:
            self.part.unlink(missing_ok=True)

    def _rewound(self, header: bytes) -> int:
        """Where in the part to go on, in bytes; 0 is from the very beginning.

        At least the last whole record is left out: its time says where the input goes on.
        """
        with self.part.open("rb") as file:
            line = skip_header(file)
            if not line.endswith(b"\n"):
                return 0
            if line != header:
                raise OptionError(_differs(self.part, self._header))
            found = records(file, self.part)
            starts = [record.start for record in found if "end" not in record.facts]
            self.count = max(len(starts) - self._unsettled, 0) // self._every * self._every
            if not starts:
                return len(line)
            file.seek(starts[self.count])
            self.again = unpacked(next(records(file, self.part)))[0]
            return starts[self.count]

    def _append(self, record: bytes) -> None:
        """At once, past any buffer, so that a killed run leaves all it found."""
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise output_error(self._path, error) from error


def part_of(path: str | Path) -> Path:
    """Where the detections for `path` grow until they are whole."""
    path = Path(path)
    return path.with_name(f"{path.name}.part")


def check_detections_output(
    path: str | Path,
    inputs: Iterable[str | Path] = (),
    *,
    resume: bool = False,
    force: bool = False,
) -> None:
    """Raises OutputExistsError or OutputError, as `check_output`, and for the part of an earlier
    run that nobody asked to resume or to overwrite."""
    check_output(path, inputs, force=force)
    if part_of(path).exists() and not (resume or force):
        raise OutputExistsError(
            f"{part_of(path)} is left of a run that was broken off; go on with it with --resume "
            "(resume=True), or begin again"
        )


def _differs(part: Path, wanted: Header) -> str:
    try:
        found = read_detections(part).header
    except InputError as error:
        return str(error)
    names = [
        name
        for name in (field.name for field in fields(Header))
        if getattr(found, name) != getattr(wanted, name)
    ]
    was, now = (getattr(header, names[0]) for header in (found, wanted)) if names else ("", "")
    return (
        f"{part} was begun with another {names[0]} ({was}, now {now}); "
        "give the same options again, or leave --resume out and begin again."
    )
