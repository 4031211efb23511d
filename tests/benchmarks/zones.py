"""Where the benchmarks send to: the test server in a process of its own, and a real zone if one is named.

`IRODS_WATCHER_TEST_ENVIRONMENT` names the irods_environment.json of a real one, whose login `iinit` has left.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.benchmarks.processes import ROOT, cpu_so_far, elapsed
from watcher.stores.irods import IrodsStore

HOME = "/tempZone/home/rods"
PASSWORD = "rods"
#: Where profiles find the test server's password.
_VARIABLE = "IRODS_WATCHER_BENCHMARK_PASSWORD"
_REAL = os.environ.get("IRODS_WATCHER_TEST_ENVIRONMENT", "")


class Server:
    """A test server in a process of its own, so that its CPU, memory and lock are not the client's."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.environment: dict[str, Any] = self.ask("environment")

    def ask(self, call: str, **given: Any) -> Any:
        """Carry out one command of `tests.irods_server.control`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, "with": given}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    @property
    def cpu(self) -> float:
        """The CPU seconds that it has used so far; nan where there is no /proc."""
        return cpu_so_far(self._process.pid)


@dataclass(frozen=True, slots=True)
class Zone:
    """One zone as this run reaches it.

    `base` is a collection in which everything is allowed, `place` a folder for files about it. `password` None means:
    as `iinit` left it. `server` is there for the test server, in the process that started it.
    """

    name: str
    environment: Path
    base: str
    place: Path
    password: str | None = None
    server: Server | None = None

    @property
    def where(self) -> list[str | None]:
        """What a fresh process needs to reach it: see `reached`."""
        return [self.name, str(self.environment), self.base, str(self.place), self.password]

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        at = self._settings()
        return at["irods_host"], int(at.get("irods_port", 1247))

    def behind(self, port: int) -> "Zone":
        """The same zone through a proxy on this machine, whose name is not in the zone's certificate."""
        there = {"irods_host": "127.0.0.1", "irods_port": port}
        settings = self._settings()
        if settings.get("irods_ssl_verify_server", "hostname") == "hostname":
            there["irods_ssl_verify_server"] = "cert"
        file = self.place / f"behind-{port}.json"
        file.write_text(json.dumps(settings | there), encoding="utf-8")
        return replace(self, environment=file)

    def section(self, run: str) -> str:
        """The store's section of a profile for one run, whose sets go to `collection`."""
        password = f"password: {{env: {_VARIABLE}}}, " if self.password else ""
        if self.password:
            os.environ[_VARIABLE] = self.password  # for the processes that are started from here
        return f'{{kind: irods, environment: {self.environment}, {password}collection: "{self.base}/{run}-{{set}}"}}'

    def store(self) -> IrodsStore:
        """The watcher's own store."""
        return IrodsStore(self.environment, password=self.password)

    def client(self) -> Any:
        """A session of python-irodsclient, connected."""
        from irods.session import iRODSSession

        if self.password is None:
            session = iRODSSession(irods_env_file=str(self.environment))
        else:
            at = self._settings()
            session = iRODSSession(
                host=at["irods_host"], port=at["irods_port"], zone=at["irods_zone_name"],
                user=at["irods_user_name"], password=self.password,
            )  # fmt: skip
        session.collections.exists(self.base)
        return session

    def icommand(self, *words: str | Path) -> float:
        """The seconds that one of the iCommands takes; the process's own start is part of it."""
        told = os.environ | {"IRODS_ENVIRONMENT_FILE": str(self.environment)}
        return elapsed(lambda: subprocess.run([str(word) for word in words], env=told, check=True, capture_output=True))

    def _settings(self) -> dict[str, Any]:
        settings: dict[str, Any] = json.loads(self.environment.read_text(encoding="utf-8"))
        return settings


def reached(where: Sequence[str | None]) -> Zone:
    """The zone in a fresh process."""
    name, environment, base, place, password = where
    return Zone(str(name), Path(str(environment)), str(base), Path(str(place)), password)


def no_icommand(zone: Zone, name: str) -> str:
    """Why this one of the iCommands cannot stand beside, in words; empty if it can."""
    if zone.server:
        return f"{name}: only beside a real zone, since the test server does not speak its binary protocol"
    return "" if shutil.which(name) else f"{name}: not installed"


@contextmanager
def test_server(place: Path) -> Iterator[Zone]:
    """A running server whose vault and environment file lie in `place`."""
    command = [sys.executable, "-m", "tests.irods_server", "--vault", str(place / "vault")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:
        running = Server(process)
        environment = place / "irods_environment.json"
        environment.write_text(json.dumps(running.environment), encoding="utf-8")
        yield Zone("test server", environment, HOME, place, PASSWORD, running)
        # Its standard input ends here, and the server with it.


@contextmanager
def _real_zone(place: Path) -> Iterator[Zone]:
    """The zone that the environment names, with a collection for this run that is removed at its end."""
    from irods.session import iRODSSession

    with iRODSSession(irods_env_file=_REAL) as admin:
        base = f"/{admin.zone}/home/{admin.username}/irods-watcher-{uuid.uuid4()}"
        admin.collections.create(base)
        try:
            yield Zone(f"{admin.username}#{admin.zone}", Path(_REAL), base, place)
        finally:
            admin.collections.remove(base, recurse=True, force=True)


def each_zone(place: Path) -> Iterator[Zone]:
    """The test server, and then the real zone if there is one."""
    for name, zone in (("test-server", test_server), *([("real-zone", _real_zone)] if _REAL else [])):
        (place / name).mkdir(parents=True, exist_ok=True)
        with zone(place / name) as running:
            yield running
