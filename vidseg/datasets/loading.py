"""Read a dataset of any format: find the sources, read and join them, number the classes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

from vidseg.datasets.annotation_files import MALFORMED
from vidseg.datasets.format_detection import (
    SPLIT_NAMES,
    Format,
    Source,
    detect_sources,
    find_sources,
)
from vidseg.datasets.formats import coco, labelbox, labelme, mask_folder, rectlabel, via, voc, yolo
from vidseg.datasets.formats import vidseg_frames as frames
from vidseg.datasets.records import NO_CLASS, Content, Naming, Reading, Sample, Skipped
from vidseg.datasets.sample_builder import photos_in
from vidseg.errors import InputError, OptionError

READERS: dict[Format, Callable[[Path, Naming], Reading]] = {
    "via": via.read,
    "coco": coco.read,
    "labelme": labelme.read,
    "yolo": yolo.read,
    "masks": mask_folder.read,
    "voc": voc.read,
    "rectlabel": rectlabel.read,
    "labelbox": labelbox.read,
    "frames": frames.read,
}


def read_dataset(
    path: str | Path,
    *,
    format: Format | None = None,
    split: str | None = None,
    class_attribute: str | None = None,
    class_name: str = NO_CLASS,
) -> Content:
    """All photos, objects and classes at `path`, and everything that could not be used; no torch.

    Args:
        path: a folder, or an annotation file with its photos near it.
        format: None detects it.
        split: only the photos of `train`, `val` or `test`. A photo's split comes from the lists
            train.txt, val.txt and test.txt in the folder, else from the format, else from the name
            of the folder or file. Classes are numbered over all splits, so that they agree.
        class_attribute: VIA's region attribute that holds the class.
        class_name: class of shapes without one.

    Raises:
        InputError: nothing can be read there.
        OptionError: unknown format, split or class attribute.
    """
    root = Path(path)
    sources = detect_sources(root) if format is None else find_sources(_known(format), root)
    naming = Naming(class_attribute, class_name)
    kept = [source for source in sources if isinstance(source, Source)]
    found: list[Sample | Skipped] = [each for each in sources if isinstance(each, Skipped)]
    tables = []
    for source in kept:
        try:
            reading = READERS[source.format](source.path, naming)
            found += _in_split(reading.found, source.split)
        except OptionError:
            raise  # an OptionError is a ValueError too
        except MALFORMED as error:
            sentence = f"{source.path} does not follow the format {source.format}"
            raise InputError(f"{sentence}: {error!r}.") from error
        tables.append(reading.classes)
    samples, skipped = _unique(_listed(found, root))
    skipped += _unmentioned(samples, skipped)
    if not samples:
        raise InputError(_nothing(root, skipped))
    classes = number_classes(tables, samples)
    content = Content(samples, skipped, classes, tuple(dict.fromkeys(s.format for s in kept)))
    return content if split is None else only_split(content, split)


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
    """Number to class name, from 1: as in the files if they agree, else in alphabetical order."""
    tables = [table for table in tables if table]
    joined: dict[int, str] = {}
    for table in tables:
        for name, number in table.items():
            if joined.setdefault(number, name) != name:
                return _by_name({name for table in tables for name in table})
    used = {each.label for sample in samples for each in sample.objects}
    extra = sorted(used - set(joined.values()))
    start = max(joined, default=0) + 1
    return joined | dict(enumerate(extra, start))


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


def _listed(found: Iterable[Sample | Skipped], root: Path) -> Iterator[Sample | Skipped]:
    """Set the splits of the lists in the folder, which name photos by path or by bare name."""
    folder = root if root.is_dir() else root.parent
    lists: dict[str, str] = {}
    for split in ("train", "val", "test"):
        file = folder / f"{split}.txt"
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        lists |= {line.strip(): split for line in lines if line.strip()}
    paths = {(folder / name).resolve(): split for name, split in lists.items()}
    for each in found:
        if isinstance(each, Sample) and lists:
            split = paths.get(each.path.resolve(), lists.get(each.path.name, each.split))
            each = replace(each, split=split)
        yield each


def _unique(
    found: Iterable[Sample | Skipped],
) -> tuple[tuple[Sample, ...], tuple[Skipped, ...]]:
    """Each photo once; the first description of it counts."""
    samples: dict[Path, Sample] = {}
    skipped = []
    for each in found:
        if isinstance(each, Skipped):
            skipped.append(each)
        elif each.path.resolve() in samples:
            first = samples[each.path.resolve()].split
            where = f" in the split {first}" if first else ""
            skipped.append(Skipped(str(each.path), "", f"the photo was described before{where}"))
        else:
            samples[each.path.resolve()] = each
    return tuple(samples.values()), tuple(skipped)


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
        return (
            f"{root} holds no photo that can be used; "
            f"{len(skipped)} were left out, the first, {first.file}, because {first.reason}."
        )
    return f"{root} holds no annotations of a known format ({', '.join(READERS)})."
