"""The pages' templates: one file a page, with styles, scripts and pictures inside, by jinja2.

Everything that a template is given is text and is escaped, but for what another template made.
"""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup


def render(name: str, facts: Mapping[str, object]) -> Markup:
    """The template of that name with these facts."""
    return Markup(template(name).render(facts))


def template(name: str) -> Template:
    return _environment().get_template(name)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("vidseg.inspection"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["clock"] = clock
    environment.filters["tick"] = _tick
    environment.filters["file"] = _file
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment


def clock(seconds: float) -> str:
    """`0:07.5`, `1:02:03.0`: a time in a video."""
    tenths = round(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    tail = f"{rest // 10:02d}.{rest % 10}"
    return f"{hours}:{minutes:02d}:{tail}" if hours else f"{minutes}:{tail}"


def _tick(seconds: float) -> str:
    """The same without what is 0."""
    return clock(seconds).removesuffix(".0")


def _file(name: str) -> Markup:
    """The text of a style sheet or script of this package, as it is."""
    source, _, _ = _loader().get_source(_environment(), name)
    return Markup(source)


def _loader() -> PackageLoader:
    loader = _environment().loader
    assert isinstance(loader, PackageLoader)
    return loader
