"""The effects in words, for `vidseg draw --help` and README.md: read from their classes."""

from collections.abc import Callable
from inspect import getdoc, signature
from typing import Any, NamedTuple

from vidseg.effects.parse import EFFECT_PRESETS, EFFECTS
from vidseg.structures.colors import BLACK, WHITE

COLOR_NAMES = {BLACK: "black", WHITE: "white"}


class Description(NamedTuple):
    """What `--effect NAME` does."""

    name: str
    summary: str
    settings: tuple[str, ...]
    """`key=default`, or `key` where the default depends on the picture or is nothing."""


def effects_in_words() -> list[Description]:
    """Every effect, in the order of `EFFECTS`."""
    return [
        Description(name, (getdoc(made) or "").partition("\n")[0], _settings(made))
        for name, made in EFFECTS.items()
    ]


def presets_in_words() -> list[Description]:
    """Every preset; its summary is the effects that it stands for."""
    return [Description(name, " + ".join(texts), ()) for name, texts in EFFECT_PRESETS.items()]


def _settings(effect: Callable[..., Any]) -> tuple[str, ...]:
    """The effect's own settings first, then those that it shares with others."""
    own = list(getattr(effect, "__annotations__", {}))
    defaults = {key: one.default for key, one in signature(effect).parameters.items()}
    keys = sorted(defaults, key=lambda key: own.index(key) if key in own else len(own))
    return tuple(_setting(key, defaults[key]) for key in keys if key != "names")


def _setting(key: str, default: object) -> str:
    if default is None:
        return key
    if isinstance(default, bool):
        return f"{key}={'on' if default else 'off'}"
    if isinstance(default, tuple):
        return f"{key}={COLOR_NAMES.get(default) or '#{:02x}{:02x}{:02x}'.format(*default)}"
    return f"{key}={default:g}" if isinstance(default, float) else f"{key}={default}"
