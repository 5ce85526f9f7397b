"""Everything found in an input, saved in one file; a run that was interrupted can be resumed."""

from itertools import chain, islice
from pathlib import Path

from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline._saved_frames import SaveOptions, check_resume, saved_frames
from vidseg.pipeline.detected_frames import expected_frames
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.remote.paths import as_path
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import check_detections_output
from vidseg.structures.instances import UNTRACKED, Instances, shown
from vidseg.structures.span import Span
from vidseg.video.probe import probe


def detect_to_file(
    source: str | Path,
    target: str | Path,
    *,
    search: Search,
    span: Span | None = None,
    options: RunOptions | None = None,
    compact: bool = False,
) -> RunResult:
    """Write everything found in `source` to the file `target`, as `vidseg detect` does.

    `compact` stores soft masks in 16 levels instead of 256.

    An interrupted run keeps what it found; with `RunOptions(resume=True)` a run goes on from there,
    and the file and the result are then the same as those of an uninterrupted run.

    Raises:
        OptionError: the run to resume had other options, or used keyframes.
        InputError, OutputError, ModelError: as `vidseg.run`.
    """
    span, options = span or Span(), options or RunOptions()
    check_resume(search, resume=options.resume)
    check_detections_output(target, [source], resume=options.resume, force=options.force)
    info = probe(source)
    total, counter = expected_frames(info, span), ObjectCounter()
    tracked = search.tracking_facts(info.kind) is not None
    saving = SaveOptions(as_path(target), compact=compact, pictures=False)
    with saved_frames(info, search, span, options, saving) as (writer, found):
        before = islice(read_detections(writer.part), writer.count) if writer.count else ()
        for _, instances in chain(before, found):
            counter.add(confident(instances, search.score, tracked=tracked))
            if options.on_frame is not None:
                options.on_frame(writer.count, total)
    return counter.result()


def confident(instances: Instances, score: float, *, tracked: bool) -> Instances:
    """The objects that other commands will show."""
    if tracked:
        return instances[instances.ids != UNTRACKED]
    return shown(instances, score=score)
