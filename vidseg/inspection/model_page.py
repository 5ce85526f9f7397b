"""The page about what a model does with one photo."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import MaskRCNN

from vidseg.effects import Overlay
from vidseg.evaluation.annotated_pictures import colors_of, heat, mask_tile, scaled, with_boxes
from vidseg.inspection._html_page import figure, heading, page, paragraph, table
from vidseg.inspection._model_stages import Judged, Proposed, Stages, follow
from vidseg.inspection._weight_statistics import HEAD, weight_rows
from vidseg.inspection.anchors import Anchors
from vidseg.structures.frame import Image
from vidseg.structures.instances import shown

ANCHOR: tuple[int, int, int] = (249, 115, 22)
REFINED: tuple[int, int, int] = (34, 197, 94)
MOST = 40
"""Boxes drawn into a picture."""
CLASSES = 3
"""Best classes named beside each object."""


def inspect_model(
    model: MaskRCNN, classes: Mapping[int, str], photo: Image, *, score: float = 0.5
) -> str:
    """The page about `model`, in evaluation mode and float32 on the CPU, as HTML.

    Shows the anchors, the proposals before and after they are moved and thinned out, the objects
    with the scores of their classes, their masks, the final picture with objects from `score` on,
    what the pyramid's levels see, and the weights of every layer.
    """
    stages = follow(model, photo, best=MOST)
    return page(
        "Model",
        [
            *_input(photo, stages),
            *_anchors(Anchors(model), photo),
            *_proposals(stages.proposed, photo),
            *_judged(stages.judged, classes, photo),
            *_found(stages, classes, photo),
            *_final(stages, classes, photo, score),
            *_activations(stages),
            heading("Weights"),
            table(HEAD, weight_rows(model)),
        ],
    )


def _input(photo: Image, stages: Stages) -> Iterator[str]:
    height, width = stages.seen
    yield paragraph(
        f"The photo, {photo.shape[1]}x{photo.shape[0]}, is looked at as {width}x{height} pixels."
    )
    yield figure(scaled(photo)[0], "the photo")


def _anchors(anchors: Anchors, photo: Image) -> Iterator[str]:
    size = (photo.shape[0], photo.shape[1])
    levels, _ = anchors.on(size)
    yield heading("Anchors")
    yield paragraph(
        f"{sum(map(len, levels))} boxes lie over the photo; of each level those in the middle."
    )
    for stride, boxes, level in zip(anchors.strides, anchors.middle(size), levels, strict=True):
        picture = _drawn(photo, boxes, [ANCHOR] * len(boxes))
        yield figure(picture, f"stride {stride}: {len(level)} anchors")


def _proposals(proposed: Proposed, photo: Image) -> Iterator[str]:
    yield heading("Proposals")
    count = len(proposed.anchors)
    yield figure(
        _drawn(photo, proposed.anchors, [ANCHOR] * count, dotted=True),
        f"the {count} best anchors, scores {_range(proposed.scores)}",
    )
    yield figure(
        _drawn(photo, proposed.refined, [REFINED] * count),
        "the same ones after refinement",
    )
    kept = proposed.kept[:MOST]
    yield figure(
        _drawn(photo, kept, [REFINED] * len(kept)),
        f"the first {len(kept)} of {len(proposed.kept)} that are left when boxes that cover each "
        f"other are thinned out (NMS), scores {_range(proposed.kept_scores)}",
    )


def _judged(judged: Judged, classes: Mapping[int, str], photo: Image) -> Iterator[str]:
    yield heading("Classes of the proposals")
    best = judged.scores[torch.arange(len(judged.labels)), judged.labels]
    objects = judged.labels > 0
    order = best.where(objects, -best).argsort(descending=True)[:MOST]
    labels = judged.labels[order].tolist()
    yield figure(
        _drawn(photo, judged.boxes[order], colors_of(labels)),
        f"the {len(labels)} surest proposals, refined again for their class, grey for background: "
        f"{int(objects.sum())} of {len(objects)} are taken for objects, before NMS",
    )
    counts = [(classes.get(n, str(n)), int((judged.labels == n).sum())) for n in classes]
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
    for row in range(min(len(found), MOST)):
        box = ", ".join(f"{side:.0f}" for side in found.boxes[row])
        rows.append(
            [row + 1, f"{found.scores[row]:.3f}", box, _best(stages.class_scores[row], classes)]
        )
    yield table(["object", "score", "box", "scores of the refined box"], rows)
    yield heading("Masks as the network gives them")
    for row in range(min(len(found), MOST)):
        name = classes.get(int(found.labels[row]), "")
        side = found.masks.shape[-1]
        yield figure(mask_tile(found.masks[row]), f"{row + 1} {name}, {side}x{side}")


def _final(stages: Stages, classes: Mapping[int, str], photo: Image, score: float) -> Iterator[str]:
    objects = shown(stages.found, score=score)
    yield heading("The picture")
    drawn = Overlay(classes, color_by="class", contours=True)(photo, objects)
    yield figure(scaled(drawn, 1280)[0], f"{len(objects)} objects from score {score:g} on")


def _activations(stages: Stages) -> Iterator[str]:
    yield heading("Levels of the pyramid")
    yield paragraph("Mean size of the activations; brighter is stronger.")
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
    values, labels = scores.topk(min(CLASSES, len(scores)))
    pairs = zip(labels.tolist(), values.tolist(), strict=True)
    return ", ".join(f"{names.get(label, label)} {value:.3f}" for label, value in pairs)
