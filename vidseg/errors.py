"""Every error that vidseg raises on purpose: one sentence saying what happened and what to do.

Each class carries the exit code of the program. Leaves also inherit the matching builtin, so that
callers may catch either.
"""

from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """How the program ends; 128 + N when signal N stopped it: 130 for Ctrl-C, 143 for SIGTERM."""

    DONE = 0
    FAILED = 1
    """Something turned out wrong with files, models, the machine or the network."""
    WRONG_OPTIONS = 2
    STOPPED = 128


class VidsegError(Exception):
    """Something turned out wrong with files, models, the machine or the network."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILED


class OptionError(VidsegError, ValueError):
    """A wrong option: unknown class, model or codec, score out of range."""

    exit_code = ExitCode.WRONG_OPTIONS


class FrameError(VidsegError, ValueError):
    """A picture of a program's own that is not (H, W, 3) uint8 RGB, or not of the frame's size."""


class InputError(VidsegError, OSError):
    """An input that is missing, unreadable, or not of a kind that vidseg reads."""


class DamagedInputError(InputError):
    """An input that opens but cannot be decoded to its end."""

    def __init__(self, message: str, *, read: int) -> None:
        super().__init__(message)
        self.read = read
        """How many frames came out before the damage."""


class OutputError(VidsegError, OSError):
    """An output that cannot be written: no such folder, no space, an encoder that failed."""


class OutputExistsError(OutputError, FileExistsError):
    """The output exists, and overwriting was not requested."""


class ModelError(VidsegError):
    """A model file that cannot be used: missing, damaged, or of another program."""


class WeightsUnavailableError(ModelError):
    """Weights that are not on this machine and could not be fetched."""


class DivergedError(VidsegError):
    """Training whose loss or gradient is not a finite number any more."""


PREDICTOR_NOTE = "The predictor "
"""How the note begins on an error of a predictor: its name, and the frames that it was given."""
OUT_OF_MEMORY_MARKS = (
    "out of memory",
    "not enough memory",
    "can't allocate memory",
    "annot allocate memory",
    "ALLOC_FAILED",
    "Insufficient memory",
    "failed to map segment",
    "bad_alloc",
    "could not create a primitive",
)
"""Parts of messages: of CUDA and MPS, of torch's CPU allocator (two), of the system, of cuBLAS and
cuDNN, of OpenCV, of the loader of libraries, of C++, of oneDNN."""
OUT_OF_THREADS_MARKS = ("can't start new thread", "Resource temporarily unavailable")
"""Parts of messages of Python, and of the system by way of FFmpeg."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` of Python or of a library means that memory ran out, on any device."""
    return isinstance(error, MemoryError) or any(mark in str(error) for mark in OUT_OF_MEMORY_MARKS)


def is_out_of_threads(error: BaseException) -> bool:
    """Whether `error` of Python or of a library means that no thread or process can be started."""
    return any(mark in str(error) for mark in OUT_OF_THREADS_MARKS)
