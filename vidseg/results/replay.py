"""Saved detections in the place of a model, and beside one: what `--detections` and
`--save-detections` do. Nothing here imports torch."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from fractions import Fraction

from vidseg.concurrency import closing_input
from vidseg.errors import InputError, OptionError
from vidseg.models.catalog import Choice, choose_labels, find_model
from vidseg.results._fingerprint import mark_of_file, mark_of_input, same_input
from vidseg.results.vidseg_file import Detections, Header
from vidseg.results.vidseg_writer import DetectionWriter
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Found, Instances
from vidseg.version import __version__
from vidseg.video.info import VideoInfo


def choose_saved(detections: Detections, classes: Sequence[str], score: float) -> Choice:
    """What to show of saved detections, in the place of a model's choice.

    Raises OptionError: a class that was not looked for, a score below the one that was kept.
    """
    header, path = detections.header, detections.path
    if score < header.kept_score:
        raise OptionError(
            f"{path} holds objects from score {header.kept_score:g} on, and {score:g} is below; "
            f"ask for {header.kept_score:g} or more, or detect again with --keep-score {score:g}."
        )
    chosen = choose_labels(classes, header.model["name"], header.classes)
    missing = [] if header.labels is None else sorted((chosen or frozenset()) - {*header.labels})
    if missing:
        raise OptionError(
            f"{path} holds no {header.classes[missing[0]]}, which was not looked for; "
            "detect again without --class."
        )
    return Choice(header.model["name"], chosen, header.classes)


def check_belongs(detections: Detections, info: VideoInfo) -> None:
    """Raises InputError: the detections were made from another input."""
    source = detections.header.source
    if not same_input(source, mark_of_input(info)):
        height, width = source["size"]
        raise InputError(
            f"{detections.path} was made from another input ({source['name']}, {width} x {height}, "
            f"{source['bytes']} bytes), not from {info.path}; detect again."
        )


def saved(frames: Iterable[Frame], detections: Detections) -> Generator[Found, None, None]:
    """Each frame with its saved objects, by its index; closes `frames` at the end.

    Raises InputError: nothing was saved for a frame.
    """
    with closing_input(frames) as source, closing(iter(detections)) as records:
        for frame in source:
            instances = _of(frame.index, records)
            if instances is None:
                raise InputError(
                    f"{detections.path} holds nothing for frame {frame.index} "
                    f"({float(frame.time):.3f} s) of the video; detect with the same --start and "
                    "--end, or without them."
                )
            yield frame, instances


def recorded(found: Iterable[Found], sink: DetectionWriter) -> Generator[Found, None, None]:
    """The same frames and objects, each written to `sink` on its way; closes `found`."""
    with closing_input(found) as source:
        for frame, instances in source:
            sink.write(frame, instances)
            yield frame, instances


def header_for(
    info: VideoInfo,
    choice: Choice,
    kept_score: float,
    options: Mapping[str, object],
) -> Header:
    """What a file of detections says of the run that makes it; `options` decide what is found."""
    file = find_model(choice.model).file
    return Header(
        source=mark_of_input(info),
        model=(mark_of_file(file) if file else {}) | {"name": choice.model},
        classes=choice.classes,
        kept_score=kept_score,
        labels=None if choice.labels is None else sorted(choice.labels),
        options={name: _plain(value) for name, value in options.items()},
        program=f"vidseg {__version__}",
    )


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Fraction) else value


def _of(index: int, records: Iterator[tuple]) -> Instances | None:
    """The objects of frame `index`; records before it are passed over."""
    for moment, instances in records:
        if moment.index >= index:
            return instances if moment.index == index else None
    return None
