"""Streams of events: they name what changed, live on, harm nobody who does not read them, and end with the page."""

import json
import socket
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.unit.web.conftest import Page, Serve, make_set
from watcher.journal import Journal
from watcher.model import State
from watcher.web import events, server
from watcher.web.events import Change, Changes
from watcher.web.glance import Glance


class Listener:
    """Somebody who listens, over a bare socket."""

    def __init__(self, page: Page) -> None:
        self.line = socket.create_connection(("127.0.0.1", page.port), timeout=10)
        self.line.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.heard = b""

    def wait_for(self, what: bytes, seconds: float = 10) -> None:
        end = time.monotonic() + seconds
        while what not in self.heard:
            self.line.settimeout(max(0.01, end - time.monotonic()))
            part = self.line.recv(65536)
            assert part, self.heard
            self.heard += part

    def changes(self) -> list[dict[str, Any]]:
        return [json.loads(line[6:]) for line in self.heard.splitlines() if line.startswith(b"data: ")]

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *_: object) -> None:
        self.line.close()


def test_an_event_names_what_changed(serve: Serve, journal: Journal) -> None:
    with Listener(serve()) as listener:
        listener.wait_for(b"retry: ")
        assert b"text/event-stream" in listener.heard
        time.sleep(0.2)  # the first look has been taken
        one = make_set(journal, "broken", State.HELD, reason="x")
        listener.wait_for(one.id.encode())
        told = listener.changes()
        assert {"id": one.id, "state": "held"} in [moved for change in told for moved in change["sets"]]
        assert {"counts", "attention", "sentence"} <= {part for change in told for part in change["changed"]}


def test_a_heartbeat_is_no_news_but_the_stream_says_that_it_lives(
    serve: Serve, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "BEAT", 0.05)
    monkeypatch.setattr(events.EventStream.__init__, "__kwdefaults__", {"beat": 0.05, "stalled": 60.0})
    with Listener(serve()) as listener:
        listener.wait_for(b": still here")
        journal.note("heartbeat", time.time() + 1)
        time.sleep(1.5)
        listener.wait_for(b": still here\n\n\r\n" * 1)
        assert listener.changes() == []


def test_many_streams_cost_one_look_a_second(serve: Serve, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = Changes.look

    def counted(changes: Changes) -> Change:
        looks.append(time.monotonic())
        return look(changes)

    monkeypatch.setattr(Changes, "look", counted)
    page = serve()
    time.sleep(0.3)
    assert looks == []
    with ExitStack() as stack:
        listeners = [stack.enter_context(Listener(page)) for _ in range(50)]
        for listener in listeners:
            listener.wait_for(b"retry: ")
        time.sleep(0.2)
        make_set(journal, "a")
        for listener in listeners:
            listener.wait_for(b"event: change")
        assert len(looks) <= 4
        assert page.get("/").status == 200
    time.sleep(1.3)
    before = len(looks)
    time.sleep(1.3)
    assert len(looks) == before


def test_connections_are_limited_and_the_page_goes_on(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_CONNECTIONS", 20)
    page = serve()
    with ExitStack() as stack:
        lines = [stack.enter_context(socket.create_connection(("127.0.0.1", page.port), timeout=5)) for _ in range(40)]
        time.sleep(0.3)
        for line in lines[:20]:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert sum(line.recv(20).startswith(b"HTTP/1.1 200") for line in lines[:20]) == 20
        for line in lines[20:]:
            with suppress(ConnectionResetError):
                assert line.recv(20) == b""
    assert page.get("/").status == 200


def test_who_says_nothing_is_not_waited_for(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_SILENT", 0.2)
    page = serve()
    with socket.create_connection(("127.0.0.1", page.port), timeout=5) as line:
        line.sendall(b"GET / HT")
        with suppress(ConnectionResetError):
            assert line.recv(10) == b""
    assert page.get("/").status == 200


def test_a_stream_that_nobody_reads_keeps_nothing_and_ends(
    serve: Serve, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listener that takes nothing: what it was not told is one event, however much has happened meanwhile."""
    stream = events.Stream()
    for number in range(100_000):
        stream.tell(Change(frozenset({"counts"}), {f"urn:uuid:{number}": "published"}))
    assert len(stream._news.sets or {}) == 100
    assert list(stream._news.sets or {})[-1] == "urn:uuid:99999"
    monkeypatch.setattr(events.EventStream.__init__, "__kwdefaults__", {"beat": 0.001, "stalled": 0.5})
    page = serve()
    line = socket.socket()
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    with line:
        line.connect(("127.0.0.1", page.port))
        line.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        time.sleep(1.0)
        assert page.get("/").status == 200


def test_open_streams_do_not_delay_the_end(tmp_path: Path, journal: Journal) -> None:
    from watcher import profile as profiles
    from watcher.provenance.registers import Registers

    text = "instrument: {name: X}\nwatch: [{path: /data}]\nstore: {kind: folder, path: a}\nweb: {port: 0}\n"
    (tmp_path / "p.yaml").write_text(text)
    profile = profiles.load(tmp_path / "p.yaml")
    with ExitStack() as stack:
        with server.PageServer(profile, journal.state, Registers(profile), lambda *_: None):
            while not isinstance(noted := journal.noted("page"), dict):
                time.sleep(0.01)
            page = Page(int(noted["address"].rstrip("/").rpartition(":")[2]), journal, tmp_path)
            listeners = [stack.enter_context(Listener(page)) for _ in range(20)]
            for listener in listeners:
                listener.wait_for(b"retry: ")
            begin = time.monotonic()
        assert time.monotonic() - begin < 1.5
    assert journal.noted("page") is None


def test_a_journal_that_shrinks_is_followed_all_the_same(journal: Journal) -> None:
    """Lines of the history go with forgotten sets, and their numbers are given again."""
    changes = Changes(journal, Glance(journal, _Clock()))
    one = make_set(journal, "a", State.GROWING)
    changes.look()
    journal.sets.forget(one)
    changes.look()
    other = make_set(journal, "b", State.GROWING)
    assert changes.look().sets == {other.id: "growing"}
    assert not changes.look()


class _Clock:
    """Each look is two seconds later."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        self.now += 2
        return self.now
