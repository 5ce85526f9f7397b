"""The pages' templates: one file a page, with styles, scripts and pictures inside, by jinja2.

Everything that a template is given is text and is escaped, but for what another template made.
"""

from collections.abc import Mapping
from functools import lru_cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from vidseg.inspection import _time_words, _timeline


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
    environment.globals["words"] = _time_words
    environment.globals["chart"] = _timeline
    environment.filters["file"] = _file
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment


def _file(name: str) -> Markup:
    """The text of a style sheet or script of this package, as it is."""
    source, _, _ = _loader().get_source(_environment(), name)
    return Markup(source)


def _loader() -> PackageLoader:
    loader = _environment().loader
    assert isinstance(loader, PackageLoader)
    return loader
