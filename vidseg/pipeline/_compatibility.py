"""Which kinds of input can become which kinds of output."""

from vidseg.errors import OptionError
from vidseg.video.codecs import OutputKind
from vidseg.video.info import Kind


def check_kinds(given: Kind, wanted: OutputKind) -> None:
    """Raises OptionError: an input of this kind does not become an output of that kind."""
    if wanted not in BECOMES[given]:
        fit = " or ".join(AN[kind] for kind in BECOMES[given])
        raise OptionError(
            f"{AN[given].capitalize()} cannot become {AN[wanted]}; name OUT as {fit}."
        )


BECOMES: dict[Kind, tuple[OutputKind, ...]] = {
    "video": ("video", "animation", "folder"),
    "animation": ("video", "animation", "folder"),
    "photo": ("photo", "animation"),  # a GIF holds a single picture too
    "folder": ("folder",),
}
"""Kinds of input to the kinds of output that they can become."""

AN = {
    "video": "a video",
    "animation": "an animated image",
    "photo": "a photo",
    "folder": "a folder of photos",
}
