"""Pictures of what was found: functions of a picture and its objects.

An effect never changes the picture it is given, keeps no state between frames, and may run in
several threads at once. `on_image` binds one to a predictor, for programs that have single frames:

    clip = moviepy.VideoFileClip("in.mp4")
    clip.image_transform(on_image(Splash(), predictor)).write_videofile("out.mp4")
"""

from collections.abc import Callable, Collection
from typing import TypeAlias

from vidseg.effects.overlay import Overlay
from vidseg.effects.splash import Splash
from vidseg.frame import Image
from vidseg.instances import Instances, shown
from vidseg.predictor import Predictor

__all__ = ["Effect", "Overlay", "Splash", "on_image"]

Effect: TypeAlias = Callable[[Image, Instances], Image]
"""Takes a picture and its objects, gives a new picture of the same size."""


def on_image(
    effect: Effect,
    predictor: Predictor,
    *,
    score: float = 0.5,
    labels: Collection[int] | None = None,
) -> Callable[[Image], Image]:
    """The effect as a function of the picture alone, predicting one picture at a time.

    Shows the objects from `score` on, of the given `labels` (None: all).
    """

    def transform(image: Image) -> Image:
        (found,) = predictor.predict([image])
        return effect(image, shown(found, score=score, labels=labels))

    return transform
