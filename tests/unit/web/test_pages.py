"""What people see on the pages, and what their buttons do."""

import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from tests.unit.web.conftest import JANE, REQUEST, Serve, make_set
from watcher.journal import Journal
from watcher.model import ImageSet, State
from watcher.web import views
from watcher.web.asking import Ask
from watcher.web.site import Beside


def test_an_instrument_without_sets_says_what_will_come(serve: Serve) -> None:
    page = serve()
    answer = page.get("/")
    assert answer.status == 200
    assert "No sets from LSM980-2 yet." in answer.text
    assert "what the instrument writes into its folder appears here" in answer.text
    assert page.troubles == []


def test_all_is_told_at_a_glance(serve: Serve, journal: Journal) -> None:
    page = serve()
    make_set(journal, "safe_one", collection="/zone/home/safe_one")
    make_set(journal, "broken", State.HELD, reason="3 of 96 images are missing")
    make_set(journal, "growing", State.GROWING, waits_for=("the missing file b.tif",))
    going = make_set(journal, "going", State.VALID)
    journal.note("sending", {"at": 0, "rate": 100, "sets": {going.id: 250}})
    journal.note("space:/data", {"at": 1e9, "free": 5 * 10**9, "total": 10**12, "samples": []})
    text = page.get("/").text
    for said in (
        "1 set from LSM980-2 needs you; 1 safe, 2 on the way.", "<title>⚠ 1 set from LSM980-2 needs you",
        "broken: 3 of 96 images are missing", "mood-attention.svg", "Safe in the archive", "Still being written",
        "the missing file b.tif", "250 B of 1.0 kB", "25 %", "5.0 GB free", "/zone/home/safe_one",
        "Only 5.0 GB are free on the disk of /data.", "Clear away sets for which the column",
    ):  # fmt: skip
        assert said in text, said


def test_whether_a_set_may_be_deleted_here_stands_in_a_column_of_its_own(serve: Serve, journal: Journal) -> None:
    page = serve()
    make_set(journal, "there")
    make_set(journal, "not_yet", State.VERIFIED)
    make_set(journal, "gone", cleared=True)
    rows = dict(re.findall(r'<tr role="row".*?<bdi>(\w+)</bdi>(.*?)</tr>', page.get("/").text, re.DOTALL))
    said = {
        name: re.search(r'data-label="Safe to delete here">(.*?)</td>', row, re.DOTALL) for name, row in rows.items()
    }
    words = {name: re.sub(r"<[^>]+>|\s+", " ", found[1]).strip() for name, found in said.items() if found}
    assert words == {"there": "Yes", "not_yet": "No, keep it", "gone": "Nothing here"}


def test_the_list_is_filtered_and_paged_by_addresses(serve: Serve, journal: Journal) -> None:
    page = serve()
    with journal.database.transaction():
        for number in range(120):
            make_set(journal, f"scan_{number:03d}", at=1_790_000_000.0 + number)
    make_set(journal, "held_one", State.HELD, at=1_790_000_500.0, reason="x")

    def listed(path: str) -> list[str]:
        return re.findall(r'scope="row"><a href="/sets/[^"]+"><bdi>(\w+)</bdi>', page.get(path).text)

    found, path = [], "/?state=safe"
    while path:
        found.append(listed(path))
        older = re.search(r'href="/(\?[^"]+)"[^>]*rel="next"', page.get(path).text)
        newer = re.search(r'href="/(\?[^"]+)"[^>]*rel="prev"', page.get(path).text)
        assert (newer is not None) == (len(found) > 1)
        if newer:
            assert listed("/" + newer[1].replace("&amp;", "&")) == found[-2]
        path = "/" + older[1].replace("&amp;", "&") if older else ""
    assert [len(names) for names in found] == [50, 50, 20]
    assert [name for names in found for name in names] == [f"scan_{number:03d}" for number in range(119, -1, -1)]
    assert listed("/?text=SCAN_01&state=safe") == [f"scan_01{number}" for number in range(9, -1, -1)]
    assert listed("/?state=attention") == ["held_one"]
    since = datetime.fromtimestamp(1_790_000_400.0).isoformat()
    assert listed(f"/?since={since}") == ["held_one"]
    assert "No set fits." in page.get("/?text=nothing").text


@pytest.mark.parametrize("query", ["state=lost", "since=yesterday", "below=x", "above=1e9~no", "person=doe"])
def test_an_address_that_means_nothing_is_told(serve: Serve, query: str) -> None:
    answer = serve().get(f"/?{query}")
    assert answer.status == 422
    assert "This did not work" in answer.text


def test_one_set_shows_its_files_its_history_and_why_it_waits(serve: Serve, journal: Journal) -> None:
    page = serve()
    embedded = {"objective": "63x", "experimenter": "Jane"}
    problems = ("img_017.czi is missing",)
    one = make_set(journal, "broken", State.HELD, members=120, reason="3 of 96 are missing", problems=problems,
                   embedded=embedded)  # fmt: skip
    path = f"/sets/{one.id[9:]}"
    text = page.get(path).text
    for said in ("broken", "Needs attention", "3 of 96 are missing", "img_017.czi is missing", "120 files",
                 "Page 1 of 3", "Not sent yet", "as a test wants it", "63x", "Do not delete it here yet."):  # fmt: skip
        assert said in text, said
    assert "Jane" not in text
    assert "Page 3 of 3" in page.get(f"{path}?page=3").text
    assert page.get(f"{path}?page=x").status == 422


def test_many_sets_in_need_do_not_push_everything_else_away(serve: Serve, journal: Journal) -> None:
    page = serve()
    for number in range(7):
        make_set(journal, f"broken_{number}", State.HELD, reason="3 of 96 are missing")
    text = page.get("/").text
    assert "7 sets from LSM980-2 need you" in text
    assert len(re.findall(r'<li class="urgent" id="need-', text)) == 5
    assert '<a href="/?state=attention#sets">And 2 more sets</a>' in text
    assert page.get("/?state=attention").text.count('role="rowheader"') == 7


def test_a_page_is_made_once_for_all_who_see_the_same(
    serve: Serve, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, made, rows = [time.time()], list[str](), views.rows

    def counted(ask: Ask, sets: Sequence[ImageSet]) -> list[views.Row]:
        made.append(ask.path)
        return rows(ask, sets)

    monkeypatch.setattr(views, "rows", counted)
    page = serve(now=lambda: clock[0])
    make_set(journal, "first")
    clock[0] += 20
    assert {"first" in page.get("/").text for _ in range(5)} == {True}
    assert len(made) == 1
    assert "No set fits" in page.get("/?text=second").text
    assert len(made) == 2
    make_set(journal, "second")
    clock[0] += 2
    assert "second" in page.get("/").text
    assert len(made) == 3


def test_a_set_that_is_not_there_is_told(serve: Serve) -> None:
    page = serve()
    for path in ("/sets/0", "/sets/00000000-0000-0000-0000-000000000000", "/nothing", "/sets/0/thumbnail"):
        answer = page.get(path)
        assert answer.status == 404, path
        assert "This did not work" in answer.text


def test_buttons_retry_hold_and_skip(serve: Serve, journal: Journal) -> None:
    page = serve()
    one = make_set(journal, "broken", State.HELD, reason="x")
    path = f"/sets/{one.id[9:]}"
    answer = page.post(f"{path}/retry")
    assert (answer.status, answer.headers["location"]) == (303, f"{path}?said=retried")
    assert "It is tried again." in page.get(answer.headers["location"]).text
    assert journal.sets.get(one.id).state is State.GROWING
    assert page.post(f"{path}/hold", {"reason": "wrong folder"}).status == 303
    assert journal.sets.get(one.id).on_hold == "wrong folder"
    assert page.post(f"{path}/skip", {"reason": "focus test"}).status == 303
    assert (journal.sets.get(one.id).state, journal.sets.get(one.id).reason) == (State.SKIPPED, "focus test")
    assert page.post(f"{path}/skip", {"reason": "x"}).status == 422
    assert page.post(f"{path}/explode").status == 404


def test_sending_is_paused_and_goes_on(serve: Serve, journal: Journal) -> None:
    page = serve()
    assert page.post("/pause").status == 303
    assert "Sending is paused" in page.get("/?said=paused").text
    assert page.post("/resume").status == 303
    assert journal.noted("paused") is None


def test_who_made_a_set_is_said_and_checked(serve: Serve, journal: Journal) -> None:
    page = serve()
    one = make_set(journal)
    path = f"/sets/{one.id[9:]}/attribute"
    answer = page.post(path, {"scientist": "mallory"})
    assert answer.status == 422
    assert "scientist mallory: it is not in the directory of persons" in answer.text
    assert page.post(path, {"scientist": "jdoe", "operator": "rroe", "by": "rroe"}).status == 303
    (order,) = journal.attributions.orders(one.id)
    assert (order.who, dict(order.values)) == ("rroe", {"scientist": "jdoe", "operator": "rroe"})


def test_a_request_is_made_a_session_started_and_stopped(serve: Serve, journal: Journal) -> None:
    page = serve()
    answer = page.post("/requests/new", {"title": "Actin in HeLa"})
    assert answer.status == 422
    assert "project is missing" in answer.text
    assert 'value="Actin in HeLa"' in answer.text
    assert list((page.home / "requests").iterdir()) == []
    answer = page.post("/requests/new", REQUEST)
    assert answer.status == 303
    where = answer.headers["location"].partition("?")[0]
    request = where.rpartition("/")[2]
    assert "Ready" in page.get(where).text
    assert request in page.get("/requests").text
    answer = page.post("/sessions", {"request": request, "operator": "zeiss"})
    assert answer.status == 422
    assert "it is a login that many share" in answer.text
    assert page.post("/sessions", {"request": request, "operator": "rroe"}).status == 303
    assert f"Work on {request} goes on" in page.get("/").text
    (session,) = journal.sessions.latest(5)
    assert page.post(f"/sessions/{session.id}/stop").headers["location"] == "/sessions?said=stopped"
    assert page.post(f"/sessions/{session.id}/stop").status == 422
    assert page.post(f"{where}/close").status == 303
    assert request not in page.get("/requests").text
    assert request in page.get("/requests?all=yes").text


def test_a_request_may_be_made_although_something_is_missing(serve: Serve) -> None:
    page = serve()
    answer = page.post("/requests/new", {"title": "Half", "anyway": "yes"})
    text = page.get(answer.headers["location"]).text
    assert "Not ready" in text
    assert "scientist is missing" in text


@pytest.mark.parametrize("field", [{"source": "page 12"}, {"authorship": "maybe"}, {"omero": "Folder:x"}])
def test_what_cannot_stand_in_a_request_is_told_and_nothing_is_lost(serve: Serve, field: dict[str, str]) -> None:
    page = serve()
    answer = page.post("/requests/new", {**REQUEST, **field})
    assert answer.status == 422
    assert next(iter(field)) in answer.text
    assert 'value="63x"' in answer.text
    assert list((page.home / "requests").iterdir()) == []


def test_a_profile_without_people_says_what_to_write(serve: Serve) -> None:
    page = serve(more="people: {}")
    for path in ("/requests", "/sessions"):
        assert "people: {requests: requests" in page.get(path).text
    assert page.post("/requests/new", REQUEST).status == 422


def test_names_of_persons_are_shown_only_where_the_profile_says_so(serve: Serve, journal: Journal) -> None:
    one = make_set(journal, "hers", made_by=JANE, embedded={"experimenter": "Jane"})
    journal.attributions.grant(one.id, {"jdoe": "read"}, {"jdoe": "jdoe is no user"})
    journal.sessions.start("RQ4F7K2MT", "rroe", "", 0.0, 1e12)
    pages = ("/", f"/sets/{one.id[9:]}", "/requests", "/sessions", "/about")
    page = serve()
    without = "".join(page.get(path).text for path in pages)
    assert not re.search(r"Doe|Roe|jdoe:|jdoe is|rroe|Jane|1825|example\.org", without)
    assert "RQ4F7K2MT" in without
    assert "Somebody who may read sets has no access to them yet." in without


def test_names_are_shown_where_the_profile_says_so(serve: Serve, journal: Journal) -> None:
    one = make_set(journal, "hers", made_by=JANE)
    page = serve("people: true")
    assert "Doe, Jane" in page.get("/?person=doe").text
    text = page.get(f"/sets/{one.id[9:]}").text
    assert "Doe, Jane" in text
    assert "Roe, Richard" in text
    assert "example.org" not in text


def test_a_set_s_picture_is_shown_if_there_is_one(serve: Serve, journal: Journal, tmp_path: Path) -> None:
    with_one, without = make_set(journal, "a"), make_set(journal, "b")
    picture = tmp_path / "picture.png"
    picture.write_bytes(b"\x89PNG")

    def thumbnail(state: Path, set_id: str) -> Path | None:
        assert state == journal.state
        return picture if set_id == with_one.id else None

    page = serve(beside=Beside(thumbnail=thumbnail))
    assert page.get("/").text.count("<img ") == 1
    assert 'alt="Preview of a"' in page.get("/").text
    answer = page.get(f"/sets/{with_one.id[9:]}/thumbnail")
    assert (answer.status, answer.headers["content-type"], answer.body) == (200, "image/png", b"\x89PNG")
    assert page.get(f"/sets/{without.id[9:]}/thumbnail").status == 404


def test_a_part_of_a_page_is_given_to_what_keeps_it_current(serve: Serve, journal: Journal) -> None:
    page = serve()
    text = page.get("/", HX_Request="true").text
    assert text.lstrip().startswith("<title>")
    assert "<main" in text
    assert "<header" not in text


def test_a_watcher_that_looks_is_healthy_and_one_that_hangs_is_not(serve: Serve, journal: Journal) -> None:
    page = serve()
    assert page.get("/healthz").status == 200
    journal.note("heartbeat", 1.0)
    assert page.get("/healthz").status == 503
