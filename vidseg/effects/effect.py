"""What an effect is, and how a run draws with one.

Most effects tell everything from a picture and its objects. Some also look at the time (a video put
behind the objects) or at earlier frames (a path, a mask held through a miss). Such an effect stays
a plain effect, which takes its picture for the first of a run; for a whole run `begin` gives a
function of the frame, made anew, that holds what it has to remember:

    with drawing(effect) as draw:
        for frame, instances in found:
            image = draw(frame, instances)
"""

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from typing import Protocol, TypeAlias, runtime_checkable

from vidseg.concurrency import closing_input
from vidseg.structures.frame import Frame, Image
from vidseg.structures.instances import Instances

Effect: TypeAlias = Callable[[Image, Instances], Image]
"""Takes a picture and its objects, gives a new picture of the same size."""

Draw: TypeAlias = Callable[[Frame, Instances], Image]
"""An effect in one run: wants the frames in order, one at a time. Gives the new picture."""


@runtime_checkable
class Lasting(Protocol):
    """An effect that looks at the time or at earlier frames."""

    def __call__(self, image: Image, instances: Instances) -> Image: ...

    def begin(self) -> AbstractContextManager[Draw]:
        """What draws one run; its end closes what was opened for it."""
        ...


@contextmanager
def drawing(effect: Effect) -> Iterator[Draw]:
    """The effect for one run over frames in order, whether it is lasting or not."""
    if isinstance(effect, Lasting):
        with effect.begin() as draw:
            yield draw
    else:
        yield lambda frame, instances: effect(frame.image, instances)


def drawn(
    pairs: Iterable[tuple[Frame, Instances]], effect: Effect
) -> Generator[tuple[Frame, Instances], None, None]:
    """The same stream with `effect` drawn on every frame: `drawing` as a stage of its own."""
    with closing_input(pairs) as source, drawing(effect) as draw:
        for frame, instances in source:
            yield replace(frame, image=draw(frame, instances)), instances
