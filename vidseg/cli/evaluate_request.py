"""What `vidseg evaluate` was asked for."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidseg.cli.batch import introduce
from vidseg.cli.console import say
from vidseg.cli.options import RunFlags, Span
from vidseg.errors import OptionError

if TYPE_CHECKING:
    from vidseg.pipeline.search import Search


@dataclass(frozen=True, slots=True)
class Asked:
    """The options."""

    path: Path
    searching: "partial[Search]"
    detections: Path | None
    score: float
    track: bool
    gap: int
    out: Path | None
    span: Span
    run: RunFlags

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of --class."""
        return self.searching.args[0]

    def search(self, **others: Any) -> "Search":
        """A search by the model that was asked for; OptionError where none was."""
        keywords = self.searching.keywords
        if keywords["model"] is None and not self.classes and others.get("detections") is None:
            raise OptionError("Say what to judge: --model, --class, or results with --detections.")
        search = self.searching(**others)
        introduce(search, self.run)
        return search

    def tell(self, sentence: str) -> None:
        """A line on stderr, unless -q was given."""
        if not self.run.quiet:
            say(sentence)
