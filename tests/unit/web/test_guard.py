"""Who is let in, and what is refused, on a real socket."""

import json
import re
import socket
import time
from pathlib import Path

import pytest

from tests.unit.web.conftest import JANE, REQUEST, Page, Serve, make_set
from watcher.journal import Journal
from watcher.model import State
from watcher.profile import Web
from watcher.web import app
from watcher.web.guard import Guard
from watcher.web.site import Beside

PASSWORD = "password: {env: PAGE_PASSWORD}"
PROXY = "proxy: {header: X-Remote-User, address: 127.0.0.1}"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.", "", "0.0.0.0", "[::1", "::1%"],  # noqa: S104
)
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/static/page.css", "/healthz", "/api/v1/events"])
def test_a_page_of_elsewhere_whose_name_is_made_to_mean_this_computer_is_refused(
    serve: Serve, host: str, path: str
) -> None:
    answer = serve().get(path, Host=host)
    assert answer.status == 400
    assert b"LSM980-2" not in answer.body


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8765", "scope1.example.org"])
def test_the_names_that_are_ours_are_answered(serve: Serve, host: str) -> None:
    assert serve("hosts: [scope1.example.org]").get("/", Host=host).status == 200


def all_orders(page: Page) -> list[str]:
    """Every address that orders something, filled in: those of the pages, and those that the API describes."""
    described = page.get("/api/v1/openapi.json").json()["paths"]
    paths = [*app._ORDERED, *(path for path, methods in described.items() if "post" in methods)]
    return sorted(re.sub(r"\{\w+\}", "1", path) for path in paths)


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"Sec_Fetch_Site": "cross-site"}, None),
        ({"Sec_Fetch_Site": "same-site"}, None),
        ({"Sec_Fetch_Site": "none"}, None),
        ({"Sec_Fetch_Site": "", "Origin": "http://evil.example"}, None),
        ({"Sec_Fetch_Site": "", "Origin": "null"}, None),
        ({"Sec_Fetch_Site": "", "Origin": "http://127.0.0.1:1"}, None),
        ({"Sec_Fetch_Site": ""}, None),
        ({}, ""),
        ({}, "x" * 43),
        ({}, "\u00e9"),
    ],
)
def test_no_order_comes_from_another_page_or_without_the_token(
    serve: Serve, journal: Journal, headers: dict[str, str], token: str | None
) -> None:
    page = serve()
    form = {**REQUEST, "token": page.token if token is None else token}
    paths = all_orders(page)
    assert len(paths) == 14
    for path in paths:
        answer = page.post(path, form, **headers)
        assert answer.status == 403, (path, answer.text)
    assert journal.noted("paused") is None
    assert list((page.home / "requests").iterdir()) == []


def test_an_order_counts_where_a_browser_says_only_its_origin(serve: Serve, journal: Journal) -> None:
    page = serve()
    answer = page.post("/pause", Sec_Fetch_Site="", Origin=f"http://127.0.0.1:{page.port}")
    assert answer.status == 303
    assert journal.noted("paused") is not None


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT"])
def test_what_no_page_does_is_refused(serve: Serve, method: str) -> None:
    answer = serve().ask(method, "/")
    assert answer.status in {400, 405}
    assert "access-control-allow-origin" not in answer.headers


def test_a_page_that_only_shows_orders_nothing(serve: Serve, journal: Journal) -> None:
    page = serve("actions: false")
    one = make_set(journal, "a", State.HELD, reason="x")
    assert "<button" not in re.sub(r"<button class=\"secondary\">Show|<button type=\"button\" class=\"copy\"", "",
                                   page.get("/").text + page.get(f"/sets/{one.id[9:]}").text)  # fmt: skip
    assert page.post("/pause", {"token": "x"}).status == 403
    assert journal.noted("paused") is None


def test_every_answer_is_sealed(serve: Serve, journal: Journal) -> None:
    page = serve()
    one = make_set(journal)
    for path in ("/", f"/sets/{one.id[9:]}", "/nothing", "/api/v1/sets", "/api/v1/nothing", "/healthz", "/requests"):
        headers = page.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert headers["cache-control"] == "no-store", path
        assert "server" not in headers
    assert "immutable" in page.get("/static/page.css").headers["cache-control"]
    assert page.get("/", Host="evil.example").headers["x-frame-options"] == "DENY"


def test_no_page_has_a_script_or_a_style_in_it_nor_an_address_of_elsewhere(serve: Serve, journal: Journal) -> None:
    page = serve("people: true")
    one = make_set(journal, made_by=JANE)
    for path in ("/", f"/sets/{one.id[9:]}", "/requests/new", "/sessions", "/about", "/nothing"):
        text = page.get(path).text
        assert not re.search(r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=|javascript:", text), path
        for address in re.findall(r'(?:src|href|action)="([^"]*)"', text):
            assert address.startswith(("/", "#")), address
            assert not address.startswith("//")
    for name in ("page.css", "page.js"):
        assert "http" not in page.get(f"/static/{name}").text.replace("http-equiv", "")


STRANGE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>{{7*7}}\u202e\x1b[31m"


def test_a_script_in_a_name_is_a_name(serve: Serve, journal: Journal) -> None:
    page = serve()
    one = make_set(journal, STRANGE, State.HELD, reason=STRANGE, problems=(STRANGE,), embedded={STRANGE: STRANGE},
                   collection=f"/zone/{STRANGE}")  # fmt: skip
    for path in ("/", f"/sets/{one.id[9:]}", "/?text=%3Cscript%3E", "/?text=%22%3E%3Cscript%3Ealert(1)"):
        text = page.get(path).text
        assert "<script>alert" not in text
        assert "<img src=x" not in text
        assert "{{7*7}}" in text or "7*7" not in text
    assert "&lt;script&gt;alert(1)" in page.get("/").text
    assert json.loads(page.get("/api/v1/sets").body)["sets"][0]["name"] == STRANGE


def test_a_name_that_is_no_text_is_shown_as_its_code(serve: Serve, journal: Journal) -> None:
    page = serve()
    one = make_set(journal, "scan_\udce9")
    answer = page.get(f"/sets/{one.id[9:]}")
    assert answer.status == 200
    assert "scan_\\udce9" in answer.text


@pytest.mark.parametrize(
    "number",
    ["../../../etc/passwd", "..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%00", "..\\..\\x", "x" * 5000],
)
def test_no_address_of_a_picture_leads_to_another_file(serve: Serve, journal: Journal, number: str) -> None:
    asked = []

    def thumbnail(state: Path, set_id: str) -> Path:
        asked.append(set_id)
        return Path("/etc/passwd")

    answer = serve(beside=Beside(thumbnail=thumbnail)).get(f"/sets/{number}/thumbnail")
    assert answer.status in {404, 400}
    assert b"root:" not in answer.body
    assert asked == []


@pytest.mark.parametrize(
    "path", ["../server.py", "..%2fserver.py", "vendor/../../guard.py", "%2e%2e/asking.py", "/etc/passwd"]
)
def test_no_address_of_a_file_leads_out_of_its_folder(serve: Serve, path: str) -> None:
    answer = serve().get(f"/static/{path}")
    assert answer.status == 404
    assert b"import" not in answer.body


def test_a_form_that_never_ends_is_cut_off(serve: Serve) -> None:
    page = serve()
    assert page.post("/requests/new", {"title": "x" * 70_000}).status == 413
    kinds = {"Content_Type": "multipart/form-data; boundary=x", "Sec_Fetch_Site": "same-origin"}
    assert page.ask("POST", "/pause", b"--x--", **kinds).status == 415
    for body in (b"[1]", b"{", b'{"a": 1}', b"[" * 50_000):
        kinds = {"Content_Type": "application/json", "X_Irods_Watcher_Token": page.token}
        assert page.ask("POST", "/api/v1/pause", body, **kinds).status in {400, 422}


# The password


def test_where_there_is_a_password_whoever_is_here_looks_and_does_not_order(serve: Serve, journal: Journal) -> None:
    page = serve(PASSWORD)
    make_set(journal, made_by=JANE)
    assert "Log in" in page.get("/").text
    assert "Doe" not in page.get("/").text
    assert page.post("/pause").status == 401
    assert journal.noted("paused") is None


def test_the_password_opens_orders_and_names_until_somebody_logs_out(serve: Serve, journal: Journal) -> None:
    page = serve(PASSWORD)
    make_set(journal, made_by=JANE)
    cookie = page.log_in()
    assert "Doe, Jane" in page.get("/", Cookie=cookie).text
    assert page.post("/pause", Cookie=cookie).status == 303
    answer = page.post("/logout", Cookie=cookie)
    assert answer.status == 303
    assert 'irods-watcher=""' in answer.headers["set-cookie"]


def test_the_cookie_is_for_this_page_alone(serve: Serve) -> None:
    page = serve(PASSWORD)
    said = page.post("/login", {"password": "open sesame"}).headers["set-cookie"]
    assert "HttpOnly" in said
    assert "SameSite=strict" in said
    assert "open" not in said


@pytest.mark.parametrize(
    "cookie",
    ["", "x", "9999999999.", "9999999999." + "0" * 64, "1.2.3", "irods-watcher=\xe9", "-1.x", "; irods-watcher=", '"'],
)
def test_a_cookie_that_somebody_has_made_up_opens_nothing(serve: Serve, cookie: str) -> None:
    page = serve(PASSWORD)
    assert page.post("/pause", Cookie=f"irods-watcher={cookie}").status == 401


def test_a_login_ends_after_twelve_hours_and_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_PASSWORD", "open sesame")
    web, now = Web.model_validate({"password": {"env": "PAGE_PASSWORD"}}), [1000.0]
    guard = Guard(web, lambda: now[0])
    cookie = guard.logged_in()
    assert guard.visitor("10.0.0.1", {}, cookie).known
    now[0] += 12 * 3600 - 1
    assert guard.visitor("10.0.0.1", {}, cookie).known
    now[0] += 2
    assert not guard.visitor("10.0.0.1", {}, cookie).known
    assert not Guard(web, lambda: 1000.0).visitor("10.0.0.1", {}, cookie).known


def test_a_wrong_password_is_refused_and_waits(serve: Serve) -> None:
    page = serve(PASSWORD)
    token, begin = page.token, time.monotonic()
    for wrong in ("open", "", "open sesame "[:-1] + "!", "é"):
        answer = page.post("/login", {"password": wrong, "token": token})
        assert answer.status == 401
        assert "This is not the password." in answer.text
        assert "set-cookie" not in answer.headers
    assert time.monotonic() - begin > 3.5
    assert page.get("/api/v1/status", Authorization="Bearer wrong").status == 200
    assert page.ask("POST", "/api/v1/pause", Authorization="Bearer wrong").status in {401, 403}


def test_nobody_is_logged_in_by_another_page(serve: Serve) -> None:
    page = serve(PASSWORD)
    assert page.post("/login", {"password": "open sesame"}, Sec_Fetch_Site="cross-site").status == 403
    assert page.post("/login", {"password": "open sesame", "token": ""}).status == 403


def test_a_program_gives_the_password_in_a_header(serve: Serve, journal: Journal) -> None:
    page = serve(PASSWORD)
    assert page.ask("POST", "/api/v1/pause", Authorization="Bearer open sesame").json()["paused"] is True
    assert journal.noted("paused") is not None
    browser = {"Authorization": "Bearer open sesame", "Sec_Fetch_Site": "cross-site"}
    assert page.ask("POST", "/api/v1/resume", **browser).status == 403


def test_from_another_computer_nothing_is_shown_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_PASSWORD", "open sesame")
    web = Web.model_validate({"password": {"env": "PAGE_PASSWORD"}, "people": True})
    guard = Guard(web, lambda: 1000.0)
    for address in ("10.0.0.1", "192.168.1.1", "2001:db8::1", "::ffff:10.0.0.1", "", "testclient"):
        stranger = guard.visitor(address, {}, "")
        assert not any(allowed(stranger) for allowed in (guard.may_see, guard.may_order, guard.sees_people)), address
    for address in ("127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"):
        assert guard.may_see(guard.visitor(address, {}, ""))
    known = guard.visitor("10.0.0.1", {"authorization": "Bearer open sesame"}, "")
    assert guard.may_see(known)
    assert guard.may_order(known)


# A proxy


def test_only_the_proxy_says_who_somebody_is() -> None:
    web = Web.model_validate({"proxy": {"header": "X-Remote-User", "address": "10.0.0.5"}})
    guard = Guard(web, lambda: 1000.0)
    jane = guard.visitor("10.0.0.5", {"x-remote-user": "jdoe"}, "")
    assert (jane.known, jane.name, guard.may_order(jane), guard.sees_people(jane)) == (True, "jdoe", True, True)
    for address, headers in (
        ("10.0.0.6", {"x-remote-user": "jdoe"}),
        ("10.0.0.5", {}),
        ("10.0.0.5", {"x-remote-user": " "}),
    ):
        stranger = guard.visitor(address, headers, "")
        assert not guard.may_see(stranger)
    here = guard.visitor("127.0.0.1", {"x-remote-user": "jdoe"}, "")
    assert guard.may_see(here)
    assert not guard.may_order(here)


def test_what_a_proxy_on_this_computer_passes_on_comes_from_anywhere(serve: Serve, journal: Journal) -> None:
    page = serve(PROXY)
    assert page.get("/").status == 401
    assert page.get("/api/v1/status").status == 401
    assert "LSM980" not in page.get("/").text
    assert page.get("/healthz").status == 200
    text = page.get("/", X_Remote_User="jdoe").text
    token = re.search(r'name="token" value="([^"]+)"', text)
    assert token
    one = make_set(journal)
    said = {"token": token[1], "scientist": "jdoe"}
    assert page.post(f"/sets/{one.id[9:]}/attribute", said, X_Remote_User="rroe").status == 303
    assert journal.attributions.orders(one.id)[0].who == "rroe"


def test_a_stranger_is_sent_to_the_login_and_sees_nothing_there(serve: Serve) -> None:
    page = serve(f"{PASSWORD}, {PROXY}")
    answer = page.get("/sessions")
    assert (answer.status, answer.headers["location"]) == (303, "/login")
    text = page.get("/login").text
    assert "LSM980" not in text
    assert "Password of this page" in text
    assert page.get("/api/v1/sets").headers["www-authenticate"] == "Bearer"
    assert page.get("/static/page.css").status == 200


def test_what_is_no_http_is_dropped(serve: Serve) -> None:
    page = serve()
    for said in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"x" * 100_000):
        with socket.create_connection(("127.0.0.1", page.port), timeout=5) as line:
            line.sendall(said)
            line.shutdown(socket.SHUT_WR)
            answer = line.recv(1000)
            assert answer == b"" or b" 400 " in answer.splitlines()[0] or b" 431 " in answer.splitlines()[0]
    assert page.get("/").status == 200


def test_a_missing_token_is_told_with_its_cure(serve: Serve) -> None:
    answer = serve().post("/pause", {"token": ""})
    assert "This form is of an earlier start of the watcher." in answer.text
    assert "Load the page again." in answer.text
