"""The iRODS store over a real socket: who may not, where nobody is, and TLS."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.irods_store import HOME, LARGE, PUT, SET, ignore, large, sha256
from tests.irods_server import IrodsServer, make_certificate
from watcher.errors import (
    LoginRefused,
    NotAllowed,
    StoreBusy,
    StoreError,
    StoreUnreachable,
    TargetMissing,
)
from watcher.stores.base import Replica
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source

# Who may not, and where nobody is.


def test_a_wrong_password_is_refused(open_store: Callable[..., IrodsStore]) -> None:
    with pytest.raises(LoginRefused, match=r"rods#tempZone at 127\.0\.0\.1.*-826000"):
        open_store(password="wrong").check(HOME)


def test_an_unknown_user_is_refused(open_store: Callable[..., IrodsStore]) -> None:
    with pytest.raises(LoginRefused, match="nobody#tempZone"):
        open_store(user="nobody").check(HOME)


def test_nobody_listens(open_store: Callable[..., IrodsStore], server: IrodsServer) -> None:
    store = open_store()
    server.stop()
    with pytest.raises(StoreUnreachable, match="Connection refused"):
        store.check(HOME)


def test_a_server_that_says_nothing(open_store: Callable[..., IrodsStore], server: IrodsServer) -> None:
    server.faults.stall(1.0, api=110000, times=None)
    with pytest.raises(StoreUnreachable, match="timed out"):
        open_store(patience=0.2).check(HOME)


def test_an_unknown_code_names_its_number(
    open_store: Callable[..., IrodsStore], server: IrodsServer, member: Callable[..., Source]
) -> None:
    with open_store().session() as session:
        assert session.claim(SET, "id-1")
        server.faults.error(api=PUT, code=-863000)
        with pytest.raises(StoreError, match="-863000"):
            session.put(member(), SET, "a.tif", ignore)
    server.faults.error(api=110000, code=-897000)
    with pytest.raises(StoreError, match="-897000"):
        open_store().check(HOME)


def test_another_account_may_not(
    open_store: Callable[..., IrodsStore], server: IrodsServer, member: Callable[..., Source]
) -> None:
    server.make_collection(SET, owner="rods")
    store = open_store(user="alice")
    with store.session() as session:
        with pytest.raises(NotAllowed, match=SET):
            session.put(member(), SET, "a.tif", ignore)
        with pytest.raises(NotAllowed, match=SET):
            session.put(member(large()), SET, "a.tif", ignore)
        with pytest.raises(NotAllowed):
            session.claim(f"{SET}/mine", "id-1")
        with pytest.raises(NotAllowed):
            session.put(member(), f"{SET}/missing", "a.tif", ignore)
    with pytest.raises(TargetMissing, match="cannot see it"):
        store.check(SET)
    assert server.objects(SET) == {}


def test_a_base_that_can_only_be_read_is_told(open_store: Callable[..., IrodsStore], server: IrodsServer) -> None:
    from irods.access import iRODSAccess
    from irods.session import iRODSSession

    server.make_collection(SET, owner="rods")
    server.add_group("imaging", ["alice"])
    store = open_store(user="alice")
    with iRODSSession(host=server.host, port=server.port, user="rods", password="rods", zone="tempZone") as admin:
        admin.acls.set(iRODSAccess("read", SET, "imaging", "tempZone"))
        with pytest.raises(TargetMissing, match="may not write there"):
            store.check(SET)
        admin.acls.set(iRODSAccess("write", SET, "imaging", "tempZone"))
        store.check(SET)


def test_a_stored_login_is_used_and_never_written(
    open_store: Callable[..., IrodsStore], server: IrodsServer, tmp_path: Path
) -> None:
    from irods.password_obfuscation import encode

    file = tmp_path / ".irodsA"
    changes = {"irods_authentication_file": str(file), "irods_authentication_uid": 1000}
    store = open_store(password="", changes=changes)
    with pytest.raises(LoginRefused, match="no stored login"):
        store.check(HOME)
    for scrambled in ("short", encode("wrong", 1000)):
        file.write_text(scrambled, encoding="utf-8")
        with pytest.raises(LoginRefused):
            store.check(HOME)
    # Logging in again helps without a restart.
    file.write_text(encode("rods", 1000), encoding="utf-8")
    store.check(HOME)
    before = file.read_bytes()
    open_store(password="rods", changes=changes).check(HOME)
    assert file.read_bytes() == before


def test_a_resource_that_is_down_is_waited_for(
    open_store: Callable[..., IrodsStore], server: IrodsServer, member: Callable[..., Source]
) -> None:
    with open_store(sleep=lambda _: None).session() as session:
        assert session.claim(SET, "id-1")
        server.faults.resource_down()
        with pytest.raises(StoreBusy, match="its resource is down"):
            session.put(member(), SET, "a.tif", ignore)


# TLS.


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return make_certificate(tmp_path_factory.mktemp("tls"))


def over_tls(tmp_path: Path, server: IrodsServer, changes: dict[str, Any]) -> IrodsStore:
    settings = server.environment() | changes
    file = tmp_path / "env.json"
    kept = {key: value for key, value in settings.items() if value is not None}
    file.write_text(json.dumps(kept), encoding="utf-8")
    return IrodsStore(file, password="rods")


@pytest.mark.parametrize(
    "changes",
    [
        {"irods_ssl_verify_server": "hostname"},
        {"irods_ssl_verify_server": "cert", "irods_client_server_policy": "CS_NEG_DONT_CARE"},
        {"irods_ssl_verify_server": "none", "irods_ssl_ca_certificate_file": None},
        {
            "irods_client_server_negotiation": None,
            "irods_encryption_algorithm": None,
            "irods_encryption_key_size": None,
        },
    ],
    ids=["hostname", "don't care", "not verified", "defaults"],
)
def test_tls_carries_both_lanes(
    tmp_path: Path, certificate: Any, member: Callable[..., Source], changes: dict[str, Any]
) -> None:
    with IrodsServer(tls=certificate) as server, over_tls(tmp_path, server, changes).session() as session:
        assert session.claim(SET, "id-1")
        session.put(member(b"small"), SET, "a.tif", ignore)
        session.put(member(large()), SET, "b.czi", ignore)
        assert session.replicas(SET)["b.czi"] == Replica(LARGE, sha256(large()), good=True)


@pytest.mark.parametrize("spelling", ["pam", "pam_password"])
def test_pam_sends_the_password_over_tls_and_writes_nothing(
    tmp_path: Path, certificate: Any, monkeypatch: pytest.MonkeyPatch, spelling: str
) -> None:
    monkeypatch.setenv("IRODS_AUTHENTICATION_FILE", str(tmp_path / ".irodsA"))
    with IrodsServer(tls=certificate) as server:
        over_tls(tmp_path, server, {"irods_authentication_scheme": spelling}).check(HOME)
        (tmp_path / "env.json").unlink()
        assert not (tmp_path / ".irodsA").exists()


@pytest.mark.parametrize("verify", ["hostname", "cert", None], ids=str)
def test_a_certificate_is_verified_by_default(tmp_path: Path, certificate: Any, verify: str | None) -> None:
    with IrodsServer(tls=certificate) as server:
        changes = {"irods_ssl_ca_certificate_file": None, "irods_ssl_verify_server": verify}
        with pytest.raises(StoreUnreachable, match="certificate was refused"):
            over_tls(tmp_path, server, changes).check(HOME)


def test_a_certificate_of_somebody_else_is_refused(tmp_path: Path, certificate: Any) -> None:
    (tmp_path / "other").mkdir()
    other = make_certificate(tmp_path / "other")
    with IrodsServer(tls=certificate) as server:
        changes = {"irods_ssl_ca_certificate_file": str(other.certificate)}
        with pytest.raises(StoreUnreachable, match="certificate was refused"):
            over_tls(tmp_path, server, changes).check(HOME)


def test_tls_that_is_required_is_not_given_up(open_store: Callable[..., IrodsStore]) -> None:
    required = {"irods_client_server_policy": "CS_NEG_REQUIRE"}
    with pytest.raises(StoreUnreachable):
        open_store(changes=required).check(HOME)
    either = {
        "irods_client_server_policy": "CS_NEG_DONT_CARE",
        "irods_client_server_negotiation": "request_server_negotiation",
    }
    open_store(changes=either).check(HOME)
