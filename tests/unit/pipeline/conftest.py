"""A bench for the whole way: real files, a real journal, the real folder store, and a clock that the test moves."""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from watcher import names
from watcher.daemon import Daemon, Round
from watcher.errors import WatcherError
from watcher.journal import Journal
from watcher.model import Avu, ImageSet, Member, State
from watcher.pipeline.copies import Do
from watcher.pipeline.watching import Watching
from watcher.profile import Profile, load
from watcher.stores.base import Claimed, Session, Store
from watcher.stores.folder import FolderSession, FolderStore

#: Later than any file that a test writes, so that nothing on the disk comes from the future.
START = 4_000_000_000.0


class FakeClock:
    """A clock that stands still until somebody waits or moves it on."""

    def __init__(self, start: float = START) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds since 1970."""
        return self._now

    def wait(self, seconds: float, wake: threading.Event) -> bool:
        """Let the time pass at once."""
        if not wake.is_set():
            self.advance(max(0.0, seconds))
        return wake.is_set()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


class Recorder:
    """Remembers what a person would have been told."""

    def __init__(self) -> None:
        self.moves: list[tuple[str, State]] = []
        self.bytes_sent: dict[str, int] = {}
        self.failures: list[WatcherError] = []
        self.troubles: list[str] = []

    def moved(self, image_set: ImageSet) -> None:
        """A set has reached a new state."""
        self.moves.append((image_set.name, image_set.state))

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        """Some bytes were sent."""
        self.bytes_sent[member.target] = self.bytes_sent.get(member.target, 0) + count

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        """A step failed."""
        self.failures.append(error)

    def trouble(self, where: str, what: str) -> None:
        """Something else is wrong."""
        self.troubles.append(what)


class RiggedSession(FolderSession):
    """The folder's session with a place for a test to interfere before and after each operation."""

    def __init__(self, rig: "RiggedStore") -> None:
        super().__init__(rig)
        self._rig = rig

    def claim(self, collection: str, set_id: str) -> Claimed:
        """As in the folder."""
        self._rig.before("claim", collection)
        return super().claim(collection, set_id)

    def put(self, source: Any, collection: str, target: str, progress: Any) -> Any:
        """As in the folder."""
        self._rig.before("put", target)
        receipt = super().put(source, collection, target, progress)
        self._rig.after("put", target)
        return receipt

    def replicas(self, collection: str) -> Any:
        """As in the folder."""
        self._rig.before("replicas", collection)
        return super().replicas(collection)

    def withdraw(self, collection: str, set_id: str) -> None:
        """As in the folder."""
        self._rig.before("withdraw", collection)
        super().withdraw(collection, set_id)

    def annotate(self, collection: str, add: Any, remove: Any = ()) -> None:
        """As in the folder; the place to interfere is told whether the marker is written."""
        add = list(add)
        what = "marker" if Avu("acq:state", "complete") in add else "annotate"
        self._rig.before(what, collection)
        super().annotate(collection, add, remove)
        self._rig.after(what, collection)


def nothing(what: str, where: str) -> None:
    """Do not interfere."""


class RiggedStore(FolderStore):
    """A folder store in which a test can let any operation fail, or let something happen around it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.before: Callable[[str, str], None] = nothing
        self.after: Callable[[str, str], None] = nothing

    def session(self) -> Session:
        """A session that can be interfered with."""
        return RiggedSession(self)


class Bench:
    """One instrument's folder, its watcher, and the archive that sets go to."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.root = base / "data"
        self.archive = base / "archive"
        self.state = base / "state"
        self.root.mkdir()
        self.archive.mkdir()
        self.clock = FakeClock()
        self.told = Recorder()
        self.store: Store | None = None
        self.copies: dict[str, Store] | None = None
        self.trust_times = False
        self.settings: dict[str, Any] = {
            "instrument": {"name": "scope"},
            "watch": [{"path": str(self.root), "settle": "20s"}],
            "complete": {"quiet": "2m"},
            "store": {"kind": "folder", "path": str(self.archive)},
        }
        self._journal: Journal | None = None
        self._daemon: Daemon | None = None

    def configure(self, **sections: Any) -> None:
        """Change the profile: dicts are joined with what is there, `watch` with the first folder's section."""
        for name, section in sections.items():
            if name == "watch":
                self.settings["watch"][0] |= section
            else:
                self.settings[name] = self.settings.get(name, {}) | section
        self._daemon = None

    @property
    def profile(self) -> Profile:
        """The profile, read from its file."""
        path = self.base / "scope.yaml"
        path.write_text(yaml.safe_dump(self.settings), encoding="utf-8")
        return load(path)

    @property
    def journal(self) -> Journal:
        """The journal that is open now."""
        if self._journal is None:
            self._journal = Journal(self.state, owned=True)
        return self._journal

    @property
    def daemon(self) -> Daemon:
        """The watcher that runs now."""
        if self._daemon is None:
            self._daemon = Daemon(
                self.profile, self.journal, self.told, clock=self.clock, store=self.store, copies=self.copies,
                trust_times=self.trust_times,
            )  # fmt: skip
        return self._daemon

    @property
    def watching(self) -> Watching:
        """What the watcher does for its first folder."""
        return self.daemon.watchings[0]

    def rigged(self) -> RiggedStore:
        """Let the test interfere with the archive from now on."""
        store = RiggedStore(self.archive)
        self.store = store
        self._daemon = None
        return store

    def copy_to(self, *names: str) -> list[RiggedStore]:
        """Let each set be copied to folders of these names beside the archive, with which the test can interfere."""
        for name in names:
            (self.base / name).mkdir(exist_ok=True)
        self.settings["copies"] = [{"kind": "folder", "path": str(self.base / name)} for name in names]
        stores = [RiggedStore(self.base / name) for name in names]
        self.copies = dict(zip(names, stores, strict=True))
        self._daemon = None
        return stores

    def restart(self) -> None:
        """Stop the watcher and start it again: what was only in its memory is gone."""
        if self._journal:
            self._journal.close()
        self._journal = self._daemon = None

    def lose_journal(self) -> None:
        """Stop the watcher and delete all that it knew."""
        self.restart()
        for path in self.state.iterdir():
            path.unlink()

    def write(self, path: str | bytes, content: bytes = b"pixels") -> Path:
        """Write a file below the watched folder."""
        file = Path(os.fsdecode(os.path.join(os.fsencode(self.root), os.fsencode(path))))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return file

    def observe(self, after: float = 0.0) -> None:
        """Let time pass, then look at the disk without delivering."""
        self.clock.advance(after)
        assert self.daemon.observe() == []

    def finish(self) -> Round:
        """Notice what is there, let all times of rest pass, and deliver."""
        self.observe()
        self.clock.advance(200)
        return self.daemon.once()

    def sets(self) -> list[ImageSet]:
        """All sets by name and version."""
        return sorted(self.journal.sets.in_states(), key=lambda one: (str(one.folder), one.name, one.version))

    def only(self) -> ImageSet:
        """The one set that there is."""
        (image_set,) = self.sets()
        return image_set

    def states(self) -> dict[str, State]:
        """The state of each set, by name, versions after the first as name.v2."""
        return {one.name + (f".v{one.version}" if one.version > 1 else ""): one.state for one in self.sets()}

    def members(self, image_set: ImageSet | None = None) -> set[str]:
        """The paths of the files that belong to a set now."""
        return {str(file.path) for file in self.journal.files.of_set((image_set or self.only()).id)}

    def groups(self) -> dict[str, set[str]]:
        """The files of each set by its name."""
        return {one.name: self.members(one) for one in self.sets()}

    def archived(self, collection: str = "", archive: Path | None = None) -> dict[str, bytes]:
        """Every file in the archive, or in one collection, by its path there; without the watcher's own sidecars."""
        archive = archive or self.archive
        base = archive / collection
        roots = {path.parent for path in archive.rglob("irods-watcher.json")}
        own = {root / name for root in roots for name in names.SIDECARS}
        own.add(archive / ".irods-watcher-archive")
        files = (path for path in base.rglob("*") if path.is_file() and path not in own)
        return {path.relative_to(base).as_posix(): path.read_bytes() for path in files}

    def avus(self, collection: str) -> dict[str, str]:
        """What the archive says of a collection."""
        return {avu.attribute: avu.value for avu in FolderStore(self.archive).session().avus(collection)}

    def sha256sum(self, collection: str) -> subprocess.CompletedProcess[bytes]:
        """What the tool that every user has says of the manifest."""
        command = ["sha256sum", "--strict", "-c", "manifest-sha256.txt"]
        return subprocess.run(command, cwd=self.archive / collection, capture_output=True, check=False)

    def close(self) -> None:
        """Stop the watcher."""
        self.restart()


def asking(sessions: Mapping[str, Session]) -> dict[str, Do]:
    """How stores are asked when there is a session in each."""
    return {name: partial(_do, session) for name, session in sessions.items()}


def _do(session: Session, work: Callable[[Session], list[str]]) -> list[str]:
    return work(session)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An instrument's folder, a watcher and an archive."""
    made = Bench(tmp_path)
    yield made
    made.close()
