"""A real browser without a window, Chromium, that looks at a page."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from playwright.sync_api import Browser, Page, expect, sync_playwright

#: as systems call it
_NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

#: how long a page may take on a busy machine
_PATIENCE_MS = 20_000
expect.set_options(timeout=_PATIENCE_MS)

_AXE = Path(__file__).parents[1] / "npm/node_modules/axe-core/axe.min.js"


@dataclass
class Visit:
    """A page that is open, what it wrote to the console, and what it asked for besides itself."""

    page: Page
    messages: list[str]
    requests: list[str]

    def evaluate(self, script: str) -> Any:
        return self.page.evaluate(script)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def click(self, selector: str) -> None:
        self.page.click(selector, timeout=5_000)


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser in which pages can be opened."""
    program = next(filter(None, map(shutil.which, _NAMES)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def quiet_page(
    browser: Browser, *, dark: bool = False, width: int = 1_280, allowed: Collection[str] = (), **options: Any
) -> Iterator[Page]:
    """A page of a server, in a context of its own. When it is left, it must have said nothing to the console but lines
    with something ``allowed`` in them; a policy that is broken says so there."""
    height = 900 if width > 800 else 844
    scheme: Literal["dark", "light"] = "dark" if dark else "light"
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
    page, said = context.new_page(), list[str]()
    page.set_default_timeout(_PATIENCE_MS)
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    yield page
    context.close()
    loud = [line for line in said if not any(part in line for part in allowed)]
    assert not loud, loud


def inaccessible(page: Page) -> list[str]:
    """What axe-core finds wrong with a page: the rules that are broken, and where."""
    page.evaluate(_AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document)")["violations"]
    return [f"{rule['id']}: {node['html'][:200]}" for rule in found for node in rule["nodes"]]


@contextmanager
def visit(file: Path, *, dark: bool = False, width: int = 1_400) -> Iterator[Visit]:
    """The page in a file; it must have said and asked for nothing when it is left."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light")
        seen = Visit(page, [], [])
        page.on("console", lambda message: seen.messages.append(message.text))
        page.on("pageerror", lambda error: seen.messages.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request.url))
        page.goto(file.as_uri())
        yield seen
    assert seen.messages == []
    assert seen.requests == [file.as_uri()]
