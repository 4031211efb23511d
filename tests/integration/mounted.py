"""An instrument that writes into a zone through NFSRODS, the watcher of its mount, and a clock that a test moves."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from tests.irods_server import IrodsServer
from tests.irods_server.dialogue import connect
from tests.irods_server.permissions import OWN, READ
from tests.nfsrods import Client, Nfsrods
from tests.unit.pipeline.conftest import FakeClock, Recorder
from watcher.daemon import Daemon, Round
from watcher.errors import WatcherError
from watcher.journal import Journal
from watcher.model import ImageSet, State
from watcher.names import SIDECARS
from watcher.osfacts import Disk
from watcher.profile import MountStore as Section
from watcher.profile import Profile, load
from watcher.stores.mount import MountStore

FACILITY: Final = "/tempZone/home/facility"
LANDING: Final = f"{FACILITY}/landing"
README: Final = f"{FACILITY}/README.txt"
#: The collection of the set that most tests write.
RUN: Final = f"{LANDING}/run1"
PUBLISHED: Final = {"run1": State.PUBLISHED}
#: By their numbers: what sends bytes, removes, overwrites, renames, computes a checksum or changes metadata.
OPEN, PUT, UNLINK, REMOVE_COLLECTION, EXTRACT, RENAME, CHECKSUM, METADATA = 602, 606, 615, 679, 665, 627, 629, 20002
#: Who writes, who watches, whose images they are; and what NFSRODS knows them by.
SCOPE, WATCH, JDOE = "scope", "watch", "jdoe"
UIDS: Final = {0: "rods", 1001: SCOPE, 1002: WATCH, 1003: JDOE}
WRITER: Final = 1001


class Mounted:
    """A zone, NFSRODS in front of it, its mount on the watcher's computer, and the watcher."""

    def __init__(self, base: Path, server: IrodsServer, now: Callable[[], float] | None = None) -> None:
        self.base = base
        self.server = server
        self.clock = FakeClock()
        #: What time it is for NFSRODS and the catalogue.
        self.now = now or self.clock.now
        self.told = Recorder()
        for user in (SCOPE, WATCH, JDOE):
            server.add_user(user, user)
        self.nfsrods = Nfsrods(server, self.now, UIDS)
        self._lay_out()
        self.client = Client(self.nfsrods, base / "mnt", "/tempZone", 1002)
        self.beneath: Disk = self.client
        (base / "environment.json").write_text(json.dumps(server.environment(WATCH)), encoding="utf-8")
        (base / "password").write_text(WATCH, encoding="utf-8")
        self.settings: dict[str, Any] = {
            "instrument": {"name": "Scope-1"},
            "watch": [{"path": str(self.client.root / "home/facility/landing")}],
            "sets": {"group": "directory"},
            "store": {
                "kind": "mount",
                "mount_root": str(self.client.root),
                "logical_root": "/tempZone",
                "known": "home/facility/README.txt",
                "environment": str(base / "environment.json"),
                "password": {"file": str(base / "password")},
            },
        }
        self._journal: Journal | None = None
        self._daemon: Daemon | None = None

    def _lay_out(self) -> None:
        """The facility's collections: what the instrument makes below the landing belongs to it and to the watcher."""
        self.server.make_collection(LANDING)
        catalogue = self.server.catalogue
        with connect(self.server) as session, session.data_objects.open(README, "w") as file:
            file.write(b"The data of Scope-1, in tempZone.")
        with catalogue.lock:
            way = ("/tempZone", "/tempZone/home", FACILITY, README)
            for path in way:
                for user in (SCOPE, WATCH):
                    entity = catalogue.entity(path)
                    assert entity is not None
                    catalogue.set_access(entity, catalogue.user(user), READ)
            landing = catalogue.collections[LANDING]
            landing.inherit = True
            for user in (SCOPE, WATCH):
                catalogue.set_access(landing, catalogue.user(user), OWN)

    # the instrument

    def write(self, path: str, data: bytes = b"pixels") -> str:
        """Write a file below the landing as the instrument does; its logical path."""
        logical = f"{LANDING}/{path}"
        for end, sign in enumerate(path):
            folder = f"{LANDING}/{path[:end]}"
            if sign == "/" and folder not in self.server.collections():
                self.nfsrods.mkdir(WRITER, folder)
        if logical not in self.server.objects():
            self.nfsrods.create(WRITER, logical)
        self.nfsrods.write(WRITER, logical, data, 0)
        return logical

    def append(self, path: str, data: bytes) -> None:
        """Write more to the end of a file."""
        logical = f"{LANDING}/{path}"
        self.nfsrods.write(WRITER, logical, data, self.server.objects()[logical].size)

    # the watcher

    def configure(self, **sections: Any) -> None:
        """Change the profile, as a restart of the watcher does."""
        for name, section in sections.items():
            if name == "watch":
                self.settings["watch"][0] |= section
            elif isinstance(section, dict):
                self.settings[name] = self.settings.get(name, {}) | section
            else:
                self.settings[name] = section
        self._daemon = None

    @property
    def profile(self) -> Profile:
        """The profile, read from its file."""
        path = self.base / "scope.yaml"
        self.write_profile(path)
        return load(path)

    def write_profile(self, path: Path) -> None:
        """Write the profile to a file."""
        path.write_text(yaml.safe_dump(self.settings), encoding="utf-8")

    @property
    def store(self) -> MountStore:
        """A store as the profile says, which sees the model of the mount."""
        section = self.profile.store
        assert isinstance(section, Section)
        return MountStore(section, beneath=self.beneath, is_root=lambda: False, sleep=lambda _: None, patience=5.0)

    @property
    def journal(self) -> Journal:
        """The journal that is open now."""
        if self._journal is None:
            self._journal = Journal(self.base / "state", owned=True)
        return self._journal

    @property
    def daemon(self) -> Daemon:
        """The watcher that runs now."""
        if self._daemon is None:
            self._daemon = Daemon(self.profile, self.journal, self.told, clock=self.clock, store=self.store)
        return self._daemon

    def restart(self) -> None:
        """End the watcher; the next one knows what the journal knows."""
        if self._journal:
            self._journal.close()
        self._journal = self._daemon = None

    def lose_journal(self) -> None:
        """End the watcher and delete all that it knew."""
        self.restart()
        for path in (self.base / "state").iterdir():
            path.unlink()

    def sweep(self, seconds: float = 60.0) -> list[WatcherError]:
        """Let time pass, look at everything, and judge; what went wrong."""
        self.clock.advance(seconds)
        return self.daemon.observe()

    def rest(self, seconds: float = 400.0) -> Round:
        """Let the instrument rest, with a sweep every minute, and take all that is finished to its end."""
        for _ in range(int(seconds // 60)):
            self.sweep()
        return self.daemon.once()

    def sets(self) -> list[ImageSet]:
        """All sets by name and version."""
        return sorted(self.journal.sets.in_states(), key=lambda one: (one.name, one.version))

    def only(self) -> ImageSet:
        """The one set that there is."""
        (image_set,) = self.sets()
        return image_set

    def states(self) -> dict[str, State]:
        """The state of each set by name, versions after the first as name.v2."""
        return {one.name + (f".v{one.version}" if one.version > 1 else ""): one.state for one in self.sets()}

    # the zone

    def said(self, collection: str) -> dict[str, str]:
        """The metadata of a collection; of several values of an attribute the last."""
        return {name: value for name, value, _ in self.server.avus(collection)}

    def bytes_in(self, collection: str = LANDING) -> dict[str, bytes]:
        """All data objects below, without what the watcher itself says of sets."""
        found = self.server.objects(f"{collection}/")
        return {path: item.read() for path, item in found.items() if not _is_ours(path)}

    def close(self) -> None:
        """Stop everything."""
        self.restart()
        self.nfsrods.close()


def _is_ours(path: str) -> bool:
    return path.rpartition("/")[2] in SIDECARS


def by_the_watcher(mounted: Mounted, *apis: int) -> set[tuple[int, str]]:
    """What the watcher's account asked of the zone by these requests, and of what."""
    return {(one.api, one.path) for one in mounted.server.requests if one.user == WATCH and one.api in apis}
