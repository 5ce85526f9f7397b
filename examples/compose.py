"""Splash a video in ten lines from vidseg's parts: reader, predictor, effect, writer.

python examples/compose.py IN OUT
"""

import sys
from contextlib import closing

from vidseg import FrameClip, Splash, detect, load_predictor, open_writer, probe, read_frames


def main(source: str, target: str) -> None:
    info = probe(source)
    found = detect(read_frames(info), load_predictor("balloon"))
    with closing(FrameClip(found, info).draw(Splash())) as clip, open_writer(target, info) as sink:
        for frame in clip.frames():
            sink.write(frame)


if __name__ == "__main__":
    main(*sys.argv[1:])
