"""The lists train.txt, val.txt and test.txt in a dataset's folder: one photo per line."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from vidseg.datasets.annotation_files import is_regular_file, read_text
from vidseg.datasets.records import Sample, Skipped

SPLIT_NAMES = ("train", "val", "test")


def with_listed_splits(
    found: Iterable[Sample | Skipped], folder: Path
) -> Iterator[Sample | Skipped]:
    """Set the splits of the lists in `folder`, and name the lines that fit no photo.

    A line is a path, from the folder or of another machine, or a bare name with or without its
    suffix. Of a path, as many parts count as are needed to tell photos apart.

    Raises InputError: a list cannot be read.
    """
    files = [folder / f"{split}.txt" for split in SPLIT_NAMES]
    files = [file for file in files if is_regular_file(file)]
    if not files:
        yield from found
        return
    everything = list(found)
    samples = [each for each in everything if isinstance(each, Sample)]
    listed: dict[int, str] = {}
    problems: list[Skipped] = []
    names = _by_name(samples)
    for file in files:
        for number, line in enumerate(read_text(file).splitlines(), 1):
            if line.strip():
                _take(file, number, line.strip(), names, listed, problems)
    for each in everything:
        yield (
            replace(each, split=listed.get(id(each), each.split))
            if isinstance(each, Sample)
            else each
        )
    yield from problems


def _by_name(samples: list[Sample]) -> dict[str, list[Sample]]:
    """Bare name, with and without its suffix, to photos."""
    found: dict[str, list[Sample]] = {}
    for sample in samples:
        for name in {sample.path.name.lower(), sample.path.stem.lower()}:
            found.setdefault(name, []).append(sample)
    return found


def _take(
    file: Path,
    number: int,
    line: str,
    names: dict[str, list[Sample]],
    listed: dict[int, str],
    problems: list[Skipped],
) -> None:
    item = f"line {number}"
    photos = _photos(file.parent, line, names)
    if len(photos) != 1:
        reason = f"{len(photos)} photos have this name" if photos else "it names no photo"
        problems.append(Skipped(str(file), item, f"{reason}: {line[:80]}"))
        return
    before = listed.setdefault(id(photos[0]), file.stem)
    if before != file.stem:
        problems.append(Skipped(str(file), item, f"the photo is in {before}.txt too: {line[:80]}"))


def _photos(folder: Path, line: str, names: dict[str, list[Sample]]) -> list[Sample]:
    """The photos that a line may mean: that of its path, else those with most parts of it."""
    plain = PureWindowsPath(line).as_posix()
    parts = [part for part in plain.split("/") if part not in ("", ".", "..")]
    if "\0" in plain:
        return []
    photos = names.get(parts[-1].lower(), []) if parts else []
    exact = (folder / plain).resolve()
    if same := [photo for photo in photos if photo.path.resolve() == exact]:
        return same[:1]
    for count in range(2, len(parts) + 1):
        if len(photos) <= 1:
            break
        ending = tuple(part.lower() for part in parts[-count:-1])
        closer = [p for p in photos if _folders(p.path, count - 1) == ending]
        photos = closer or photos
        if not closer:
            break
    return photos


def _folders(path: Path, count: int) -> tuple[str, ...]:
    return tuple(part.lower() for part in path.parent.parts[-count:])
