"""A live source: find, draw and show each frame as it comes, and never lag behind.

    source ─► Newest ─► predict ─► track ─► prefetch ─► draw ─► show
              a thread  a thread                        the caller's

The model gets the newest frame each time that it is free, alone in its batch; frames that come in
between are dropped. Nothing waits for later frames: a track is shown from the frame on in which it
is confident, gaps are not filled, and nothing is smoothed. So a frame is shown as late as finding
and drawing take, and memory does not grow: at most eight pictures exist at once, beside those that
encoders look ahead.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from threading import Event
from typing import Protocol

from vidseg.concurrency import Newest, closing_input, prefetch
from vidseg.detection.predictor import Predictor, predict_named
from vidseg.effects import Effect, drawing
from vidseg.errors import InputError, OptionError
from vidseg.pipeline.run_options import OnFrame
from vidseg.pipeline.search import Search
from vidseg.pipeline.stages import shown_objects
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found
from vidseg.tracking.stages import assign_ids
from vidseg.video.live.output import LiveOutput


class Source(Protocol):
    """Where live frames come from: `vidseg.video.live.source.LiveSource`, or one of your own."""

    reconnects: int

    def frames(self, stop: Event) -> Iterable[Frame]:
        """The frames as they arrive; ends soon after `stop` is set."""
        ...


@dataclass(frozen=True, slots=True)
class LiveResult:
    """What became of a live source."""

    frames: int
    """Frames that were shown."""
    dropped: int
    """Frames that came while the model was busy."""
    reconnects: int


def live(
    source: Source,
    outputs: Sequence[LiveOutput],
    effect: Callable[[], Effect],
    *,
    search: Search,
    stop: Event | None = None,
    on_frame: OnFrame | None = None,
) -> LiveResult:
    """Show `source` in all `outputs`, with the effect drawn, until it ends or `stop` is set.

    `effect` is called once the outputs are open. The outputs are finished in every case but one of
    their own failures: what was recorded before a source fails is whole.

    Raises:
        OptionError: no output, or a search that looks into files or ahead.
        InputError: the source cannot be opened, or a connection cannot be made again.
        OutputError, OutputExistsError: an output cannot be written.
        ModelError, WeightsUnavailableError: the model cannot be loaded.
    """
    stop = stop or Event()
    _check(search, outputs)
    lost: InputError | None = None
    shown = 0
    with ExitStack() as stack:
        shows = [stack.enter_context(output.open(stop)) for output in outputs]
        draw, model = stack.enter_context(drawing(effect())), search.predictor()
        newest = stack.enter_context(Newest(source.frames(stop), stop))
        found = stack.enter_context(closing(_found(newest, search, model, stop)))
        try:
            for frame, instances in found:
                drawn = replace(frame, image=draw(frame, instances))
                for show in shows:
                    show(drawn)
                shown += 1
                if on_frame is not None:
                    on_frame(shown, None)
        except InputError as error:
            lost = error
    if lost is not None:
        raise lost
    return LiveResult(shown, newest.dropped, source.reconnects)


def _check(search: Search, outputs: Sequence[LiveOutput]) -> None:
    if not outputs:
        raise OptionError("There is nowhere to show a live source; name an output.")
    if search.saved is not None or search.save is not None:
        raise OptionError("Detections are saved of files; a live source has none.")
    if search.selection.at is not None:
        raise OptionError("An object at a point is selected in files, which are read twice.")
    if search.every != 1:
        raise OptionError("Keyframes wait for later frames, and a live source does not.")
    for output in outputs:
        output.check()


def _found(
    frames: Iterable[Frame], search: Search, model: Predictor, stop: Event
) -> Generator[Found, None, None]:
    """Each frame with the objects to show."""
    found: Iterable[Found] = _predicted(frames, model)
    tracking = search.tracking
    if tracking.enabled:
        tracker = tracking.tracker() if tracking.tracker else None
        found = assign_ids(found, score=search.score, fill=0, tracker=tracker, near=0)
    shown = shown_objects(search, found, tracked=tracking.enabled, radius=0)
    return prefetch(shown, 1, stop=stop)


def _predicted(frames: Iterable[Frame], model: Predictor) -> Generator[Found, None, None]:
    with closing_input(frames) as source:
        for frame in source:
            (instances,) = predict_named(model, [frame.image])
            yield frame, instances
            del frame
