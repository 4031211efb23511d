"""The answers for programs are what their description says, and the same as `--json`."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.unit.web.conftest import JANE, REQUEST, Answer, Page, Serve, make_set
from watcher.journal import Journal
from watcher.journal.attributions import Change, Order
from watcher.model import Avu, State
from watcher.overview import picture, records
from watcher.web import api


@pytest.fixture
def page(serve: Serve, journal: Journal) -> Page:
    """A page on which there is something of everything."""
    running = serve("people: true")
    safe = make_set(journal, "safe", made_by=JANE, collection="/zone/safe", embedded={"objective": "63x"}, members=3)
    journal.attributions.order([safe.id], Order(1.0, "rroe", {"scientist": "jdoe"}))
    journal.attributions.begin_change(safe.id, Change(2.0, "rroe", (Avu("a", "b"),), ()))
    journal.attributions.end_change(safe.id, [Avu("a", "c")])
    journal.attributions.grant(safe.id, {"jdoe": "read", "x": "read"}, {"x": "there is no such user"})
    make_set(journal, "held", State.HELD, reason="x is missing", problems=("x",))
    make_set(journal, "growing", State.GROWING, waits_for=("the missing file x",))
    going = make_set(journal, "going", State.VALID)
    journal.note("sending", {"at": 1.0, "rate": 1, "sets": {going.id: 10}})
    journal.note("space:/data", {"at": 1e9, "free": 10**9, "total": 10**12, "samples": [[0.0, 2 * 10**9]]})
    journal.sessions.start("RQ4F7K2MT", "rroe", "", 0.0, 1e12)
    journal.trouble("page", "something", 1.0)
    return running


def described(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.get("/api/v1/openapi.json").json()
    return found


def hold(answer: Answer, page: Page, path: str, method: str = "get", status: str = "200") -> Any:
    """The answer, if it is as the description says."""
    assert str(answer.status) == (status if status != "default" else str(answer.status)), answer.text
    assert answer.headers["content-type"] == "application/json"
    document = described(page)
    schema = document["paths"][path][method]["responses"][status]["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())
    return answer.json()


def test_the_description_is_sound_and_names_every_address(page: Page) -> None:
    document = described(page)
    validate(document)
    assert document["openapi"].startswith("3.1")
    assert len(document["paths"]) == 13


def test_every_address_of_a_program_is_described(page: Page) -> None:
    site: Any = type("Site", (), {"changes": None})
    there = {
        (route.path, method.lower()) for route in api.routes(site) for method in route.methods or () if method != "HEAD"
    }
    described_ = {(path, method) for path, methods in described(page)["paths"].items() for method in methods}
    assert there == described_


def test_the_status_is_that_of_json(page: Page, journal: Journal) -> None:
    found = hold(page.get("/api/v1/status"), page, "/api/v1/status")
    now = picture.take(journal, 0.0)
    same = json.loads(json.dumps(records.of_overview(now, journal)))
    aside = {"schema_version", "hours", "disks", "attention", "sessions"}
    assert {k: v for k, v in found.items() if k not in aside} == {k: v for k, v in same.items() if k not in aside}
    assert set(found) == {*same, "schema_version"}
    assert len(found["hours"]) == 24


def test_sets_come_as_records_in_pages(page: Page, journal: Journal) -> None:
    found = hold(page.get("/api/v1/sets?state=safe,growing"), page, "/api/v1/sets")
    assert [one["name"] for one in found["sets"]] == ["growing", "safe"] or len(found["sets"]) == 2
    assert (found["newer"], found["older"]) == (None, None)
    with journal.database.transaction():
        for number in range(60):
            make_set(journal, f"more_{number}", at=1.0 + number)
    seen, path = [], "/api/v1/sets"
    while path:
        part = hold(page.get(path), page, "/api/v1/sets")
        seen += [one["name"] for one in part["sets"]]
        path = f"/api/v1/sets{part['older']}" if part["older"] else ""
    assert len(seen) == len(set(seen)) == 64


def test_one_set_has_its_members_and_its_history(page: Page, journal: Journal) -> None:
    one = journal.sets.find("safe")
    for number in (one.id, one.id[9:]):
        (found,) = hold(page.get(f"/api/v1/sets/{number}"), page, "/api/v1/sets/{number}")["sets"]
        assert len(found["members"]) == 3
        assert [line["state"] for line in found["history"]][-1] == "published"
        assert found["attribution"]["creators"][0]["name"] == "Doe, Jane"
        assert found["changes"][0]["after"] == [["a", "c", ""]]
    (found,) = page.get(f"/api/v1/sets/{one.id}?skip=2").json()["sets"]
    assert len(found["members"]) == 1
    assert "jane@example.org" not in page.get(f"/api/v1/sets/{one.id}").text


def test_what_is_wrong_is_told_as_described(page: Page) -> None:
    for path, described_as, status in (
        ("/api/v1/sets/none", "/api/v1/sets/{number}", 404),
        ("/api/v1/sets?state=lost", "/api/v1/sets", 422),
        ("/api/v1/requests/RQ111", "/api/v1/requests/{request}", 422),
        ("/api/v1/sets/none?skip=x", "/api/v1/sets/{number}", 404),
    ):
        answer = page.get(path)
        assert answer.status == status, answer.text
        assert hold(answer, page, described_as, status="default")["error"]["what"]
    assert page.get("/api/v1/nothing").json()["error"]["what"] == "There is no such page."


def post(page: Page, path: str, said: dict[str, Any] | None = None) -> Answer:
    """An order as a program of this computer gives it."""
    headers = {"X_Irods_Watcher_Token": page.token, "Content_Type": "application/json"}
    return page.ask("POST", path, json.dumps(said or {}).encode(), **headers)


def test_programs_order_what_people_order(page: Page, journal: Journal) -> None:
    one = journal.sets.find("held")
    order, path = "/api/v1/sets/{number}/{order}", f"/api/v1/sets/{one.id}"
    (found,) = hold(post(page, f"{path}/retry"), page, order, "post")["sets"]
    assert found["state"] == "growing"
    (found,) = hold(post(page, f"{path}/hold", {"reason": "why"}), page, order, "post")["sets"]
    assert found["on_hold"] == "why"
    assert hold(post(page, f"{path}/attribute", {"scientist": "mallory"}), page, order, "post", "default")["error"]
    assert hold(post(page, "/api/v1/pause"), page, "/api/v1/pause", "post")["paused"] is True
    assert hold(post(page, "/api/v1/resume"), page, "/api/v1/resume", "post")["paused"] is False
    assert post(page, f"{path}/explode").status == 404


def test_programs_make_requests_and_begin_sessions(page: Page) -> None:
    requests, sessions = "/api/v1/requests", "/api/v1/sessions"
    (made,) = hold(post(page, requests, {**REQUEST, "agreed": True}), page, requests, "post", "201")["requests"]
    assert (made["ready"], made["acquire"]["channels"]) == (True, ["DAPI", "GFP"])
    assert made in hold(page.get(requests), page, requests)["requests"]
    (found,) = hold(page.get(f"{requests}/{made['id']}"), page, "/api/v1/requests/{request}")["requests"]
    assert found == made
    said = {"request": made["id"], "operator": "rroe"}
    (begun,) = hold(post(page, sessions, said), page, sessions, "post", "201")["sessions"]
    assert begun["open"] is True
    assert begun in hold(page.get(sessions), page, sessions)["sessions"]
    stop = f"{sessions}/{begun['id']}/stop"
    (ended,) = hold(post(page, stop), page, "/api/v1/sessions/{session}/stop", "post")["sessions"]
    assert ended["open"] is False
    close = f"{requests}/{made['id']}/close"
    (closed,) = hold(post(page, close), page, "/api/v1/requests/{request}/close", "post")["requests"]
    assert closed["closed"]


def test_what_only_reads_orders_nothing(page: Page, journal: Journal) -> None:
    one = journal.sets.find("held")
    for path in (f"/api/v1/sets/{one.id}/retry", "/api/v1/pause", "/api/v1/requests", "/api/v1/sessions"):
        assert page.ask("POST", path).status == 403
    assert journal.sets.get(one.id).state is State.HELD


def test_programs_see_no_names_either_unless_they_are_known(serve: Serve, journal: Journal) -> None:
    one = make_set(journal, "hers", made_by=JANE, embedded={"experimenter": "Jane"})
    journal.attributions.grant(one.id, {"jdoe": "read"}, {"jdoe": "no jdoe"})
    journal.sessions.start("RQ4F7K2MT", "rroe", "", 0.0, 1e12)
    page = serve("password: {env: PAGE_PASSWORD}")
    (page.home / "requests" / "RQ4F7K2MT.yaml").write_text("id: RQ4F7K2MT\nscientist: jdoe\n")
    described_as = {"/api/v1/status": 0, f"/api/v1/sets/{one.id}": 1, "/api/v1/sets": 2, "/api/v1/requests": 3,
                    "/api/v1/sessions": 4}  # fmt: skip
    for path in described_as:
        answer = page.get(path)
        schema = path if "urn" not in path else "/api/v1/sets/{number}"
        hold(answer, page, schema)
        assert not re.search(r"Doe|Roe|jdoe(?!\")|no jdoe|rroe|Jane|1825", answer.text), path
        assert '"jdoe"' not in answer.text.replace('"/data/jdoe"', "")
        known = page.get(path, Authorization="Bearer open sesame").text
        assert re.search(r"jdoe|rroe", known), path
