"""Saved detections instead of a model (`--detections`), or written while one runs
(`--save-detections`). Nothing here imports torch."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction

from vidseg.concurrency import closing_input
from vidseg.errors import InputError, OptionError
from vidseg.models.catalog import ModelChoice, choose_labels
from vidseg.results._fingerprint import fingerprint_of_file, fingerprint_of_input, same_input
from vidseg.results._records import SavedFrame
from vidseg.results.vidseg_file import Detections
from vidseg.results.vidseg_header import Header
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found, Instances
from vidseg.version import __version__
from vidseg.video.info import VideoInfo


def choose_from_saved(detections: Detections, classes: Sequence[str], score: float) -> ModelChoice:
    """The model, classes and labels of saved detections, as `choose_model` gives them for a model.

    Raises OptionError: a class that was not looked for, or a score below `kept_score`.
    """
    header, path = detections.header, detections.path
    if score < header.kept_score:
        raise OptionError(
            f"{path} only holds objects with scores of {header.kept_score:g} or more; ask for such "
            f"a `score`, or detect again with `keep_score={score:g}`."
        )
    chosen = choose_labels(classes, header.model["name"], header.classes)
    missing = [] if header.labels is None else sorted((chosen or frozenset()) - {*header.labels})
    if missing:
        raise OptionError(
            f"{path} was made without looking for {header.classes[missing[0]]}; "
            "detect again without classes."
        )
    return ModelChoice(header.model["name"], chosen, header.classes)


def check_same_input(detections: Detections, info: VideoInfo) -> None:
    """Raises InputError: the detections were made from another input."""
    source = detections.header.source
    if not same_input(source, fingerprint_of_input(info)):
        height, width = source["size"]
        raise InputError(
            f"{detections.path} was made from another input ({source['name']}, {width} x {height}, "
            f"{source['bytes']} bytes), not from {info.path}; detect again."
        )


def replay(frames: Iterable[Frame], detections: Detections) -> Generator[Found, None, None]:
    """Each frame with the objects saved under its index; closes `frames`.

    Raises InputError: nothing was saved for a frame, or for one of another size.
    """
    with closing_input(frames) as source, closing(iter(detections)) as records:
        for frame in source:
            instances = _objects_at(frame.index, records)
            if instances is None:
                raise InputError(
                    f"{detections.path} has no record of frame {frame.index} "
                    f"({float(frame.time):.3f} s) of the video; detect with the same `start` and "
                    "`end`, or without them."
                )
            if instances.size != frame.image.shape[:2]:
                raise InputError(f"{detections.path} has another size for frame {frame.index}.")
            yield frame, instances


def header_for(
    info: VideoInfo,
    choice: ModelChoice,
    kept_score: float,
    options: Mapping[str, object],
) -> Header:
    """The header of a run's `.vidseg` file; `options` are those that decide what is found."""
    file = choice.file
    return Header(
        source=fingerprint_of_input(info),
        model=(fingerprint_of_file(file) if file else {}) | {"name": choice.model},
        classes=choice.classes,
        kept_score=kept_score,
        labels=None if choice.labels is None else sorted(choice.labels),
        options={name: _plain(value) for name, value in options.items()},
        program=f"vidseg {__version__}",
    )


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Fraction) else value


def _objects_at(index: int, records: Iterator[SavedFrame]) -> Instances | None:
    """The objects of frame `index`; skips the records before it."""
    for moment, instances in records:
        if moment.index >= index:
            return instances if moment.index == index else None
    return None
