"""What a training run is asked to do, and what follows from that; imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from vidseg.errors import OptionError
from vidseg.models.names import check_precision, check_size

AUGMENTATIONS = ("flip", "scale", "color", "copy-paste")
"""What may be done to training pictures; all of it by default."""

STEPS = 1000
"""Steps of a run that says neither steps nor epochs."""

CHECKS = 20
"""At most so many times in a run, AP is measured and a checkpoint saved."""

LEARNING_RATES = {"resnet": 1e-4, "small": 5e-4}
"""Of AdamW: for the ResNet models, and for the small ones."""

WARM_UP = 100
"""Steps, or a tenth of the run if that is less, in which the learning rate rises."""

LONGEST = 5 / 3
"""Longest side of pictures in shorter sides, where only the shorter one is said: 800 x 1333."""

Layers = Literal["heads", "all"]


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for; None leaves the choice open. `vidseg.train` says what each means."""

    epochs: float | None = None
    steps: int | None = None
    batch_size: int | None = None
    lr: float | None = None
    layers: Layers | None = None
    image_size: int | None = None
    augment: tuple[str, ...] | None = None
    precision: str | None = None
    every: int | None = None
    hard_negatives: int | None = None
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """All that decides, with the data and the start, what a run leads to; kept in checkpoints."""

    architecture: str
    image_size: tuple[int, int]
    """Shorter and longest side of pictures, in pixels."""
    steps: int
    heads_steps: int
    """Steps at the beginning in which the trunk stays as it is."""
    batch_size: int
    lr: float
    """Highest learning rate, of the heads."""
    augment: tuple[str, ...]
    precision: str
    """float32, bfloat16 or float16."""
    every: int
    """Steps between two checkpoints."""
    hard_negatives: int | None
    """Background boxes of an image that count in the box head's loss, the worst; None: all."""
    seed: int

    def state(self) -> dict[str, Any]:
        """Plain values, from which `from_state` makes the settings again."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Settings:
        names = [field.name for field in fields(cls)]
        values = {name: state[name] for name in names}
        lists = {name: tuple(values[name]) for name in ("image_size", "augment")}
        return cls(**{**values, **lists})


def check_options(options: Options) -> None:
    """Raises OptionError: a value that no run can have."""
    if options.epochs is not None and options.steps is not None:
        raise OptionError("Epochs and steps both say how long to train; give one of them.")
    if options.epochs is not None and not 0 < options.epochs < float("inf"):
        raise OptionError(f"The number of epochs must be above 0, and it is {options.epochs:g}.")
    for name in ("steps", "batch_size", "every", "hard_negatives"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise OptionError(f"{name} must be 1 or more, and it is {value}.")
    if options.lr is not None and not 0 < options.lr < float("inf"):
        raise OptionError(f"The learning rate must be above 0, and it is {options.lr:g}.")
    if options.layers not in (None, "heads", "all"):
        raise OptionError(f"There are no layers {options.layers!r}; use heads or all.")
    if options.seed is not None and options.seed < 0:
        raise OptionError(f"The seed must be 0 or more, and it is {options.seed}.")
    check_precision(options.precision or "auto")
    check_size(options.image_size)
    for name in options.augment or ():
        if name not in AUGMENTATIONS:
            known = ", ".join(AUGMENTATIONS)
            raise OptionError(f"There is no augmentation {name!r}; use {known}, or none.")


def settle(
    options: Options,
    *,
    architecture: str,
    image_size: tuple[int, int],
    pretrained: bool,
    photos: int,
    precision: str,
) -> Settings:
    """The settings of a new run.

    Args:
        image_size: shorter and longest side that the start was trained at.
        pretrained: whether the start is a whole model; then the heads learn alone at first, for a
            third of the steps (Matterport's schedule for balloons, and for COCO a quarter).
        photos: photos to train on; an epoch shows each once.
        precision: float32, bfloat16 or float16.
    """
    batch_size = options.batch_size or 2
    epoch = -(-photos // batch_size)
    steps = options.steps or STEPS
    if options.epochs is not None:
        steps = max(1, round(options.epochs * photos / batch_size))
    alone = {"heads": steps, "all": 0, None: steps // 3 if pretrained else 0}
    if options.image_size is not None:
        image_size = (options.image_size, round(options.image_size * LONGEST))
    kind = "resnet" if "resnet" in architecture else "small"
    augment = AUGMENTATIONS if options.augment is None else options.augment
    return Settings(
        architecture=architecture,
        image_size=image_size,
        steps=steps,
        heads_steps=alone[options.layers],
        batch_size=batch_size,
        lr=options.lr or LEARNING_RATES[kind],
        augment=tuple(name for name in AUGMENTATIONS if name in augment),
        precision=precision,
        every=options.every or max(epoch, -(-steps // CHECKS)),
        hard_negatives=options.hard_negatives,
        seed=options.seed or 0,
    )


def check_same(options: Options, settings: Settings, *, pretrained: bool, photos: int) -> None:
    """Raises OptionError: an option that the run which is to go on was not begun with."""
    asked = settle(
        options,
        architecture=settings.architecture,
        image_size=settings.image_size,
        pretrained=pretrained,
        photos=photos,
        precision=settings.precision,
    )
    wants = options.precision not in (None, "auto", settings.precision)
    names = {"epochs": "steps", "layers": "heads_steps"}
    for field in fields(options):
        given = getattr(options, field.name)
        key = names.get(field.name, field.name)
        if field.name == "precision":
            differs, begun = wants, settings.precision
        else:
            begun = getattr(settings, key)
            differs = given is not None and getattr(asked, key) != begun
        if differs:
            raise OptionError(
                f"The run was begun with {key} {begun}; leave {field.name} out, or begin a new "
                "run from its last.pt as a model file."
            )
