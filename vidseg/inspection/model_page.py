"""The page about a model and one photo."""

from collections.abc import Iterator, Mapping

import torch
from markupsafe import Markup
from torch import Tensor

from vidseg.evaluation.annotated_pictures import colors_of
from vidseg.inspection._blocks import figure, heading, page, paragraph, table
from vidseg.inspection._everyday_page import inspect_everyday
from vidseg.inspection._model_figures import (
    MAX_BOXES,
    activation_figures,
    boxes_drawn,
    input_figure,
    mask_figures,
    result_figure,
    score_range,
)
from vidseg.inspection._model_stages import Classified, Proposed, Stages, trace
from vidseg.inspection._weight_statistics import COLUMNS, weight_rows
from vidseg.inspection.anchors import Anchors
from vidseg.models.architectures import Network
from vidseg.models.everyday.network import Everyday
from vidseg.structures.frame import Image

ANCHOR_COLOR: tuple[int, int, int] = (249, 115, 22)
REFINED_COLOR: tuple[int, int, int] = (34, 197, 94)
BEST_CLASSES = 3
"""Classes listed for each object, by score."""


def inspect_model(
    model: Network, classes: Mapping[int, str], photo: Image, *, score: float = 0.5
) -> str:
    """The page about `model`, in evaluation mode and float32 on the CPU, as HTML.

    Shows the anchors, the proposals before and after box regression and suppression, the objects
    with their class scores, their masks, the final image with objects of at least `score`, the
    activations of the feature pyramid, and the weights of every layer. `everyday` has no anchors
    and no proposals; its page shows the scores of its places instead.
    """
    if isinstance(model, Everyday):
        return inspect_everyday(model, classes, photo, score=score)
    stages = trace(model, photo, best=MAX_BOXES)
    return page(
        "Model",
        [
            *input_figure(photo, stages.seen),
            *_anchors(Anchors(model), photo),
            *_proposals(stages.proposed, photo),
            *_classified(stages.classified, classes, photo),
            *_found(stages, classes, photo),
            *result_figure(stages.found, classes, photo, score),
            *activation_figures(stages.levels, stages.seen, stages.padded, photo),
            heading("Weights"),
            table(COLUMNS, weight_rows(model)),
        ],
    )


def _anchors(anchors: Anchors, photo: Image) -> Iterator[Markup]:
    size = (photo.shape[0], photo.shape[1])
    levels, _ = anchors.on(size)
    yield heading("Anchors")
    yield paragraph(
        f"{sum(map(len, levels))} anchors cover the photo; of each level the middle ones are shown."
    )
    for stride, boxes, level in zip(anchors.strides, anchors.middle(size), levels, strict=True):
        picture = boxes_drawn(photo, boxes, [ANCHOR_COLOR] * len(boxes))
        yield figure(picture, f"stride {stride}: {len(level)} anchors")


def _proposals(proposed: Proposed, photo: Image) -> Iterator[Markup]:
    yield heading("Proposals")
    count = len(proposed.anchors)
    yield figure(
        boxes_drawn(photo, proposed.anchors, [ANCHOR_COLOR] * count, dotted=True),
        f"the {count} best anchors, scores {score_range(proposed.scores)}",
    )
    yield figure(
        boxes_drawn(photo, proposed.refined, [REFINED_COLOR] * count),
        "the same anchors after box regression",
    )
    kept = proposed.kept[:MAX_BOXES]
    yield figure(
        boxes_drawn(photo, kept, [REFINED_COLOR] * len(kept)),
        f"the best {len(kept)} of {len(proposed.kept)} proposals left by non-maximum suppression "
        f"(NMS), scores {score_range(proposed.kept_scores)}",
    )


def _classified(
    classified: Classified, classes: Mapping[int, str], photo: Image
) -> Iterator[Markup]:
    yield heading("Classes of the proposals")
    best = classified.scores[torch.arange(len(classified.labels)), classified.labels]
    objects = classified.labels > 0
    order = best.where(objects, -best).argsort(descending=True)[:MAX_BOXES]
    labels = classified.labels[order].tolist()
    yield figure(
        boxes_drawn(photo, classified.boxes[order], colors_of(labels)),
        f"the {len(labels)} proposals with the highest scores, after box regression for their "
        f"class, background grey; {int(objects.sum())} of {len(objects)} are objects before NMS",
    )
    counts = [(classes.get(n, str(n)), int((classified.labels == n).sum())) for n in classes]
    rows = [(name, count) for name, count in counts if count]
    yield table(["class", "proposals"], [("background", int((~objects).sum())), *rows])


def _found(stages: Stages, classes: Mapping[int, str], photo: Image) -> Iterator[Markup]:
    found = stages.found
    yield heading("Objects after NMS")
    if not len(found):
        yield paragraph("Nothing was found.")
        return
    yield figure(
        boxes_drawn(photo, torch.from_numpy(found.boxes), colors_of(found.labels.tolist())),
        f"{len(found)} objects, scores {score_range(torch.from_numpy(found.scores))}",
    )
    rows = []
    for row in range(min(len(found), MAX_BOXES)):
        box = ", ".join(f"{side:.0f}" for side in found.boxes[row])
        rows.append(
            [row + 1, f"{found.scores[row]:.3f}", box, _best(stages.class_scores[row], classes)]
        )
    yield table(["object", "score", "box", "class scores of the final box"], rows)
    yield from mask_figures(found, classes)


def _best(scores: Tensor, classes: Mapping[int, str]) -> str:
    names = {0: "background", **classes}
    values, labels = scores.topk(min(BEST_CLASSES, len(scores)))
    pairs = zip(labels.tolist(), values.tolist(), strict=True)
    return ", ".join(f"{names.get(label, label)} {value:.3f}" for label, value in pairs)
