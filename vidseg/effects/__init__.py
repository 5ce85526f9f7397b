"""Effects: functions of a picture and its objects that return a new picture.

    effect      what an effect is, and how a run draws with it
    overlay, splash, background, replace_background, privacy, decorations, cutout   the effects
    chain       effects made of other effects
    parse       effects from descriptions, such as `blur:class=person`
    run_report  warnings about effects that had nothing to draw on

An effect never changes the picture it is given, keeps no state between frames, and may run in
several threads at once. State lives in a run, see `effect`. Effects are computed on the CPU in
integer arithmetic: equal masks give equal pictures, to one level where a stack blur rounds by the
number of OpenCV's threads (`splash:feather`, `halo`, `spotlight`).

To add one: a class in a file here, a line in `parse.EFFECTS`, a row in README.md. The room imports
`structures`, `tracking`, `detection` and `video`; no torch.

`on_image` binds an effect to a predictor, for programs that have single frames:

    clip = moviepy.VideoFileClip("in.mp4")
    clip.image_transform(on_image(Splash(), predictor)).write_videofile("out.mp4")
"""

from collections.abc import Callable, Collection

from vidseg.detection.predictor import Predictor, predict_named
from vidseg.effects.effect import Draw, Effect, Stateful, drawing
from vidseg.effects.overlay import Overlay
from vidseg.effects.splash import Splash
from vidseg.structures.frame import Image, check_image
from vidseg.structures.instances import shown

__all__ = ["Draw", "Effect", "Overlay", "Splash", "Stateful", "drawing", "on_image"]


def on_image(
    effect: Effect,
    predictor: Predictor,
    *,
    score: float = 0.5,
    labels: Collection[int] | None = None,
) -> Callable[[Image], Image]:
    """The effect as a function of the picture alone; it predicts one picture at a time.

    Draws the objects with at least `score`, of the given `labels` (None: all). The picture must be
    (H, W, 3) uint8 RGB, else FrameError.
    """

    def transform(image: Image) -> Image:
        check_image(image)
        (found,) = predict_named(predictor, [image])
        return effect(image, shown(found, score=score, labels=labels))

    return transform
