"""Benchmarks: each checks its outputs first, then prints JSON to stdout; run them by hand."""

from vidseg.cli.threads import numpy_on_one_thread

numpy_on_one_thread()  # as the program does, before numpy is there
