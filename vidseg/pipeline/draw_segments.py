"""One video drawn and encoded in segments, each by another process, and joined.

    save_segments   the objects to show, in a file a segment      no picture is needed
    draw_segment    the frames of a segment, drawn and encoded    by any process
    join_segments   the packets of all segments, and the sound    no picture is encoded

Each segment begins anew for the encoder, so the video is not the one that a single encoder would
have made, byte for byte; its frames and their times are.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from vidseg.concurrency import prefetch
from vidseg.effects.chain import keeps_state
from vidseg.errors import OptionError
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline.detected_frames import READ_AHEAD_FRAMES, header_of
from vidseg.pipeline.find import shown_frames
from vidseg.pipeline.outputs import CutoutOutput, Output, RunContext, VideoOutput
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.results.parts import Frames, known_input
from vidseg.results.replay import replay
from vidseg.results.vidseg_file import read_detections
from vidseg.results.vidseg_writer import DetectionWriter
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances
from vidseg.structures.span import Span
from vidseg.video.decoding.reader import read_frames
from vidseg.video.encoding.writer import VideoWriter, keeps_source
from vidseg.video.info import VideoInfo
from vidseg.video.moviepy_clip import FrameClip

Drawn = VideoOutput | CutoutOutput


def check_segments(outputs: Sequence[Output], info: VideoInfo) -> Drawn:
    """The only output.

    Raises OptionError: it cannot be drawn in segments.
    """
    output = outputs[0]
    if len(outputs) > 1 or not isinstance(output, VideoOutput | CutoutOutput):
        raise OptionError("--parallel-encode is for one drawn video; leave it out.")
    if output.encoding.output != "video" or output.encoding.codec == "gif" or info.kind != "video":
        raise OptionError(f"--parallel-encode makes videos of videos, and {output.target} is none.")
    if isinstance(output, VideoOutput) and keeps_state(output.effect):
        raise OptionError(
            "This effect needs earlier frames, and segments are drawn apart; leave "
            "--parallel-encode out."
        )
    if keeps_source(info, output.encoding):
        raise OptionError("--parallel-encode writes 8 bits per channel; give --depth 8 with it.")
    return output


def save_segments(
    info: VideoInfo, spans: Sequence[Frames], folder: Path, *, search: Search, options: RunOptions
) -> RunResult:
    """Write the objects to show into `folder`, a file for each of the spans, which follow one
    another."""
    counter, header = ObjectCounter(), header_of(info, search, Span())
    starts = {first: objects_path(folder, (first, end)) for first, end in spans}
    with ExitStack() as stack:
        found = stack.enter_context(shown_frames(info, search, Span(), options, pictures=False))
        files = stack.enter_context(ExitStack())
        writer: DetectionWriter | None = None
        for frame, instances in found:
            if writer is None or frame.index in starts:
                files.close()
                writer = files.enter_context(DetectionWriter(starts[frame.index], header))
            writer.write(frame, instances)
            counter.add(instances)
    return counter.result()


def objects_path(folder: Path, frames: Frames) -> Path:
    """Where the objects of a segment lie."""
    return folder / f"{frames[0]:08d}.objects.vidseg"


def segment_path(folder: Path, frames: Frames, output: Drawn) -> Path:
    """Where a segment lies that is drawn and encoded."""
    return folder / f"{frames[0]:08d}{output.target.suffix}"


def draw_segment(
    source: Path,
    folder: Path,
    output: Drawn,
    frames: Frames,
    *,
    search: Search,
    options: RunOptions,
) -> None:
    """Draw and encode one segment, whose objects lie in `folder`."""
    info, (first, end) = known_input(source, folder), frames
    # sound and the like are not those of a segment: an animation has none
    alone, part = replace(info, kind="animation"), copy(output)
    part.target = segment_path(folder, frames, output)
    reading = prefetch(read_frames(info, first=first, stop=end), READ_AHEAD_FRAMES)
    found = replay(reading, read_detections(objects_path(folder, frames)))
    clip = FrameClip(prefetch(found, 1), alone)
    context = RunContext(clip, alone, search, Span(), force=True)
    with closing(clip), part.open(context) as write:
        for done, (frame, instances) in enumerate(clip.pairs(), 1):
            write(frame, instances)
            if options.on_frame is not None:
                options.on_frame(done, None)


def join_segments(
    info: VideoInfo, output: Drawn, spans: Sequence[Frames], folder: Path, *, force: bool
) -> None:
    """Write the segments to the output's target, one after another, with the sound of the source.

    Raises OutputError: it cannot be written, or the segments do not follow one another.
    """
    black = np.broadcast_to(np.uint8(0), (*info.size, 4 if output.encoding.alpha else 3))
    segments = [segment_path(folder, frames, output) for frames in spans]
    with VideoWriter(
        output.target, info, encoding=output.encoding, force=force, segments=segments
    ) as writer:
        for frames in spans:
            for moment, _ in read_detections(objects_path(folder, frames)).frames(whole=True):
                writer.write(Frame(moment.index, moment.time, black, moment.duration))


class _NoModel:
    """A predictor that finds nothing."""

    def __init__(self, classes: Mapping[int, str]) -> None:
        self.classes = dict(classes)

    def predict(self, images: Sequence[Image]) -> list[Instances]:
        return [Instances.empty((image.shape[0], image.shape[1])) for image in images]


def without_model(search: Search) -> Search:
    """The same search for those who draw what it found: there is no model to load."""
    copied = copy(search)
    copied._predictor, copied._owns_predictor = _NoModel(search.names), True
    copied.tracking, copied.workers = replace(search.tracking, tracker=None), None
    copied.saved = None
    return copied
