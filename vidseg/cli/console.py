"""Messages on stderr; stdout is for data."""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import click
from tqdm import tqdm

from vidseg.cli.option import as_options

LOG_LEVELS = {-1: logging.ERROR, 0: logging.WARNING, 1: logging.INFO}


class Bar(tqdm):
    """A progress bar on stderr without tqdm's monitor thread and multiprocessing lock."""

    monitor_interval = 0


Bar.set_lock(threading.RLock())


class _ConsoleHandler(logging.Handler):
    """Prints log records as plain lines, above the progress bar if there is one."""

    def emit(self, record: logging.LogRecord) -> None:
        prefix = "Warning: " if record.levelno == logging.WARNING else ""
        say(prefix + as_options(self.format(record)))


def say(sentence: str) -> None:
    """Print a line on stderr, above the progress bar if there is one."""
    with Bar.external_write_mode(file=sys.stderr):
        click.echo(sentence, err=True)


@contextmanager
def log_to_console(verbosity: int) -> Iterator[None]:
    """Within, the library's log goes to stderr, at the level of -q, -v or -vv."""
    logger, handler = logging.getLogger("vidseg"), _ConsoleHandler()
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(LOG_LEVELS.get(verbosity, logging.DEBUG))
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


@contextmanager
def warnings_muted() -> Iterator[None]:
    """Within, the library's log shows errors alone."""
    logger = logging.getLogger("vidseg")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
