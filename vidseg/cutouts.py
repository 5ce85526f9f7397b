"""The output of `vidseg cutout`: objects on transparency, or their black-and-white matte."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from vidseg.effects.cutout import Cutout, Matte
from vidseg.errors import OptionError
from vidseg.export.about import About
from vidseg.export.cutouts import CutoutFolder
from vidseg.kinds import check_kinds
from vidseg.outputs import Drawn, Pass, Write
from vidseg.video.codecs import Encoding, choose_codec
from vidseg.video.info import Kind, VideoInfo


class CutOut:
    """A video, a photo or a folder; see `vidseg.effects.cutout` and, for a picture an object,
    `vidseg.export.cutouts`."""

    def __init__(
        self,
        target: str | Path,
        *,
        refine: bool = True,
        per_object: bool = False,
        matte: bool = False,
        encoding: Encoding | None = None,
    ) -> None:
        """`encoding` is by default `choose_codec(target, alpha=not matte)`.

        A folder gets a picture an object of a photo, and of other inputs with `per_object`. Raises
        OptionError for options that do not go together, and a target that holds no transparency.
        """
        self.target, self.refine, self.per_object, self.matte = (
            Path(target),
            refine,
            per_object,
            matte,
        )
        self.encoding = encoding or choose_codec(target, alpha=not matte)
        if per_object and matte:
            raise OptionError("--per-object and --matte do not go together; choose one.")
        if per_object and not self.folder:
            raise OptionError(
                f"--per-object writes into a folder and {target} names a file; give it no ending."
            )
        if self.encoding.alpha == matte:
            raise OptionError("A matte takes an encoding without alpha, a cut-out one with it.")

    @property
    def folder(self) -> bool:
        return self.encoding.output == "folder"

    def check(self, info: VideoInfo) -> None:
        """Raises OptionError: this cannot be made of that kind of input."""
        if not self._apart(info.kind):
            check_kinds(info.kind, self.encoding.output)

    def open(self, going: Pass) -> AbstractContextManager[Write]:
        if self._apart(going.info.kind):
            return self._pictures(going)
        effect = Matte(self.refine) if self.matte else Cutout(self.refine)
        return Drawn(self.target, effect, self.encoding).open(going)

    def _apart(self, kind: Kind) -> bool:
        """Whether every object gets pictures of its own."""
        return self.per_object or (kind == "photo" and self.folder and not self.matte)

    @contextmanager
    def _pictures(self, going: Pass) -> Iterator[Write]:
        info = going.info
        about = About(going.search.names, info.path.name, info.frames, info.photos)
        with CutoutFolder(
            self.target, about, info.kind, refine=self.refine, force=going.force
        ) as sink:
            yield sink.write
