"""Parts of a video in a folder that a URL names: each is made on this machine, and put."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from vidseg.atomic_output import check_output
from vidseg.errors import OutputExistsError
from vidseg.pipeline.run_options import RunOptions
from vidseg.remote.fetch import local
from vidseg.remote.put import exists, outgoing_folder, put
from vidseg.results.parts import INDEX_NAME, Frames, part_path


@contextmanager
def parts_on_their_way(url: Path, frames: Frames, options: RunOptions) -> Iterator[Path]:
    """A folder of this machine for the part of these `frames`, which is put if the block succeeds.

    It has the index of the video, if another worker has put that, and to resume the part.

    Raises OutputExistsError, OutputError: the part exists, or cannot be put.
    """
    again = options.force or options.resume
    home, there = outgoing_folder(str(url)), part_path(url, frames)
    part, index = home / there.name, home / INDEX_NAME
    check_output(there, (), force=again)
    known, whole = exists(url / INDEX_NAME), options.resume and exists(there)
    if known:
        shutil.copyfile(local(url / INDEX_NAME), index)
    if whole:
        shutil.copyfile(local(there), part)
    yield home
    if not whole:
        put(part, there, force=again)
    if not known:
        with suppress(OutputExistsError):  # another worker was faster
            put(index, url / INDEX_NAME, force=False, keep=True)
    part.unlink(missing_ok=True)
