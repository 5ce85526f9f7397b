"""How much steadier tracking makes what is shown, and what that costs: flicker, J&F, false area.

    python -m tests.benchmarks.steady [DATA] [--clips 3] [--frames 48] [--no-oracle]

The same detections are shown frame by frame (no tracking) and through `vidseg.tracking.stages`:
those of the oracle with known faults on the synthetic scenes, and with DATA (see `balloon_clips`)
those of the model, `balloon` or `everyday`, on rendered clips of what it knows. Flicker and the
agreement of moved masks are those of `vidseg evaluate`. J&F is TrackEval's, with each object named
after the true one that it overlaps most in its frame, so that ids make no difference; false area is
the share of the frame that is shown and is no object.

JSON on stdout, a table on stderr. Ends with 1 where tracking flickers more than a fifth as much,
has a lower J&F or a larger false area.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import linear_sum_assignment

from tests.benchmarks.balloon_clips import render
from tests.support.simulated_tracks import ALL_FAULTS, SCENES, SOME_FAULTS, Scene, with_faults
from tests.support.track_stages import displayed
from vidseg.evaluation.clips import ANY_CLASS, Clip, MaskTrack, collect_tracks
from vidseg.evaluation.temporal_stability import Counts, measure_stability, rates
from vidseg.evaluation.trackeval_sequence import EvaluatedClip, overlaps
from vidseg.evaluation.tracking_metrics import score_tracks
from vidseg.structures.frame import Frame
from vidseg.structures.instances import Instances, shown
from vidseg.structures.masks import RLE, from_rle, instance_rle, label_map

Pairs = list[tuple[Frame, Instances]]
SCORE = 0.5
FLICKER = 0.2
"""Most flicker with tracking, in shares of that without."""
SLACK = 1e-3


@dataclass(frozen=True)
class Case:
    """A clip with all detections of its frames."""

    truth: Clip
    pairs: Pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--clips", type=int, default=3)
    parser.add_argument("--frames", type=int, default=48)
    parser.add_argument("--model", default="balloon")
    parser.add_argument("--oracle", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    eyes = (
        {"10 % missed, 2 pixels jitter": SOME_FAULTS, "all faults": ALL_FAULTS}
        if options.oracle
        else {}
    )
    groups = {
        f"oracle, {name}": [oracle(make(), faults) for make in SCENES]
        for name, faults in eyes.items()
    }
    if options.data:
        cases = rendered(options.data, options.model, options.clips, options.frames)
        groups[f"{options.model}, {options.clips} rendered clips"] = cases
    results = {name: compared(cases) for name, cases in groups.items()}
    for name, ways in results.items():
        print_table(name, ways)
    print(json.dumps(results, indent=2))
    if failures := [f for name, ways in results.items() for f in check(name, ways)]:
        raise SystemExit("\n".join(failures))


def oracle(scene: Scene, faults) -> Case:
    random = np.random.default_rng(0)
    frames = [scene.frame(index) for index in range(scene.frames)]
    true = [scene.truth(index) for index in range(scene.frames)]
    tracks = collect_tracks(zip(frames, true, strict=True), None)
    clip = Clip(scene.name, scene.size, scene.frames, tracks, {})
    pairs = [(f, with_faults(t, faults, random)) for f, t in zip(frames, true, strict=True)]
    return Case(clip, pairs)


def rendered(data: Path, model: str, count: int, frames: int) -> list[Case]:
    from vidseg.detection.batched import detect
    from vidseg.models.predictor import load_predictor

    predictor = load_predictor(model)
    clips = render(data, count=count, frames=frames, model=model)
    return [Case(clip.truth(), list(detect(clip.pictures(), predictor))) for clip in clips]


def compared(cases: Sequence[Case]) -> dict[str, dict[str, float | None]]:
    """The numbers without and with tracking, over all cases."""
    return {"untracked": measured(cases, frame_by_frame), "tracked": measured(cases, displayed)}


def frame_by_frame(pairs: Pairs) -> Iterator[tuple[Frame, Instances]]:
    """What is shown with --no-track."""
    for frame, instances in pairs:
        yield frame, shown(instances, score=SCORE)


def measured(cases: Sequence[Case], way) -> dict[str, float | None]:
    total, judged, false = Counts(), [], []
    for case in cases:
        found = list(way(case.pairs))
        add(total, measure_stability(found))
        judged.append(EvaluatedClip(case.truth, by_truth(case.truth, found)))
        false += [false_area(case.truth, *pair) for pair in found]
    scores = score_tracks(judged)["all"]
    row = rates(total)
    names = ("flickers", "flickers_per_object_minute", "warped_iou", "coverage")
    return {
        **{name: row[name] for name in names},
        **{name: scores[name] for name in ("J&F", "J", "F")},
        "false_area": float(np.mean(false)),
    }


def add(total: Counts, more: Counts) -> None:
    """Sums up the counts of clips of one rate."""
    for name in ("frames", "shown", "objects", "covered", "flickers", "missed", "pairs"):
        setattr(total, name, getattr(total, name) + getattr(more, name))
    total.agreement += more.agreement
    start, end = more.span
    total.span = [total.span[0], total.span[1] + end - start] if total.span else [start, end]


def by_truth(clip: Clip, found: Iterable[tuple[Frame, Instances]]) -> list[MaskTrack]:
    """Each found object as part of the true track that it belongs to in its frame."""
    masks: list[dict[int, RLE]] = [{} for _ in clip.tracks]
    for frame, instances in found:
        here = [n for n, track in enumerate(clip.tracks) if frame.index in track.masks]
        rles = [instance_rle(instances, row) for row in range(len(instances))]
        shared = overlaps([clip.tracks[n].masks[frame.index] for n in here], rles)
        for row, col in zip(*linear_sum_assignment(shared, maximize=True), strict=True):
            if shared[row, col] > 0:
                masks[here[row]][frame.index] = rles[col]
    return [MaskTrack(ANY_CLASS, each) for each in masks if each]


def false_area(clip: Clip, frame: Frame, instances: Instances) -> float:
    """Share of the frame that is shown and belongs to no object."""
    painted = label_map(instances) > 0
    for track in clip.tracks:
        if (rle := track.masks.get(frame.index)) is not None:
            painted &= ~from_rle(rle)
    return float(painted.mean())


def check(name: str, ways: dict[str, dict[str, float | None]]) -> Iterator[str]:
    plain, tracked = (
        {key: value or 0.0 for key, value in ways[way].items()} for way in ("untracked", "tracked")
    )
    rate = "flickers_per_object_minute"
    if tracked[rate] > FLICKER * plain[rate]:
        yield f"{name}: {tracked[rate]:.1f} flickers instead of {plain[rate]:.1f}"
    if tracked["J&F"] < plain["J&F"] - SLACK:
        yield f"{name}: J&F {tracked['J&F']:.4f} instead of {plain['J&F']:.4f}"
    if tracked["false_area"] > plain["false_area"] + SLACK:
        yield f"{name}: false area {tracked['false_area']:.4f}, not {plain['false_area']:.4f}"


def print_table(name: str, ways: dict[str, dict[str, float | None]]) -> None:
    columns = list(next(iter(ways.values())))
    print(f"\n{name}", file=sys.stderr)
    print(f"{'':10}" + "".join(f"{c[:16]:>17}" for c in columns), file=sys.stderr)
    for way, row in ways.items():
        cells = (f"{0.0 if (v := row[c]) is None else v:17.4g}" for c in columns)
        print(f"{way:10}" + "".join(cells), file=sys.stderr)


if __name__ == "__main__":
    main()
