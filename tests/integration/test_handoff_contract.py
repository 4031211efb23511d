"""watcher/HANDOFF.md is true: its code is run, its queries are asked, its example is what is really sent."""

import base64
import json
import re
import textwrap
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from irods.models import Collection, CollectionMeta

import watcher.cli.main  # noqa: F401 - where the verbs are
from tests.integration.rabbitmq import Broker
from tests.integration.receiver import Receiver, receiving, status
from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import connect
from watcher import simulate
from watcher.cli.app import run_app
from watcher.cli.console import LogListener
from watcher.daemon import Daemon
from watcher.journal import Journal
from watcher.notify.events import PUBLISHED, SUPERSEDED
from watcher.profile import load
from watcher.provenance.handoff import AGENTS

DOCUMENT = (Path(__file__).parents[2] / "watcher" / "HANDOFF.md").read_text(encoding="utf-8")
BASE = "/tempZone/home/rods/facility"
COLLECTION = f"{BASE}/LSM980-2/jdoe/20260304_Actin"
PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, user: jdoe, logins: [jdoe]}
  - {name: "Roe, Richard", orcid: 0000-0001-5109-3700, user: rroe, logins: [rroe], staff: true}
generic_logins: [root]
"""
KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()


def blocks(language: str, after: str = "") -> list[str]:
    """The blocks of code in this language after a heading."""
    return re.findall(rf"```{language}\n(.*?)```", DOCUMENT.partition(after)[2] if after else DOCUMENT, re.DOTALL)


@pytest.fixture(scope="module")
def code() -> dict[str, Any]:
    """Everything that the document's Python defines."""
    names: dict[str, Any] = {}
    for block in blocks("python"):
        exec(compile(textwrap.dedent(block), "HANDOFF.md", "exec"), names)  # noqa: S102
    return names


class Site:
    """A facility: an instrument, its zone, and a receiver."""

    def __init__(self, folder: Path, server: IrodsServer, receiver: Receiver) -> None:
        self.folder = folder
        self.server = server
        self.receiver = receiver
        (folder / "data" / "jdoe").mkdir(parents=True)
        (folder / "irods_environment.json").write_text(json.dumps(server.environment()))
        (folder / "people.yaml").write_text(PEOPLE)
        (folder / "profile.yaml").write_text(
            "instrument: {name: LSM980-2}\nwatch: [{path: data, settle: 0s, capture: '{user}/'}]\n"
            "complete: {quiet: 0s}\n"
            "people:\n  directory: people.yaml\n  facility: {name: BioImaging Facility, ror: 03yrm5c26}\n"
            "  default: {operator: rroe, project: P-17}\n"
            "access: [{who: omero_svc, level: annotate, above: true}]\n"
            "store: {kind: irods, environment: irods_environment.json, password: {env: TEST_IRODS_PASSWORD}, "
            f"collection: '{BASE}/{{instrument}}/{{folder}}/{{set}}'}}\n"
            f"handoff: {{agent: omero, webhook: {{url: '{receiver.url}', secret: {{env: AGENT_SECRET}}}}}}\n"
        )

    def acquire(self, seed: int = 1) -> None:
        """Write an image set."""
        folder = self.folder / "data" / "jdoe"
        simulate.KINDS["growing-stack"](folder, "20260304_Actin", pause=lambda _: None, seed=seed)

    def once(self) -> None:
        """Deliver what is there."""
        with Journal(self.folder / "state", owned=True) as journal:
            Daemon(load(self.folder / "profile.yaml"), journal, LogListener(), trust_times=True).once()

    def let_time_pass(self, seconds: float) -> None:
        """As if so much time had passed since the last look for answers."""
        with Journal(self.folder / "state", owned=True) as journal, journal.database.transaction() as sql:
            sql.execute("UPDATE handoff SET look_at = look_at - ?, since = since - ?", (seconds, seconds))

    def agent(self) -> Any:
        """The agent's session."""
        return connect(self.server, user="omero_svc")


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("AGENT_SECRET", KEY)
    monkeypatch.setenv("TEST_IRODS_PASSWORD", "rods")
    monkeypatch.setenv("IRODS_WATCHER_STATE", str(tmp_path / "state"))
    with IrodsServer(users={"omero_svc": "omero_svc"}) as server, receiving() as receiver:
        server.make_collection(BASE, owner="rods")
        yield Site(tmp_path, server, receiver)


@pytest.fixture
def published(site: Site) -> Site:
    site.acquire()
    site.once()
    return site


def shape(value: Any) -> Any:
    """Names and kinds of what is in an event, in their order."""
    if isinstance(value, dict):
        return [(key, shape(inner)) for key, inner in value.items()]
    if isinstance(value, list):
        return [shape(inner) for inner in value]
    return type(value).__name__


def test_the_example_is_what_is_really_sent(published: Site) -> None:
    (example,) = map(json.loads, blocks("json"))
    (request,) = published.receiver.requests
    sent = json.loads(request.body)
    assert shape(sent) == shape(example)
    assert request.headers["content-type"] == "application/cloudevents+json"
    own = {"id", "source", "time", "host", "bytes", "sha256", "completed_at", "published_at"}

    def same(one: Any, other: Any) -> None:
        for key, value in one.items():
            if isinstance(value, dict):
                same(value, other[key])
            elif key not in own:
                assert other[key] == value, key

    same(example, sent)
    assert str(uuid.UUID(sent["id"])) == sent["id"]
    assert sent["source"] == f"urn:irods-watcher:{quote(sent['data']['host'])}:LSM980-2"
    for moment in (sent["time"], sent["data"]["completed_at"], sent["data"]["published_at"]):
        assert datetime.fromisoformat(moment).tzinfo is not None
    avus = {name: value for name, value, _ in published.server.avus(COLLECTION)}
    assert avus["dcterms:identifier"] == sent["data"]["id"]
    assert avus["acq:manifest.sha256"] == sent["data"]["manifest"]["sha256"]
    assert avus["dcat:byteSize"] == str(sent["data"]["bytes"])


def test_every_field_of_the_example_is_explained_and_no_other(published: Site) -> None:
    (example,) = map(json.loads, blocks("json"))
    table = DOCUMENT.partition("| field | meaning |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.+?) \| .+ \|$", table, re.MULTILINE)
    explained = {name for row in rows for name in re.findall(r"`(.+?)`", row)}
    fields = set(example) - {"specversion", "datacontenttype", "data"} | {f"data.{name}" for name in example["data"]}
    assert explained == fields
    below = DOCUMENT.partition("In `attribution`, ")[2].partition("\n\n")[0]
    said = set(re.findall(r"`(\w+)`", below))
    assert {"state", "creators", "operator", "contributors", "omero"} <= said & set(example["data"]["attribution"])
    assert all(kind.partition("set.")[2] in DOCUMENT for kind in (PUBLISHED, SUPERSEDED))


def test_a_superseded_set_is_told_as_the_document_says(published: Site) -> None:
    published.acquire(seed=2)
    published.once()
    events = [json.loads(request.body) for request in published.receiver.requests]
    assert [event["type"] for event in events] == [PUBLISHED, PUBLISHED, SUPERSEDED]
    old, new, replaced = (event["data"] for event in events)
    common = list(old)[: list(old).index("complete")]
    assert list(replaced) == [*common, "superseded_by"]
    assert {key: replaced[key] for key in common} == {key: old[key] for key in common}
    assert replaced["superseded_by"] == {key: new[key] for key in ("id", "version", "collection")}
    assert new["collection"] == f"{COLLECTION}.v2"
    assert new["supersedes"] == old["id"]


def test_the_sets_that_wait_are_found_with_the_code_of_the_document(published: Site, code: dict[str, Any]) -> None:
    with published.agent() as session:
        assert code["waiting_sets"](session, "omero") == [COLLECTION]
        assert code["waiting_sets"](session, "another") == []


def conditions(command: str) -> list[Any]:
    """What `imeta qu -C` and `iquest` send for a command, as filters: a pair for each AVU, in order."""
    if command.startswith("imeta qu -C "):
        found = re.findall(r"(\S+) = (\S+)", command)
    else:
        columns = {"META_COLL_ATTR_NAME": 0, "META_COLL_ATTR_VALUE": 1}
        terms = re.findall(r"(\w+) = '([^']*)'", command)
        assert [columns[name] for name, _ in terms] == [0, 1] * (len(terms) // 2)
        values = [value for _, value in terms]
        found = list(zip(values[::2], values[1::2], strict=True))
    return [test for name, value in found for test in (CollectionMeta.name == name, CollectionMeta.value == value)]


def test_the_commands_of_the_document_ask_the_server_for_the_same(published: Site, code: dict[str, Any]) -> None:
    commands = [block.strip() for block in blocks("sh")]
    assert [command.split()[0] for command in commands] == ["imeta", "iquest"]
    with published.agent() as session:
        for command in commands:
            found = session.query(Collection.name).filter(*conditions(command))
            assert [row[Collection.name] for row in found] == [COLLECTION], command
        code["answer"](session, COLLECTION, "accepted")
        waiting, complete = (list(session.query(Collection.name).filter(*conditions(one))) for one in commands)
        assert (len(waiting), len(complete)) == (0, 1)


def test_nothing_is_found_before_the_marker_is_there(site: Site, code: dict[str, Any]) -> None:
    early: list[list[str]] = []

    def look(path: str, avu: tuple[str, str, str]) -> None:
        if avu[:2] == ("acq:state", "complete"):
            early.append([name for name, _, _ in site.server.avus(path)])

    site.server.watch_metadata(look)
    site.acquire()
    site.once()
    ((*before,),) = early
    assert "acq:handoff" in before
    assert "acq:manifest.sha256" in before


def test_a_delivery_is_verified_with_the_code_of_the_document(published: Site, code: dict[str, Any]) -> None:
    (request,) = published.receiver.requests
    genuine = code["is_genuine"]
    assert genuine(request.headers, request.body, KEY)
    assert not genuine(request.headers, request.body + b" ", KEY)
    assert not genuine(request.headers, request.body, base64.b64encode(bytes(32)).decode())
    later = {**request.headers, "webhook-timestamp": str(int(time.time()) - 3600)}
    assert not genuine(later, request.body, KEY)


@pytest.mark.timeout(120)
def test_a_queue_that_was_made_with_the_code_of_the_document_gets_the_event(
    site: Site, broker: Broker, code: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AMQP_URL", broker.url)
    profile = site.folder / "profile.yaml"
    text = profile.read_text()
    amqp = "amqp: {url: {env: AMQP_URL}, exchange: image-sets}"
    profile.write_text(text.replace("{agent: omero,", f"{{agent: omero, {amqp},"))
    with broker.connection() as channel:
        code["prepare"](channel)
    site.acquire()
    site.once()
    ((properties, body),) = broker.take("omero")
    (request,) = site.receiver.requests
    assert body == request.body
    assert properties.message_id == json.loads(body)["id"]


def told(site: Site, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert run_app([*words]) == 0
    return capsys.readouterr().out


def test_an_answer_that_was_given_with_the_code_of_the_document_is_shown(
    published: Site, code: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert "1 set waits for the agent omero." in told(published, capsys, "status")
    with published.agent() as session:
        for state, message, results in (
            ("accepted", "", ()),
            ("failed", "no such dataset", ()),
            ("done", "", ("Image:1234", "Dataset:5")),
        ):
            before = {avu for avu in published.server.avus(COLLECTION) if avu[0] not in AGENTS}
            code["answer"](session, COLLECTION, state, message, results)
            assert {avu for avu in published.server.avus(COLLECTION) if avu[0] not in AGENTS} == before
            published.let_time_pass(3600)
            published.once()
            if state == "failed":
                assert "1 set was refused by the agent omero: 20260304_Actin: no such dataset" in told(
                    published, capsys, "status"
                )
    assert "handed on: done, omero: Dataset:5, Image:1234" in told(published, capsys, "show", "20260304_Actin")
    assert "omero" not in told(published, capsys, "status")
    (listed,) = json.loads(told(published, capsys, "list", "--json"))["sets"]
    assert listed["handoff"] == {
        "agent": "omero", "state": "done", "message": "", "results": ["Dataset:5", "Image:1234"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("row", "code"), [("2xx", 204), ("408, 425, 429, 5xx", 429), ("408, 425, 429, 5xx", 500), ("anything else", 302)]
)
def test_the_table_of_answers_is_that_of_the_program(
    site: Site, row: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = re.findall(rf"^\| {re.escape(row)}.* \| (.+) \|$", DOCUMENT, re.MULTILINE)
    site.receiver.answer = status(code)
    site.acquire()
    site.once()
    shown = told(site, capsys, "status", "--json")
    sinks = json.loads(shown)["handoff"]["sinks"]
    if row == "2xx":
        assert (sinks, "not sent again" in text) == ([], True)
    elif row == "anything else":
        assert (sinks[0]["refused"], "every hour" in text) == (1, True)
    else:
        assert (sinks[0]["refused"], sinks[0]["waiting"], "every 5 minutes" in text) == (0, 1, True)


def test_the_document_names_what_is_the_agents() -> None:
    named = set(re.findall(r"`(acq:handoff[\w.]*)[ `]", DOCUMENT))
    assert named == AGENTS | {"acq:handoff.agent"}
