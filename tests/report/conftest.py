"""A real browser for the report's tests: Debian's chromium or another system Chromium, driven by Playwright.

Where none is found the tests that ask for it are skipped with the reason; with TUNEVET_REQUIRE_BROWSER=1 they fail.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

_GO = """(place) => new Promise((done) => {
  if (location.hash === place) done();
  else { addEventListener("hashchange", () => done(), { once: true }); location.hash = place; }
})"""


def browser_path() -> str | None:
    """TUNEVET_BROWSER, else the first of NAMES on the path."""
    named = os.environ.get("TUNEVET_BROWSER")
    return named or next((found for name in NAMES if (found := shutil.which(name))), None)


@dataclass
class Opened:
    """A page and what it did besides showing itself."""

    page: Any
    address: str
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # uncaught errors and everything the console complained of

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, place: str) -> None:
        """Follows a link inside the page, such as "rows" or "row-12"."""
        self.page.evaluate(_GO, f"#{place}")

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()

    def lines(self) -> str:
        """What an export would hold."""
        return self.page.locator("#lines").input_value()

    def is_quiet(self) -> None:
        """Nothing was loaded but the file itself, nothing asked, nothing failed."""
        assert [r for r in self.requests if not r.startswith(("data:", "blob:"))] == [self.address]
        assert self.dialogs == [] and self.errors == []


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    path = browser_path()
    if path is None:
        reason = "no Chromium on the path: install chromium, or name one in TUNEVET_BROWSER"
        if os.environ.get("TUNEVET_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def show(chromium: Any) -> Iterator[Callable[..., Opened]]:
    """Opens a report: a file, or bytes under an address. Options are those of a browser context; `before` is a script
    that runs before the page's own."""
    contexts = []

    def opened(path: Path | str, at: str = "", before: str = "", **options: Any) -> Opened:
        context = chromium.new_context(**{"viewport": {"width": 1360, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        address = path.as_uri() if isinstance(path, Path) else path
        made = Opened(page, address)
        page.on("request", lambda request: made.requests.append(request.url.partition("#")[0]))
        page.on("pageerror", lambda error: made.errors.append(str(error)))
        page.on("console", lambda said: said.type in ("error", "warning") and made.errors.append(said.text))

        def dismiss(dialog: Any) -> None:
            made.dialogs.append(dialog.message)
            dialog.dismiss()

        page.on("dialog", dismiss)
        if before:
            page.add_init_script(before)
        page.goto(address + at)
        return made

    yield opened
    for context in contexts:
        context.close()
