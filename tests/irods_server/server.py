"""The server that tests start: a listener, an agent thread per connection, and views of the catalogue."""

import socket
import ssl
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from .agents import Agent
from .catalogue import Catalogue
from .entities import GOOD, INTERMEDIATE, STALE, Replica
from .faults import Faults
from .framing import Wire
from .permissions import NAMES, READ
from .zone import LoggedRequest, Zone


class Tls(NamedTuple):
    """The server's certificate, which clients are told to trust, and its key, both PEM."""

    certificate: Path
    key: Path


class IrodsServer:
    """An iRODS zone on a loopback port, for as long as the `with` block lasts.

    `users` maps names to passwords; `rods` is the administrator, the others are ordinary users. `vault` is kept,
    a vault that the server makes is not. Nothing of it is shared between two servers.
    """

    def __init__(
        self,
        zone: str = "tempZone",
        version: str = "rods5.0.2",
        vault: Path | str | None = None,
        tls: tuple[Path | str, Path | str] | None = None,
        users: dict[str, str] | None = None,
        *,
        hash_scheme: str = "sha2",
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._own_vault = None if vault else tempfile.TemporaryDirectory(prefix="irods-vault-")
        directory = Path(self._own_vault.name if self._own_vault else str(vault))
        directory.mkdir(parents=True, exist_ok=True)
        self.zone = zone
        self.host = host
        self.port = port
        self.tls = Tls(Path(tls[0]), Path(tls[1])) if tls else None
        self._zone = Zone(zone, version, hash_scheme, directory, host)
        self._context = self._tls_context()
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._stopping = False
        self._lock = threading.Lock()
        self._agents: dict[Agent, threading.Thread] = {}
        self._accepted = 0
        for name, password in ({"rods": "rods"} | (users or {})).items():
            self.add_user(name, password)

    def _tls_context(self) -> ssl.SSLContext | None:
        if self.tls is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.tls.certificate, self.tls.key)
        return context

    # life

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Listen; after a `stop` on the same port and with the same catalogue."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if sys.platform != "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((self.host, self.port))
        listener.listen(128)
        self.port = listener.getsockname()[1]
        self._stopping = False
        self._listener = listener
        self._accepting = threading.Thread(target=self._accept, args=(listener,), name="irods-server")
        self._accepting.start()

    def stop(self) -> None:
        """Stop listening and kill every agent: what is open for writing stays INTERMEDIATE."""
        if self._listener is None or self._accepting is None:
            return
        self._stopping = True
        with suppress(OSError):
            socket.create_connection((self.host, self.port), timeout=1).close()
        self._accepting.join()
        self._listener.close()
        self._listener = None
        with self._lock:
            agents = dict(self._agents)
        for agent in agents:
            agent.kill()
        for thread in agents.values():
            thread.join()

    def restart(self) -> None:
        """Stop and start at once: connections are lost, the catalogue is kept."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop for good, and delete the vault that was made for this server."""
        self.stop()
        if self._own_vault is not None:
            self._own_vault.cleanup()

    def drop_connections(self) -> None:
        """Cut every connection as a failing network does: what is open for writing becomes STALE."""
        with self._lock:
            agents = dict(self._agents)
        for agent in agents:
            agent.hang_up()
        for thread in agents.values():
            thread.join()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            connection, _ = listener.accept()
            if self._stopping:
                connection.close()
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._accepted += 1
            agent = Agent(self._accepted, Wire(connection), self._zone, self._context)
            thread = threading.Thread(target=self._run, args=(agent,), name=f"irods-agent-{self._accepted}")
            with self._lock:
                self._agents[agent] = thread
            thread.start()

    def _run(self, agent: Agent) -> None:
        try:
            agent.run()
        finally:
            with self._lock:
                self._agents.pop(agent)

    # what is in it

    def add_user(self, name: str, password: str, *, admin: bool | None = None, zone: str = "") -> None:
        """Create a user with a home collection; `rods` is an administrator unless told otherwise."""
        kind = "rodsadmin" if (name == "rods" if admin is None else admin) else "rodsuser"
        with self._zone.catalogue.lock:
            self._zone.catalogue.add_user(name, password, kind, zone)

    def add_group(self, name: str, members: list[str]) -> None:
        """Create a group of users that exist."""
        with self._zone.catalogue.lock:
            self._zone.catalogue.add_user(name, None, "rodsgroup")
            for member in members:
                self._zone.catalogue.user(member).groups.add(name)

    def add_resource(self, name: str) -> None:
        """Create a resource beside `demoResc`."""
        with self._zone.catalogue.lock:
            self._zone.catalogue.add_resource(name)

    def replicate(self, path: str, resource: str, *, stale: bool = False) -> Path:
        """Make one more replica of a data object; where its bytes are."""
        with self._zone.catalogue.lock:
            made = self._zone.catalogue.replicate(self._zone.catalogue.object(path), resource)
            made.status = STALE if stale else made.status
            return made.location

    def make_collection(self, path: str, owner: str = "rods") -> None:
        """Create a collection and its missing parents."""
        with self._zone.catalogue.lock:
            self._zone.catalogue.ensure_collection(path.rstrip("/"), owner)

    def register(self, collection: str, avus: list[list[str]], objects: dict[str, list[Any]]) -> None:
        """Enter a collection with metadata and data objects (size and checksum by name) that nobody will ever read."""
        with self._zone.catalogue.lock:
            catalogue, owner = self._zone.catalogue, self._zone.catalogue.user("rods")
            place = catalogue.ensure_collection(collection, "rods")
            for name, value, unit in avus:
                catalogue.attach_avu(place, (name, value, unit))
            for name, (size, checksum) in objects.items():
                item = catalogue.create_object(owner, f"{collection}/{name}", "demoResc", "generic")
                item.size, item.checksum, item.status, item.token = size, checksum, GOOD, None

    def environment(self, user: str = "rods", *, scheme: str = "native") -> dict[str, Any]:
        """The contents of an `irods_environment.json` for this server."""
        basic = {
            "irods_host": self.host,
            "irods_port": self.port,
            "irods_user_name": user,
            "irods_zone_name": self.zone,
            "irods_authentication_scheme": scheme,
        }
        if self.tls is None:
            return basic
        return basic | {
            "irods_client_server_negotiation": "request_server_negotiation",
            "irods_client_server_policy": "CS_NEG_REQUIRE",
            "irods_encryption_algorithm": "AES-256-CBC",
            "irods_encryption_key_size": 32,
            "irods_encryption_num_hash_rounds": 16,
            "irods_encryption_salt_size": 8,
            "irods_ssl_ca_certificate_file": str(self.tls.certificate),
            "irods_ssl_verify_server": "cert",
        }

    def objects(self, prefix: str = "/") -> dict[str, Replica]:
        """Every data object whose path starts with `prefix`, by path."""
        with self._zone.catalogue.lock:
            items = [item for item in self._zone.catalogue.objects_by_id.values() if item.path.startswith(prefix)]
            return {
                item.path: Replica(item.path, item.size, item.checksum, item.status, item.resource, item.location)
                for item in sorted(items, key=lambda item: item.path)
            }

    def collections(self, prefix: str = "/") -> set[str]:
        """The paths of the collections that start with `prefix`."""
        with self._zone.catalogue.lock:
            return {path for path in self._zone.catalogue.collections if path.startswith(prefix)}

    def avus(self, path: str) -> list[tuple[str, str, str]]:
        """The AVUs on a collection or data object, oldest first."""
        with self._zone.catalogue.lock:
            entity = self._zone.catalogue.entity(path)
            if entity is None:
                raise KeyError(path)
            return list(entity.avus)

    def access(self, path: str) -> dict[str, str]:
        """Who holds which level on a collection or data object (`own`, `modify_object`, `read_object`, ...)."""
        with self._zone.catalogue.lock:
            entity = self._zone.catalogue.entity(path)
            if entity is None:
                raise KeyError(path)
            names = {user.id: user.key for user in self._zone.catalogue.users.values()}
            return {names[holder]: NAMES[level] for holder, level in entity.access.items()}

    def inherits(self, path: str) -> bool:
        """Whether a collection hands its access down to what is created in it."""
        with self._zone.catalogue.lock:
            return self._zone.catalogue.collections[path].inherit

    def set_inheritance(self, path: str, readers: str) -> None:
        """Let a collection hand its access down, and a user or group read it."""
        with self._zone.catalogue.lock:
            collection = self._zone.catalogue.collections[path]
            collection.inherit = True
            self._zone.catalogue.set_access(collection, self._zone.catalogue.user(readers), READ)

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue itself, for what stands in front of this server in other tests; only with its lock."""
        return self._zone.catalogue

    def mend_stuck_replicas(self) -> None:
        """Do what an administrator does about replicas that stay INTERMEDIATE: mark them STALE (`iadmin modrepl`)."""
        with self._zone.catalogue.lock:
            for item in self._zone.catalogue.objects_by_id.values():
                if item.status == INTERMEDIATE:
                    item.status, item.token = STALE, None

    # what happened to it

    def watch_metadata(self, witness: Callable[[str, tuple[str, str, str]], None]) -> None:
        """Call `witness` with the path and each AVU at the moment it is attached; nothing else happens meanwhile."""
        self._zone.catalogue.witness = lambda entity, triple: witness(entity.path, triple)

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self._zone.faults

    @property
    def requests(self) -> list[LoggedRequest]:
        """Every API request so far, in the order they arrived."""
        return list(self._zone.requests)

    def reset_requests(self) -> None:
        """Begin the log of requests anew."""
        self._zone.requests.clear()

    @property
    def connections(self) -> int:
        """How many connections are open now."""
        with self._lock:
            return len(self._agents)

    @property
    def accepted(self) -> int:
        """How many connections there have been."""
        return self._accepted
