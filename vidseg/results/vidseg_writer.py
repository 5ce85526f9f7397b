"""Writes `.vidseg` files (see `vidseg_file`) so that an interrupted run can be resumed.

The file grows record by record as NAME.part beside its target and is renamed when it is complete.
For a URL it grows in the cache, and is put.
An interrupted run leaves the records it wrote in the part, except a run over keyframes, which
cannot be resumed.
"""

import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from io import FileIO
from pathlib import Path
from types import TracebackType

from vidseg.atomic_output import check_output, output_error
from vidseg.errors import InputError, ModelError, OptionError, OutputExistsError, VidsegError
from vidseg.remote.paths import as_path
from vidseg.results._part_file import finish_part, open_part, part_of
from vidseg.results._records import (
    check_objects,
    decode_frame,
    encode_frame,
    encode_record,
    read_records,
)
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_header import Header, read_header_line
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.tracking.looks import Looks

log = logging.getLogger("vidseg")


class DetectionWriter:
    """Appends frames one by one and holds none; the file gets its name when the block ends well."""

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
        """With `resume`, continues what an interrupted run left, at a multiple of `every` frames,
        so that batches of `every` frames are the same as in one run. Drops that run's last
        `unsettled` frames: tracking results there depend on frames it had not seen."""
        self._path, self._header = as_path(path), header
        self._resume, self._every, self._force = resume, every, force
        self._unsettled = max(unsettled, 1)
        self._file: FileIO
        self.part = part_of(path)
        """Where the file grows until it is complete."""
        self.count = 0
        """Frames in the file so far."""
        self.resume_at: Instant | None = None
        """The first frame still to write; None to begin at the start of the run."""

    def __enter__(self) -> "DetectionWriter":
        """Raises:
        OutputExistsError: the file exists, or the part of an interrupted run, without `force`
            or, for the part, `resume`.
        OptionError: the run to resume had other options.
        InputError: its part is corrupted.
        OutputError: the file cannot be written.
        """
        check_detections_output(self._path, resume=self._resume, force=self._force)
        header = self._header.to_line()
        self._file = open_part(self.part)
        try:
            end = self._end_of_kept(header) if self._resume else 0
            self._file.seek(end)
            self._file.truncate()
            if not end:
                self._append(header)
        except BaseException as error:
            self._leave()
            if isinstance(error, OSError) and not isinstance(error, VidsegError):
                raise output_error(self.part, error) from error
            raise
        return self

    def write(self, frame: Instant, instances: Instances, looks: Looks | None = None) -> None:
        """Add the next frame with its objects; to a part also its looks.

        Raises ModelError: no reader would take them, as a box of NaN.
        """
        try:
            check_objects(instances, self._header)
        except ValueError as error:
            raise ModelError(f"What was found in frame {frame.index} {error}.") from error
        self._append(encode_frame(frame, instances, looks))
        self.count += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                self._append(encode_record({"end": True, "frames": self.count}))
                finish_part(self._file, self.part, self._path, force=self._force)
        if kind is None:
            return
        if self.count and self._header.options.get("every", 1) == 1:
            log.warning(
                "The objects of %d frames are kept in %s; go on with `resume=True`.",
                *(self.count, self.part),
            )
        else:
            self.part.unlink(missing_ok=True)

    def _leave(self) -> None:
        """Closes the part, which is kept unless nothing is in it."""
        with self._file:
            if not self._file.seek(0, os.SEEK_END):
                self.part.unlink(missing_ok=True)

    def _end_of_kept(self, header: bytes) -> int:
        """Where the kept part of an interrupted run ends, in bytes; 0 keeps nothing.

        At least the last whole record is dropped: its time is where reading starts again.
        """
        with self.part.open("rb") as file:
            line = read_header_line(file)
            if not line.endswith(b"\n"):
                return 0
            if line != header:
                raise OptionError(_difference(self.part, self._header))
            starts = [
                record.start
                for record in read_records(file, self.part)
                if "end" not in record.frame
            ]
            self.count = max(len(starts) - self._unsettled, 0) // self._every * self._every
            if not starts:
                return len(line)
            file.seek(starts[self.count])
            self.resume_at = decode_frame(
                next(read_records(file, self.part)), self._header, self.part
            )[0]
            return starts[self.count]

    def _append(self, encoded: bytes) -> None:
        """Unbuffered, so that a killed run leaves everything it found."""
        rest = memoryview(encoded)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise output_error(self._path, error) from error


def is_interrupted(path: str | Path) -> bool:
    """Whether an interrupted run left a part of this file."""
    return part_of(path).exists()


def check_detections_output(
    path: str | Path,
    inputs: Iterable[str | Path] = (),
    *,
    resume: bool = False,
    force: bool = False,
) -> None:
    """Raises OutputExistsError or OutputError as `check_output` does, and for the part of an
    interrupted run unless `resume` or `force` is given."""
    check_output(path, inputs, force=force)
    if part_of(path).exists() and not (resume or force):
        raise OutputExistsError(
            f"{part_of(path)} is left from an interrupted run; continue it with "
            "`resume=True`, or start over with `force=True`."
        )


def _difference(part: Path, wanted: Header) -> str:
    try:
        found = read_detections(part).header
    except InputError as error:
        return str(error)
    for field in fields(Header):
        name = field.name
        for change in _changes(name, getattr(found, name), getattr(wanted, name)):
            return (
                f"{part} was started with {change}; give the same input and options again, or "
                "start over with `force=True` in place of `resume=True`."
            )
    return (
        f"{part} was written by another version; start over with `force=True` in place of "
        "`resume=True`."
    )


def _changes(name: str, was: object, now: object) -> Iterator[str]:
    """What differs, as `score 0.5, now 0.3`; of dicts, in which of their entries."""
    if isinstance(was, Mapping) and isinstance(now, Mapping):
        for key in {**was, **now}:
            yield from _changes(f"{name} {key}", was.get(key), now.get(key))
    elif was != now:
        yield f"{name.removeprefix('options ')} {was}, now {now}"
