"""The page about one video or several: tracks, worst moments, and how they were found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vidseg.inspection._templates import render
from vidseg.inspection._track_pictures import Key, Picture
from vidseg.inspection.video_facts import Facts

REPORT_VERSION = 1
"""Of the JSON in the page, which is in its element `facts`."""


@dataclass(frozen=True, slots=True)
class VideoPart:
    """One video of a page."""

    facts: Facts
    """As `video_facts` gives them."""
    pictures: Mapping[Key, Picture] = field(default_factory=dict)


def video_page(title: str, videos: Sequence[VideoPart], program: str) -> str:
    """The whole file; `program` is what made it."""
    facts = {
        "report": REPORT_VERSION,
        "program": program,
        "videos": [video.facts for video in videos],
    }
    view = {
        "title": title,
        "videos": videos,
        "facts": facts,
        "program": program,
    }
    return str(render("video_page.html", view))
