"""The options of a training run, and the settings that follow from them; imports no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from vidseg.errors import OptionError
from vidseg.models.names import check_precision, check_size

AUGMENTATIONS = ("flip", "scale", "color", "copy-paste")
"""Random changes of training images; all by default."""

DEFAULT_STEPS = 1000
"""Steps of a run if neither steps nor epochs are given."""

MAX_CHECKPOINTS = 20
"""Default limit of checkpoints, each with AP, in a run."""

LEARNING_RATES = {"resnet": 1e-4, "small": 5e-4}
"""Highest learning rates of AdamW by kind of model."""

WARMUP_STEPS = 100
"""Steps in which the learning rate rises, or a tenth of the run if that is less."""

LONGEST_SIDE_RATIO = 5 / 3
"""Longest side relative to the shorter one, where only that is given: 800 x 1333."""

Layers = Literal["heads", "all"]


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """The options of a run; None takes the default. A resumed run keeps those it started with."""

    arch: str | None = None
    """A key of `vidseg.models.architectures.ARCHITECTURES`; None: that of the weights."""
    epochs: float | None = None
    """How often each photo is shown; `steps` says the same in batches."""
    steps: int | None = None
    """Number of batches; 1000 if neither this nor `epochs` is given."""
    batch_size: int | None = None
    """Images per step, in each process that trains along; default 2."""
    lr: float | None = None
    """Highest learning rate; default 0.0001 for ResNet models, 0.0005 for small ones."""
    layers: Layers | None = None
    """`heads` freezes the backbone, `all` trains everything from the start; default: if the weights
    are a whole model, heads for a third of the steps, then all."""
    image_size: int | None = None
    """Shorter side of images in pixels, in training and in use; default: that of the weights."""
    augment: tuple[str, ...] | None = None
    """Some of `AUGMENTATIONS`; default: all."""
    precision: str | None = None
    """float32, bfloat16, float16 (CUDA only), or auto (default): the fastest that trains well."""
    every: int | None = None
    """Steps between two checkpoints with AP; default: an epoch, or a twentieth of the run."""
    hard_negatives: int | None = None
    """See `vidseg.training._mask_rcnn_losses`."""
    seed: int | None = None
    """Seed of all random numbers; default 0."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What determines the result of a run, with its data and initial weights; in checkpoints."""

    architecture: str
    image_size: tuple[int, int]
    """Shorter and longest side of images, in pixels."""
    steps: int
    heads_steps: int
    """First steps, in which the backbone is frozen."""
    batch_size: int
    lr: float
    """Highest learning rate, of the heads."""
    augment: tuple[str, ...]
    precision: str
    """float32, bfloat16 or float16."""
    every: int
    """Steps between two checkpoints."""
    hard_negatives: int | None
    """Hardest negative boxes per image in the loss of the box head; None: all."""
    seed: int
    processes: int = 1
    """Those that make each step together, with `batch_size` images each."""

    def state(self) -> dict[str, Any]:
        """Plain values, for `from_state`."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Settings:
        names = [field.name for field in fields(cls) if field.name in state]
        values = {name: state[name] for name in names}
        lists = {name: tuple(values[name]) for name in ("image_size", "augment")}
        return cls(**{**values, **lists})


def check_options(options: TrainOptions) -> None:
    """Raises OptionError: an invalid value."""
    if options.epochs is not None and options.steps is not None:
        raise OptionError("Epochs and steps both set the length of the run; give one of them.")
    if options.epochs is not None and not 0 < options.epochs < float("inf"):
        raise OptionError(f"The number of epochs must be above 0, not {options.epochs:g}.")
    for name in ("steps", "batch_size", "every", "hard_negatives"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise OptionError(f"{name} must be 1 or more, not {value}.")
    if options.lr is not None and not 0 < options.lr < float("inf"):
        raise OptionError(f"The learning rate must be above 0, not {options.lr:g}.")
    if options.layers not in (None, "heads", "all"):
        raise OptionError(f"There are no layers {options.layers!r}; use heads or all.")
    if options.seed is not None and options.seed < 0:
        raise OptionError(f"The seed must be 0 or more, not {options.seed}.")
    check_precision(options.precision or "auto")
    check_size(options.image_size)
    for name in options.augment or ():
        if name not in AUGMENTATIONS:
            known = ", ".join(AUGMENTATIONS)
            raise OptionError(f"There is no augmentation {name!r}; use {known}, or none.")


def resolve_settings(
    options: TrainOptions,
    *,
    architecture: str,
    image_size: tuple[int, int],
    pretrained: bool,
    photos: int,
    precision: str,
    processes: int = 1,
) -> Settings:
    """The settings of a new run.

    Args:
        image_size: shorter and longest side of images of the initial weights.
        pretrained: whether they are a whole model; then only the heads are trained for the first
            third of the steps (as in Matterport's schedule for balloons; for COCO a quarter).
        photos: number of training photos; an epoch has each once.
        precision: float32, bfloat16 or float16.
        processes: how many make each step together.
    """
    batch_size = options.batch_size or 2
    images = batch_size * processes
    epoch = -(-photos // images)
    steps = options.steps or DEFAULT_STEPS
    if options.epochs is not None:
        steps = max(1, round(options.epochs * photos / images))
    alone = {"heads": steps, "all": 0, None: steps // 3 if pretrained else 0}
    if options.image_size is not None:
        image_size = (options.image_size, round(options.image_size * LONGEST_SIDE_RATIO))
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
        every=options.every or max(epoch, -(-steps // MAX_CHECKPOINTS)),
        hard_negatives=options.hard_negatives,
        seed=options.seed or 0,
        processes=processes,
    )


def check_same(options: TrainOptions, settings: Settings, *, pretrained: bool, photos: int) -> None:
    """Raises OptionError: an option differs from those that the run was started with."""
    asked = resolve_settings(
        options,
        architecture=settings.architecture,
        image_size=settings.image_size,
        pretrained=pretrained,
        photos=photos,
        precision=settings.precision,
        processes=settings.processes,
    )
    wants = options.precision not in (None, "auto", settings.precision)
    names = {"arch": "architecture", "epochs": "steps", "layers": "heads_steps"}
    for field in fields(options):
        given = getattr(options, field.name)
        key = names.get(field.name, field.name)
        begun = getattr(settings, key)
        if field.name == "precision":
            differs = wants
        elif field.name == "arch":
            differs = given not in (None, begun)
        else:
            differs = given is not None and getattr(asked, key) != begun
        if differs:
            raise OptionError(
                f"The run was started with {key} {begun}; leave out {field.name}, or start a new "
                "run with its last.pt as weights."
            )
