"""What a run can make of an input; each kind of output is a small class.

To add a kind, write a class that is an `Output`; `vidseg.run` takes any of them.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from vidseg.effects import Effect, drawing
from vidseg.effects.chain import files_of
from vidseg.effects.cutout import Cutout, Matte
from vidseg.effects.run_report import RunReport
from vidseg.errors import OptionError
from vidseg.pipeline._compatibility import check_kinds
from vidseg.pipeline._watch import Watch
from vidseg.pipeline.search import Search
from vidseg.remote.paths import as_path
from vidseg.results.formats.by_name import check_format, check_photos, open_format
from vidseg.results.formats.context import ExportContext
from vidseg.results.formats.cutouts import CutoutFolder
from vidseg.results.formats.mask_folder import MaskFolder
from vidseg.results.formats.names import FORMATS
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances
from vidseg.structures.span import Span
from vidseg.video.codecs import Encoding, choose_codec
from vidseg.video.encoding.writer import open_writer
from vidseg.video.info import Kind, VideoInfo
from vidseg.video.moviepy_clip import FrameClip

log = logging.getLogger("vidseg")

Write = Callable[[Frame, Instances], None]
"""Adds the next frame with its objects."""


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all outputs of a run share."""

    clip: FrameClip
    """The input's frames with the objects to show."""
    info: VideoInfo
    search: Search
    span: Span
    force: bool
    watch: Watch | None = None


class Output(Protocol):
    """One output of a run; `__init__` raises OptionError for wrong options."""

    @property
    def target(self) -> Path: ...

    @property
    def folder(self) -> bool:
        """Whether it is a folder of files."""
        ...

    @property
    def reads(self) -> Sequence[Path]:
        """Files that it reads beside the input, and so must not overwrite."""
        ...

    @property
    def pictures(self) -> bool:
        """Whether it needs the pictures of frames, not only their objects."""
        ...

    def check(self, info: VideoInfo) -> None:
        """Raises OptionError or OutputError: this output cannot be made of that input."""
        ...

    def open(self, context: RunContext) -> AbstractContextManager[Write]:
        """Takes the frames of the run in order, and holds none longer than the encoder does.

        The output exists when the block ends well; nothing of it is left when it does not.
        """
        ...


def _tell_of_fields(context: RunContext) -> None:
    """The encoder does not know which field of a frame comes first, so it marks no frame."""
    if context.info.interlaced and context.span.keep_interlaced:
        log.warning(
            "The frames of %s stay interlaced, but the output is marked as progressive: players "
            "will not deinterlace it by themselves.",
            context.info.path,
        )


class VideoOutput:
    """The input with an effect drawn on every frame: a video, an animation, a photo, a folder."""

    pictures = True

    def __init__(
        self, target: str | Path, effect: Effect, encoding: Encoding | None = None
    ) -> None:
        """`encoding` is by default that of the target's name; OptionError where it has none."""
        self.target, self.effect = as_path(target), effect
        self.encoding = encoding or choose_codec(target)

    @property
    def folder(self) -> bool:
        return self.encoding.output == "folder"

    @property
    def reads(self) -> Sequence[Path]:
        return [Path(file) for file in files_of(self.effect)]

    def check(self, info: VideoInfo) -> None:
        check_kinds(info.kind, self.encoding.output)

    @contextmanager
    def open(self, context: RunContext) -> Iterator[Write]:
        clip = context.clip
        if self.encoding.output == "video":
            _tell_of_fields(context)
        with (
            drawing(self.effect) as draw,
            open_writer(
                self.target,
                context.info,
                encoding=self.encoding,
                start=context.span.start,
                end=context.span.end,
                force=context.force,
            ) as sink,
        ):
            search = context.search
            drawn = clip.image_transform(lambda _: draw(*clip.stream.pair))
            report = RunReport(self.effect, search.names, labels=search.labels, score=search.score)

            def write(frame: Frame, instances: Instances) -> None:
                report.add(frame, instances)
                image = drawn.get_frame(frame.time)
                if context.watch is not None:
                    context.watch.show(image, self)
                sink.write(replace(frame, image=image))

            yield write
        for warning in report.warnings():
            log.warning(warning)


class CutoutOutput:
    """The objects on transparency, or their black-and-white matte: a video, a photo or a folder.

    See `vidseg.effects.cutout` and, for one picture per object, `vidseg.results.formats.cutouts`.
    """

    pictures = True

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

        A folder gets one picture per object of a photo, and of other inputs with `per_object`.
        Raises OptionError for options that do not go together, and a target that holds no
        transparency.
        """
        self.target, self.refine = as_path(target), refine
        self.per_object, self.matte = per_object, matte
        self.encoding = encoding or choose_codec(target, alpha=not matte)
        if per_object and matte:
            raise OptionError("`per_object` and `matte` do not go together; choose one.")
        if per_object and not self.folder:
            raise OptionError(
                f"`per_object` writes into a folder and {target} names a file; give it no ending."
            )
        if self.encoding.alpha == matte:
            raise OptionError("A matte takes an encoding without alpha, a cut-out one with it.")

    @property
    def folder(self) -> bool:
        return self.encoding.output == "folder"

    @property
    def reads(self) -> Sequence[Path]:
        return ()

    def check(self, info: VideoInfo) -> None:
        """Raises OptionError: this cannot be made of that kind of input."""
        if not self._apart(info.kind):
            check_kinds(info.kind, self.encoding.output)

    def open(self, context: RunContext) -> AbstractContextManager[Write]:
        if self._apart(context.info.kind):
            return self._pictures(context)
        effect = Matte(self.refine) if self.matte else Cutout(self.refine)
        return VideoOutput(self.target, effect, self.encoding).open(context)

    def _apart(self, kind: Kind) -> bool:
        """Whether every object gets pictures of its own."""
        return self.per_object or (kind == "photo" and self.folder and not self.matte)

    @contextmanager
    def _pictures(self, context: RunContext) -> Iterator[Write]:
        info = context.info
        with CutoutFolder(
            self.target, _about(context), info.kind, refine=self.refine, force=context.force
        ) as sink:
            yield sink.write


class MaskFolderOutput:
    """A folder with the masks of every frame and `instances.json`; see `vidseg.results`."""

    folder = True
    reads: Sequence[Path] = ()

    def __init__(self, target: str | Path, *, per_object: bool = False, image: bool = False):
        self.target, self.per_object, self.image = as_path(target), per_object, image

    @property
    def pictures(self) -> bool:
        return self.image

    def check(self, info: VideoInfo) -> None:
        """Masks are made of every kind of input."""

    @contextmanager
    def open(self, context: RunContext) -> Iterator[Write]:
        with MaskFolder(
            self.target,
            context.search.names,
            kept_score=context.search.score,
            per_object=self.per_object,
            image=self.image,
            frames=context.info.frames,
            force=context.force,
        ) as sink:
            yield sink.write


class ExportOutput:
    """The objects in a format of `vidseg.results.formats.by_name`."""

    reads: Sequence[Path] = ()

    def __init__(
        self,
        target: str | Path,
        name: str,
        *,
        image: bool = False,
        tolerance: float | None = None,
    ) -> None:
        """`tolerance` is how many pixels outlines may miss masks by; None suits each object's size.

        Raises OptionError: no such format, images for one that is a single file, or a tolerance for
        one without outlines.
        """
        check_format(name, image=image, tolerance=tolerance)
        self.target, self.name, self.image = as_path(target), name, image
        self.tolerance = tolerance

    @property
    def folder(self) -> bool:
        return FORMATS[self.name].folder

    @property
    def pictures(self) -> bool:
        return self.image

    def check(self, info: VideoInfo) -> None:
        check_photos(self.name, info.photos)

    def open(self, context: RunContext) -> AbstractContextManager[Write]:
        about = replace(_about(context), tolerance=self.tolerance)
        return open_format(self.name, self.target, about, image=self.image, force=context.force)


def _about(context: RunContext) -> ExportContext:
    info = context.info
    return ExportContext(context.search.names, info.path.name, info.frames, info.photos)
