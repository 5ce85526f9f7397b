"""Joins the parts of a video into the file that one run would have written."""

from collections.abc import Iterable
from pathlib import Path

from vidseg.concurrency import closing_input
from vidseg.errors import InputError
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline._saved_frames import quantize_masks
from vidseg.pipeline.detect_to_file import confident
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.remote.fetch import local
from vidseg.remote.paths import as_path
from vidseg.results.parts import JoinedParts, join_parts, known_input, seen_frames
from vidseg.results.replay import check_same_input
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import DetectionWriter, check_detections_output
from vidseg.structures.frame import Instant
from vidseg.structures.instances import Instances
from vidseg.tracking.stages import assign_ids
from vidseg.version import __version__


def merge(
    folder: str | Path,
    target: str | Path,
    *,
    source: str | Path | None = None,
    mixed: bool = False,
    options: RunOptions | None = None,
) -> RunResult:
    """Write the detections of the parts in `folder` to the file `target`.

    Objects are tracked once over all parts. The video is not decoded; `source` says where it is, if
    it was moved since. With `mixed`, parts of unlike machines are joined too, and the file may
    then differ from that of one run.

    Raises:
        InputError: frames are missing or doubled, parts come from different inputs or runs, one is
            not finished, or the video is another one.
        OutputError, OutputExistsError: the file cannot be written.
    """
    folder, options = local(folder), options or RunOptions()
    video = as_path(source) if source is not None else _video_of(folder)
    check_detections_output(target, [video], force=options.force)
    info = known_input(video, folder)
    parts = join_parts(folder, frames=info.frames, mixed=mixed)
    _check_program(parts)
    check_same_input(parts, info)
    return write_joined(parts, target, total=info.frames, options=options)


def write_joined(
    parts: JoinedParts, target: str | Path, *, total: int | None, options: RunOptions
) -> RunResult:
    """Write the detections of `parts`, of `total` frames, to the file `target`, tracked where the
    run that they are parts of would track.

    Raises InputError, OutputError, OutputExistsError: as `merge`.
    """
    facts, counter = parts.header.options, ObjectCounter()
    compact, tracking = bool(facts.get("compact")), facts.get("tracking")
    score = tracking["score"] if tracking else parts.header.kept_score
    with (
        DetectionWriter(target, parts.header, force=options.force) as writer,
        closing_input(_tracked(parts)) as found,
    ):
        for moment, instances in found:
            writer.write(moment, quantize_masks(instances) if compact else instances)
            counter.add(confident(instances, score, tracked=bool(tracking)))
            if options.on_frame is not None:
                options.on_frame(writer.count, total)
    return counter.result()


def _tracked(parts: JoinedParts) -> Iterable[tuple[Instant, Instances]]:
    """What `detect` writes: the objects under the ids of tracks, where it would track them."""
    tracking = parts.header.options.get("tracking")
    if not tracking:
        return iter(parts)
    return assign_ids(seen_frames(parts), score=tracking["score"], fill=tracking["fill"])


def _video_of(folder: Path) -> Path:
    """Where the video of the parts lies, or lay."""
    for path in sorted(folder.glob("*.vidseg")):
        part = read_detections(path).header.part
        if part is not None:
            return as_path(part["path"])
    raise InputError(f"{folder} holds no parts; vidseg detect --frames makes them.")


def _check_program(parts: JoinedParts) -> None:
    if parts.header.program != f"vidseg {__version__}":
        raise InputError(
            f"The parts in {parts.path} are of {parts.header.program}, and this is {__version__}; "
            "merge them with the release that made them."
        )
