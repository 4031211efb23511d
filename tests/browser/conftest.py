"""A real browser that looks at the page of a running watcher."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from tests.e2e.conftest import Program, irods_program, server  # noqa: F401 - fixtures

#: Where the pictures of all pages are left for people to look at.
SCREENSHOTS = Path(__file__).resolve().parents[2] / ".screenshots"
DESKTOP = {"width": 1440, "height": 900}
expect.set_options(timeout=30_000)
#: WCAG 2.2 AA, and what axe recommends beyond it.
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, logins: [jdoe]}
  - {name: "Roe, Richard", logins: [rroe], staff: true}
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; a test that needs it is skipped where it is not installed, and fails in CI.

    Not for the whole session: while Playwright is there it has an event loop that runs, beside which no other may.
    """
    found = shutil.which("chromium")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and it is required in CI")
        pytest.skip("chromium is not installed (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])  # CI is root
        yield running
        running.close()


@dataclass
class Look:
    """Opens pages of one watcher, and keeps what the browser complains of."""

    browser: Browser
    program: Program
    complaints: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    @cached_property
    def address(self) -> str:
        """Where the page is, as `status` says."""
        said = ""

        def is_there() -> bool:
            nonlocal said
            found = re.search(r"Page: (\S+)/", self.program("status").stdout)
            said = found[1] if found else ""
            return bool(said)

        self.program.wait_for(is_there)
        return said

    def __call__(self, path: str = "/", **options: Any) -> Page:
        """A new window, as large as on a desk unless `viewport` says otherwise."""
        context = self.browser.new_context(base_url=self.address, **{"viewport": DESKTOP, **options})
        self.contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("console", self._heard)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)
        page.goto(path)
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        # That a page has the status of what it refuses is as it should be.
        refused = re.search(r"the server responded with a status of (401|404|422)", message.text)
        if message.type in {"error", "warning"} and not refused:
            self.complaints.append(message.text)

    def _asked(self, request: Request) -> None:
        if not request.url.startswith(("http://127.0.0.1:", "data:")):
            self.elsewhere.append(request.url)


@pytest.fixture
def look(browser: Browser, irods_program: Program) -> Iterator[Look]:  # noqa: F811
    """Looks at `irods_program`; no page may ask for anything elsewhere, or make the browser complain."""
    looking = Look(browser, irods_program)
    yield looking
    for context in looking.contexts:
        context.close()
    assert looking.elsewhere == []
    assert looking.complaints == []


@pytest.fixture(scope="session")
def violations() -> Callable[[Page], list[str]]:
    """What axe-core finds wrong in a page, in words."""
    axe = Axe()

    def find(page: Page) -> list[str]:
        found = axe.run(page, options={"runOnly": {"type": "tag", "values": _RULES}}).response["violations"]
        return [
            f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:3]]} "
            f"{json.dumps([node.get('failureSummary', '') for node in one['nodes'][:1]])}" for one in found
        ]  # fmt: skip

    return find
