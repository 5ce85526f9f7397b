"""vidseg evaluate on annotated photos."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidseg.cli.evaluate_request import Asked
from vidseg.cli.progress import Progress

if TYPE_CHECKING:
    from vidseg.evaluation.coco_ap import Result

WORST = 12
"""Photos that `--out` shows."""


def judge_photos(
    asked: Asked, split: str | None, options: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The report, and the table for people; writes the pictures."""
    from vidseg.atomic_output import check_output
    from vidseg.datasets import read_dataset
    from vidseg.evaluation.coco_ap import MIN_SCORE
    from vidseg.evaluation.false_positives import count_false_positives
    from vidseg.evaluation.ground_truth import first_names
    from vidseg.evaluation.text_tables import photo_lines

    if asked.out is not None:
        check_output(asked.out, [asked.path], force=asked.run.force, folder=True)
    content = read_dataset(asked.path, split=split, **options)
    result = _judged(asked, content)
    for kind, names in (
        ("the results do not know", result.matching.unknown),
        ("the dataset does not have", result.matching.extra),
    ):
        if names:
            asked.tell(f"Left out, for {kind} them: {first_names(names)}")
    report = {
        "dataset": str(asked.path),
        "split": split,
        "least_score": MIN_SCORE,
        **result.to_json(),
        "false_alarms": count_false_positives(result, asked.score),
        "left_out": len(content.skipped),
    }
    if content.skipped:
        asked.tell(f"{len(content.skipped)} files or regions left out; see `vidseg data check`.")
    if asked.out is not None:
        _write_pictures(asked, result)
    return report, photo_lines(report)


def _judged(asked: Asked, content: Any) -> "Result":
    from vidseg.evaluation.coco_ap import MIN_SCORE, evaluate, judge
    from vidseg.evaluation.ground_truth import coco_truth, match_classes, photos
    from vidseg.evaluation.photo_results import coco_ids, read_coco, read_saved
    from vidseg.evaluation.read_results import VIDSEG_SUFFIX

    ids = coco_ids(content)
    if asked.detections is None:
        search = asked.search(score=MIN_SCORE, keep_score=MIN_SCORE)
        match_classes(content.classes, search.names, asked.classes)  # before weights load
        with Progress(bar=asked.run.progress, quiet=True) as progress:
            return evaluate(
                content,
                search.predictor(),
                classes=asked.classes,
                ids=ids,
                on_photo=progress.on_frame,
            )
    read = read_saved if asked.detections.suffix == VIDSEG_SUFFIX else read_coco
    found, matching, notes = read(asked.detections, content, asked.classes)
    for note in notes:
        asked.tell(note)
    truth = coco_truth(photos(content, ids=ids, pixels=False), content.classes)
    return judge(truth, found, matching)


def _write_pictures(asked: Asked, result: "Result") -> None:
    from vidseg.atomic_output import atomic_output
    from vidseg.evaluation.per_photo import compare_photos
    from vidseg.evaluation.plots import precision_recall, worst_pictures
    from vidseg.video.decoding.image_reader import load_photo

    assert asked.out is not None
    worst = [each for each in compare_photos(result, asked.score) if each.quality < 1][:WORST]
    with atomic_output(asked.out, force=asked.run.force, folder=True) as part:
        _save(part / "precision_recall.png", precision_recall(result))
        for name, picture in worst_pictures(worst, result, lambda path: load_photo(Path(path))):
            _save(part / name, picture)
        (part / "truth.json").write_text(json.dumps(result.truth), encoding="utf-8")
        (part / "results.json").write_text(json.dumps(result.found), encoding="utf-8")


def _save(path: Path, picture: Any) -> None:
    from PIL import Image as Pictures

    Pictures.fromarray(picture).save(path, quality=90)
