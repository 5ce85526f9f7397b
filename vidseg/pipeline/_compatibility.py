"""Which kinds of input can become which kinds of output."""

from vidseg.errors import OptionError
from vidseg.video.codecs import OutputKind
from vidseg.video.info import Kind


def check_kinds(given: Kind, wanted: OutputKind) -> None:
    """Raises OptionError: an input of this kind does not become an output of that kind."""
    if wanted not in ALLOWED_OUTPUTS[given]:
        fit = " or ".join(WITH_ARTICLE[kind] for kind in ALLOWED_OUTPUTS[given])
        source, output = WITH_ARTICLE[given].capitalize(), WITH_ARTICLE[wanted]
        raise OptionError(f"{source} cannot become {output}; name OUT as {fit}.")


ALLOWED_OUTPUTS: dict[Kind, tuple[OutputKind, ...]] = {
    "video": ("video", "animation", "folder"),
    "animation": ("video", "animation", "folder"),
    "photo": ("photo", "animation"),  # a GIF holds a single picture too
    "folder": ("folder",),
}
"""Kinds of input to the kinds of output that they can become."""

WITH_ARTICLE = {
    "video": "a video",
    "animation": "an animated image",
    "photo": "a photo",
    "folder": "a folder of photos",
}
