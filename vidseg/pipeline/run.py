"""Several outputs of one input in one pass: read, detect, track, draw, write.

    read ─► prefetch ─► batched ─► predict ─► track ─► prefetch ─► FrameClip ─► draw ─► write
            a thread               A threads           a thread    the caller's ├► draw ─► write
                                                                   thread       └► export

What is read and found once is drawn and written as often as it is wanted.

Memory: with batches of B frames, A of them at the model at once, and D drawn outputs, at most
`frames_alive(B, D, at_once=A)` = (A + 2) B + 10 + 2 D pictures exist at once, however long the
video: B read ahead, A B at the model, B that are done or wait for it, 7 that wait for the tracker
to look ahead, the one after it, the one in the caller's hands, the copy that is being drawn, and
for each drawn output 2 at its encoder. A frame's objects add some 40 KB; what the encoders
themselves look ahead comes on top. Keyframes (`vidseg.detection`) need more.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Event

from vidseg.atomic_output import check_output, output_error
from vidseg.concurrency import prefetch
from vidseg.detection import Every, frames_waiting
from vidseg.errors import OptionError, VidsegError
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline._saved_frames import check_saving
from vidseg.pipeline._watch import Watch
from vidseg.pipeline.detected_frames import expected_frames
from vidseg.pipeline.find import shown_frames
from vidseg.pipeline.outputs import ExportOutput, MaskFolderOutput, Output, RunContext, Write
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances
from vidseg.structures.span import Span
from vidseg.tracking.stages import (
    DEFAULT_FILL_FRAMES,
    DEFAULT_SMOOTHING_RADIUS,
    frames_ahead,
)
from vidseg.video.moviepy_clip import FrameClip
from vidseg.video.probe import probe


def run(
    source: str | Path,
    outputs: Iterable[Output],
    *,
    search: Search,
    span: Span | None = None,
    options: RunOptions | None = None,
) -> RunResult:
    """Make all `outputs` of `source` in one pass over it; returns what was found.

    Options are checked first, then paths, then the input's first frame is read, then weights load.

    One output that fails ends the run: while frames are written, none of the outputs is left; while
    the outputs are finished, those that were finished before it are whole and stay.

    Raises:
        OptionError: no output, or two on one path; kinds of input and output that do not go
            together.
        InputError, DamagedInputError: the input cannot be read, or not to its end.
        OutputError, OutputExistsError: an output cannot be written.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    span, options = span or Span(), options or RunOptions()
    outputs = list(outputs)
    watch = None if options.watch is None else Watch(options.watch)
    check_outputs(outputs, source, search, options)
    info = probe(source)
    search.check_kind(info.kind)
    for output in outputs:
        output.check(info)
    total, stop, counter = expected_frames(info, span), Event(), ObjectCounter()
    with ExitStack() as stack:
        pictures = any(getattr(output, "pictures", True) for output in outputs)
        shown = shown_frames(info, search, span, options, stop=stop, pictures=pictures)
        found = stack.enter_context(shown)
        clip = FrameClip(prefetch(found, 1, stop=stop), info)
        stack.callback(clip.close)
        context = RunContext(clip, info, search, span, options.force, watch)
        writes = [stack.enter_context(_opened(output, context)) for output in outputs]
        for done, (frame, instances) in enumerate(clip.pairs(), 1):
            for write in writes:
                write(frame, instances)
            counter.add(instances)
            if options.on_frame is not None:
                options.on_frame(done, total)
    return counter.result()


def frames_alive(
    batch_size: int,
    drawn: int = 1,
    *,
    at_once: int = 1,
    every: Every = 1,
    fill: int = DEFAULT_FILL_FRAMES,
    radius: int = DEFAULT_SMOOTHING_RADIUS,
) -> int:
    """At most this many pictures exist at once in `run`, those of `drawn` drawn outputs included,
    with `at_once` batches at the predictor."""
    if every == 1:
        found = (at_once + 2) * batch_size + 1
    else:
        found = frames_waiting(every, batch_size, at_once)
    return found + 2 + frames_ahead(fill, radius) + 2 * drawn


def check_outputs(
    outputs: Sequence[Output], source: str | Path, search: Search, options: RunOptions
) -> None:
    """Raises OptionError, OutputError, OutputExistsError: as `run`, of the places to write to."""
    targets = [output.target for output in outputs] + ([search.save] if search.save else [])
    if not targets:
        raise OptionError("There is nothing to write; name an output.")
    targets += [options.watch] if options.watch else []
    places = [target.resolve() for target in targets]
    for target, place in zip(targets, places, strict=True):
        if places.count(place) > 1:
            raise OptionError(f"Two outputs would be written to {target}; name two places.")
    inputs = [source] if search.saved is None else [source, search.saved.path]
    for output in outputs:
        check_output(
            output.target, [*inputs, *output.reads], force=options.force, folder=output.folder
        )
    if options.watch is not None:
        if all(isinstance(output, ExportOutput | MaskFolderOutput) for output in outputs):
            raise OptionError("No output is drawn, so there is nothing to watch; leave `watch`.")
        check_output(options.watch, inputs, force=True)
    check_saving(search, source, options)


@contextmanager
def _opened(output: Output, context: RunContext) -> Iterator[Write]:
    """The output opened, so that an error in writing to it names it and no other."""
    with output.open(context) as write:

        def write_named(frame: Frame, instances: Instances) -> None:
            try:
                write(frame, instances)
            except VidsegError:
                raise
            except OSError as error:
                raise output_error(output.target, error) from error

        yield write_named
