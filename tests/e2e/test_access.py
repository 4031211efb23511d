"""Who may read a published set: the real program and a zone, shown by logging in as each of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from irods.exception import iRODSException

from tests.e2e.conftest import Program
from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import connect, reads

PEOPLE = """\
persons:
  - {name: "Doe, Jane", user: jdoe, logins: [jdoe]}
  - {name: "Smith, Anna", user: asmith, logins: [asmith]}
  - {name: "Li, Wei", user: gone, logins: [wli]}
  - {name: "Moe, Mary", logins: [mmoe]}
  - {name: "Roe, Richard", user: rroe, logins: [rroe], staff: true}
generic_logins: [root]
"""
RULES = """\
people: {directory: people.yaml}
access:
  - {who: "{scientist}"}
  - {who: "{operator}"}
  - {who: "ag-{group}"}
  - {who: omero, above: true}
"""
USERS = ("jdoe", "asmith", "rroe", "member", "omero", "stranger")


@pytest.fixture
def scope(tmp_path: Path) -> Iterator[tuple[Program, IrodsServer]]:
    """A watcher whose account is no administrator, and a zone with people; everybody's password is their name."""
    vault = tmp_path / "vault"
    with IrodsServer(users={"scope": "scope", **{user: user for user in USERS}}, vault=vault) as server:
        server.add_group("ag-doe", ["member"])
        home = "/tempZone/home/scope"
        environment = server.environment("scope")
        (tmp_path / "irods_environment.json").write_text(json.dumps(environment), encoding="utf-8")
        (tmp_path / "people.yaml").write_text(PEOPLE, encoding="utf-8")
        store = (
            "{kind: irods, environment: irods_environment.json, password: {env: TEST_IRODS_PASSWORD}, "
            f"collection: '{home}/{{instrument}}/{{set}}'}}"
        )
        program = Program(tmp_path, store, {"TEST_IRODS_PASSWORD": "scope"})
        program.write_profile(more=RULES)
        yield program, server


def readers(server: IrodsServer, path: str) -> set[str]:
    return {user for user in USERS if reads(server, user, path)}


def write(program: Program, name: str, **said: str) -> None:
    lines = "".join(f"{key}: {value}\n" for key, value in said.items())
    (program.data / f"{name}.acquisition.yaml").write_text(lines)
    (program.data / f"{name}.dat").write_bytes(b"pixels")


def test_each_set_is_read_by_those_whom_its_attribution_and_the_profile_name(scope: Any) -> None:
    program, server = scope
    write(program, "janes", scientist="jdoe", operator="rroe", group="doe")
    write(program, "annas", scientist="asmith")
    write(program, "nobodys")
    result = program("once", "profile.yaml")
    assert result.returncode == 0, result.stderr
    place = "/tempZone/home/scope/Scope-1"
    assert readers(server, f"{place}/janes/janes.dat") == {"jdoe", "rroe", "member", "omero"}
    assert readers(server, f"{place}/annas/annas.dat") == {"asmith", "omero"}
    assert readers(server, f"{place}/nobodys/nobodys.dat") == {"omero"}
    assert readers(server, f"{place}/janes/ro-crate-metadata.json") == {"jdoe", "rroe", "member", "omero"}
    assert "omero" in server.access(place), "the way to the sets"
    assert "jdoe" not in server.access(place)


def test_whom_the_zone_does_not_know_is_on_the_list_until_they_are_there(scope: Any) -> None:
    program, server = scope
    write(program, "weis", scientist="wli")
    write(program, "marys", scientist="mmoe")
    result = program("once", "profile.yaml")
    assert result.returncode == 0, "the sets are safe, whoever may read them"
    assert len(program.sets("published")) == 2
    assert reads(server, "scope", "/tempZone/home/scope/Scope-1/weis/weis.dat")
    told = program("status").stdout
    assert "No access yet for gone to 1 set: unknown to the zone" in told
    assert "No access yet for {scientist} to 1 set: the directory of persons names no user of iRODS" in told
    assert "No access yet for omero to 2 sets: this account may not give access to /tempZone: " in told
    assert "an administrator has to type `ichmod read omero /tempZone`" in told
    shut_out = program.json("status")["shut_out"]
    assert {entry["who"] for entry in shut_out} == {"gone", "{scientist}", "omero"}
    assert "gone: not yet, unknown to the zone" in program("show", "weis").stdout

    server.add_user("gone", "gone")
    (program.home / "people.yaml").write_text(PEOPLE.replace("logins: [mmoe]", "logins: [mmoe], user: jdoe2"))
    server.add_user("jdoe2", "jdoe2")
    program("attribute", "weis", "marys", "--profile", "profile.yaml")
    assert reads(server, "gone", "/tempZone/home/scope/Scope-1/weis/weis.dat")
    assert reads(server, "jdoe2", "/tempZone/home/scope/Scope-1/marys/marys.dat")
    assert {entry["who"] for entry in program.json("status")["shut_out"]} == {"omero"}


def test_who_turns_out_not_to_be_the_scientist_loses_what_they_got(scope: Any) -> None:
    program, server = scope
    write(program, "x", scientist="jdoe", group="doe")
    program("once", "profile.yaml")
    place = "/tempZone/home/scope/Scope-1/x/x.dat"
    assert readers(server, place) == {"jdoe", "member", "omero"}
    result = program("attribute", "x", "--scientist", "asmith", "--profile", "profile.yaml")
    assert "x: resolved: Smith, Anna" in result.stdout, result.stderr
    assert readers(server, place) == {"asmith", "member", "omero"}
    assert readers(server, place.replace("x.dat", "ro-crate-metadata.json")) == {"asmith", "member", "omero"}


def test_the_readers_of_a_request_read_and_nobody_may_write(scope: Any) -> None:
    program, server = scope
    program.write_profile(more=RULES.replace("people.yaml}", "people.yaml, requests: requests}"))
    made = program.json("request", "new", "--scientist", "jdoe", "--profile", "profile.yaml")["requests"][0]
    path = program.home / "requests" / f"{made['id']}.yaml"
    path.write_text(path.read_text().replace("readers: []", "readers: [stranger]"))
    write(program, "y", request=made["id"])
    program("once", "profile.yaml")
    assert readers(server, "/tempZone/home/scope/Scope-1/y/y.dat") == {"jdoe", "stranger", "omero"}
    for user in ("jdoe", "stranger", "omero"):
        with connect(server, user) as session, pytest.raises(iRODSException):
            session.collections.get("/tempZone/home/scope/Scope-1/y").metadata.add("acq:mine", "x")
