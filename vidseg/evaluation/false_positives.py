"""False alarms: what is found of a class in photos that have none of it.

AP hardly sees them, for it ranks by score; who splashes a video sees every one.
"""

from collections import Counter

from vidseg.evaluation.coco_ap import Result
from vidseg.evaluation.ground_truth import Row


def false_alarms(result: Result, score: float) -> Row:
    """Detections from `score` on in photos without objects of their class, crowds included.

    `photos` and `per_photo` are of the photos without any judged class; `classes` has them for each
    class by itself, and `where` the numbers by photo and class.
    """
    judged = result.matching.names
    names = {image["id"]: image["file_name"] for image in result.truth["images"]}
    has: dict[int, set[int]] = {number: set() for number in names}
    for each in result.truth["annotations"]:
        has[each["image_id"]].add(each["category_id"])
    alarms = Counter(
        (row["image_id"], row["category_id"])
        for row in result.found
        if row["category_id"] in judged
        and row["score"] >= score
        and row["category_id"] not in has[row["image_id"]]
    )
    empty = {number for number in names if not has[number] & judged.keys()}
    count = sum(n for (number, _), n in alarms.items() if number in empty)
    where: dict[str, dict[str, int]] = {}
    for (number, category), n in sorted(alarms.items()):
        where.setdefault(names[number], {})[judged[category]] = n
    return {
        "score": score,
        "photos": len(empty),
        "detections": count,
        "per_photo": _share(count, len(empty)),
        "classes": {name: _of_class(number, has, alarms) for number, name in judged.items()},
        "where": where,
    }


def _of_class(number: int, has: dict[int, set[int]], alarms: Counter[tuple[int, int]]) -> Row:
    photos = sum(number not in present for present in has.values())
    count = sum(n for (_, category), n in alarms.items() if category == number)
    return {"photos": photos, "detections": count, "per_photo": _share(count, photos)}


def _share(count: int, photos: int) -> float | None:
    return count / photos if photos else None
