"""`-` as OUT: what is made goes to standard output once it is whole."""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from vidseg.errors import OptionError
from vidseg.remote.paths import as_path
from vidseg.results.formats.names import FORMATS

STANDARD_OUTPUT = "-"


@contextmanager
def written_to(target: str, name: str) -> Iterator[Path]:
    """Where to write a format: `target`, or for `-` a temporary file, copied to stdout at the end.

    Raises OptionError: `-` for a format that is not text.
    """
    if target != STANDARD_OUTPUT:
        yield as_path(target)
        return
    if not FORMATS[name].text:
        texts = ", ".join(each for each, look in FORMATS.items() if look.text)
        raise OptionError(f"Standard output takes text only: --format {texts}; else name a path.")
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        yield path
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer)
