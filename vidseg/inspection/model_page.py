"""The page about a model and one photo."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from vidseg.effects import Overlay
from vidseg.evaluation.annotated_pictures import colors_of, heat, mask_tile, scaled, with_boxes
from vidseg.inspection._html_page import figure, heading, page, paragraph, table
from vidseg.inspection._model_stages import Classified, Proposed, Stages, trace
from vidseg.inspection._weight_statistics import COLUMNS, weight_rows
from vidseg.inspection.anchors import Anchors
from vidseg.structures.frame import Image
from vidseg.structures.instances import shown

ANCHOR_COLOR: tuple[int, int, int] = (249, 115, 22)
REFINED_COLOR: tuple[int, int, int] = (34, 197, 94)
MAX_BOXES = 40
"""Most boxes drawn into an image."""
BEST_CLASSES = 3
"""Classes listed for each object, by score."""


def inspect_model(
    model: MaskRCNN, classes: Mapping[int, str], photo: Image, *, score: float = 0.5
) -> str:
    """The page about `model`, in evaluation mode and float32 on the CPU, as HTML.

    Shows the anchors, the proposals before and after box regression and suppression, the objects
    with their class scores, their masks, the final image with objects of at least `score`, the
    activations of the feature pyramid, and the weights of every layer.
    """
    stages = trace(model, photo, best=MAX_BOXES)
    return page(
        "Model",
        [
            *_input(photo, stages),
            *_anchors(Anchors(model), photo),
            *_proposals(stages.proposed, photo),
            *_classified(stages.classified, classes, photo),
            *_found(stages, classes, photo),
            *_final(stages, classes, photo, score),
            *_activations(stages),
            heading("Weights"),
            table(COLUMNS, weight_rows(model)),
        ],
    )


def _input(photo: Image, stages: Stages) -> Iterator[str]:
    height, width = stages.seen
    yield paragraph(
        f"The photo, {photo.shape[1]}x{photo.shape[0]}, is resized to {width}x{height} pixels."
    )
    yield figure(scaled(photo)[0], "the photo")


def _anchors(anchors: Anchors, photo: Image) -> Iterator[str]:
    size = (photo.shape[0], photo.shape[1])
    levels, _ = anchors.on(size)
    yield heading("Anchors")
    yield paragraph(
        f"{sum(map(len, levels))} anchors cover the photo; of each level the middle ones are shown."
    )
    for stride, boxes, level in zip(anchors.strides, anchors.middle(size), levels, strict=True):
        picture = _drawn(photo, boxes, [ANCHOR_COLOR] * len(boxes))
        yield figure(picture, f"stride {stride}: {len(level)} anchors")


def _proposals(proposed: Proposed, photo: Image) -> Iterator[str]:
    yield heading("Proposals")
    count = len(proposed.anchors)
    yield figure(
        _drawn(photo, proposed.anchors, [ANCHOR_COLOR] * count, dotted=True),
        f"the {count} best anchors, scores {_range(proposed.scores)}",
    )
    yield figure(
        _drawn(photo, proposed.refined, [REFINED_COLOR] * count),
        "the same anchors after box regression",
    )
    kept = proposed.kept[:MAX_BOXES]
    yield figure(
        _drawn(photo, kept, [REFINED_COLOR] * len(kept)),
        f"the best {len(kept)} of {len(proposed.kept)} proposals left by non-maximum suppression "
        f"(NMS), scores {_range(proposed.kept_scores)}",
    )


def _classified(classified: Classified, classes: Mapping[int, str], photo: Image) -> Iterator[str]:
    yield heading("Classes of the proposals")
    best = classified.scores[torch.arange(len(classified.labels)), classified.labels]
    objects = classified.labels > 0
    order = best.where(objects, -best).argsort(descending=True)[:MAX_BOXES]
    labels = classified.labels[order].tolist()
    yield figure(
        _drawn(photo, classified.boxes[order], colors_of(labels)),
        f"the {len(labels)} proposals with the highest scores, after box regression for their "
        f"class, background grey; {int(objects.sum())} of {len(objects)} are objects before NMS",
    )
    counts = [(classes.get(n, str(n)), int((classified.labels == n).sum())) for n in classes]
    rows = [(name, count) for name, count in counts if count]
    yield table(["class", "proposals"], [("background", int((~objects).sum())), *rows])


def _found(stages: Stages, classes: Mapping[int, str], photo: Image) -> Iterator[str]:
    found = stages.found
    yield heading("Objects after NMS")
    if not len(found):
        yield paragraph("Nothing was found.")
        return
    yield figure(
        _drawn(photo, torch.from_numpy(found.boxes), colors_of(found.labels.tolist())),
        f"{len(found)} objects, scores {_range(torch.from_numpy(found.scores))}",
    )
    rows = []
    for row in range(min(len(found), MAX_BOXES)):
        box = ", ".join(f"{side:.0f}" for side in found.boxes[row])
        rows.append(
            [row + 1, f"{found.scores[row]:.3f}", box, _best(stages.class_scores[row], classes)]
        )
    yield table(["object", "score", "box", "class scores of the final box"], rows)
    yield heading("Masks of the network")
    for row in range(min(len(found), MAX_BOXES)):
        name = classes.get(int(found.labels[row]), "")
        side = found.masks.shape[-1]
        yield figure(mask_tile(found.masks[row]), f"{row + 1} {name}, {side}x{side}")


def _final(stages: Stages, classes: Mapping[int, str], photo: Image, score: float) -> Iterator[str]:
    objects = shown(stages.found, score=score)
    yield heading("The result")
    drawn = Overlay(classes, color_by="class", contours=True)(photo, objects)
    yield figure(scaled(drawn, 1280)[0], f"{len(objects)} objects with score {score:g} or more")


def _activations(stages: Stages) -> Iterator[str]:
    yield heading("Levels of the feature pyramid")
    yield paragraph("Mean magnitude of the activations; brighter is stronger.")
    height, width = stages.found.size
    scale = min(1.0, 480 / max(height, width))
    size = (round(height * scale), round(width * scale))
    for name, level in stages.levels.items():
        strength = level.abs().mean(0).float().numpy()
        rows, cols = (
            max(1, round(length * seen / padded))
            for length, seen, padded in zip(strength.shape, stages.seen, stages.padded, strict=True)
        )
        picture = heat(strength[:rows, :cols], size)
        yield figure(picture, f"level {name}: {'x'.join(map(str, level.shape))}")


def _drawn(
    photo: Image, boxes: Tensor, colors: list[tuple[int, int, int]], *, dotted: bool = False
) -> Image:
    picture, scale = scaled(photo)
    return with_boxes(picture, boxes.numpy() * np.float32(scale), colors, dotted=dotted)


def _range(scores: Tensor) -> str:
    return f"{scores.min():.2f} to {scores.max():.2f}" if len(scores) else "none"


def _best(scores: Tensor, classes: Mapping[int, str]) -> str:
    names = {0: "background", **classes}
    values, labels = scores.topk(min(BEST_CLASSES, len(scores)))
    pairs = zip(labels.tolist(), values.tolist(), strict=True)
    return ", ".join(f"{names.get(label, label)} {value:.3f}" for label, value in pairs)
