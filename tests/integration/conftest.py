"""A zone, a store that goes to it, and members to put there."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.irods_store import HOME, MIB, REAL_ZONE, Where
from tests.integration.mounted import Mounted
from tests.irods_server import IrodsServer
from watcher import osfacts
from watcher.stores.irods import IrodsStore
from watcher.stores.source import Source


@pytest.fixture
def server() -> Iterator[IrodsServer]:
    with IrodsServer(users={"alice": "alice"}) as running:
        yield running


@pytest.fixture
def open_store(tmp_path: Path, server: IrodsServer) -> Callable[..., IrodsStore]:
    def build(
        *, user: str = "rods", password: str | None = None, changes: dict[str, Any] | None = None, **more: Any
    ) -> IrodsStore:
        file = tmp_path / "irods_environment.json"
        file.write_text(json.dumps(server.environment(user) | (changes or {})), encoding="utf-8")
        return IrodsStore(file, password=user if password is None else password or None, **more)

    return build


@pytest.fixture
def store(open_store: Callable[..., IrodsStore]) -> IrodsStore:
    return open_store()


@pytest.fixture(params=["test server", *(["real zone"] if REAL_ZONE else [])])
def zone(request: pytest.FixtureRequest) -> Iterator[Where]:
    if request.param == "test server":
        yield Where(request.getfixturevalue("store"), HOME)
        return
    from irods.session import iRODSSession

    with iRODSSession(irods_env_file=REAL_ZONE) as admin:
        base = f"/{admin.zone}/home/{admin.username}/irods-watcher-{uuid.uuid4()}"
        admin.collections.create(base)
        yield Where(IrodsStore(Path(REAL_ZONE), resume_from=8 * MIB), base)
        admin.collections.remove(base, recurse=True, force=True)


@pytest.fixture
def member(tmp_path: Path) -> Callable[..., Source]:
    """Writes a file and freezes it."""

    def write(data: bytes = b"pixels", name: str = "member") -> Source:
        file = tmp_path / name
        file.write_bytes(data)
        return Source(file, osfacts.facts_at(file))

    return write


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    """An instrument that writes through NFSRODS, and the watcher of its mount."""
    with IrodsServer() as server:
        made = Mounted(tmp_path, server)
        yield made
        made.close()
