"""Effects from descriptions: `NAME[:key=value,...]`, such as `pixelate:class=person,cells=8`.

Keys are the fields of the effect's class, with `_` or `-`; values are read by the field's type. A
comma separates settings only where another `key=` follows. Every effect but `split` also takes
`class=` and `id=`, which select the objects it applies to, joined by `+`.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from PIL import ImageColor

from vidseg.effects.background import BlurBackground, DimBackground, Spotlight
from vidseg.effects.chain import Chain, Only, Split
from vidseg.effects.decorations import Contour, Halo, Trace
from vidseg.effects.effect import Effect
from vidseg.effects.overlay import Overlay
from vidseg.effects.privacy import Blur, Fill, Pixelate
from vidseg.effects.replace_background import ReplaceBackground
from vidseg.effects.splash import Splash
from vidseg.errors import InputError, OptionError
from vidseg.structures.colors import Color

EFFECTS: Mapping[str, Callable[..., Effect]] = {
    "overlay": Overlay,
    "splash": Splash,
    "contour": Contour,
    "halo": Halo,
    "trace": Trace,
    "spotlight": Spotlight,
    "blur": Blur,
    "pixelate": Pixelate,
    "fill": Fill,
    "blur-background": BlurBackground,
    "dim-background": DimBackground,
    "replace-background": ReplaceBackground,
    "split": Split,
}
"""Name to the class of the effect."""

EFFECT_PRESETS: Mapping[str, tuple[str, ...]] = {
    "anonymise": ("pixelate:cells=6,dilate=0.1,hold=30",),
    "focus": ("blur-background", "dim-background:amount=0.35"),
    "green-screen": ("replace-background",),
}
"""Name to the descriptions that it stands for. Settings of a preset go to each of its effects."""

SELECTION_KEYS = ("class", "id")
"""Keys that select objects, for every effect but `split`."""


def parse_effect(text: str, names: Mapping[int, str]) -> Effect:
    """The effect or preset that `text` describes; `names` is label to class name.

    Raises:
        OptionError: an unknown name, key, value or class; the message lists the known ones.
        InputError: a file that the effect needs cannot be read.
    """
    texts = _expanded(text)
    if texts != [text]:
        return parse_effects(texts, names)
    name, settings = _described(text)
    with _named(text):
        return _made(name, settings, names)


def parse_effects(texts: str | Iterable[str], names: Mapping[int, str]) -> Chain:
    """The effects in order, as one. Raises like `parse_effect`, wrong options before files."""
    effects, failed = [], None
    for text in (texts,) if isinstance(texts, str) else texts:
        try:
            effects.append(parse_effect(text, names))
        except InputError as error:
            failed = failed or error
    if failed is not None:
        raise failed
    return Chain(tuple(effects))


def classes_of(texts: Iterable[str]) -> tuple[str, ...]:
    """All classes that the effects name; empty if one of them applies to all classes."""
    described = [_described(each) for text in texts for each in _expanded(text)]
    given = [found.get("class") for name, found in described if "class" in settings_of(name)]
    names = (name.strip() for one in given if one is not None for name in one.split("+"))
    return () if None in given else tuple(dict.fromkeys(names))


def settings_of(name: str) -> list[str]:
    """The keys of an effect."""
    fields = [key for key in signature(EFFECTS[name]).parameters if key != "names"]
    return fields if EFFECTS[name] is Split else [*SELECTION_KEYS, *fields]


def _expanded(text: str) -> list[str]:
    """The descriptions that a preset stands for; of an effect, its own."""
    name, _, settings = text.partition(":")
    texts = EFFECT_PRESETS.get(name, (name,))
    return [_with_settings(each, settings) for each in texts] if settings else list(texts)


def _with_settings(text: str, settings: str) -> str:
    return f"{text}{',' if ':' in text else ':'}{settings}"


def _described(text: str) -> tuple[str, dict[str, str]]:
    """The effect's name and its settings, as written."""
    name, _, rest = text.partition(":")
    if name not in EFFECTS:
        known = [*EFFECTS, *EFFECT_PRESETS]
        raise OptionError(
            f"There is no effect {name!r}{_did_you_mean(name, known)}; use {', '.join(known)}."
        )
    with _named(text):
        return name, _settings(name, rest)


@contextmanager
def _named(text: str) -> Iterator[None]:
    """Add the description to an OptionError."""
    try:
        yield
    except OptionError as error:
        raise OptionError(f"In the effect {text!r}: {error}") from error


def _settings(name: str, text: str) -> dict[str, str]:
    """Key to value, as written."""
    found: dict[str, str] = {}
    known = settings_of(name)
    for part in re.split(r",(?=[\w-]+=)", text) if text else ():
        key, equals, value = part.partition("=")
        key = key.strip().replace("-", "_")
        if not equals:
            raise OptionError(f"{part!r} is not a setting; write key=value.")
        if key not in known:
            hint = _did_you_mean(key, known)
            raise OptionError(f"{name} has no setting {key!r}{hint}; it has {', '.join(known)}.")
        if key in found:
            raise OptionError(f"{key} is given twice.")
        found[key] = value.strip()
    return found


def _made(name: str, settings: dict[str, str], names: Mapping[int, str]) -> Effect:
    """The effect with these settings, for the objects that they select."""
    make, types = EFFECTS[name], get_type_hints(EFFECTS[name])
    labels = _labels(settings.pop("class"), names) if "class" in settings else None
    ids = _ids(settings.pop("id")) if "id" in settings else None
    values = {key: _value(key, value, types[key]) for key, value in settings.items()}
    if "names" in signature(make).parameters:
        values["names"] = names
    effect = make(**values)
    return effect if labels is ids is None else Only(effect, labels, ids)


def _value(key: str, text: str, kind: Any) -> Any:
    """The value of a field with annotation `kind`. A value of None cannot be written."""
    if get_origin(kind) in (Union, UnionType):
        (kind,) = (one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is Literal:
        if text not in get_args(kind):
            raise OptionError(f"{key} must be {' or '.join(get_args(kind))}, got {text!r}.")
        return text
    read, what = VALUE_READERS[kind]
    try:
        return read(text)
    except (ValueError, KeyError) as error:
        raise OptionError(f"{key} must be {what}, got {text!r}.") from error


def _color(text: str) -> Color:
    red, green, blue = ImageColor.getrgb(text)[:3]
    return red, green, blue


def _path(text: str) -> Path:
    if not text:
        raise ValueError
    return Path(text).expanduser()


SWITCH_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
VALUE_READERS: Mapping[Any, tuple[Callable[[str], Any], str]] = {
    bool: (SWITCH_WORDS.__getitem__, "on or off"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    Color: (_color, "a colour, such as red or #ff8800"),
    Path: (_path, "the path of a file"),
}
"""A field's type to its reader, and to what the value must be, in words."""


def _labels(text: str, names: Mapping[int, str]) -> frozenset[int]:
    known = {name.casefold() for name in names.values()}
    wanted = [name.strip() for name in text.split("+")]
    for name in wanted:
        if name.casefold() not in known:
            hint = _did_you_mean(name, names.values())
            raise OptionError(f"the model knows no class {name!r}{hint}.")
    folded = {name.casefold() for name in wanted}
    return frozenset(label for label, name in names.items() if name.casefold() in folded)


def _ids(text: str) -> frozenset[int]:
    numbers = [number.strip() for number in text.split("+")]
    if not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise OptionError(f"id must be numbers of tracks from 1 on, such as 3+5, got {text!r}.")
    return frozenset(map(int, numbers))


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    folded = {name.casefold(): name for name in reversed(list(known))}
    close = difflib.get_close_matches(word.casefold(), folded, n=3, cutoff=0.6)
    return f" (did you mean {' or '.join(folded[name] for name in close)}?)" if close else ""
