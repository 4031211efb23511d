"""A facility view on a real socket, instruments that report to it, and a clock that the test moves."""

import base64
import http.client
import json
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from watcher.fleet import document, server
from watcher.fleet.document import Fleet
from watcher.notify import signature
from watcher.overview.report import Need, Report, Room

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()
FLEET = """\
name: BioImaging Facility
secret: {env: FLEET_SECRET}
instruments:
  - {name: STED-1, page: "https://sted.example/"}
  - {name: LSM980-2}
  - {name: "Écran 7 µm"}
"""
NOW = 1_800_000_000.0


def report(name: str = "LSM980-2", **changes: Any) -> Report:
    """What a watcher says of an instrument where all is safe."""
    said: dict[str, Any] = {
        "instrument": name, "version": "1", "taken_at": NOW, "every": 60.0, "sentence": "All 214 sets are safe.",
        "mood": "safe", "safe": 214, "on_the_way": 0, "held": 0,
        "disks": (Room(folder="D:/Data", free=2 * 10**12, total=4 * 10**12),), "last_safe": NOW - 600,
    }  # fmt: skip
    return Report(**{**said, **changes})


def in_need(name: str = "LSM980-2", what: str = "plate3: 3 of 96 images are missing") -> Report:
    sentence = "1 set from LSM980-2 needs you; 213 safe, 2 on the way."
    needs = (Need(what=what, since=NOW - 60),)
    return report(name, mood="attention", sentence=sentence, held=1, on_the_way=2, needs=needs, rate=80e6)


@dataclass
class Clock:
    """The time of the view, which stands still."""

    at: float = NOW

    def __call__(self) -> float:
        return self.at


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class View:
    """The view while it runs."""

    clock: Clock
    port: int = 0
    thread: threading.Thread = field(default_factory=threading.Thread)
    stop: Callable[[], None] = lambda: None

    def end(self) -> None:
        """Stop it."""
        if self.thread.is_alive():
            self.stop()
            self.thread.join()

    def ask(self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Answer:
        """One request."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            kept = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, kept, answer.read().decode("utf-8"))
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """With headers, _ for - in their names."""
        return self.ask("GET", path, headers={name.replace("_", "-"): text for name, text in headers.items()})

    def post(self, said: Report | bytes, *, to: str = "LSM980-2", key: str = KEY, at: float | None = None) -> Answer:
        """A report as a watcher posts it, now or at another time; each second there can be one."""
        body = said if isinstance(said, bytes) else said.model_dump_json().encode("utf-8")
        moment = self.clock() if at is None else at
        return self.send(to, body, signature.signed(signature.key_of(key, ""), str(uuid.uuid4()), moment, body))

    def send(self, to: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        return self.ask("POST", f"/api/v1/fleet/{quote(to, safe='')}", body, headers)

    def begin(self, text: bytes) -> bytes:
        """Send this and no more; what comes back at first."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(text)
            return connection.recv(4096)

    @property
    def moods(self) -> dict[str, str]:
        """How each instrument is."""
        return {one["name"]: one["mood"] for one in self.get("/api/v1/fleet").json()["instruments"]}


Serve = Callable[..., View]


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Fleet]:
    """fleet.yaml with a page on any port."""
    monkeypatch.setenv("FLEET_SECRET", KEY)
    monkeypatch.setenv("STED_SECRET", OTHER)
    monkeypatch.setenv("PAGE_PASSWORD", "open sesame")

    def write(text: str = FLEET, web: str = "") -> Fleet:
        file = tmp_path / "fleet.yaml"
        file.write_text(f"{text}web: {{port: 0{web}}}\n", encoding="utf-8")
        return document.load(file)

    return write


@pytest.fixture
def serve(tmp_path: Path, written: Callable[..., Fleet]) -> Iterator[Serve]:
    """Starts a view, in whose directory another one may have been before."""
    views: list[View] = []

    def start(text: str = FLEET, web: str = "", clock: Clock | None = None) -> View:
        fleet, view, ready = written(text, web), View(clock or Clock()), threading.Event()

        def started(address: str, stop: Callable[[], None]) -> None:
            view.port, view.stop = int(address.rstrip("/").rpartition(":")[2]), stop
            ready.set()

        options = {"now": view.clock, "started": started}
        view.thread = threading.Thread(target=server.serve, args=(fleet, tmp_path / "state"), kwargs=options)
        view.thread.start()
        views.append(view)
        assert ready.wait(10)
        return view

    yield start
    for view in views:
        view.end()
