"""Which photos the run that made a model has learned from."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vidseg.datasets import Content
from vidseg.training.run_folder import RunFolder


@dataclass(frozen=True, slots=True)
class Learned:
    """What the photos to evaluate on have to do with those that a model has learned from."""

    report: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def without_learned_photos(
    content: Content, model: object, split: str | None
) -> tuple[Content, Learned]:
    """The photos that the model's run held out, if there are some among these and no split was
    asked for; else all, with a warning if the model has learned from some."""
    if not isinstance(model, str | Path):
        return content, Learned()
    folder = RunFolder(Path(model).parent)
    trained, held_out = folder.photos()
    paths = {sample.path.resolve() for sample in content.samples}
    count = len(paths & trained)
    if not count:
        return content, Learned()
    kept = tuple(each for each in content.samples if each.path.resolve() in held_out)
    if split is None and kept:
        others = len(paths) - len(kept)
        note = (
            f"Evaluated on the {len(kept)} photos that the run {folder.path} held out; {others} "
            f"others are left out, of which the model has learned from {count}."
        )
        report = {"held_out_by": str(folder.path), "photos_learned_from": 0}
        return replace(content, samples=kept), Learned(report, [note])
    note = f"Warning: the model has learned from {count} of these {len(paths)} photos."
    return content, Learned({"photos_learned_from": count}, [note])
