"""False positives: detections of a class in photos without objects of it.

AP ranks by score and hardly counts them; in a video every one is visible.
"""

from collections import Counter

from vidseg.evaluation.coco_ap import Result
from vidseg.evaluation.ground_truth import CocoRecord


def count_false_positives(result: Result, score: float) -> CocoRecord:
    """Detections of at least `score` in photos without objects (or crowds) of their class.

    `photos` and `per_photo` count photos without objects of any evaluated class. `classes` counts
    for each class alone, and `where` by photo and class.
    """
    evaluated = result.matching.names
    names = {image["id"]: image["file_name"] for image in result.truth["images"]}
    has: dict[int, set[int]] = {number: set() for number in names}
    for each in result.truth["annotations"]:
        has[each["image_id"]].add(each["category_id"])
    alarms = Counter(
        (row["image_id"], row["category_id"])
        for row in result.found
        if row["category_id"] in evaluated
        and row["score"] >= score
        and row["category_id"] not in has[row["image_id"]]
    )
    empty = {number for number in names if not has[number] & evaluated.keys()}
    count = sum(n for (number, _), n in alarms.items() if number in empty)
    where: dict[str, dict[str, int]] = {}
    for (number, category), n in sorted(alarms.items()):
        where.setdefault(names[number], {})[evaluated[category]] = n
    return {
        "score": score,
        "photos": len(empty),
        "detections": count,
        "per_photo": _share(count, len(empty)),
        "classes": {name: _of_class(number, has, alarms) for number, name in evaluated.items()},
        "where": where,
    }


def _of_class(
    number: int, has: dict[int, set[int]], alarms: Counter[tuple[int, int]]
) -> CocoRecord:
    photos = sum(number not in present for present in has.values())
    count = sum(n for (_, category), n in alarms.items() if category == number)
    return {"photos": photos, "detections": count, "per_photo": _share(count, photos)}


def _share(count: int, photos: int) -> float | None:
    return count / photos if photos else None
