"""vidseg data check, split and convert."""

from collections import Counter
from collections.abc import Callable
from functools import wraps
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.console import say
from vidseg.cli.json_or_table import JSON_OPTION, is_quiet, print_report
from vidseg.cli.options import Command, examples, option, verbosity_options
from vidseg.cli.param_types import FilePath, OutputPath
from vidseg.datasets.format_names import FORMATS, Format
from vidseg.errors import OptionError
from vidseg.remote.paths import url_of

if TYPE_CHECKING:
    from vidseg.datasets import Content

SHOWN_LINES = 20
"""Lines of a long list in the table, the commonest classes first; the JSON has all."""


@click.group(epilog=examples("vidseg data check photos/", "vidseg data split photos/ --val 0.2"))
def data() -> None:
    """Check annotated photos, split them, or convert them to another format.

    The format is detected: VIA 1 to 3, COCO and LVIS, LabelMe (JSON and XML), YOLO-seg, CVAT,
    Label Studio, Datumaro, Labelbox, RectLabel, Pascal VOC, folders of mask images (Penn-Fudan,
    DAVIS, Carvana, one file per object), and the output of `vidseg frames`.
    """


CLASS_ATTRIBUTE = option(
    "--class-attribute",
    metavar="NAME",
    show_default="the only one, or one called class, label, name ...",
    help="VIA's region attribute that holds the class.",
)
CLASS_NAME = option(
    "--class-name", default="object", metavar="NAME", help="Class of shapes without one."
)
CROWDS = option(
    "--crowds-as-objects",
    is_flag=True,
    help="Read COCO's crowds as single objects; CVAT marks every brush mask as a crowd.",
)


def dataset_options(command: Command) -> Command:
    """How to read the dataset: gives `read`, a function of its path."""

    @option(
        "--format",
        type=click.Choice(FORMATS),
        show_default="found by looking",
        help="Format of the annotations.",
    )
    @CLASS_ATTRIBUTE
    @CLASS_NAME
    @CROWDS
    @wraps(command)
    def wrapper(
        *,
        format: Format | None,
        class_attribute: str | None,
        class_name: str,
        crowds_as_objects: bool,
        **others: Any,
    ) -> Any:
        def read(path: str, split: str | None = None) -> "Content":
            from vidseg.datasets import read_dataset

            return read_dataset(
                path,
                format=format,
                split=split,
                class_attribute=class_attribute,
                class_name=class_name,
                crowds_as_objects=crowds_as_objects,
            )

        return command(read=read, **others)

    return wrapper


Read = Callable[..., "Content"]


@data.command(
    epilog=examples("vidseg data check photos/", "vidseg data check photos/ --json | jq .skipped")
)
@click.argument("path", type=FilePath(), metavar="DATASET")
@JSON_OPTION
@dataset_options
@verbosity_options
def check(*, path: str, as_json: bool, read: Read) -> None:
    """Count photos, objects and classes, and list what cannot be used, and why.

    Also lists truncated photos, duplicates, and copies of one photo in several splits.
    """
    from vidseg.datasets.copies import report_copies
    from vidseg.datasets.statistics import report

    content = read(path)
    facts = {**report(content), **report_copies(content)}
    print_report(facts, table(facts), as_json=as_json)


@data.command(
    epilog=examples(
        "vidseg data split photos/ --val 0.2", "vidseg data split frames/ --by video --seed 7"
    )
)
@click.argument("path", type=FilePath(), metavar="DATASET")
@click.argument("folder", type=FilePath(), metavar="[OUTDIR]", required=False)
@option("--val", type=float, default=0.2, help="Share of the photos that go to val, 0 to 1.")
@option(
    "--by",
    type=click.Choice(["image", "video"]),
    default="image",
    help="Divide photo by photo, or keep the frames of a video together.",
)
@option("--seed", type=int, default=0, help="Another seed, another division.")
@option("-f", "--force", is_flag=True, help="Overwrite the lists where they exist.")
@dataset_options
@verbosity_options
def split(*, path: str, folder: str | None, val: float, by: Any, seed: int, force: bool,
          read: Read) -> None:  # fmt: skip
    """Divide the photos into train and val: train.txt and val.txt in OUTDIR.

    OUTDIR is by default the folder of the dataset, where vidseg finds the lists again. Frames of
    one video share the name before their number, or the folder.
    """
    from vidseg.datasets.split import divide, write_lists

    if folder is None and url_of(path) is not None:
        raise OptionError(f"The lists cannot be written to {path}; name OUTDIR.")
    home = Path(path) if Path(path).is_dir() else Path(path).parent
    parts = divide(read(path), val=val, by=by, seed=seed)
    lists = write_lists(parts, folder or home, force=force)
    for (name, samples), file in zip(parts.items(), lists, strict=True):
        if not is_quiet():
            say(f"{name}: {_count(len(samples), 'photo')}, listed in {file}")


def _finite(ctx: click.Context, param: click.Parameter, value: float) -> float:
    """`nan` passes through every comparison, and so through click's own ranges."""
    if not 0 <= value < inf:
        raise click.BadParameter(f"{value:g} is no number of pixels from 0 on.", ctx, param)
    return value


@data.command(
    epilog=examples(
        "vidseg data convert photos/ photos/coco.json --to coco",
        "vidseg data convert found/ found/via.json --to via",
    )
)
@click.argument("path", type=FilePath(), metavar="DATASET")
@click.argument("target", type=OutputPath(), metavar="OUT.json")
@option(
    "--to",
    type=click.Choice(["coco", "via"]),
    required=True,
    show_default=False,
    help="COCO JSON, or a project of VIA 2.",
)
@option("--split", show_default="all, a file each", help="Only this split: train, val or test.")
@option(
    "--tolerance",
    type=float,
    default=1.0,
    callback=_finite,
    help="Pixels by which the outline of a mask may be off in VIA; 0 keeps every pixel.",
)
@option("-f", "--force", is_flag=True, help="Overwrite the output where it exists.")
@dataset_options
@verbosity_options
def convert(*, path: str, target: str, to: Any, split: str | None, tolerance: float, force: bool,
            read: Read) -> None:  # fmt: skip
    """Write the annotations as COCO or VIA; the photos stay where they are.

    To correct what a model found, take `vidseg frames --image` of a video, convert that to VIA,
    mend it there, and train on it.
    """
    from vidseg.datasets.convert import write_dataset

    content = read(path, split)
    lost = write_dataset(content, target, to=to, force=force, tolerance=tolerance)
    for file, missing in lost.items():
        if not is_quiet() and file.exists():
            say(f"wrote {file}")
        for each, count in Counter((e.file, e.item, e.reason) for e in missing).items():
            say(f"Warning: {each[0]}: {_count(count, each[1])} left out, {each[2]}.")
    if content.skipped and not is_quiet():
        say(f"{_count(len(content.skipped), 'item')} could not be used; see `vidseg data check`.")


def table(facts: dict[str, Any]) -> list[str]:
    """The report for people."""
    parts = facts["splits"]
    widths = [max(len(name), 7) for name in parts]
    totals = Counter[str]()
    for part in parts.values():
        totals.update(part["by_class"])
    names = [name for name, _ in totals.most_common()]
    first = max(map(len, ["photos without objects", *names[:SHOWN_LINES]]))
    rows = [("", [*parts])]
    for key in ("photos", "photos_without_objects", "objects", "crowds"):
        rows.append((key.replace("_", " "), [str(part[key]) for part in parts.values()]))
    for name in names[:SHOWN_LINES]:
        rows.append((name, [str(part["by_class"][name]) for part in parts.values()]))
    lines = [
        f"{name:<{first}}  " + "  ".join(f"{v:>{w}}" for v, w in zip(values, widths, strict=True))
        for name, values in rows
    ]
    lines += (
        [f"... and {len(names) - SHOWN_LINES} more classes"] if len(names) > SHOWN_LINES else []
    )
    head = f"format: {', '.join(facts['formats'])}"
    return [head, *lines, *_sizes(facts), *_copies(facts), *_skipped(facts)]


def _sizes(facts: dict[str, Any]) -> list[str]:
    sizes = [f"{s['width']}x{s['height']} ({s['photos']})" for s in facts["photo_sizes"]]
    more = f" and {len(sizes) - 5} more sizes" if len(sizes) > 5 else ""
    objects = facts["object_sizes"]
    spread = " / ".join(f"{value:g}" for value in objects.values())
    lines = [f"photo sizes: {', '.join(sizes[:5])}{more}"]
    return lines + ([f"object sizes at 5/25/50/75/95 %: {spread} pixels"] if objects else [])


def _copies(facts: dict[str, Any]) -> list[str]:
    """What of the photos and objects is there twice."""
    lines = [f"the same photo: {', '.join(group)}" for group in facts["duplicates"]]
    lines += [
        f"in {' and '.join(each['splits'])}: {', '.join(each['photos'])}" for each in facts["leaks"]
    ]
    lines += [
        f"annotated twice in {each['file']}: {_count(each['objects'], 'object')}"
        for each in facts["objects_twice"]
    ]
    more = (
        [f"... and {len(lines) - SHOWN_LINES} more lines like these"]
        if len(lines) > SHOWN_LINES
        else []
    )
    return [*lines[:SHOWN_LINES], *more]


def _skipped(facts: dict[str, Any]) -> list[str]:
    """A line for every file and reason."""
    groups = Counter((each["file"], each["reason"]) for each in facts["skipped"])
    lines = [
        f"  {file}: {reason}{f' ({count} times)' if count > 1 else ''}"
        for (file, reason), count in groups.items()
    ]
    more = (
        [f"  ... and {len(lines) - SHOWN_LINES} more lines like these"]
        if len(lines) > SHOWN_LINES
        else []
    )
    return [f"left out: {len(facts['skipped'])}", *lines[:SHOWN_LINES], *more]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
