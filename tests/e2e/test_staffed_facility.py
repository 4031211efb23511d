"""The story of a staffed facility: asked, acquired under a shared login, credited to both, found, read, and told of.

The real program and a zone, a real RabbitMQ, a receiver of webhooks; people log in as themselves.
"""

import base64
import json
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bagit
import pytest
from irods.access import iRODSAccess
from irods.models import Collection, CollectionMeta

from tests.crate_validator import CrateValidator
from tests.e2e.conftest import Program
from tests.integration.rabbitmq import EXCHANGE, Broker
from tests.integration.receiver import Receiver, receiving
from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import connect, reads
from watcher import simulate

JANE, RICHARD = "https://orcid.org/0000-0002-1825-0097", "https://orcid.org/0000-0001-5109-3700"
PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, user: jdoe, logins: [jdoe], affiliation: Institute of Cells}
  - {name: "Roe, Richard", orcid: 0000-0001-5109-3700, user: rroe, logins: [rroe], staff: true}
  - {name: "Smith, Anna", user: asmith, logins: [asmith]}
generic_logins: [zeiss, root]
"""
PROFILE = """\
instrument: {{name: LSM980-2, manufacturer: Zeiss, model: LSM 980}}
watch: [{{path: data, settle: 0s, sweep: 1s, capture: "{{user}}/"}}]
complete: {{quiet: 1s}}
people:
  directory: people.yaml
  requests: requests
  staffed: true
  facility: {{name: BioImaging Facility, ror: 03yrm5c26}}
access:
  - {{who: "{{scientist}}"}}
  - {{who: omero, level: annotate, above: true}}
handoff:
  agent: omero
  webhook: {{url: "{url}", secret: {{env: AGENT_SECRET}}}}
  amqp: {{url: {{env: AMQP_URL}}, exchange: {exchange}}}
store:
  kind: irods
  environment: irods_environment.json
  password: {{env: TEST_IRODS_PASSWORD}}
  collection: "/tempZone/home/scope/{{instrument}}/{{set}}"
"""
PLACE = "/tempZone/home/scope/LSM980-2"


@dataclass
class Facility:
    """An instrument, its zone with people, an agent that is told in two ways."""

    program: Program
    server: IrodsServer
    receiver: Receiver
    broker: Broker
    queue: str

    def acquire(self, name: str, seed: int = 1) -> None:
        """An acquisition under the instrument's login, which the watcher has published."""
        simulate.KINDS["ome-tiff-series"](self.program.data / "zeiss", name, pause=lambda _: None, seed=seed)
        self.program.wait_for(lambda: any(one["name"] == name for one in self.program.sets("published")))

    def told(self, kind: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """The events of this type that came by webhook and by RabbitMQ, once both have told all that they have."""
        self.program.wait_for(lambda: self.program.json("status")["handoff"]["sinks"] == [])
        posted = [json.loads(request.body) for request in self.receiver.requests]
        queued = [json.loads(body) for _, body in self.broker.take(self.queue)]
        return tuple([one for one in came if one["type"].endswith(kind)] for came in (posted, queued))  # type: ignore[return-value]


@pytest.fixture
def facility(tmp_path: Path, broker: Broker) -> Iterator[Facility]:
    users = {name: name for name in ("scope", "jdoe", "rroe", "asmith", "omero")}
    queue = f"omero-{uuid.uuid4().hex[:8]}"
    broker.bind(queue)
    with IrodsServer(users=users, vault=tmp_path / "vault") as server, receiving() as receiver:
        program = Program(tmp_path, "")
        program.environment |= {
            "TEST_IRODS_PASSWORD": "scope",
            "AMQP_URL": broker.url,
            "AGENT_SECRET": base64.b64encode(bytes(range(32))).decode(),
        }
        (tmp_path / "irods_environment.json").write_text(json.dumps(server.environment("scope")), encoding="utf-8")
        (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
        program.write_profile(PROFILE.format(url=receiver.url, exchange=EXCHANGE))
        (program.data / "zeiss").mkdir()
        with connect(server, "rods") as administrator:
            for path in ("/tempZone", "/tempZone/home"):
                for user in ("scope", "omero"):
                    administrator.acls.set(iRODSAccess("read", path, user))
        yield Facility(program, server, receiver, broker, queue)
        for process in program.processes:
            process.kill()
            process.wait()


def imeta_ls(server: IrodsServer, user: str, collection: str) -> str:
    """What `imeta ls -C` shows to this user."""
    with connect(server, user) as session:
        found = session.collections.get(collection).metadata.items()
    return "----\n".join(f"attribute: {avu.name}\nvalue: {avu.value}\nunits: {avu.units or ''}\n" for avu in found)


def waiting(server: IrodsServer) -> list[str]:
    """What the agent is to take on, as watcher/HANDOFF.md has it."""
    asked = {"acq:handoff": "requested", "acq:handoff.agent": "omero", "acq:state": "complete"}
    tests = [
        test for name, value in asked.items() for test in (CollectionMeta.name == name, CollectionMeta.value == value)
    ]
    with connect(server, "omero") as session:
        return [row[Collection.name] for row in session.query(Collection.name).filter(*tests)]


def crate_of(server: IrodsServer, collection: str, into: Path) -> dict[str, Any]:
    """The crate as the scientist downloads it, with all that is in the set."""
    into.mkdir()
    with connect(server, "jdoe") as session:
        for item in session.collections.get(collection).data_objects:
            with item.open("r") as file:
                (into / item.name).write_bytes(file.read())
    graph = json.loads((into / "ro-crate-metadata.json").read_text(encoding="utf-8"))["@graph"]
    return {entity["@id"]: entity for entity in graph}


def shown(listing: str, attribute: str, value: str, unit: str = "") -> bool:
    return f"attribute: {attribute}\nvalue: {value}\nunits: {unit}\n" in listing


@pytest.mark.timeout(180)
def test_what_was_asked_for_is_credited_to_both_and_reaches_whom_it_should(
    facility: Facility, crate_validator: CrateValidator, tmp_path: Path
) -> None:
    program, server = facility.program, facility.server
    made = program.json(
        "request", "new", "--title", "Actin in HeLa", "--scientist", "jdoe", "--project", "P-17", "--sample",
        "HeLa, fixed", "--what", "whole cells", "--channel", "DAPI", "--objective", "63x", "--positions", "12",
        "--repeats", "3", "--authorship", "acknowledgement", "--agreed", "--profile", "profile.yaml",
    )["requests"][0]  # fmt: skip
    checked = program("request", "check", made["id"], "--profile", "profile.yaml")
    assert checked.returncode == 0, checked.stdout
    watcher = program.start("run", "profile.yaml")
    program.wait_for(lambda: (program.home / "state" / "journal.sqlite").exists())
    started = program("session", "start", made["id"], "--operator", "rroe", "--profile", "profile.yaml")
    assert started.returncode == 0, started.stderr
    facility.acquire("20260304_Actin")
    assert program("session", "stop").returncode == 0
    collection = f"{PLACE}/20260304_Actin"

    listing = imeta_ls(server, "jdoe", collection)
    assert shown(listing, "dcterms:creator", "Doe, Jane", "1")
    assert shown(listing, "dcterms:creator.orcid", JANE, "1")
    assert shown(listing, "dcterms:contributor", "Roe, Richard", "1")
    assert shown(listing, "dcterms:contributor.orcid", RICHARD, "1")
    assert shown(listing, "dcterms:contributor.role", "DataCollector", "1")
    assert shown(listing, "dcterms:contributor.credit", "https://credit.niso.org/contributor-roles/investigation/", "1")
    assert shown(listing, "prov:actedOnBehalfOf", JANE, "1")
    assert shown(listing, "dcterms:contributor", "BioImaging Facility", "2")
    assert shown(listing, "dcterms:contributor.role", "HostingInstitution", "2")
    assert shown(listing, "acq:request", made["id"])
    assert shown(listing, "acq:attribution", "resolved")

    image = f"{collection}/20260304_Actin_Z01.ome.tif"
    assert {user for user in ("jdoe", "asmith", "omero") if reads(server, user, image)} == {"jdoe", "omero"}
    assert waiting(server) == [collection]

    posted, queued = facility.told(".published")
    assert posted == queued
    (event,) = posted
    assert event["subject"] == collection
    assert [person["orcid"] for person in event["data"]["attribution"]["creators"]] == [JANE]
    assert event["data"]["attribution"]["operator"]["orcid"] == RICHARD

    entities = crate_of(server, collection, tmp_path / "crate")
    assert entities["./"]["author"] == {"@id": JANE}
    assert entities["#acquisition"]["agent"] == {"@id": RICHARD}
    assert crate_validator.issues(tmp_path / "crate") == []
    subprocess.run(
        ["sha256sum", "--quiet", "--strict", "-c", "manifest-sha256.txt"], cwd=tmp_path / "crate", check=True
    )
    (program.home / "out").mkdir()
    exported = program("export", "20260304_Actin", "--to", "out", "--profile", "profile.yaml")
    assert exported.returncode == 0, exported.stderr
    bagit.Bag(str(program.home / "out" / "20260304_Actin")).validate()

    assert program.stop(watcher) == 0
    told = program("show", "20260304_Actin").stdout
    assert "Doe, Jane" in told
    assert "Roe, Richard" in told
    for text in (told, (program.home / "run.log").read_text(encoding="utf-8")):
        assert "Traceback" not in text
    assert "Jane" not in (program.home / "run.log").read_text(encoding="utf-8"), "no person is in a log"


@pytest.mark.timeout(180)
def test_without_a_request_it_leaves_all_the_same_and_is_credited_by_one_command_later(
    facility: Facility, crate_validator: CrateValidator, tmp_path: Path
) -> None:
    program, server = facility.program, facility.server
    watcher = program.start("run", "profile.yaml")
    program.wait_for(lambda: (program.home / "state" / "journal.sqlite").exists())
    request = program.json(
        "request", "new", "--title", "Actin", "--scientist", "jdoe", "--project", "P-17", "--profile", "profile.yaml"
    )["requests"][0]["id"]
    program("session", "start", request, "--operator", "rroe", "--anyway", "--profile", "profile.yaml")
    facility.acquire("asked")
    program("session", "stop")
    facility.acquire("nobody_s", seed=2)

    collection = f"{PLACE}/nobody_s"
    before = imeta_ls(server, "scope", collection)
    assert shown(before, "acq:attribution", "unresolved")
    assert "dcterms:creator" not in before
    image = f"{collection}/nobody_s_Z01.ome.tif"
    content = server.objects(collection)[image]
    assert not reads(server, "jdoe", image)
    assert "1 set" in program("status").stdout

    said = program("attribute", "nobody_s", "--request", request, "--operator", "rroe", "--by", "asmith")
    assert said.returncode == 0, said.stderr
    program.wait_for(lambda: shown(imeta_ls(server, "scope", collection), "acq:attribution", "resolved"))
    program.wait_for(lambda: reads(server, "jdoe", image))
    listing = imeta_ls(server, "jdoe", collection)
    assert shown(listing, "dcterms:creator.orcid", JANE, "1")
    assert shown(listing, "dcterms:contributor.orcid", RICHARD, "1")
    assert shown(listing, "acq:request", request)
    assert server.objects(collection)[image] == content, "no byte was touched"

    entities = crate_of(server, collection, tmp_path / "crate")
    assert entities["./"]["author"] == {"@id": JANE}
    assert entities["#acquisition"]["agent"] == {"@id": RICHARD}
    change = entities["#change-1"]
    assert "dcterms:creator 1: nothing -> Doe, Jane" in change["description"]
    assert entities[change["agent"]["@id"]]["name"] == "Anna Smith"
    assert crate_validator.issues(tmp_path / "crate") == []

    (audit,) = program.json("show", "nobody_s")["sets"][0]["changes"]
    assert audit["who"] == "asmith"
    after = {(attribute, value, unit) for attribute, value, unit in audit["after"]}
    assert ("dcterms:creator", "Doe, Jane", "1") in after
    assert all(shown(listing, *avu) for avu in after)
    assert all(shown(before, *avu) for avu in audit["before"])

    posted, queued = facility.told(".attributed")
    assert posted == queued
    assert [one["subject"] for one in posted] == [collection]
    assert program.stop(watcher) == 0
