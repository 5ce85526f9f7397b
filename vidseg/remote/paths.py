"""URLs in place of paths."""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from vidseg.errors import OptionError

URL_PATTERN = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/+(?P<rest>.*)", re.DOTALL)
"""A path of pathlib keeps one of the two slashes."""
URL_SCHEMES = ("s3", "gs", "https", "http", "memory")

if TYPE_CHECKING:
    _Path = Path
else:
    _Path = type(Path())


class UrlPath(_Path):
    """A URL in place of a path: its names and text are right, and no file is there."""

    def __str__(self) -> str:
        return URL_PATTERN.sub(
            r"\g<scheme>://\g<rest>", super().__str__().replace(os.sep, "/"), count=1
        )

    def as_posix(self) -> str:
        return str(self)

    @property
    def name(self) -> str:
        """Without the query, as that of a signed URL, which may hold slashes."""
        return str(self).partition("?")[0].rpartition("/")[2]


def as_path(path: str | Path) -> Path:
    """`Path(path)`, or for a URL a `UrlPath`.

    Raises OptionError: a URL of another scheme, or one that cannot be written as a path.
    """
    text = os.fspath(path)
    match = URL_PATTERN.match(text)
    if match is None:
        return Path(path)
    if match["scheme"] not in URL_SCHEMES:
        if "://" not in text:  # a folder may have such a name
            return Path(path)
        known = ", ".join(f"{scheme}://" for scheme in URL_SCHEMES[:-1])
        raise OptionError(f"{text} cannot be opened; use a path, or a URL with {known}.")
    if "//" in match["rest"]:
        raise OptionError(f"{text} has two slashes in its path; such names cannot be used.")
    if ".." in match["rest"].partition("?")[0].split("/"):
        raise OptionError(f"{text} has .. in its path; write the URL without.")
    return UrlPath(text)


def url_of(path: str | Path) -> str | None:
    """The URL that `path` is, also where pathlib took one of its slashes; None for a path."""
    match = URL_PATTERN.match(os.fspath(path))
    if match is None or match["scheme"] not in URL_SCHEMES:
        return None
    return f"{match['scheme']}://{match['rest']}"
