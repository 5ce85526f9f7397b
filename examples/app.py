"""A page to try vidseg in a browser: drop a video or a photo, pick classes and an effect, render.

    pip install gradio
    python examples/app.py            # then open http://127.0.0.1:7860

A click on an object of the first frame shows this object alone, in the whole video. The page is for
this machine alone. It takes files of at most `--max-mb` (500) and renders at most `--max-seconds`
(120) of a video.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import vidseg
from vidseg.detection.predictor import predict_named
from vidseg.effects.effect import Effect
from vidseg.effects.parse import EFFECT_PRESETS, EFFECTS
from vidseg.models.catalog import MODELS
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances, shown
from vidseg.structures.masks import crop
from vidseg.video.info import VideoInfo

NEEDS_MORE = ("split",)
"""Effects that are of no use without settings."""
EFFECT_NAMES = [name for name in (*EFFECTS, *EFFECT_PRESETS) if name not in NEEDS_MORE]
Point = tuple[int, int]


@dataclass(frozen=True)
class Wish:
    """What the page asks for."""

    path: str
    model: str = "everyday"
    classes: tuple[str, ...] = ()
    effect: str = "overlay"
    score: float = 0.5
    point: Point | None = None
    """x and y, in pixels of the first frame, of the one object to show; None for all."""

    @property
    def search(self) -> vidseg.Search:
        return vidseg.Search(self.classes, model=predictor_of(self.model), score=self.score)

    def drawing(self, info: VideoInfo) -> tuple[vidseg.Search, Effect]:
        """What to look for, and what to draw on it."""
        search = self.search
        effect = vidseg.parse_effects([self.effect], search.names)
        if self.point is None:
            return search, effect
        if info.kind not in ("video", "animation"):
            return search, at_point(effect, self.point)
        search = vidseg.Search(
            self.classes,
            model=predictor_of(self.model),
            score=self.score,
            at=info.start,
            point=self.point,
        )
        return search, effect


@lru_cache(maxsize=1)
def predictor_of(model: str) -> vidseg.Predictor:
    """The model, loaded once; finds all its classes."""
    return vidseg.Search(model=model).predictor()


def at_point(effect: Effect, point: Point) -> Effect:
    """The effect on the object at this point alone, the smallest where several lie there."""

    def draw(image: Image, instances: Instances) -> Image:
        return effect(image, instances[rows_at(instances, point)])

    return draw


def rows_at(instances: Instances, point: Point) -> Any:
    sizes = []
    for one in instances:
        rows, cols, mask = crop(instances, one.row)
        x, y = point[0] - cols.start, point[1] - rows.start
        if 0 <= y < mask.shape[0] and 0 <= x < mask.shape[1] and mask[y, x]:
            sizes.append((int(mask.sum()), one.row))
    row = min(sizes)[1] if sizes else len(instances)
    return slice(row, row + 1)


def first_frame(wish: Wish) -> tuple[Image, str]:
    """The photo, or the first frame, with the effect; and what was found, in a sentence."""
    search = wish.search
    with closing(vidseg.read_frames(vidseg.probe(wish.path))) as frames:
        image = next(frames).image
    (found,) = predict_named(search.predictor(), [image])
    found = shown(found, score=wish.score, labels=search.labels)
    if wish.point is not None:
        found = found[rows_at(found, wish.point)]
    effect = vidseg.parse_effects([wish.effect], search.names)
    names = sorted(found.class_names)
    counts = ", ".join(f"{names.count(name)} {name}" for name in dict.fromkeys(names))
    where = "at this point" if wish.point else "here"
    return effect(image, found), f"{counts or 'Nothing'} {where}."


def preview(wish: Wish, folder: Path) -> Path:
    """Nine moments with the effect, all objects shown."""
    sheet = Path(tempfile.mkdtemp(dir=folder)) / "preview.png"
    search = wish.search
    effect = vidseg.parse_effects([wish.effect], search.names)
    vidseg.preview(wish.path, sheet, effect, search=search)
    return sheet


def render(
    wish: Wish,
    folder: Path,
    max_seconds: float,
    on_frame: Callable[[int, int | None], None] | None = None,
) -> Path:
    """The whole input with the effect, or its first `max_seconds`."""
    info = vidseg.probe(wish.path)
    ending = {"photo": ".png", "animation": ".gif"}.get(info.kind, ".mp4")
    target = Path(tempfile.mkdtemp(dir=folder)) / f"{Path(wish.path).stem}_{wish.effect}{ending}"
    search, effect = wish.drawing(info)
    long = info.duration is not None and info.duration > max_seconds
    vidseg.run(
        wish.path,
        [vidseg.VideoOutput(target, effect)],
        search=search,
        span=vidseg.Span(end=info.start + int(max_seconds)) if long else None,
        options=vidseg.RunOptions(on_frame=on_frame),
    )
    return target


def build(models: list[str], folder: Path, max_seconds: float) -> Any:
    """The page, as gradio's `Blocks`."""
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
    import gradio as gr  # pyright: ignore[reportMissingImports]

    def told(function: Callable[..., Any], *values: Any) -> Any:
        try:
            return function(*values)
        except vidseg.VidsegError as error:
            raise gr.Error(str(error)) from error

    def wish(*values: Any) -> Wish:
        path, model, classes, effect, score, point = values
        if not path:
            raise gr.Error("Drop a video or a photo first.")
        return Wish(path, model, tuple(classes or ()), effect, score, point and tuple(point))

    def look(*values: Any) -> tuple[Any, str]:
        return told(first_frame, wish(*values)) if values[0] else (None, "")

    def fresh(*values: Any) -> tuple[Any, str, None]:
        return *look(*values[:-1], None), None

    def chosen(event: gr.SelectData, *values: Any) -> tuple[Any, str, list[int]]:
        point = [int(side) for side in event.index]
        return *look(*values[:-1], point), point

    def rendered(*values: Any, progress: Any = gr.Progress()) -> tuple[Any, Any, str]:  # noqa: B008
        def on_frame(done: int, total: int | None) -> None:
            progress((done, total), unit="frames")

        path = told(render, wish(*values), folder, max_seconds, on_frame)
        video = str(path) if path.suffix == ".mp4" else None
        image = None if video else str(path)
        return (
            gr.update(value=video, visible=bool(video)),
            gr.update(value=image, visible=bool(image)),
            str(path),
        )

    with gr.Blocks(title="vidseg", analytics_enabled=False, delete_cache=(3600, 3600)) as page:
        gr.Markdown("# vidseg\nDrop a video or a photo. Click on an object to choose it.")
        point = gr.State(None)
        with gr.Row():
            with gr.Column(scale=1):
                path = gr.File(label="Video or photo", file_types=["video", "image"])
                model = gr.Dropdown(models, value=models[0], label="Model")
                classes = gr.Dropdown(
                    known(models[0]), multiselect=True, label="Classes (none: all)"
                )
                effect = gr.Dropdown(EFFECT_NAMES, value="overlay", label="Effect")
                score = gr.Slider(0.05, 0.95, value=0.5, step=0.05, label="Lowest confidence")
                everything = gr.Button("All objects again")
                sheet = gr.Button("Preview")
                go = gr.Button("Render", variant="primary")
            with gr.Column(scale=2):
                picture = gr.Image(label="Photo, or first frame", interactive=False)
                found = gr.Markdown()
                moments = gr.Image(label="Preview", interactive=False)
                video = gr.Video(label="Rendered", visible=False)
                image = gr.Image(label="Rendered", visible=False, interactive=False)
                download = gr.File(label="Download")
        inputs = [path, model, classes, effect, score, point]
        first = [picture, found, point]
        for change in (path.change, model.change, classes.change, everything.click):
            change(fresh, inputs, first)
        model.change(lambda name: gr.update(choices=known(name), value=[]), model, classes)
        for change in (effect.change, score.release):
            change(look, inputs, first[:2])
        picture.select(chosen, inputs, first)
        sheet.click(lambda *values: str(told(preview, wish(*values), folder)), inputs, moments)
        go.click(rendered, inputs, [video, image, download])
    return page


def known(model: str) -> list[str]:
    return sorted(vidseg.Search(model=model).names.values())


def launch(page: Any, *, port: int | None, max_mb: int, block: bool = True) -> str:
    """Serve the page to this machine alone; its address."""
    _, address, _ = page.launch(
        server_name="127.0.0.1",
        server_port=port,
        max_file_size=max_mb * 1_000_000,
        share=False,
        prevent_thread_lock=not block,
        quiet=not block,
    )
    return address


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", action="append", help="offer these models; default: all")
    parser.add_argument("--port", type=int, default=7860)
    parser.add_argument("--max-mb", type=int, default=500)
    parser.add_argument("--max-seconds", type=float, default=120)
    options = parser.parse_args()
    models = options.model or sorted(MODELS, key=lambda name: name != "everyday")
    with tempfile.TemporaryDirectory(prefix="vidseg-app-") as folder:
        page = build(models, Path(folder), options.max_seconds)
        launch(page, port=options.port, max_mb=options.max_mb)


if __name__ == "__main__":
    main()
