"""A person looks at a running watcher: what the instrument does, what goes wrong, and what can be done about it."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PEOPLE, SCREENSHOTS, Look
from tests.e2e.conftest import Program
from tests.irods_server import IrodsServer
from watcher import simulate

PEOPLE_SECTION = "people: {directory: people.yaml, requests: requests}\n"
#: In pixels; zoomed is a desktop at 400 %.
SIZES = {"desktop": (1440, 900), "phone": (390, 844), "zoomed": (320, 256), "tablet": (768, 1024), "4k": (3840, 2160)}
PICTURED = ("desktop", "phone")
#: DATA_OBJ_WRITE_AN
_WRITE = 676
pytestmark = pytest.mark.timeout(180)


def started(program: Program, more: str = "", *, quiet: str = "2s", deadline: str = "1h") -> None:
    """Let the watcher run."""
    (program.home / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    program.write_profile(settle="1s", quiet=quiet, more=more)
    text = program.profile.read_text(encoding="utf-8").replace("deadline: 1h", f"deadline: {deadline}")
    program.profile.write_text(text, encoding="utf-8")
    program.start("run", "profile.yaml")


def broken_set(program: Program, name: str = "embryo") -> Callable[[], None]:
    """A set of which the third file is missing; what is returned lets it come."""
    simulate.KINDS["ome-tiff-series"](program.data, name, pause=lambda _: None)
    third = program.data / f"{name}_Z03.ome.tif"
    kept = third.rename(program.home / f"{name}.kept")
    return lambda: (kept.rename(third), None)[1]


def test_an_acquisition_appears_progresses_and_becomes_safe(look: Look, server: IrodsServer) -> None:
    started(look.program, quiet="4s")
    half = server.faults.hold(api=_WRITE, path="*/scan*", nth=6)
    page = look()
    expect(page.get_by_role("heading", level=1)).to_have_text("No sets from Scope-1 yet.")
    expect(page).to_have_title(re.compile("^✓"))
    file = look.program.data / "scan.dat"
    with file.open("wb") as growing:
        growing.write(b"\1" * 3_000_000)
        growing.flush()
        row = page.get_by_role("row").filter(has_text="scan")
        expect(row).to_contain_text("Still being written")
        expect(row).to_contain_text("No, keep it")
        growing.write(b"\2" * 45_000_000)  # large enough to go in blocks of 4 MiB
    expect(row.locator("progress")).to_be_visible()
    expect(row.locator(".percent")).to_have_text(re.compile(r"^[1-9]\d %$"))
    expect(page).to_have_title(re.compile("^↑"))
    expect(page.locator("#tile-sending")).to_contain_text("MB of 48.0 MB")
    taken(page, "sending")
    half.open()
    expect(row).to_contain_text("Safe in the archive")
    expect(row).to_contain_text("Yes")
    expect(page.get_by_role("heading", level=1)).to_have_text("The one set from Scope-1 is safe in the archive.")
    expect(page).to_have_title(re.compile("^✓"))
    assert "mood-safe" in (page.locator("link[rel=icon]").get_attribute("href") or "")
    row.get_by_role("link", name="scan").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("scan")
    expect(page.locator("#members")).to_contain_text(re.compile(r"[0-9a-f]{64}"))
    expect(page.locator("main")).to_contain_text("It is safe to delete it here.")


def test_a_broken_acquisition_is_explained_and_retried(look: Look) -> None:
    started(look.program, deadline="4s")
    page = look()
    mend = broken_set(look.program)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^1 set from Scope-1 needs you"))
    expect(page).to_have_title(re.compile("^⚠"))
    need = page.locator("#needs li").filter(has_text="embryo")
    expect(need).to_contain_text("embryo_Z03.ome.tif")
    need.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("Needs attention")
    expect(page.locator("main")).to_contain_text("Do not delete it here yet.")
    mend()
    page.get_by_role("button", name="Retry").click()
    expect(page.locator(".said")).to_have_text("It is tried again.")
    expect(page.locator("#state")).to_contain_text("Safe in the archive")
    page.get_by_role("link", name="All sets").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The one set from Scope-1 is safe in the archive.")


def test_a_request_is_made_and_a_session_started_by_keyboard_alone(look: Look) -> None:
    started(look.program, PEOPLE_SECTION)
    page = look()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    press(page, "Requests")
    press(page, "New request")
    for label, words in (
        ("Title", "Actin in HeLa"), ("Scientist", "jdoe"), ("Project", "P-17"), ("Sample", "HeLa"),
        ("What", "whole cells"), ("Channels", "DAPI, GFP"), ("Objective", "63x"), ("Positions", "12"),
    ):  # fmt: skip
        reach(page, label)
        page.keyboard.type(words)
    page.keyboard.press("Enter")
    expect(page.locator("#problem")).to_be_focused()
    expect(page.locator("#problem")).to_contain_text("acquire.repeats is missing")
    expect(page.get_by_label("Title")).to_have_value("Actin in HeLa")
    reach(page, "Repeats")
    page.keyboard.type("3")
    reach(page, "As the two have agreed")
    page.keyboard.type("Ack")
    reach(page, "Scientist and operator have agreed on it")
    page.keyboard.press("Space")
    press(page, "Make the request")
    expect(page.locator(".said")).to_have_text("The request is written down.")
    expect(page.locator(".head .badge")).to_have_text("Ready")
    press(page, "Operate for it")
    expect(page.get_by_role("combobox", name="Request")).to_have_value(re.compile(r"^RQ\w{7}$"))
    reach(page, "I am operating")
    page.keyboard.type("rroe")
    page.keyboard.press("Enter")
    expect(page.locator(".said")).to_contain_text("The session has begun")
    press(page, "Overview")
    expect(page.locator("#now")).to_contain_text(re.compile(r"Work on RQ\w{7} goes on"))
    press(page, "Sessions")
    press(page, "Stop")
    expect(page.locator(".said")).to_have_text("The session has ended.")
    assert look.program.json("session", "status")["sessions"][0]["open"] is False


def reach(page: Page, name: str, most: int = 60) -> None:
    """Go on with the tab key until what has this name or label has the focus."""
    read = """() => { const e = document.activeElement; const label = e.labels && e.labels[0];
                      return (label || e).textContent.trim().replace(/\\s+/g, ' '); }"""
    for _ in range(most):
        page.keyboard.press("Tab")
        said = page.evaluate(read)
        if said == name or (said.startswith(name) and page.evaluate("document.activeElement.tagName") == "SELECT"):
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", f"it cannot be seen that {name} has the focus"
            return
    pytest.fail(f"no tab leads to {name}")


def press(page: Page, name: str) -> None:
    """Go to a link or button and press it."""
    reach(page, name)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def test_all_works_without_javascript(look: Look) -> None:
    started(look.program, PEOPLE_SECTION, deadline="3s")
    broken_set(look.program)
    look.program.wait_for(lambda: bool(look.program.sets("held")))
    page = look(java_script_enabled=False)
    expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("needs you"))
    expect(page.locator(".copy").first).to_be_hidden()
    page.get_by_label("State").select_option("attention")
    page.get_by_role("button", name="Show").click()
    expect(page).to_have_url(re.compile("state=attention"))
    page.get_by_role("row").get_by_role("link", name="embryo").click()
    page.locator("summary", has_text="Skip").click()
    page.get_by_label("Why, for whoever asks later").last.fill("only a test")
    page.get_by_role("button", name="Leave it out; its files stay").click()
    expect(page.locator(".said")).to_contain_text("It is left out")
    expect(page.locator("#state")).to_contain_text("Left out")
    page.goto("/requests/new")
    page.get_by_label("Title").fill("Actin")
    page.get_by_role("button", name="Make the request").click()
    page.get_by_role("button", name="Make it as it is").click()
    expect(page.locator(".said")).to_have_text("The request is written down.")


def test_what_somebody_is_at_is_not_disturbed_by_what_changes(look: Look) -> None:
    started(look.program)
    look.program.wait_for(
        lambda: (simulate.KINDS["growing-stack"](look.program.data, "a", pause=lambda _: None), True)[1]
    )
    page = look()
    expect(page.get_by_role("row").filter(has_text="Safe in the archive")).to_have_count(1)
    search = page.get_by_label("Search")
    search.fill("something")
    link = page.get_by_role("row").get_by_role("link", name="a", exact=True)
    simulate.KINDS["growing-stack"](look.program.data, "b", pause=lambda _: None, seed=2)
    expect(page.get_by_role("row").filter(has_text="Safe in the archive")).to_have_count(2)
    expect(search).to_be_focused()
    expect(search).to_have_value("something")
    link.focus()
    simulate.KINDS["growing-stack"](look.program.data, "c", pause=lambda _: None, seed=3)
    expect(page.get_by_role("row").filter(has_text="Safe in the archive")).to_have_count(3)
    expect(link).to_be_focused()


def test_a_page_says_that_it_is_out_of_date_when_the_watcher_has_ended(look: Look) -> None:
    started(look.program)
    page = look()
    expect(page.locator("#stale")).to_be_hidden()
    assert look.program.stop(look.program.processes[0]) == 0
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#stale")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("No sets from Scope-1 yet.")
    # That nothing answers any more is what the browser complains of.
    assert all("ERR_CONNECTION" in complaint or "Failed to fetch" in complaint for complaint in look.complaints)
    look.complaints.clear()


def test_a_path_is_copied_and_a_script_in_a_name_is_a_name(look: Look) -> None:
    started(look.program)
    strange = "<img src=x onerror=document.title=1>"
    simulate.KINDS["growing-stack"](look.program.data, strange, pause=lambda _: None)
    page = look(permissions=["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("row").get_by_role("link")).to_have_text(strange)
    assert page.locator("img").count() == 0
    page.get_by_role("button", name=f"Copy the path of {strange}").click()
    expect(page.locator("#told")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == look.program.json("list")["sets"][0]["collection"]
    assert copied.startswith("/tempZone/home/rods/facility/Scope-1/")
    page.get_by_role("row").get_by_role("link").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(strange)
    expect(page).not_to_have_title("1")


def everything(program: Program) -> list[str]:
    """A watcher that has met all sorts of sets, and the addresses of all its pages."""
    started(program, PEOPLE_SECTION + "web: {port: 0, people: true, password: {env: PAGE_PASSWORD}}\n", deadline="3s")
    for number in range(3):
        simulate.KINDS["growing-stack"](program.data, f"timelapse_{number}", pause=lambda _: None, seed=number)
    broken_set(program, "embryo_with_a_rather_long_name_as_people_give_them_20261127_63x_GFP_DAPI")
    full = ["--title", "Actin in HeLa", "--scientist", "jdoe", "--project", "P-17", "--sample", "HeLa", "--what",
            "cells", "--channel", "DAPI", "--objective", "63x", "--positions", "1", "--repeats", "3", "--authorship",
            "none", "--agreed"]  # fmt: skip
    ready = program.json("request", "new", *full, "-p", "profile.yaml")["requests"][0]["id"]
    program("request", "new", "--title", "Organoids", "-p", "profile.yaml")
    program("session", "start", ready, "--operator", "rroe", "-p", "profile.yaml")
    program.wait_for(lambda: len(program.sets("published")) == 3 and len(program.sets("held")) == 1)
    program("skip", "timelapse_1")
    growing = program.data / "growing.dat"
    growing.write_bytes(b"x" * 1000)
    program.wait_for(lambda: len(program.sets()) == 5)
    sets = [one["id"].removeprefix("urn:uuid:") for one in program.sets("published", "held")[:4]]
    return ["/", *(f"/sets/{one}" for one in (sets[0], sets[-1])), "/requests", f"/requests/{ready}", "/requests/new",
            "/sessions", "/about", "/login", "/nothing"]  # fmt: skip


@pytest.mark.timeout(400)
def test_every_page_can_be_read_by_everybody_at_every_size(look: Look, violations: Callable[[Page], list[str]]) -> None:
    look.program.environment["PAGE_PASSWORD"] = "open sesame"
    paths = everything(look.program)
    for old in SCREENSHOTS.glob("[0-9]*.png"):  # not to be taken for new ones
        old.unlink()
    page = look("/login", reduced_motion="reduce")
    log_in(page)
    found: dict[str, list[str]] = {}
    for number, path in enumerate(paths):
        page.goto(path)
        name = re.sub(r"\W+", "-", re.sub(r"[0-9a-f-]{36}|RQ\w{7}", "", path)).strip("-") or "overview"
        for size, (width, height) in SIZES.items():
            page.set_viewport_size({"width": width, "height": height})
            # Nothing may need to be moved sideways to be read (WCAG 1.4.10).
            if (wide := page.evaluate("document.documentElement.scrollWidth")) > width:
                found[f"{path} {size}"] = [f"it is {wide} pixels wide"]
            for scheme in ("light", "dark") if size in PICTURED or (size, path) == ("4k", "/") else ():
                page.emulate_media(color_scheme=scheme)
                taken(page, f"{number}-{name}-{size}-{scheme}", full_page=size != "4k")
                if size in PICTURED and (wrong := violations(page)):
                    found[f"{path} {size} {scheme}"] = wrong
    assert found == {}


def log_in(page: Page) -> None:
    page.goto("/login")
    page.get_by_label("Password of this page").fill("open sesame")
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name="Log out")).to_be_visible()


def taken(page: Page, name: str, *, full_page: bool = True) -> None:
    """A picture for people to look at."""
    SCREENSHOTS.mkdir(exist_ok=True)
    (SCREENSHOTS / f"{name}.png").write_bytes(page.screenshot(full_page=full_page))


def test_a_wrong_password_is_told(look: Look) -> None:
    look.program.environment["PAGE_PASSWORD"] = "open sesame"
    started(look.program, "web: {port: 0, password: {env: PAGE_PASSWORD}}\n")
    page = look("/login")
    begin = time.monotonic()
    page.get_by_label("Password of this page").fill("guess")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#problem")).to_contain_text("This is not the password.")
    assert time.monotonic() - begin > 0.9
