"""A look at an effect before the run: a few moments of an input, drawn onto a contact sheet."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import PIL.Image

from vidseg.atomic_output import atomic_output, check_output
from vidseg.detection.batched import detect
from vidseg.effects import Effect, drawing
from vidseg.effects.chain import files_of
from vidseg.effects.contact_sheet import contact_sheet
from vidseg.errors import InputError, OptionError
from vidseg.pipeline._counts import ObjectCounter
from vidseg.pipeline.detected_frames import no_frames
from vidseg.pipeline.find import Wanted, as_search
from vidseg.pipeline.run_options import RunOptions, RunResult
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import tracked_objects
from vidseg.results.replay import check_same_input, replay
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Found, Instances
from vidseg.structures.span import Span
from vidseg.video.codecs import PHOTO_SUFFIXES
from vidseg.video.decoding.moments import read_moments
from vidseg.video.info import VideoInfo
from vidseg.video.probe import probe

PREVIEW_MOMENTS = 9
JPEG_QUALITY = 90


def preview(
    source: str | Path,
    target: str | Path,
    effect: Effect,
    *,
    search: Wanted = (),
    span: Span | None = None,
    options: RunOptions | None = None,
    moments: int = PREVIEW_MOMENTS,
) -> RunResult:
    """Draw `effect` on a few moments of `source`, onto one picture, `target`.

        vidseg.preview("street.mp4", "look.png", vidseg.Splash(), search="person")

    The moments are spread evenly over the span, and the model sees these frames only. Each stands
    by itself: objects are not tracked, so they have no ids, those of a class share a colour, and
    each needs the score asked for. An effect that gives RGBA, as `Cutout`, is shown over a
    chessboard. Nothing else is written, what `search` would save included.

    Raises:
        OptionError: `target` is no picture, or objects are selected by tracks.
        InputError, DamagedInputError: the input cannot be read at these moments.
        OutputError, OutputExistsError: `target` cannot be written.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    search, span, options = as_search(search), span or Span(), options or RunOptions()
    _check(search, target, moments)
    check_output(target, [source, *files_of(effect)], force=options.force)
    info = probe(source)
    counter, pictures, captions = ObjectCounter(), list[Image](), list[str]()
    with closing(_moments(info, search, span, moments, options)) as found, drawing(effect) as draw:
        for frame, instances in found:
            pictures.append(draw(frame, instances))
            captions.append(_caption(info, frame, instances))
            counter.add(instances)
            if options.on_frame is not None:
                options.on_frame(len(pictures), moments)
    if not pictures:
        raise InputError(no_frames(info, span))
    with atomic_output(target, force=options.force) as part:
        sheet = PIL.Image.fromarray(contact_sheet(pictures, captions))
        sheet.save(part, quality=JPEG_QUALITY)
    return counter.result()


def _check(search: Search, target: str | Path, moments: int) -> None:
    if moments < 1:
        raise OptionError(f"moments must be at least 1, got {moments}.")
    if Path(target).suffix.lower() not in PHOTO_SUFFIXES:
        known = ", ".join(PHOTO_SUFFIXES)
        raise OptionError(f"A preview is a picture, and {target} is none; use one of {known}.")
    if search.selection:
        raise OptionError(
            "A preview shows single moments, where objects have no ids; leave `ids`, `follow` and "
            "`at` out of it."
        )


def _moments(
    info: VideoInfo, search: Search, span: Span, count: int, options: RunOptions
) -> Generator[Found, None, None]:
    """The moments with the objects to show, each as if it were a photo."""
    if search.saved is not None:
        check_same_input(search.saved, info)
    frames = read_moments(info, span, count)
    if search.saved is not None:
        found = replay(frames, search.saved)
    else:
        model = search.predictor(options.on_download)
        found = detect(frames, model, batch_size=search.model_options.batch_size)
    return tracked_objects(search, found, "photo")


def _caption(info: VideoInfo, frame: Frame, instances: Instances) -> str:
    """`0:01:02.5  frame 1562  3 objects`; a photo has its name for a time."""
    objects = "1 object" if len(instances) == 1 else f"{len(instances)} objects"
    if info.kind in ("photo", "folder"):
        return f"{(info.photos or (info.path,))[frame.index].name}  {objects}"
    minutes, tenths = divmod(int(frame.time * 10), 600)
    clock = f"{minutes // 60}:{minutes % 60:02d}:{tenths / 10:04.1f}"
    return f"{clock}  frame {frame.index}  {objects}"
