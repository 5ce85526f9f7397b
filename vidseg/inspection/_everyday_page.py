"""The page about `everyday` and one photo."""

from collections.abc import Iterator, Mapping

import numpy as np
import torch
from markupsafe import Markup
from torch import Tensor

from vidseg.evaluation.annotated_pictures import colors_of
from vidseg.inspection._blocks import figure, heading, page, paragraph, table
from vidseg.inspection._model_figures import (
    MAX_BOXES,
    activation_figures,
    boxes_drawn,
    input_figure,
    mask_figures,
    over_photo,
    result_figure,
    score_range,
)
from vidseg.inspection._weight_statistics import COLUMNS, weight_rows
from vidseg.models.device import CPU
from vidseg.models.everyday.box_head import SIDES, STRIDES, boxes_at, by_place
from vidseg.models.everyday.network import Everyday, FeatureMaps
from vidseg.models.everyday.predictor import EverydayPredictor, PredictorOptions
from vidseg.models.inference.preprocess import NetworkInput, preprocess
from vidseg.structures.frame import Image
from vidseg.structures.instances import Instances

MIN_SCORE = 0.05
"""Objects of lower scores are left out."""


@torch.inference_mode()
def inspect_everyday(
    model: Everyday, classes: Mapping[int, str], photo: Image, *, score: float
) -> str:
    """As `vidseg.inspection.model_page.inspect_model`."""
    options = PredictorOptions(classes, CPU, keep_score=MIN_SCORE)
    [found] = EverydayPredictor(model, options).predict([photo])
    pixels = torch.from_numpy(np.ascontiguousarray(photo))[None]
    images = preprocess(model, pixels, torch.float32)
    maps = model(images.tensors)
    fine, coarse = model.mask_branch.maps(maps.backbone, maps.pyramid)
    pyramid = zip(STRIDES, maps.pyramid, strict=True)
    levels = {f"at stride {stride}": level[0] for stride, level in pyramid}
    levels |= {"of edges, at stride 4": fine[0], "of objects, at stride 8": coarse[0]}
    return page(
        "Model",
        [
            *input_figure(photo, images.size),
            *_scores(maps, images, photo),
            *_boxes(maps, images, photo),
            *_found(found, classes, photo),
            *mask_figures(found, classes),
            *result_figure(found, classes, photo, score),
            *activation_figures(levels, images.size, images.padded, photo),
            heading("Weights"),
            table(COLUMNS, weight_rows(model)),
        ],
    )


def _scores(maps: FeatureMaps, images: NetworkInput, photo: Image) -> Iterator[Markup]:
    yield heading("Scores of the places")
    yield paragraph("Each level scores every class at each of its places; here is the best one.")
    for stride, output in zip(STRIDES, maps.outputs, strict=True):
        best = output[0, :-SIDES].amax(0).sigmoid()
        picture = over_photo(best, images.size, images.padded, photo)
        yield figure(picture, f"stride {stride}: up to {best.max():.2f}")


def _boxes(maps: FeatureMaps, images: NetworkInput, photo: Image) -> Iterator[Markup]:
    outputs = by_place(maps.outputs)[0]
    scores, labels = outputs[:, :-SIDES].max(1)
    best = scores.topk(min(MAX_BOXES, len(scores))).indices
    boxes = boxes_at(outputs[best, -SIDES:], best, maps.outputs)
    yield heading("Boxes before NMS")
    yield figure(
        boxes_drawn(photo, _in_photo(boxes, images, photo), colors_of((labels[best] + 1).tolist())),
        f"the {len(best)} places with the best scores, {score_range(scores[best].sigmoid())}",
    )


def _in_photo(boxes: Tensor, images: NetworkInput, photo: Image) -> Tensor:
    down, across = photo.shape[0] / images.size[0], photo.shape[1] / images.size[1]
    return boxes * torch.tensor([across, down, across, down])


def _found(found: Instances, classes: Mapping[int, str], photo: Image) -> Iterator[Markup]:
    yield heading("Objects after NMS")
    boxes, scores = torch.from_numpy(found.boxes), torch.from_numpy(found.scores)
    yield figure(
        boxes_drawn(photo, boxes, colors_of(found.labels.tolist())),
        f"{len(found)} objects, scores {score_range(scores)}",
    )
    rows = [
        [row + 1, classes.get(int(label), str(label)), f"{score:.3f}", _rounded(box)]
        for row, (label, score, box) in enumerate(
            zip(found.labels, found.scores, found.boxes, strict=True)
        )
    ]
    yield table(["object", "class", "score", "box"], rows[:MAX_BOXES])


def _rounded(box: np.ndarray) -> str:
    return ", ".join(f"{side:.0f}" for side in box)
