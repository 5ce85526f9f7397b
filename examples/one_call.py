"""The command `vidseg overlay` as one call, with progress.

python examples/one_call.py IN OUT
"""

import sys

import vidseg


def show(done: int, total: int | None) -> None:
    print(f"\r{done} of {total or 'unknown'}", end="", file=sys.stderr)


def main(source: str, target: str) -> None:
    balloons = vidseg.Search(model="balloon", score=0.7)
    options = vidseg.RunOptions(on_frame=show)
    result = vidseg.overlay(source, target, search=balloons, contours=True, options=options)
    print(f"\r{target}: {result}", file=sys.stderr)


if __name__ == "__main__":
    main(*sys.argv[1:])
