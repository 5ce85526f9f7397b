"""Effects made of other effects: in order, for some objects only, before beside after."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from vidseg.effects.effect import Draw, Effect, Stateful, drawing
from vidseg.effects.overlay import line_width
from vidseg.errors import OptionError
from vidseg.structures.colors import BLACK, WHITE
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances, check_fits


@dataclass(frozen=True, slots=True)
class Only:
    """An effect for some objects only: those with `labels` and `ids`; None allows all."""

    effect: Effect
    labels: frozenset[int] | None = None
    ids: frozenset[int] | None = None

    def __call__(self, image: Image, instances: Instances) -> Image:
        check_fits(instances, image)
        return self.effect(image, self.chosen(instances))

    @contextmanager
    def begin(self) -> Iterator[Draw]:
        with drawing(self.effect) as draw:
            yield lambda frame, instances: draw(frame, self.chosen(instances))

    def chosen(self, instances: Instances) -> Instances:
        """The objects that the effect gets."""
        rows = np.ones(len(instances), np.bool_)
        if self.labels is not None:
            rows &= np.isin(instances.labels, list(self.labels))
        if self.ids is not None:
            rows &= np.isin(instances.ids, list(self.ids))
        return instances[rows]


@dataclass(frozen=True, slots=True)
class Split:
    """Shows the original left of a line, the result of the effects before it right of the line."""

    at: float = 0.5
    """Place of the line as a share of the width, 0..1."""

    def __post_init__(self) -> None:
        if not 0 <= self.at <= 1:
            raise OptionError(f"at must lie in 0..1, got {self.at}.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        """The picture with the line only: outside a chain there is no other picture."""
        check_fits(instances, image)
        return self.between(image, image)

    def between(self, before: Image, after: Image) -> Image:
        """`before` left and `after` right of a white line with dark edges."""
        picture = np.array(after, order="C")
        height, width = picture.shape[:2]
        place = round(self.at * width)
        picture[:, :place] = before[:, :place]
        if 0 < place < width:
            line = line_width(picture)
            for half, color in ((line + 1, BLACK), (line, WHITE)):
                cv2.rectangle(picture, (place - half, -1), (place + half - 1, height), color, -1)
        return picture


@dataclass(frozen=True, slots=True)
class Chain:
    """Effects in order, each drawing on the result of the one before; at least one."""

    effects: tuple[Effect, ...]

    def __post_init__(self) -> None:
        if not self.effects:
            raise OptionError("There is no effect; name at least one.")

    def __call__(self, image: Image, instances: Instances) -> Image:
        check_fits(instances, image)
        picture = image
        for effect in self.effects:
            if isinstance(effect, Split):
                picture = effect.between(image, picture)
            else:
                picture = effect(picture, instances)
        return picture

    @contextmanager
    def begin(self) -> Iterator[Draw]:
        with ExitStack() as stack:
            draws = [(effect, stack.enter_context(drawing(effect))) for effect in self.effects]

            def draw(frame: Frame, instances: Instances) -> Image:
                check_fits(instances, frame.image)
                made = frame
                for effect, one in draws:
                    if isinstance(effect, Split):
                        picture = effect.between(frame.image, made.image)
                    else:
                        picture = one(made, instances)
                    made = replace(made, image=picture)
                return made.image

            yield draw


def files_of(effect: Effect) -> Iterator[Path]:
    """The files that an effect reads, including those of the effects inside it."""
    if isinstance(effect, Chain):
        for each in effect.effects:
            yield from files_of(each)
    elif isinstance(effect, Only):
        yield from files_of(effect.effect)
    elif isinstance(file := getattr(effect, "file", None), Path):
        yield file


def keeps_state(effect: Effect) -> bool:
    """Whether an effect, or one inside it, needs the time or earlier frames."""
    if isinstance(effect, Chain):
        return any(map(keeps_state, effect.effects))
    if isinstance(effect, Only):
        return keeps_state(effect.effect)
    return isinstance(effect, Stateful)
