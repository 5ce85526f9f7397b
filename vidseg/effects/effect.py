"""What an effect is, and how a run draws with one.

Most effects need only a picture and its objects. Some also need the time (a video put behind the
objects) or earlier frames (a path, a mask held through a gap). These are plain effects too, which
treat every picture as the first of a run. For a whole run, `begin` returns a new function of the
frame that keeps the state:

    with drawing(effect) as draw:
        for frame, instances in found:
            image = draw(frame, instances)
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TypeAlias, runtime_checkable

from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances

Effect: TypeAlias = Callable[[Image, Instances], Image]
"""Takes a picture and its objects, and returns a new picture of the same size."""

Draw: TypeAlias = Callable[[Frame, Instances], Image]
"""An effect in one run: takes the frames in order and returns the new picture of each."""


@runtime_checkable
class Stateful(Protocol):
    """An effect that needs the time or earlier frames."""

    def __call__(self, image: Image, instances: Instances) -> Image: ...

    def begin(self) -> AbstractContextManager[Draw]:
        """A function that draws one run; leaving the context closes what was opened for it."""
        ...


@contextmanager
def drawing(effect: Effect) -> Iterator[Draw]:
    """The effect for one run over frames in order, whether it is stateful or not."""
    if isinstance(effect, Stateful):
        with effect.begin() as draw:
            yield draw
    else:
        yield lambda frame, instances: effect(frame.image, instances)
