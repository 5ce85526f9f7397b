"""vidseg data check, split and convert."""

import json
from collections import Counter
from collections.abc import Callable
from functools import wraps
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vidseg.cli.console import say
from vidseg.cli.options import Command, examples, option, verbosity_options
from vidseg.cli.param_types import FilePath, OutputPath
from vidseg.datasets.format_names import FORMATS, Format

if TYPE_CHECKING:
    from vidseg.datasets import Content

SHOWN = 20
"""Lines of a long list in the table, the commonest classes first; the JSON has all."""


@click.group(epilog=examples("vidseg data check photos/", "vidseg data split photos/ --val 0.2"))
def data() -> None:
    """Look into annotated photos, divide them, or write them in another format.

    The format is found by looking: VIA 1 and 2, COCO, LabelMe, YOLO-seg, Pascal VOC, RectLabel,
    Labelbox, folders of mask pictures (Penn-Fudan, DAVIS), and what `vidseg frames` wrote.
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
    @wraps(command)
    def wrapper(
        *, format: Format | None, class_attribute: str | None, class_name: str, **others: Any
    ) -> Any:
        def read(path: str, split: str | None = None) -> "Content":
            from vidseg.datasets import read_dataset

            return read_dataset(
                path,
                format=format,
                split=split,
                class_attribute=class_attribute,
                class_name=class_name,
            )

        return command(read=read, **others)

    return wrapper


Read = Callable[..., "Content"]


@data.command(
    epilog=examples("vidseg data check photos/", "vidseg data check photos/ -q | jq .skipped")
)
@click.argument("path", type=FilePath(), metavar="DATASET")
@dataset_options
@verbosity_options
def check(*, path: str, read: Read) -> None:
    """Count photos, objects and classes, and name all that cannot be used and why.

    JSON goes to stdout, a table to stderr.
    """
    from vidseg.datasets.statistics import report

    facts = report(read(path))
    if not _quiet():
        for line in table(facts):
            say(line)
    click.echo(json.dumps(facts, indent=2, ensure_ascii=False))


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

    home = Path(path) if Path(path).is_dir() else Path(path).parent
    parts = divide(read(path), val=val, by=by, seed=seed)
    lists = write_lists(parts, folder or home, force=force)
    for (name, samples), file in zip(parts.items(), lists, strict=True):
        if not _quiet():
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
        if not _quiet():
            say(f"wrote {file}")
        for each, count in Counter((each.file, each.reason) for each in missing).items():
            say(f"Warning: {each[0]}: {_count(count, 'crowd')} left out, {each[1]}.")
    if content.skipped and not _quiet():
        say(f"{_count(len(content.skipped), 'item')} could not be used; see `vidseg data check`.")


def table(facts: dict[str, Any]) -> list[str]:
    """The report for people."""
    parts = facts["splits"]
    widths = [max(len(name), 7) for name in parts]
    totals = Counter[str]()
    for part in parts.values():
        totals.update(part["by_class"])
    names = [name for name, _ in totals.most_common()]
    first = max(map(len, ["photos without objects", *names[:SHOWN]]))
    rows = [("", [*parts])]
    for key in ("photos", "photos_without_objects", "objects", "crowds"):
        rows.append((key.replace("_", " "), [str(part[key]) for part in parts.values()]))
    for name in names[:SHOWN]:
        rows.append((name, [str(part["by_class"][name]) for part in parts.values()]))
    lines = [
        f"{name:<{first}}  " + "  ".join(f"{v:>{w}}" for v, w in zip(values, widths, strict=True))
        for name, values in rows
    ]
    lines += [f"... and {len(names) - SHOWN} more classes"] if len(names) > SHOWN else []
    return [f"format: {', '.join(facts['formats'])}", *lines, *_sizes(facts), *_skipped(facts)]


def _sizes(facts: dict[str, Any]) -> list[str]:
    sizes = [f"{s['width']}x{s['height']} ({s['photos']})" for s in facts["photo_sizes"]]
    more = f" and {len(sizes) - 5} more sizes" if len(sizes) > 5 else ""
    objects = facts["object_sizes"]
    spread = " / ".join(f"{value:g}" for value in objects.values())
    lines = [f"photo sizes: {', '.join(sizes[:5])}{more}"]
    return lines + ([f"object sizes at 5/25/50/75/95 %: {spread} pixels"] if objects else [])


def _skipped(facts: dict[str, Any]) -> list[str]:
    """A line for every file and reason."""
    groups = Counter((each["file"], each["reason"]) for each in facts["skipped"])
    lines = [
        f"  {file}: {reason}{f' ({count} times)' if count > 1 else ''}"
        for (file, reason), count in groups.items()
    ]
    more = [f"  ... and {len(lines) - SHOWN} more lines like these"] if len(lines) > SHOWN else []
    return [f"left out: {len(facts['skipped'])}", *lines[:SHOWN], *more]


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _quiet() -> bool:
    from vidseg.cli.options import VERBOSITY

    return click.get_current_context().meta[VERBOSITY] < 0
