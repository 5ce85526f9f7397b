"""The most memory that this process has held."""

import resource
import sys


def peak_memory() -> int:
    """Bytes, since the process began; Linux counts in kilobytes, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
