"""Warnings after a run: effects that hide and had nothing to hide, and ids that never occurred."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from vidseg.effects.chain import Chain, Only
from vidseg.effects.effect import Effect
from vidseg.effects.privacy import Hiding
from vidseg.structures.frame import Instant, Moment
from vidseg.structures.instances import Instances
from vidseg.tracking.selection import no_such_id

MAX_NAMED_SPANS = 3
"""Most spans without anything hidden that a warning names; it counts the others."""


class RunReport:
    """Watches the objects of one run for its effects: `add` every frame, then read `warnings`."""

    def __init__(
        self,
        effect: Effect,
        names: Mapping[int, str],
        *,
        labels: Collection[int] | None = None,
        score: float | None = None,
    ) -> None:
        """The warnings name the classes that the run shows, and its score.

        Args:
            names: label to class name.
            labels: the labels that the run shows; None is all.
            score: the lowest score that it shows.
        """
        self._names, self._labels, self._score = names, labels, score
        parts = list(_parts(effect))
        self._hiding = [
            _HiddenFrames(part, only) for part, only in parts if isinstance(part, Hiding)
        ]
        self._seen_ids: set[int] = set()
        chosen = {number for _, only in parts if only is not None for number in only.ids or ()}
        self._wanted_ids = sorted(chosen)

    def add(self, frame: Instant, instances: Instances) -> None:
        """The objects of the next frame, as the effects get them."""
        self._seen_ids |= {number for number in instances.ids.tolist() if number > 0}
        for each in self._hiding:
            each.add(frame, instances)

    def warnings(self) -> list[str]:
        """One sentence for each effect that hid nothing for a while, and for each unknown id."""
        unknown = [number for number in self._wanted_ids if number not in self._seen_ids]
        return [
            *(self._nothing_hidden(each) for each in self._hiding if each.spans),
            *(no_such_id(number, self._seen_ids) for number in unknown),
        ]

    def _nothing_hidden(self, hidden: _HiddenFrames) -> str:
        labels = self._labels if hidden.only is None else hidden.only.labels or self._labels
        classes = sorted(self._names.get(label, str(label)) for label in labels or ())
        missing = f"no {' or '.join(classes) or 'object'}"
        if hidden.only is not None and hidden.only.ids:
            missing += f" with the id {' or '.join(map(str, sorted(hidden.only.ids)))}"
        elif self._score is not None:
            missing += f" with a score of at least {self._score:g}"
        advice = "Look at the result; a lower score hides more."
        missed = sum(span.frames for span in hidden.spans)
        if missed == hidden.frames:
            return f"{hidden.name} hid nothing: {missing} was found. {advice}"
        where = f"in {missed} of {hidden.frames} frames ({_listed(hidden.spans)})"
        return f"{hidden.name} hid nothing {where}: {missing} was found there. {advice}"


@dataclass(slots=True)
class _Span:
    """Frames in a row in which nothing was hidden."""

    first: Moment
    last: Moment
    frames: int = 1


@dataclass(slots=True)
class _HiddenFrames:
    """Counts the frames in which a hiding effect had something to hide."""

    effect: Hiding
    only: Only | None
    frames: int = 0
    spans: list[_Span] = field(default_factory=list)
    """Where nothing was hidden."""
    _last_tracked: int | None = None
    """Index of the last frame with a tracked object, which the effect holds."""
    _open: bool = False
    """Whether the last frame belongs to the last span."""

    @property
    def name(self) -> str:
        return type(self.effect).__name__.lower()

    def add(self, frame: Instant, instances: Instances) -> None:
        chosen = instances if self.only is None else self.only.chosen(instances)
        now = Moment(frame.index, frame.time, frame.duration)  # a span must not hold pictures
        self.frames += 1
        if (chosen.ids > 0).any():
            self._last_tracked = frame.index
        held = (
            self._last_tracked is not None and frame.index - self._last_tracked <= self.effect.hold
        )
        if len(chosen) or held:
            self._open = False
        elif self._open:
            self.spans[-1].last = now
            self.spans[-1].frames += 1
        else:
            self.spans.append(_Span(now, now))
            self._open = True


def _parts(effect: Effect, only: Only | None = None) -> Iterator[tuple[Effect, Only | None]]:
    """The effects inside a chain, each with the selection of its objects."""
    if isinstance(effect, Chain):
        for each in effect.effects:
            yield from _parts(each, only)
    elif isinstance(effect, Only):
        yield from _parts(effect.effect, effect)
    else:
        yield effect, only


def _listed(spans: list[_Span]) -> str:
    """The longest spans in order, such as `0.4 s to 1.2 s, frame 7`."""
    longest = sorted(spans, key=lambda span: -span.frames)[:MAX_NAMED_SPANS]
    texts = [_text(span) for span in spans if span in longest]
    rest = len(spans) - len(texts)
    return ", ".join(texts) + (f" and {rest} more" if rest else "")


def _text(span: _Span) -> str:
    if not span.first.duration:  # photos have no times
        first, last = span.first.index, span.last.index
        return f"frame {first}" if first == last else f"frames {first} to {last}"
    return f"{_seconds(span.first.time)} to {_seconds(span.last.time + span.last.duration)}"


def _seconds(time: Fraction) -> str:
    return f"{float(time):.2f}".rstrip("0").rstrip(".") + " s"
