"""A page on a real socket over a real journal, and somebody who looks at it."""

import http.client
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlencode

import pytest

from watcher import profile as profiles
from watcher.journal import Journal
from watcher.model import UNDER_WAY, Attribution, FileFacts, ImageSet, Member, Person, Resolution, State
from watcher.provenance.registers import Registers
from watcher.web.server import PageServer
from watcher.web.site import Beside

JANE = Person("Doe, Jane", orcid="https://orcid.org/0000-0002-1825-0097", email="jane@example.org", user="jdoe")
RICHARD = Person("Roe, Richard", user="rroe", staff=True)
PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, email: jane@example.org, user: jdoe, logins: [jdoe]}
  - {name: "Roe, Richard", logins: [rroe], staff: true}
generic_logins: [zeiss]
"""
#: What every request is said to be complete with.
REQUEST = {
    "title": "Actin in HeLa", "scientist": "jdoe", "project": "P-17", "sample": "HeLa", "what": "cells",
    "channels": "DAPI, GFP", "objective": "63x", "positions": "12", "repeats": "3", "authorship": "acknowledgement",
    "agreed": "yes",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8")

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Page:
    """The page while it runs, as somebody at this computer asks it."""

    port: int
    journal: Journal
    home: Path
    troubles: list[tuple[str, str]] = field(default_factory=list)

    def ask(self, method: str, path: str, /, *body: bytes, **headers: str) -> Answer:
        """One request with at most one body; `Host` and others in capitals with _ for -."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, b"".join(body) or None, given)
            answer = connection.getresponse()
            kept = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, kept, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Answer:
        """A form as the page's own buttons send it, unless headers or the token say otherwise."""
        said = dict(form or {})
        if "token" not in said:
            said["token"] = self.token
        sent = {"Content_Type": "application/x-www-form-urlencoded", "Sec_Fetch_Site": "same-origin", **headers}
        return self.ask("POST", path, urlencode(said).encode(), **{k: v for k, v in sent.items() if v})

    @property
    def token(self) -> str:
        """What stands in the page's forms; "" if it has none."""
        found = re.search(r'name="token" value="([^"]+)"', self.get("/").text + self.get("/login").text)
        return found[1] if found else ""

    def log_in(self) -> str:
        """Give the password; the cookie."""
        answer = self.post("/login", {"password": "open sesame"})
        assert answer.status == 303, answer.text
        return answer.headers["set-cookie"].partition(";")[0]


Serve = Callable[..., Page]


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    """The journal of a watcher that has just looked at its folders."""
    with Journal(tmp_path / "state", owned=True) as made:
        made.note("heartbeat", time.time())
        made.note("watching", {"instrument": "LSM980-2", "folders": ["/data"], "version": "0"})
        yield made


@pytest.fixture
def serve(tmp_path: Path, journal: Journal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Starts the page with the section `web` that is given."""
    monkeypatch.setenv("PAGE_PASSWORD", "open sesame")
    with ExitStack() as stack:

        def start(web: str = "", beside: Beside | None = None, more: str = "", **options: Any) -> Page:
            section = ", ".join(filter(None, ["port: 0", web]))
            text = (
                "instrument: {name: LSM980-2}\nwatch: [{path: /data}]\nstore: {kind: folder, path: archive}\n"
                f"{more or 'people: {directory: people.yaml, requests: requests}'}\nweb: {{{section}}}\n"
            )
            (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
            (tmp_path / "requests").mkdir(exist_ok=True)
            (tmp_path / "profile.yaml").write_text(text, encoding="utf-8")
            profile = profiles.load(tmp_path / "profile.yaml")
            registers = Registers(profile)
            stack.enter_context(registers.reading(lambda _: None, 5.0))
            page = Page(0, journal, tmp_path)
            told = lambda where, what: page.troubles.append((where, what))  # noqa: E731
            stack.enter_context(PageServer(profile, journal.state, registers, told, beside=beside, **options))
            end = time.monotonic() + 10
            while not isinstance(noted := journal.noted("page"), dict):
                assert time.monotonic() < end, page.troubles
                time.sleep(0.01)
            page.port = int(noted["address"].rstrip("/").rpartition(":")[2])
            page.troubles.clear()
            return page

        yield start


def make_set(
    journal: Journal,
    name: str = "scan",
    state: State = State.PUBLISHED,
    *,
    at: float | None = None,
    members: int = 1,
    made_by: Person | None = None,
    **changes: Any,
) -> ImageSet:
    """A set that has come so far, with members of a kilobyte."""
    now = time.time() - 60 if at is None else at
    journal_name = name.encode("utf-8", "backslashreplace").decode()
    one = journal.sets.create(
        Path("/data"), PurePosixPath("jdoe"), journal_name, grouped_by="file", format="czi", now=now, last_change=now
    )
    frozen = [
        Member(f"jdoe/{name}_{n}", FileFacts(1000, n, "x"), f"{name}_{n}".encode("utf-8", "replace").decode(),
               "ab" * 32 if state is State.PUBLISHED else None) for n in range(members)
    ]  # fmt: skip
    journal.sets.freeze(one, frozen)
    way = (*UNDER_WAY, State.PUBLISHED)
    steps = () if state is State.GROWING else way[: way.index(state) + 1] if state in way else (state,)
    for step in steps:
        last = changes if step == state else {}
        if step is State.PUBLISHED:
            last = {"published_at": now, **last}
        one = journal.sets.advance(one, step, now, "as a test wants it", **last)
    if state is State.GROWING and changes:
        one = journal.sets.change(one, **changes)
    if made_by:
        found = Attribution(Resolution.RESOLVED, (made_by,), RICHARD, facts={"request": "RQ4F7K2MT"})
        journal.attributions.written(one.id, found, 0)
    return journal.sets.get(one.id)
