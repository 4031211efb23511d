"""A person looks at the facility view, on which instruments are safe, need somebody, are silent, or not there yet."""

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import SCREENSHOTS
from tests.unit.fleet.conftest import FLEET, Clock, Serve, in_need, report, serve, written

__all__ = ["serve", "written"]
pytestmark = pytest.mark.timeout(180)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("size", "width", "height"), [("desktop", 1440, 900), ("phone", 390, 844)])
def test_the_view_is_readable_for_all_and_changes_by_itself(
    serve: Serve,
    browser: Browser,
    violations: Callable[[Page], list[str]],
    size: str,
    width: int,
    height: int,
    scheme: str,
) -> None:
    clock = Clock()
    view = serve(f"{FLEET}  - {{name: New-1, silent: 1d}}\n", clock=clock)
    view.post(report("STED-1"), to="STED-1")
    clock.at += 600
    view.post(in_need())
    view.post(report("Écran 7 µm"), to="Écran 7 µm")
    options: dict[str, Any] = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    context = browser.new_context(base_url=f"http://127.0.0.1:{view.port}", **options)
    try:
        page, complaints, asked = context.new_page(), list[str](), list[str]()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("request", lambda one: asked.append(one.url))
        page.goto("/")
        expect(page.get_by_role("heading", level=1)).to_contain_text("LSM980-2 needs somebody; STED-1 is silent since")
        for said in ("Needs attention", "Silent", "All safe", "Not heard of yet"):
            expect(page.get_by_role("row").get_by_text(said, exact=True)).to_be_visible()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        SCREENSHOTS.mkdir(exist_ok=True)
        (SCREENSHOTS / f"fleet-{size}-{scheme}.png").write_bytes(page.screenshot(full_page=True))
        clock.at += 1
        view.post(report("STED-1"), to="STED-1")
        view.post(report())
        expect(page.get_by_role("heading", level=1)).to_have_text("New-1 has not reported yet; 3 instruments are well.")
        assert complaints == []
        assert [url for url in asked if not url.startswith(("http://127.0.0.1:", "data:"))] == []
    finally:
        context.close()
