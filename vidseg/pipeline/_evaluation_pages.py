"""The pages of `evaluate --out`, and those of `report` about annotated clips."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from vidseg.atomic_output import atomic_output
from vidseg.errors import InputError
from vidseg.evaluation.clips import Clip
from vidseg.evaluation.text_tables import TRACK_COLUMNS
from vidseg.evaluation.trackeval_sequence import EvaluatedClip
from vidseg.inspection.clip_part import clip_part
from vidseg.inspection.video_facts import About
from vidseg.inspection.video_page import video_page
from vidseg.pipeline._report_words import Words, program_name, versions
from vidseg.pipeline.evaluation_request import EvaluationRequest
from vidseg.pipeline.run_options import RunOptions
from vidseg.structures.frame import Frame
from vidseg.video.decoding.image_reader import load_photo

PAGE_NAME = "report.html"
MEASURES = tuple(name for name in TRACK_COLUMNS if name != "tracks")
"""Of a clip, above its tracks."""
MAX_CLIPS = 20
"""Clips on a page: those with the worst measures."""
NO_FRAMES = "The frames of this clip are not there, so there are no pictures."


def clips_page(
    evaluated: Sequence[EvaluatedClip],
    request: EvaluationRequest,
    made: Words,
    measures: Mapping[str, Mapping[str, Any]],
) -> str:
    """The page about clips, those with the worst `measures` (by name of the clip) first."""

    def worth(one: EvaluatedClip) -> float:
        row = measures.get(one.clip.name, {})
        values = (row.get(name) for name in ("HOTA", "J&F"))
        return next((float(value) for value in values if value is not None), 1.0)

    shown = sorted(evaluated, key=worth)[:MAX_CLIPS]
    parts = []
    for clip, tracks in ((one.clip, one.tracks) for one in shown):
        row = measures.get(clip.name, {})
        about = About(
            name=clip.name,
            score=request.options.score,
            made=made,
            notes=() if clip.pictures else (NO_FRAMES,),
            metrics={name.replace("_", " "): row[name] for name in MEASURES if name in row},
        )
        read = partial(read_clip, clip) if clip.pictures else None
        parts.append(clip_part(clip, tracks, about, read, share=1 / len(shown)))
    title = request.data.absolute().name
    left_out = len(evaluated) - len(shown)
    if left_out:
        title += f": the {len(shown)} worst of {len(evaluated)} clips"
    return video_page(title, parts, program_name())


def evaluation_words(request: EvaluationRequest, kind: str, data: str) -> Words:
    """How an evaluation was made; `data` are the `kind` that it is about."""
    subject = {name.capitalize(): value for name, value in request.subject.items()}
    words = {kind: data, **subject}
    if request.classes:
        words["Classes"] = ", ".join(request.classes)
    return {**words, "Score": f"{request.options.score:g} or more", "Versions": versions()}


def clip_words(request: EvaluationRequest, kind: str) -> Words:
    """The same of clips of the format `kind`."""
    words = evaluation_words(request, "Clips", f"{request.data}, format {kind}")
    return {**words, "Tracking": "on" if request.options.track else "off"}


def read_clip(clip: Clip, indexes: Sequence[int]) -> Generator[Frame, None, None]:
    """The frames of a clip at these indexes, one a second.

    Raises InputError: a file cannot be read, or has another size.
    """
    for index in indexes:
        path = clip.pictures[index]
        image = load_photo(path)
        if image.shape[:2] != clip.size:
            height, width = clip.size
            raise InputError(f"{path} is {image.shape[1]}x{image.shape[0]}, not {width}x{height}.")
        yield Frame(index, Fraction(index), image, Fraction(1))


def write_into(folder: Path, html: str, run: RunOptions) -> None:
    """Write a page alone into the folder of an evaluation."""
    with atomic_output(folder, force=run.force, folder=True) as part:
        save_page(part / PAGE_NAME, html)


def save_page(path: Path, html: str) -> None:
    """Names of files, which are not always encodable, lose what is not."""
    path.write_text(html, encoding="utf-8", errors="replace")
