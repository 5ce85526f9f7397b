"""Read a dataset of any format: find the sources, read and join them, number the classes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from vidseg.datasets._photo_finder import photos_in
from vidseg.datasets._split_lists import with_listed_splits
from vidseg.datasets.annotation_files import MALFORMED_ERRORS, reason
from vidseg.datasets.format_detection import SPLIT_NAMES, Source, detect_sources, find_sources
from vidseg.datasets.format_names import Format
from vidseg.datasets.formats import (
    coco,
    cvat,
    datumaro,
    label_studio,
    labelbox,
    labelme,
    labelme_xml,
    mask_folder,
    nuclei,
    rectlabel,
    via,
    via3,
    vidseg_frames,
    voc,
    yolo,
)
from vidseg.datasets.records import NO_CLASS, Content, Naming, Reading, Sample, Skipped
from vidseg.errors import InputError, OptionError
from vidseg.models.names import MAX_LABEL
from vidseg.remote.fetch import local

READERS: dict[Format, Callable[[Path, Naming], Reading]] = {
    "via": via.read,
    "via3": via3.read,
    "coco": coco.read,
    "labelme": labelme.read,
    "labelme-xml": labelme_xml.read,
    "yolo": yolo.read,
    "masks": mask_folder.read,
    "nuclei": nuclei.read,
    "voc": voc.read,
    "cvat": cvat.read,
    "rectlabel": rectlabel.read,
    "labelbox": labelbox.read,
    "label-studio": label_studio.read,
    "datumaro": datumaro.read,
    "frames": vidseg_frames.read,
}
MAX_ID_GAP = 100
"""Class numbers that exceed ten times their count by more than this are hashes, not numbers."""


def read_dataset(
    path: str | Path,
    *,
    format: Format | None = None,
    split: str | None = None,
    class_attribute: str | None = None,
    class_name: str = NO_CLASS,
    crowds_as_objects: bool = False,
) -> Content:
    """All photos, objects and classes at `path`, and everything that could not be used; no torch.

    Args:
        path: a folder, or its URL; or an annotation file with its photos near it.
        format: None detects it.
        split: only the photos of `train`, `val` or `test`. A photo's split comes from the lists
            train.txt, val.txt and test.txt in the folder, else from the format, else from the name
            of the folder or file. Classes are numbered over all splits, so that they agree.
        class_attribute: VIA's region attribute that holds the class.
        class_name: class of shapes without one.
        crowds_as_objects: read COCO's crowds as single objects: CVAT marks every brush mask as a
            crowd, and crowds are not trained on.

    Raises:
        InputError: nothing can be read there.
        OptionError: unknown format, split or class attribute.
    """
    root = local(path)
    sources = detect_sources(root) if format is None else find_sources(_known(format), root)
    naming = Naming(class_attribute, class_name, crowds_as_objects)
    kept = [source for source in sources if isinstance(source, Source)]
    found: list[Sample | Skipped] = [each for each in sources if isinstance(each, Skipped)]
    readings = [_read(source, naming) for source in kept]
    for source, reading in zip(kept, readings, strict=True):
        found += _in_split(reading.found, source.split)
    samples, skipped = _unique(found)
    samples, skipped = _listed(samples, skipped, root)
    skipped += _unmentioned(samples, skipped)
    if not samples:
        raise InputError(_nothing(root, skipped))
    classes = number_classes((reading.classes for reading in readings), samples)
    formats = tuple(dict.fromkeys(source.format for source in kept))
    ids = {s.path: r.category_ids for s, r in zip(kept, readings, strict=True) if r.category_ids}
    content = Content(samples, skipped, classes, formats, ids)
    return content if split is None else only_split(content, split)


def _read(source: Source, naming: Naming) -> Reading:
    try:
        reading = READERS[source.format](source.path, naming)
        return reading._replace(found=iter(list(reading.found)))
    except OptionError:
        raise  # an OptionError is a ValueError too
    except MALFORMED_ERRORS as error:
        sentence = f"{source.path} does not follow the format {source.format}"
        raise InputError(f"{sentence}: {reason(error)}.") from error


def only_split(content: Content, split: str) -> Content:
    """The photos of one split; OptionError if there is none of this name."""
    name = SPLIT_NAMES.get(split.lower(), split)
    if name not in content.splits:
        known = ", ".join(content.splits)
        there = f"it has: {known}" if known else "it has no splits; see `vidseg data split`"
        raise OptionError(f"The dataset has no split {split}; {there}.")
    samples = tuple(each for each in content.samples if each.split == name)
    return replace(content, samples=samples)


def number_classes(
    tables: Iterable[Mapping[str, int]], samples: Iterable[Sample]
) -> dict[int, str]:
    """Number to class name, from 1: as in the files if they agree, else in alphabetical order.

    Numbers that are hashes of the names are replaced, in alphabetical order: the size of a model
    depends on the greatest number.
    """
    tables = [table for table in tables if table]
    joined: dict[int, str] = {}
    for table in tables:
        for name, number in table.items():
            if joined.setdefault(number, name) != name:
                return _by_name({name for table in tables for name in table})
    used = {each.label for sample in samples for each in sample.objects}
    greatest = max(joined, default=0)
    most = min(10 * len(joined) + MAX_ID_GAP, MAX_LABEL)
    if min(joined, default=1) < 1 or greatest > most:
        return _by_name({*joined.values(), *used})
    return joined | dict(enumerate(sorted(used - set(joined.values())), greatest + 1))


def _by_name(names: set[str]) -> dict[int, str]:
    return dict(enumerate(sorted(names), 1))


def _known(format: str) -> Format:
    for name in READERS:
        if name == format:
            return name
    close = get_close_matches(format, READERS, n=1)
    meant = f" Did you mean {close[0]}?" if close else ""
    raise OptionError(f"There is no format {format}; there are: {', '.join(READERS)}.{meant}")


def _in_split(found: Iterable[Sample | Skipped], split: str | None) -> Iterator[Sample | Skipped]:
    for each in found:
        if split is not None and isinstance(each, Sample) and each.split is None:
            yield replace(each, split=split)
        else:
            yield each


def _unique(
    found: Iterable[Sample | Skipped],
) -> tuple[tuple[Sample, ...], tuple[Skipped, ...]]:
    """Each photo once: the first description that names it by its path counts."""
    everything = list(found)
    samples: dict[Path, Sample] = {}
    for each in sorted((s for s in everything if isinstance(s, Sample)), key=_is_guess):
        samples.setdefault(each.path.resolve(), each)
    kept = {id(sample) for sample in samples.values()}
    skipped = [
        each if isinstance(each, Skipped) else _told_twice(each, samples[each.path.resolve()])
        for each in everything
        if id(each) not in kept
    ]
    return tuple(s for s in everything if isinstance(s, Sample) and id(s) in kept), tuple(skipped)


def _is_guess(sample: Sample) -> bool:
    return sample.by_name


def _told_twice(sample: Sample, first: Sample) -> Skipped:
    if sample.by_name and not first.by_name:
        return Skipped(sample.path.name, "", "the photo does not exist")
    where = f" in the split {first.split}" if first.split else ""
    count = f", and these {len(sample.objects)} objects are left out" if sample.objects else ""
    return Skipped(str(sample.path), "", f"the photo was described before{where}{count}")


def _listed(
    samples: tuple[Sample, ...], skipped: tuple[Skipped, ...], root: Path
) -> tuple[tuple[Sample, ...], tuple[Skipped, ...]]:
    folder = root if root.is_dir() else root.parent
    found = list(with_listed_splits(samples, folder))
    problems = tuple(each for each in found if isinstance(each, Skipped))
    return tuple(each for each in found if isinstance(each, Sample)), skipped + problems


def _unmentioned(samples: tuple[Sample, ...], skipped: tuple[Skipped, ...]) -> tuple[Skipped, ...]:
    """The photos beside used ones that no annotation names."""
    known = {s.path.resolve() for s in samples} | {Path(s.file).resolve() for s in skipped}
    folders = sorted({sample.path.parent for sample in samples})
    beside = [photo for folder in folders for photo in photos_in(folder)]
    reason = "no annotation names this photo"
    return tuple(Skipped(str(p), "", reason) for p in beside if p.resolve() not in known)


def _nothing(root: Path, skipped: tuple[Skipped, ...]) -> str:
    if skipped:
        first = skipped[0]
        item = f", {first.item}" if first.item else ""
        return (
            f"{root} holds no photo that can be used; {len(skipped)} files or parts were left out. "
            f"The first is {first.file}{item}: {first.reason.rstrip('.')}."
        )
    return f"{root} holds no annotations of a known format ({', '.join(READERS)})."
