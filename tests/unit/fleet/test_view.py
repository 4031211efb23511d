"""The facility view: what is taken, who has gone silent and since when, what is shown, and to whom."""

import json
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks import Webhook

from tests.unit.fleet.conftest import FLEET, KEY, NOW, OTHER, Clock, Serve, View, in_need, report
from watcher.fleet import app
from watcher.notify import signature
from watcher.overview.report import LARGEST

MINUTE, HOUR = 60.0, 3600.0


def all_report(view: View, **changes: object) -> None:
    for name in ("STED-1", "LSM980-2", "Écran 7 µm"):
        assert view.post(report(name, **changes), to=name).status == 204


def test_every_instrument_has_its_line_in_the_order_of_the_file(serve: Serve) -> None:
    view = serve()
    assert view.moods == {"STED-1": "unheard", "LSM980-2": "unheard", "Écran 7 µm": "unheard"}
    all_report(view)
    assert list(view.moods.items()) == [("STED-1", "safe"), ("LSM980-2", "safe"), ("Écran 7 µm", "safe")]
    page = view.get("/").text
    assert "All images of all 3 instruments are safe." in page
    assert page.index("STED-1") < page.index("LSM980-2") < page.index("Écran 7")


@pytest.mark.parametrize(
    ("said", "sentence", "mood"),
    [
        ([report()], "2 instruments have not reported yet; 1 instrument is well.", "paused"),
        ([report(), report("STED-1", mood="busy", on_the_way=3)],
         "Écran 7 µm has not reported yet; 2 instruments are well.", "paused"),
        ([report("Écran 7 µm"), report(mood="busy", on_the_way=2), report("STED-1", mood="busy", on_the_way=1)],
         "3 sets are on the way; all 3 instruments are well.", "busy"),
        ([in_need()], "LSM980-2 needs somebody; 2 instruments have not reported yet.", "attention"),
        ([in_need(), in_need("STED-1"), report("Écran 7 µm")],
         "2 instruments need somebody; 1 instrument is well.", "attention"),
    ],
)  # fmt: skip
def test_the_sentence_on_top_is_that_of_the_worst(serve: Serve, said: list[object], sentence: str, mood: str) -> None:
    view = serve()
    for one in said:
        assert view.post(one, to=one.instrument).status == 204  # type: ignore[arg-type,attr-defined]
    found = view.get("/api/v1/fleet").json()
    assert (found["sentence"], found["mood"]) == (sentence, mood)
    assert f'id="sentence">{sentence}</h1>' in view.get("/").text


def test_one_that_has_gone_silent_is_found_with_since_when(serve: Serve) -> None:
    view = serve()
    all_report(view)
    for _ in range(5):
        view.clock.at += MINUTE
        for name in ("STED-1", "Écran 7 µm"):
            view.post(report(name), to=name)
    assert view.moods["LSM980-2"] == "safe"
    view.clock.at += 1
    assert view.moods == {"STED-1": "safe", "LSM980-2": "silent", "Écran 7 µm": "safe"}
    found = view.get("/api/v1/fleet").json()
    assert re.fullmatch(r"LSM980-2 is silent since 20\d\d-.*; 2 instruments are well\.", found["sentence"])
    assert found["instruments"][1]["last_seen"] == NOW
    page = view.get("/").text
    assert "Nothing is heard of it since" in page
    assert "It said last:" in page
    view.post(report())
    assert view.moods["LSM980-2"] == "safe"


def test_one_that_reports_seldom_or_may_be_silent_for_long_is_not_called_silent(serve: Serve) -> None:
    text = FLEET.replace("{name: STED-1,", "{name: STED-1, silent: 1h,")
    view = serve(text)
    view.post(report("STED-1"), to="STED-1")
    view.post(report(every=1200.0))
    view.clock.at += 59 * MINUTE
    assert (view.moods["STED-1"], view.moods["LSM980-2"]) == ("safe", "safe")
    view.clock.at += 2 * MINUTE
    assert (view.moods["STED-1"], view.moods["LSM980-2"]) == ("silent", "silent")


def test_one_that_has_never_reported_is_silent_when_it_has_had_the_time(serve: Serve) -> None:
    view = serve()
    for _ in range(5):
        view.clock.at += MINUTE
        for name in ("STED-1", "LSM980-2"):
            view.post(report(name), to=name)
    assert view.moods["Écran 7 µm"] == "unheard"
    view.clock.at += 1
    assert view.moods == {"STED-1": "safe", "LSM980-2": "safe", "Écran 7 µm": "silent"}
    found = view.get("/api/v1/fleet").json()
    assert (found["sentence"], found["mood"]) == ("Écran 7 µm has never reported; 2 instruments are well.", "attention")
    assert "It has never reported." in view.get("/").text


def test_one_that_reports_rarely_is_silent_when_three_reports_are_missing(serve: Serve) -> None:
    view = serve()
    all_report(view, every=600.0)
    view.clock.at += 30 * MINUTE
    assert set(view.moods.values()) == {"safe"}
    view.clock.at += 1
    assert set(view.moods.values()) == {"silent"}
    assert "STED-1, LSM980-2, Écran 7 µm are silent." in view.get("/").text


def test_many_that_are_silent_are_counted(serve: Serve) -> None:
    names = "".join(f"  - {{name: Scope-{number}}}\n" for number in range(4))
    view = serve(f"secret: {{env: FLEET_SECRET}}\ninstruments:\n{names}")
    view.clock.at += HOUR
    assert view.get("/api/v1/fleet").json()["sentence"] == "4 instruments are silent."


def test_a_restart_forgets_nothing_and_calls_nobody_silent_because_it_was_away(serve: Serve) -> None:
    clock = Clock()
    view = serve(clock=clock)
    view.post(in_need("STED-1"), to="STED-1")
    clock.at += 4 * MINUTE
    last = view.post(report())
    assert last.status == 204
    view.end()
    clock.at += 3 * HOUR
    view = serve(clock=clock)
    found = view.get("/api/v1/fleet").json()
    assert view.moods == {"STED-1": "attention", "LSM980-2": "safe", "Écran 7 µm": "unheard"}
    assert found["instruments"][0]["report"]["needs"][0]["what"] == "plate3: 3 of 96 images are missing"
    clock.at += 1.5 * MINUTE
    assert (view.moods["STED-1"], view.moods["LSM980-2"]) == ("silent", "safe"), "four minutes before, and these"
    clock.at += 4 * MINUTE
    assert view.moods["LSM980-2"] == "silent"


def test_any_name_may_report(serve: Serve) -> None:
    name = '100%25 +&?# "ß"'
    view = serve(f"secret: {{env: FLEET_SECRET}}\ninstruments: [{{name: '{name}'}}]\n")
    assert view.post(report(name), to=name).status == 204
    assert view.moods == {name: "safe"}


def test_what_another_program_signs_by_the_same_standard_is_taken(serve: Serve) -> None:
    from datetime import UTC, datetime

    view, body = serve(), report().model_dump_json()
    signed = Webhook(KEY).sign("msg_1", datetime.fromtimestamp(NOW, UTC), body)
    headers = {signature.ID: "msg_1", signature.TIMESTAMP: str(int(NOW)), signature.SIGNATURE: f"v2,x {signed}"}
    assert view.send("LSM980-2", body.encode(), headers).status == 204


def test_what_is_not_signed_or_by_somebody_else_is_refused(serve: Serve) -> None:
    view, body = serve(FLEET.replace("{name: STED-1,", "{name: STED-1, secret: {env: STED_SECRET},")), report()
    unsigned = view.send("LSM980-2", body.model_dump_json().encode(), {})
    assert (unsigned.status, unsigned.headers["x-content-type-options"]) == (401, "nosniff")
    assert view.post(body, key=OTHER).status == 401
    assert view.post(report("STED-1"), to="STED-1", key=KEY).status == 401
    assert view.post(report("STED-1"), to="STED-1", key=OTHER).status == 204
    # With the key of one nobody speaks for another.
    answer = view.post(report("Écran 7 µm"), to="LSM980-2")
    assert (answer.status, answer.json()["error"]["what"]) == (422, "this is the report of another instrument")
    assert view.moods["LSM980-2"] == "unheard"


def test_what_is_changed_on_the_way_is_refused(serve: Serve) -> None:
    view, body = serve(), report().model_dump_json().encode()
    headers = signature.signed(signature.key_of(KEY, ""), "1", NOW, body)
    assert view.send("LSM980-2", body.replace(b"214", b"999"), headers).status == 401
    for name, other in ((signature.ID, "2"), (signature.TIMESTAMP, str(int(NOW) + 1)), (signature.SIGNATURE, "v1,")):
        assert view.send("LSM980-2", body, {**headers, name: other}).status == 401
    assert view.send("LSM980-2", body, headers).status == 204


def test_what_was_said_before_is_refused_after_a_restart_too(serve: Serve) -> None:
    clock = Clock()
    view, body = serve(clock=clock), report().model_dump_json().encode()
    headers = signature.signed(signature.key_of(KEY, ""), "1", NOW, body)
    assert [view.send("LSM980-2", body, headers).status for _ in range(3)] == [204, 409, 409]
    clock.at += 10
    assert view.post(in_need()).status == 204
    assert view.send("LSM980-2", body, headers).status == 409
    assert view.moods["LSM980-2"] == "attention"
    view.end()
    view = serve(clock=clock)
    assert view.send("LSM980-2", body, headers).status == 409
    assert view.moods["LSM980-2"] == "attention"


@pytest.mark.parametrize(("off", "status"), [(-299.0, 204), (299.0, 204), (-302.0, 403), (302.0, 403), (1e9, 403)])
def test_what_comes_from_the_past_or_the_future_is_refused(serve: Serve, off: float, status: int) -> None:
    assert serve().post(report(), at=NOW + off).status == status


def test_an_instrument_that_is_not_in_the_file_is_unknown(serve: Serve) -> None:
    view = serve()
    for name in ("Nobody", "lsm980-2", "..", "LSM980-2/../STED-1", "", "\0"):
        assert view.post(report(name or "x"), to=name).status == 404
    assert len(view.moods) == 3


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 60000, report().model_dump_json().replace("safe", "glad").encode(),
     report().model_dump_json().replace("214.0", "NaN").replace("1799999400.0", "NaN").encode(),
     report(sentence="x" * 300).model_dump_json().replace("xxx", "xxxx").encode()],
)  # fmt: skip
def test_what_is_no_report_is_refused(serve: Serve, body: bytes) -> None:
    assert serve().post(body).status == 422


def test_what_is_too_large_is_refused_before_it_is_all_here(serve: Serve) -> None:
    view = serve()
    assert view.post(b" " * (LARGEST + 1)).status == 413
    head = b"POST /api/v1/fleet/LSM980-2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000000000\r\n\r\n"
    assert view.begin(head + b" " * (LARGEST + 1)).startswith(b"HTTP/1.1 413 ")
    assert view.post(report()).status == 204


def test_what_never_comes_to_its_end_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "_PATIENCE", 0.2)
    head = b"POST /api/v1/fleet/LSM980-2 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"
    assert serve().begin(head).startswith(b"HTTP/1.1 408 ")


def test_a_later_version_may_say_more(serve: Serve) -> None:
    said = json.loads(report().model_dump_json()) | {"schema_version": 2, "weather": "fine"}
    view = serve()
    assert view.post(json.dumps(said).encode()).status == 204
    assert "weather" not in view.get("/api/v1/fleet").text


def test_what_stands_in_a_report_is_text_on_the_page(serve: Serve) -> None:
    bad = "<script>alert(1)</script>"
    view = serve()
    view.post(in_need(what=bad))
    page = view.get("/")
    assert bad not in page.text
    assert "&lt;script&gt;alert(1)" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_each_instrument_says_what_is_the_matter_and_leads_to_its_own_page(serve: Serve) -> None:
    view = serve()
    all_report(view)
    view.clock.at += 1
    view.post(in_need())
    page = view.get("/").text
    assert '<a href="https://sted.example/" rel="noreferrer"><bdi>STED-1</bdi></a>' in page
    for said in ("Needs attention", "1 set from LSM980-2 needs you", "plate3: 3 of 96 images are missing",
                 "80.0 MB in a second", "2.0 TB free", "D:/Data", "All safe"):  # fmt: skip
        assert said in page, said
    part = view.get("/", hx_request="true").text
    assert part.lstrip().startswith("<title>")
    assert 'hx-trigger="every 10s"' in part


def test_gauges_tell_when_each_was_last_seen(serve: Serve) -> None:
    view = serve()
    view.post(in_need())
    view.clock.at += HOUR
    families = {one.name: one for one in text_string_to_metric_families(view.get("/metrics").text)}
    assert all(name.startswith("irods_watcher_fleet_") for name in families)
    seen = {tuple(sample.labels.values()): sample.value
            for sample in families["irods_watcher_fleet_last_seen_timestamp_seconds"].samples}  # fmt: skip
    assert seen == {("LSM980-2",): NOW}
    silent = families["irods_watcher_fleet_silent"].samples
    assert {sample.labels["instrument"]: sample.value for sample in silent}["LSM980-2"] == 1.0
    held = [one.value for one in families["irods_watcher_fleet_sets"].samples if one.labels["state"] == "held"]
    assert held == [1.0]
    assert "plate3" not in view.get("/metrics").text


def test_with_a_password_only_reports_come_in_without(serve: Serve) -> None:
    view = serve(web=", password: {env: PAGE_PASSWORD}, proxy: {header: X-Remote-User, address: 127.0.0.1}")
    assert view.post(report()).status == 204
    assert (view.get("/").status, view.get("/").headers["location"]) == (303, "/login")
    for path in ("/api/v1/fleet", "/metrics"):
        assert view.get(path).status in {303, 401}
        assert view.get(path, authorization="Bearer open sesame").status == 200
    assert "Password of this page" in view.get("/login").text
    assert "LSM980-2" not in view.get("/login").text


def test_a_name_that_is_not_ours_and_orders_are_refused(serve: Serve) -> None:
    view = serve()
    assert view.get("/", host="evil.example").status == 400
    assert view.ask("POST", "/").status in {404, 405}
    assert view.ask("DELETE", "/api/v1/fleet/LSM980-2").status == 405
    assert view.get("/api/v1/fleet/LSM980-2").status == 404
    assert view.get("/static/../fleet.yaml").status == 404
    assert view.get("/nowhere").status == 404


def test_what_cannot_be_kept_or_read_harms_nothing(serve: Serve, tmp_path: Path) -> None:
    clock = Clock()
    view = serve(clock=clock)
    view.post(report())
    view.end()
    (file,) = (tmp_path / "state").iterdir()
    file.write_bytes(b'{"at": ')
    view = serve(clock=clock)
    assert view.moods["LSM980-2"] == "unheard"
    file.unlink()
    (tmp_path / "state").rmdir()
    assert view.post(report()).status == 204
    assert view.moods["LSM980-2"] == "safe"


def test_many_reports_at_once_are_taken_in_their_order(serve: Serve) -> None:
    view, answers = serve(), list[int]()
    threads = [
        threading.Thread(target=lambda at=at: answers.append(view.post(report(safe=at), at=NOW + at).status))
        for at in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) <= {204, 409}
    found = view.get("/api/v1/fleet").json()["instruments"][1]["report"]
    assert found["safe"] == 19


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.text(max_size=30), st.text(max_size=12), st.text(max_size=80))
def test_nothing_that_anybody_makes_up_is_signed(body: bytes, identifier: str, stamp: str, given_: str) -> None:
    assert not signature.is_signed(bytes(32), identifier, stamp, body, given_)
    assert not signature.is_signed(bytes(32), identifier, stamp, body, f"v1,{given_}")
