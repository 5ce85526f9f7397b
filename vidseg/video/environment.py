"""Environment variables, which are the only switch that some libraries have."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def default_variable(name: str, value: str) -> Iterator[None]:
    """Within the block the environment variable has this value, unless the user has set it."""
    missing = name not in os.environ
    if missing:
        os.environ[name] = value
    try:
        yield
    finally:
        if missing:
            os.environ.pop(name, None)
