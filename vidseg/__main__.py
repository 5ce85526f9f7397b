"""The command `vidseg`, also as `python -m vidseg`: a signal ends it in one sentence even while its
first imports run."""

import os
import signal
import sys
from types import FrameType

SENTENCES = {signal.SIGINT: b"Stopped by Ctrl-C", signal.SIGTERM: b"Stopped by SIGTERM"}


def main() -> None:
    """The command line, which Ctrl-C and SIGTERM end with one sentence from the first import on."""
    for number in SENTENCES:
        if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):  # not ignored
            signal.signal(number, _stop)
    _open_standard_streams()
    from vidseg.cli import main as program

    program(prog_name="vidseg")


def _open_standard_streams() -> None:
    """Where the caller closed some, the next file opened would become one: messages of libraries
    would be written into it."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(descriptor, True)
    os.close(descriptor)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def _stop(number: int, _: FrameType | None) -> None:
    """While nothing was begun, or all is done: there is nothing to clean up.

    No exception: libraries swallow those that come while they are imported.
    """
    os.write(2, b"Error: " + SENTENCES[signal.Signals(number)] + b".\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
