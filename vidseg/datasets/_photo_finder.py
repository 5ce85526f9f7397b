"""Find the photos of an annotation file, and the photos of a folder."""

import os
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from vidseg.datasets.annotation_files import is_regular_file, pseudo_devices
from vidseg.datasets.records import Skipped
from vidseg.errors import InputError
from vidseg.video.decoding.image_reader import READABLE_PHOTO_SUFFIXES

MAX_FILES_BELOW = 5_000_000
"""Most files below a folder; more are those of a whole disk, behind a link."""


class Located(NamedTuple):
    """A photo that a file names."""

    path: Path
    by_name: bool = False
    """Whether it lies elsewhere than the file says, and only its bare name fits."""


class PhotoFinder:
    """Finds the photos that `file` names, in `folders` or below them.

    Photos that were moved are found by their bare name. But where the file names some photos by
    their paths, the others belong beside those: a photo of the same name elsewhere is another one.
    """

    def __init__(self, file: Path, *folders: Path, names: Iterable[Any] = ()) -> None:
        """`names` are all the names in the file, where it names more than one photo."""
        self._file, self._folders = str(file), tuple(dict.fromkeys(folders))
        self._names = names

    def locate(self, name: Any) -> Located | Skipped:
        """The photo of this name, which may be a Windows path, or a URL, whose last part counts."""
        if not isinstance(name, str) or not _is_file_name(name):
            return Skipped(self._file, "", "it does not name its photo")
        for plain in dict.fromkeys((_plain(name), _plain(unquote(name)))):
            if found := self._by_path(plain):
                return Located(found)
        plain = _plain(unquote(name))
        alike = self._alike(plain)
        if len(alike) == 1:
            return Located(alike[0], by_name=True)
        reason = f"{len(alike)} photos have this name" if alike else "the photo does not exist"
        return Skipped(name, "", reason)

    def _by_path(self, plain: str) -> Path | None:
        for folder in self._folders:
            if is_regular_file(folder / plain):
                return Path(os.path.normpath(folder / plain))
        return None

    def _alike(self, plain: str) -> list[Path]:
        """The photos of the same bare name where this one may be, upper and lower case alike if
        none has it exactly."""
        name = _composed(Path(plain).name)
        exact, folded = self._below
        alike = exact.get(name) or folded.get(name.casefold(), [])
        of_another_machine = PureWindowsPath(plain).root != ""
        if self._used_folders and "/" in plain and not of_another_machine:
            end = _composed("/" + plain.lstrip("./")).casefold()
            alike = [path for path in alike if _composed(path.as_posix()).casefold().endswith(end)]
        return alike

    @cached_property
    def _used_folders(self) -> tuple[Path, ...]:
        """The folders in which the file's names lead to photos."""
        plains = {
            _plain(name) for name in self._names if isinstance(name, str) and _is_file_name(name)
        }
        return tuple(
            folder
            for folder in self._folders
            if any(is_regular_file(folder / plain) for plain in plains)
        )

    @cached_property
    def _below(self) -> tuple[dict[str, list[Path]], dict[str, list[Path]]]:
        """Bare name to photos, as it is and case-folded."""
        exact: dict[str, list[Path]] = {}
        folded: dict[str, list[Path]] = {}
        folders = self._used_folders or self._folders[:1]
        for path in dict.fromkeys(path for folder in folders for path in photos_below(folder)):
            name = _composed(path.name)
            exact.setdefault(name, []).append(path)
            folded.setdefault(name.casefold(), []).append(path)
        return exact, folded


def is_photo_name(path: Path) -> bool:
    """Whether its suffix is that of a photo, and it is not hidden."""
    return path.suffix.lower() in READABLE_PHOTO_SUFFIXES and not path.name.startswith(".")


def photos_in(folder: Path) -> list[Path]:
    """The photos directly in a folder, by name."""
    return sorted(
        path for path in folder.iterdir() if is_photo_name(path) and is_regular_file(path)
    )


def photos_below(folder: Path) -> list[Path]:
    """The photos anywhere below a folder, by name."""
    return [path for path in files_below(folder) if is_photo_name(path) and is_regular_file(path)]


def files_below(folder: Path) -> list[Path]:
    """The files anywhere below a folder, by name, also behind links to folders.

    Raises InputError: there are too many.
    """
    found: list[Path] = []
    for path in _walk(folder):
        found.append(path)
        if len(found) > MAX_FILES_BELOW:
            raise InputError(f"{folder} has more than {MAX_FILES_BELOW} files; give a part of it.")
    return sorted(found)


def _walk(folder: Path) -> Iterator[Path]:
    seen: set[str] = set()
    for at, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(at)
        if real in seen or os.stat(at).st_dev in pseudo_devices():
            folders.clear()  # a link to a folder above, or to the kernel's files
            continue
        seen.add(real)
        yield from (Path(at, name) for name in files)


def _is_file_name(name: str) -> bool:
    """Whether a file can be called so."""
    try:
        return bool(name) and b"\0" not in os.fsencode(name)
    except UnicodeEncodeError:  # a lone surrogate
        return False


def _composed(name: str) -> str:
    """Unicode NFC: macOS decomposes accented characters in file names."""
    return unicodedata.normalize("NFC", name)


def _plain(name: str) -> str:
    """The name as a path with slashes; of a URL, its last part."""
    if "://" in name:
        return unquote(urlsplit(name).path).rsplit("/", 1)[-1]
    return PureWindowsPath(name).as_posix()
