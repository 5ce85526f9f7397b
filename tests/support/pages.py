"""The numbers in a page, and a real browser to look at one."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest

BROWSERS = ("chromium", "chromium-browser", "google-chrome")

Facts = dict[str, Any]


def facts_of(page: Path) -> Facts:
    """The JSON that a page about videos holds."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="facts">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    return json.loads(found[1])


class Tab:
    """A page that is open in Chromium."""

    def __init__(self, page: Any, complaints: list[str]) -> None:
        self.page = page
        self.complaints = complaints
        """Messages of its console that are errors or warnings, and requests to a network."""


@contextmanager
def opened(
    path: Path, *, width: int = 1280, scheme: Literal["light", "dark"] = "light"
) -> Iterator[Tab]:
    """The file in Chromium; skips the test where Playwright or Chromium is missing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = next((found for name in BROWSERS if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("Chromium is not installed")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=["--no-sandbox"])
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, offline=True
        )
        page, complaints = context.new_page(), []
        page.on("console", lambda message: _complain(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: _note(complaints, request.url))
        page.goto(path.absolute().as_uri())
        yield Tab(page, complaints)
        browser.close()


def _complain(complaints: list[str], message: Any) -> None:
    if message.type in ("error", "warning"):
        complaints.append(message.text)


def _note(complaints: list[str], url: str) -> None:
    if not url.startswith(("data:", "file:")):
        complaints.append(f"request to {url}")
