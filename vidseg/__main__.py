"""`python -m vidseg`: the command `vidseg`, which ends on Ctrl-C in one sentence even while its
first imports run."""

import os
import signal
from types import FrameType


def main() -> None:
    """The command line, which Ctrl-C ends with one sentence from the first import on."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored
        signal.signal(signal.SIGINT, _stop)
    from vidseg.cli import main as program

    program(prog_name="vidseg")


def _stop(number: int, _: FrameType | None) -> None:
    """While nothing was begun, or all is done: there is nothing to clean up.

    No exception: libraries swallow those that come while they are imported.
    """
    os.write(2, b"Error: Stopped by Ctrl-C.\n")
    os._exit(128 + number)


if __name__ == "__main__":
    main()
