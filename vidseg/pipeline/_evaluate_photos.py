"""AP on annotated photos."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import PIL.Image

from vidseg.atomic_output import atomic_output, check_output
from vidseg.datasets import Content, read_dataset
from vidseg.datasets.format_names import FORMATS
from vidseg.datasets.sample_builder import read_pixels
from vidseg.evaluation.coco_ap import MIN_SCORE, Result, evaluate, evaluate_results
from vidseg.evaluation.false_positives import count_false_positives
from vidseg.evaluation.ground_truth import coco_truth, first_names, match_classes, photos
from vidseg.evaluation.per_photo import PhotoComparison, compare_photos
from vidseg.evaluation.photo_results import coco_ids, read_coco, read_saved
from vidseg.evaluation.plots import MATRIX_ENDING, precision_recall, worst_pictures
from vidseg.evaluation.read_results import VIDSEG_SUFFIX
from vidseg.evaluation.text_tables import photo_lines
from vidseg.inspection.photos_page import photos_page
from vidseg.pipeline._evaluation_pages import PAGE_NAME, evaluation_words, save_page
from vidseg.pipeline._photos_of_run import without_learned_photos
from vidseg.pipeline._shared_evaluation import evaluate_shared_photos
from vidseg.pipeline.evaluation_request import Evaluation, EvaluationRequest
from vidseg.structures.frame import Image

MAX_WORST_PHOTOS = 12
"""Most photos that `out` shows."""


def evaluate_photos(request: EvaluationRequest) -> Evaluation:
    """COCO's AP, and false positives; writes pictures if there is an `out`."""
    options = request.options
    if request.out is not None:
        check_output(request.out, [request.data], force=request.run.force, folder=True)
    content = read_dataset(
        request.data,
        format=next((name for name in FORMATS if name == options.format), None),
        split=options.split,
        class_attribute=options.class_attribute,
        class_name=options.class_name,
        crowds_as_objects=options.crowds_as_objects,
    )
    content, learned = without_learned_photos(content, request.model, options.split)
    result, notes = _result(request, content)
    report = {
        **request.subject,
        "dataset": str(request.data),
        "split": options.split,
        **learned.report,
        "least_score": MIN_SCORE,
        **result.to_json(),
        "false_alarms": count_false_positives(result, options.score),
        "left_out": len(content.skipped),
    }
    if request.out is not None:
        _write_pictures(request, content, result, report)
    return Evaluation(
        report, photo_lines(report), [*learned.notes, *notes, *_notes(result, content)]
    )


def _result(request: EvaluationRequest, content: Content) -> tuple[Result, list[str]]:
    ids, most = coco_ids(content), request.options.max_objects
    if request.detections is None:
        search, notes = request.search(score=MIN_SCORE)
        match_classes(content.classes, search.names, request.classes)  # before weights load
        if request.workers is not None:
            workers = request.workers
            return evaluate_shared_photos(request, content, ids, search, workers), notes
        result = evaluate(
            content,
            search.predictor(request.run.on_download),
            classes=request.classes,
            ids=ids,
            max_objects=most,
            on_photo=request.run.on_frame,
        )
        return result, notes
    read = read_saved if request.detections.suffix == VIDSEG_SUFFIX else read_coco
    found, matching, notes = read(request.detections, content, request.classes)
    truth = coco_truth(photos(content, ids=ids, pixels=False), content.classes)
    return evaluate_results(truth, found, matching, max_objects=most), notes


def _notes(result: Result, content: Content) -> list[str]:
    notes = []
    if unknown := result.matching.unknown:
        notes.append(f"Left out, as the results do not have them: {first_names(unknown)}")
    if extra := result.matching.extra:
        notes.append(f"Left out, as the dataset does not have them: {first_names(extra)}")
    if content.skipped:
        notes.append(f"{len(content.skipped)} files or parts left out; see `vidseg data check`.")
    if count := result.crowded_photos:
        notes.append(
            f"{count} photos have more than {result.max_objects} objects or detections; only the "
            f"best {result.max_objects} detections count (`max_objects`)."
        )
    return notes


def _write_pictures(
    request: EvaluationRequest, content: Content, result: Result, report: Mapping[str, Any]
) -> None:
    assert request.out is not None
    samples = {str(sample.path): sample for sample in content.samples}
    compared = compare_photos(result, request.options.score)
    worst = [each for each in compared if each.quality < 1][:MAX_WORST_PHOTOS]
    curves = precision_recall(result)
    with atomic_output(request.out, force=request.run.force, folder=True) as part:
        _save(part / "precision_recall.png", curves)

        def pictures() -> Iterator[tuple[str, Image]]:
            """Those of the page; each is also saved by itself."""
            captions = iter([_caption(each) for each in worst])
            for name, picture in worst_pictures(worst, result, lambda n: read_pixels(samples[n])):
                _save(part / name, picture)
                if not name.endswith(MATRIX_ENDING):
                    yield next(captions), picture

        title = request.data.absolute().name
        words = evaluation_words(request, "Photos", str(request.data))
        save_page(part / PAGE_NAME, photos_page(title, report, curves, pictures(), words))
        (part / "truth.json").write_text(json.dumps(result.truth), encoding="utf-8")
        (part / "results.json").write_text(json.dumps(result.found), encoding="utf-8")


def _caption(photo: PhotoComparison) -> str:
    missed = len(photo.true) - len(photo.pairs)
    wrong = len(photo.found) - len(photo.pairs)
    return (
        f"{Path(photo.name).name}: {missed} of {len(photo.true)} objects missed, {wrong} of "
        f"{len(photo.found)} found are wrong; quality {photo.quality:.2f}"
    )


def _save(path: Path, picture: Image) -> None:
    PIL.Image.fromarray(picture).save(path, quality=90)
