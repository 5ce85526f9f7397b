"""Pictures of what was found: functions of a picture and its objects.

An effect never changes the picture it is given, keeps no state between frames, and may run in
several threads at once. What looks at the time or at earlier frames does so in a run of its own,
see `vidseg.effects.effect`. `vidseg.effects.parse` makes effects from descriptions.

Effects are drawn on the CPU, in whole numbers, from soft masks in their boxes, wherever those were
found: a model on a GPU and on a CPU give the same picture where they give the same masks.

`on_image` binds an effect to a predictor, for programs that have single frames:

    clip = moviepy.VideoFileClip("in.mp4")
    clip.image_transform(on_image(Splash(), predictor)).write_videofile("out.mp4")
"""

from collections.abc import Callable, Collection

from vidseg.detection.predictor import Predictor
from vidseg.effects.effect import Draw, Effect, Lasting, drawing, drawn
from vidseg.effects.overlay import Overlay
from vidseg.effects.splash import Splash
from vidseg.structures.frame import Image
from vidseg.structures.instances import shown

__all__ = ["Draw", "Effect", "Lasting", "Overlay", "Splash", "drawing", "drawn", "on_image"]


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
