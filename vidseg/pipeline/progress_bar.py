"""A progress bar for programs and notebooks that call vidseg."""

from collections.abc import Iterator
from contextlib import contextmanager

from vidseg.pipeline.run_options import OnFrame


@contextmanager
def progress_bar(description: str | None = None) -> Iterator[OnFrame]:
    """A bar that the `on_frame` of a call moves: a widget in a notebook that has `ipywidgets`, else
    text on stderr.

        with vidseg.progress_bar() as on_frame:
            vidseg.splash("in.mp4", "out.mp4", options=vidseg.RunOptions(on_frame=on_frame))

    It appears with the first frame.
    """
    from tqdm.auto import tqdm

    class Bar(tqdm):
        monitor_interval = 0  # no thread that outlives the bar

    bar: Bar | None = None

    def on_frame(done: int, total: int | None) -> None:
        nonlocal bar
        if bar is None:
            bar = Bar(desc=description, total=total, initial=done - 1, unit=" frames")
        bar.update(done - bar.n)

    try:
        yield on_frame
    finally:
        if bar is not None:
            bar.close()
