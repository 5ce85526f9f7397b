"""Photos and clips shared among workers: what each one does, and how the answers are joined."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from vidseg.datasets import Content
from vidseg.evaluation.coco_ap import MIN_SCORE, Result, evaluate_results, look_at_photos
from vidseg.evaluation.ground_truth import CocoRecord, coco_truth, match_classes, photos
from vidseg.pipeline.evaluation_request import EvaluationRequest
from vidseg.pipeline.finder import Finder
from vidseg.pipeline.run_options import RunOptions
from vidseg.pipeline.search import Search

PHOTOS_PER_CALL = 8
"""Enough beside the milliseconds of a call, and few enough for all workers to end together."""


def evaluate_shared_photos(
    request: EvaluationRequest,
    content: Content,
    ids: Sequence[int],
    search: Search,
    workers: Finder,
) -> Result:
    """As `coco_ap.evaluate`, by several processes: each photo is a batch of its own anyway."""
    samples, size = content.samples, PHOTOS_PER_CALL
    calls = [
        partial(
            find_in_photos,
            replace(content, samples=samples[at : at + size], skipped=()),
            ids[at : at + size],
            request.classes,
        )
        for at in range(0, len(samples), size)
    ]
    found: list[CocoRecord] = []
    for some in workers.results(calls, search, request.counting(len(samples))):
        found += some
    truth = coco_truth(photos(content, ids=ids, pixels=False), content.classes)
    matching = match_classes(content.classes, search.names, request.classes)
    most = request.options.max_objects
    return evaluate_results(truth, found, matching, max_objects=most)


def find_in_photos(
    content: Content,
    ids: Sequence[int],
    classes: Sequence[str],
    *,
    search: Search,
    options: RunOptions,
) -> list[CocoRecord]:
    """What one worker finds in some photos, as COCO results with a score of `MIN_SCORE` or more."""
    assert search.keep_score <= MIN_SCORE
    matching = match_classes(content.classes, search.names, classes)
    predictor = search.predictor(options.on_download)
    _, found = look_at_photos(content, predictor, matching, ids=ids, on_photo=options.on_frame)
    return found
