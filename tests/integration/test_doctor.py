"""What is wrong with the way to iRODS, as the doctor tells it: over a real socket, each thing made wrong in truth."""

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from irods.access import iRODSAccess

from tests.integration.irods_store import METADATA, OPEN, PUT
from tests.integration.receiver import wait_until
from tests.irods_server import IrodsServer, Tls, make_certificate
from tests.irods_server.dialogue import connect
from watcher.doctor.check import Check, Result, Subject, examine, exit_code
from watcher.doctor.checks import CHECKS
from watcher.errors import Exit
from watcher.stores import open_store

BASE = "/tempZone/home/facility"
REMOVE_COLLECTION, MAKE_COLLECTION = 679, 681
Told = list[tuple[str, str, str]]


class Patient:
    """A profile that sends to a zone, and the doctor's results."""

    def __init__(self, home: Path, server: IrodsServer) -> None:
        self.home = home
        self.server = server
        self.results: list[Result] = []
        (home / "data").mkdir()
        self.write()
        self.environment()

    def write(self, more: str = "", *, base: str = BASE, kept: str = "{env: DOCTOR_PASSWORD}") -> None:
        """A profile."""
        login = f"password: {kept}, " if kept else ""
        store = f"{{kind: irods, environment: env.json, {login}collection: '{base}/{{set}}'}}"
        text = f"instrument: {{name: Scope-1}}\nwatch: [{{path: data}}]\nstore: {store}\n{more}"
        (self.home / "profile.yaml").write_text(text, encoding="utf-8")

    def environment(self, user: str = "facility", **changes: Any) -> None:
        """An environment file; None leaves a key out."""
        settings = self.server.environment(user) | changes
        kept = {key: value for key, value in settings.items() if value is not None}
        (self.home / "env.json").write_text(json.dumps(kept), encoding="utf-8")

    def examine(self, checks: tuple[Check, ...] = CHECKS, **how: Any) -> dict[str, Told]:
        """What all checks say, by name."""
        subject = Subject(self.home / "profile.yaml", lambda _: self.home / "state", **how)
        self.results = list(examine(subject, checks))
        return {one.name: [(str(fact.verdict), fact.what, fact.cure) for fact in one.facts] for one in self.results}

    @property
    def code(self) -> Exit:
        """The exit code of the last examination."""
        return exit_code(self.results)

    def left(self) -> set[str]:
        """What is below the collection of the sets."""
        return {*self.server.collections(f"{BASE}/"), *self.server.objects(f"{BASE}/")}


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_PASSWORD", "facility")


@pytest.fixture
def server() -> Iterator[IrodsServer]:
    with IrodsServer(users={"facility": "facility", "alice": "alice"}) as running:
        running.make_collection(BASE, owner="facility")
        yield running


@pytest.fixture
def patient(tmp_path: Path, server: IrodsServer) -> Patient:
    return Patient(tmp_path, server)


def bad(found: dict[str, Told]) -> dict[str, list[str]]:
    """What is not as it should be, by check."""
    told = {name: [verdict for verdict, *_ in facts if verdict != "ok"] for name, facts in found.items()}
    return {name: verdicts for name, verdicts in told.items() if verdicts}


def skipped(*names: str) -> dict[str, list[str]]:
    return {name: ["skipped"] for name in names}


AFTER_CREATE = ("deliver", "annotate", "grant", "remove", "clock")
AFTER_TARGET = ("create", *AFTER_CREATE)
AFTER_LOGIN = ("target", *AFTER_TARGET)


def test_all_is_well_and_nothing_stays_in_the_zone(patient: Patient) -> None:
    found = patient.examine()
    assert bad(found) == {}
    assert found["store"][0][1].startswith(f"127.0.0.1:{patient.server.port}: somebody listens, ")
    assert found["tls"] == [("ok", "not encrypted, and does not leave this computer", "")]
    assert found["login"][0][1] == f"facility#tempZone at 127.0.0.1:{patient.server.port}, iRODS 5.0.2"
    assert found["target"] == [("ok", f"{BASE}: it is there, and this account may write to it", "")]
    assert found["deliver"][0][1].startswith("1.0 MB were sent, verified by the catalogue, and read back (")
    assert found["clock"] == [("ok", "this computer's clock and the store's say the same", "")]
    assert (patient.code, patient.left()) == (Exit.OK, set())
    made = [request.path for request in patient.server.requests if request.api == MAKE_COLLECTION]
    assert [path.startswith(f"{BASE}/irods-watcher-doctor-") for path in made] == [True]
    wait_until(lambda: patient.server.connections == 0)


# reaching it


def test_nobody_listens(patient: Patient) -> None:
    patient.server.stop()
    found = patient.examine()
    verdict, what, cure = found["store"][0]
    assert (verdict, what) == ("fail", f"127.0.0.1:{patient.server.port}: nobody answers there (Connection refused)")
    assert cure.startswith(f"check irods_host and irods_port in {patient.home / 'env.json'}, the network and its")
    assert found["tls"] == [("skipped", "not looked at, because of what is wrong with Store", "")]
    assert bad(found).keys() == {"store", "tls", "login", *AFTER_LOGIN}
    assert patient.code is Exit.PARTLY


def test_a_computer_that_nobody_knows(patient: Patient) -> None:
    patient.environment(irods_host="nobody.invalid")
    ((verdict, what, cure),) = patient.examine()["store"]
    assert (verdict, what) == ("fail", "nobody.invalid: nobody knows a computer of this name")
    assert cure == f"check irods_host in {patient.home / 'env.json'}, and the network"


def test_an_environment_file_that_is_missing_or_wrong(patient: Patient) -> None:
    (patient.home / "env.json").write_text('{"irods_host": "x", "irods_port": "many"}')
    assert "irods_port: 'many' is no number that fits" in patient.examine()["store"][0][1]
    (patient.home / "env.json").unlink()
    ((verdict, what, cure),) = patient.examine()["store"]
    assert (verdict, what) == ("fail", f"{patient.home / 'env.json'}: this iRODS environment file is not there")
    assert cure == "give the right path as store.environment in the profile; `iinit` makes such a file"
    assert patient.code is Exit.CONFIGURATION


@pytest.mark.timeout(60)
def test_a_server_that_says_nothing_is_given_up(patient: Patient) -> None:
    patient.server.faults.stall(3.0, api=110000, times=None)
    quick = tuple(replace(one, seconds=0.5) if one.name in {"tls", "login"} else one for one in CHECKS)
    found = patient.examine(quick)
    told = [fact for name in ("tls", "login") for fact in found[name] if fact[0] == "fail"]
    assert told[0][:2] == ("fail", "no answer within 0.5 s")
    assert set(AFTER_LOGIN) <= bad(found).keys()
    while any(thread.name in {one.name for one in CHECKS} for thread in threading.enumerate()):
        time.sleep(0.05)


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def over_tls(tmp_path: Path) -> Iterator[Callable[[Tls], Patient]]:
    running: list[IrodsServer] = []

    def build(tls: Tls) -> Patient:
        server = IrodsServer(tls=tls, users={"facility": "facility"})
        server.start()
        running.append(server)
        server.make_collection(BASE, owner="facility")
        return Patient(tmp_path, server)

    yield build
    for server in running:
        server.close()


def test_a_certificate_is_told_with_its_end_and_how_it_was_verified(
    over_tls: Callable[[Tls], Patient], certificate: Tls
) -> None:
    patient = over_tls(certificate)
    ((verdict, what, cure),) = patient.examine(now=lambda: time.time() - 60 * 86400)["tls"]
    assert verdict == "ok"
    assert what.startswith(f"TLSv1.3, verified: certificate alone, against {certificate.certificate}; the certificate")
    patient.environment(irods_ssl_verify_server="hostname")
    found = patient.examine()
    verdict, what, cure = found["tls"][0]
    assert (verdict, "verified: certificate and name of the host, against" in what) == ("warning", True)
    assert cure == "ask the iRODS administrator for a new certificate before then: nothing is sent without"
    assert (bad(found), patient.code) == ({"tls": ["warning"]}, Exit.OK)


def test_a_certificate_that_has_expired(over_tls: Callable[[Tls], Patient], tmp_path: Path) -> None:
    folder = tmp_path / "expired"
    folder.mkdir()
    patient = over_tls(make_certificate(folder, expired=True))
    found = patient.examine()
    ((verdict, what, cure),) = found["tls"]
    assert (verdict, "the server's certificate was refused (certificate has expired)" in what) == ("fail", True)
    assert "the server's certificate" in cure
    assert found["login"] == [("skipped", "not looked at, because of what is wrong with Encryption", "")]
    assert patient.code is Exit.PARTLY


def test_a_certificate_that_nobody_here_knows_or_verifies(over_tls: Callable[[Tls], Patient], certificate: Tls) -> None:
    patient = over_tls(certificate)
    patient.environment(irods_ssl_ca_certificate_file=None)
    ((verdict, what, _),) = patient.examine()["tls"]
    assert (verdict, "certificate was refused (self-signed certificate)" in what) == ("fail", True)
    patient.environment(irods_ssl_verify_server="none")
    ((verdict, what, cure),) = patient.examine()["tls"]
    assert (verdict, what) == ("warning", "TLSv1.3, but nobody verifies whose server it is")
    assert cure == f"set irods_ssl_verify_server to hostname in {patient.home / 'env.json'}"


def test_a_server_that_wants_no_tls(patient: Patient) -> None:
    policy = {"irods_client_server_negotiation": "request_server_negotiation",
              "irods_client_server_policy": "CS_NEG_REQUIRE"}  # fmt: skip
    patient.environment(**policy)
    ((verdict, what, cure),) = patient.examine()["tls"]
    assert (verdict, "client and server do not agree on TLS" in what) == ("fail", True)
    assert cure == "set irods_client_server_policy in the environment file to what the server wants"


def test_a_connection_to_another_computer_that_can_be_read(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another name for this computer, which the doctor cannot know to be one."""
    import socket

    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: resolve("127.0.0.1" if host == "irods.lan" else host, *a, **k)
    )
    patient.environment(irods_host="irods.lan")
    ((verdict, what, cure),) = patient.examine()["tls"]
    assert (verdict, what) == (
        "warning", "the connection can be read on the way (no TLS), and so can the images",
    )  # fmt: skip
    assert cure.startswith("set irods_client_server_policy to CS_NEG_REQUIRE in ")


# logging in


def test_a_wrong_password_and_none_at_all(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCTOR_PASSWORD", "wrong-one")
    found = patient.examine()
    verdict, what, cure = found["login"][0]
    assert (verdict, "the name or the password is wrong (iRODS error -826000" in what) == ("fail", True)
    assert cure.startswith("check irods_user_name and the zone in the environment file, and log in again with `iinit`")
    assert found["tls"] == [("skipped", "not known before the login works, which is next", "")]
    assert (set(bad(found)), patient.code) == ({"tls", "login", *AFTER_LOGIN}, Exit.CONFIGURATION)
    assert "wrong-one" not in repr(patient.results)
    monkeypatch.delenv("DOCTOR_PASSWORD")
    ((verdict, what, _),) = patient.examine()["store"]
    assert (verdict, what) == ("fail", "the environment variable DOCTOR_PASSWORD holds nothing")
    patient.write(kept="")
    patient.environment(irods_authentication_file=str(patient.home / ".irodsA"))
    found = patient.examine()
    assert found["tls"] == [("skipped", "not known before the login works, which is next", "")]
    verdict, what, cure = found["login"][0]
    assert (verdict, f"{patient.home / '.irodsA'}: there is no stored login for facility#tempZone" in what) == (
        "fail", True,
    )  # fmt: skip
    assert cure.startswith("log in once with `iinit` as the watcher's own account")


@pytest.mark.skipif(os.name != "posix", reason="POSIX permissions")
def test_a_login_that_other_accounts_can_read(patient: Patient) -> None:
    (patient.home / "password").write_text("facility\n")
    (patient.home / "password").chmod(0o644)
    patient.write(kept="{file: password}")
    found = patient.examine()
    verdict, what, cure = found["login"][-1]
    assert (verdict, what) == (
        "warning", f"{patient.home / 'password'}: other accounts of this computer can read the login in it",
    )  # fmt: skip
    assert cure == f"close it, as in `chmod 600 {patient.home / 'password'}`"
    assert bad(found) == {"login": ["warning"]}


# where sets go


def test_a_collection_that_is_missing_or_can_only_be_read(patient: Patient) -> None:
    patient.write(base=f"{BASE}/nowhere")
    found = patient.examine()
    ((verdict, what, cure),) = found["target"]
    assert (verdict, what.startswith(f"{BASE}/nowhere: this collection is not there, or facility#tempZone")) == (
        "fail", True,
    )  # fmt: skip
    assert cure == "ask the iRODS administrator to create it and to let the service account write there"
    assert (bad(found), patient.code) == ({"target": ["fail"], **skipped(*AFTER_TARGET)}, Exit.CONFIGURATION)
    patient.write()
    with connect(patient.server, "rods") as administrator:
        administrator.acls.set(iRODSAccess("own", BASE, "rods"), admin=True)
        administrator.acls.set(iRODSAccess("read", BASE, "facility"), admin=True)
    ((verdict, what, cure),) = patient.examine()["target"]
    assert (verdict, what.endswith(" may not write there")) == ("fail", True)
    assert cure == f"ask the iRODS administrator for `ichmod own facility {BASE}`"
    assert patient.left() == set()


def test_a_collection_that_cannot_be_made(patient: Patient) -> None:
    patient.server.faults.error(api=MAKE_COLLECTION, code=-818000, times=None)
    found = patient.examine()
    verdict, what, cure = found["create"][0]
    assert (verdict, what.startswith(f"{BASE}: ")) == ("fail", True)
    assert "let the service account write there" in cure
    assert bad(found) == {"create": ["fail"], **skipped(*AFTER_CREATE)}


def test_what_a_doctor_has_left_that_was_killed_is_removed_by_the_next(patient: Patient) -> None:
    upto = tuple(one for one in CHECKS if one.name in {"profile", "state", "store", "tls", "login", "target", "create"})
    patient.examine((*upto, next(one for one in CHECKS if one.name == "deliver")))
    assert len(patient.left()) == 2
    assert bad(patient.examine()) == {}
    assert patient.left() == set()


def test_something_else_that_has_the_name_is_not_touched(patient: Patient) -> None:
    patient.examine()
    (made,) = {request.path for request in patient.server.requests if request.api == MAKE_COLLECTION}
    patient.server.make_collection(f"{made}/mine", owner="facility")
    found = patient.examine()
    ((verdict, what, cure),) = found["create"]
    assert (verdict, what) == ("fail", f"{made}: something of this name is there and is not ours")
    assert cure == "remove it, if nobody needs it"
    assert f"{made}/mine" in patient.left()


def test_a_resource_that_is_full_down_or_lies(patient: Patient) -> None:
    patient.server.faults.resource_full()
    found = patient.examine()
    ((verdict, what, cure),) = found["deliver"]
    assert (verdict, "the resource is full" in what) == ("fail", True)
    assert cure == "ask the iRODS administrator for space on that resource; it is tried again by itself"
    assert (bad(found), patient.code, patient.left()) == ({"deliver": ["fail"]}, Exit.PARTLY, set())
    patient.server.faults.clear()
    patient.server.faults.error(api=PUT, code=-110000, times=None)
    assert "iRODS error -110000" in patient.examine()["deliver"][0][1]
    patient.server.faults.clear()
    patient.server.faults.resource_down()
    assert "its resource is down" in patient.examine()["deliver"][0][1]
    patient.server.faults.clear()
    patient.server.faults.lie_about_checksums()
    found = patient.examine()
    assert found["deliver"][0][0] == "fail"
    assert patient.left() == set()


def test_bytes_that_come_back_otherwise(patient: Patient) -> None:
    """The disk of the resource turns one bit, after the catalogue has confirmed the file and before it is read."""
    gate = patient.server.faults.hold(api=OPEN)
    found: dict[str, Told] = {}
    examining = threading.Thread(target=lambda: found.update(patient.examine()))
    examining.start()
    assert gate.reached.wait(20)
    ((_, stored),) = patient.server.objects(f"{BASE}/").items()
    content = bytearray(stored.location.read_bytes())
    content[4711] ^= 1
    stored.location.write_bytes(content)
    gate.open()
    examining.join()
    ((verdict, what, cure),) = found["deliver"]
    assert (verdict, what.endswith(": other bytes come back than were sent")) == ("fail", True)
    assert cure == "ask the iRODS administrator to look at the resource that new files go to"
    assert patient.left() == set()


def test_bytes_that_are_damaged_on_the_way(patient: Patient) -> None:
    patient.server.faults.corrupt(api=PUT, times=None)
    ((verdict, what, _),) = patient.examine()["deliver"]
    assert (verdict, "what arrived has another checksum than what was sent" in what) == ("fail", True)
    assert patient.left() == set()


def test_metadata_that_are_refused(patient: Patient) -> None:
    patient.server.faults.error(api=METADATA, code=-818000, nth=2, times=1)
    found = patient.examine()
    ((verdict, what, cure),) = found["annotate"]
    assert (verdict, "-818000" in what) == ("fail", True)
    assert "let the service account write there" in cure
    assert (bad(found), patient.left()) == ({"annotate": ["fail"]}, set())


def test_users_that_the_zone_does_not_know_are_named(patient: Patient) -> None:
    patient.write(
        "access: [{who: alice, level: read}, {who: omero, level: annotate}, {who: '{scientist}'}, "
        "{who: 'ag-{group}'}]\n"
    )
    found = patient.examine()
    assert found["grant"] == [
        (
            "warning",
            "no access for omero: unknown to the zone",
            "ask the iRODS administrator, or mend access in the profile; sets are published all the same",
        ),
        ("ok", "access can be given to alice", ""),
        ("ok", "not tried, because it depends on who made a set: {scientist}, ag-{group}", ""),
    ]
    assert (bad(found), patient.code, patient.left()) == ({"grant": ["warning"]}, Exit.OK, set())


def test_a_test_set_that_cannot_be_removed(patient: Patient) -> None:
    patient.server.faults.error(api=REMOVE_COLLECTION, code=-818000, times=None)
    found = patient.examine()
    ((verdict, what, _),) = found["remove"]
    assert (verdict, "-818000" in what) == ("fail", True)
    assert (bad(found), patient.code) == ({"remove": ["fail"]}, Exit.PARTLY)
    patient.server.faults.clear()
    assert (bad(patient.examine()), patient.left()) == ({}, set())


def test_a_connection_that_is_lost_in_the_midst_costs_nothing(patient: Patient) -> None:
    patient.server.faults.drop(api=PUT)
    assert (bad(patient.examine()), patient.left()) == ({}, set())


@pytest.mark.parametrize(
    ("shift", "verdict", "what"),
    [
        (300.0, "warning", "5 minutes ahead of"),
        (-86400.0 * 3, "fail", "3 days behind"),
    ],
)
def test_a_clock_that_differs_from_the_servers(patient: Patient, shift: float, verdict: str, what: str) -> None:
    ((found, said, cure),) = patient.examine(now=lambda: time.time() + shift)["clock"]
    assert (found, said) == (verdict, f"this computer's clock is {what} the store's")
    assert "NTP" in cure


def test_the_doctor_asks_with_little_patience(patient: Patient) -> None:
    from watcher.profile import load

    patient.server.faults.stall(2.0, api=110000)
    store = open_store(load(patient.home / "profile.yaml"), 0.3)
    with pytest.raises(Exception, match="timed out"), store.session() as session:
        session.avus(BASE)
