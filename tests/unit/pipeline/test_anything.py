"""Anything may happen in any order: what is published never changes, and in the end everything on the disk is safe."""

import os
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.unit.pipeline.conftest import Bench, RiggedStore, nothing
from watcher.errors import WatchFolderError
from watcher.model import State
from watcher.stores.folder import FolderStore

FILES = st.sampled_from(["a.dat", "a.txt", "b.dat", "x/a.dat", "x/img_z001.tif", "x/img_z002.tif", "x/y/a.dat"])
# A TIFF of zeros is one whose place is only reserved, and waits for a person.
CONTENT = st.binary(max_size=3).map(lambda content: content.replace(b"\0", b"0"))


class Killed(BaseException):
    """The process ends here, at once."""


class Anything(RuleBasedStateMachine):
    """An instrument, people with a file manager, a watcher that dies, and a journal that gets lost."""

    def __init__(self) -> None:
        super().__init__()
        self._base = Path(tempfile.mkdtemp())
        self.bench = Bench(self._base)
        self.store: RiggedStore = self.bench.rigged()
        self.published: dict[str, dict[str, bytes]] = {}

    @initialize()
    def something_stays(self) -> None:
        """An emptied folder is another matter."""
        self.bench.write("stays.dat", b"stays")

    @rule(path=FILES, content=CONTENT)
    def write(self, path: str, content: bytes) -> None:
        self.bench.write(path, content)

    @rule(path=FILES)
    def append(self, path: str) -> None:
        file = self.bench.root / path
        if file.exists():
            file.write_bytes(file.read_bytes() + b"+")

    @rule(path=FILES)
    def touch(self, path: str) -> None:
        if (self.bench.root / path).exists():
            os.utime(self.bench.root / path)

    @rule(path=FILES)
    def delete(self, path: str) -> None:
        (self.bench.root / path).unlink(missing_ok=True)

    @rule(path=FILES, to=FILES)
    def rename(self, path: str, to: str) -> None:
        if (self.bench.root / path).exists() and (self.bench.root / to).parent.exists():
            (self.bench.root / path).rename(self.bench.root / to)

    @rule(away=st.booleans())
    def move_a_folder(self, away: bool) -> None:
        here, there = self.bench.root / "x", self._base / "away"
        if away and here.exists() and not there.exists():
            here.rename(there)
        elif there.exists() and not here.exists():
            there.rename(here)

    @rule(after=st.sampled_from([0.0, 5.0, 25.0, 130.0]))
    def observe(self, after: float) -> None:
        self.bench.observe(after)

    @rule()
    def finish(self) -> None:
        self.bench.finish()

    @rule(operation=st.sampled_from(["claim", "put", "replicas", "annotate", "marker"]), after=st.booleans())
    def die(self, operation: str, after: bool) -> None:
        def act(what: str, where: str) -> None:
            if what == operation:
                self.store.before = self.store.after = nothing
                raise Killed

        setattr(self.store, "after" if after else "before", act)
        try:
            self.bench.finish()
        except Killed:
            self.bench.restart()
        self.store.before = self.store.after = nothing

    @rule(path=FILES, content=CONTENT, operation=st.sampled_from(["put", "replicas", "marker"]), noticed=st.booleans())
    def change_meanwhile(self, path: str, content: bytes, operation: str, noticed: bool) -> None:
        def act(what: str, where: str) -> None:
            if what == operation:
                self.store.before = self.store.after = nothing
                self.bench.write(path, content)
                if noticed:
                    self.bench.watching.look_everywhere()

        self.store.after = act
        self.bench.finish()
        self.store.before = self.store.after = nothing

    @rule()
    def restart(self) -> None:
        self.bench.restart()

    @rule()
    def lose_journal(self) -> None:
        if self.bench.state.exists():
            self.bench.lose_journal()

    def collections(self) -> dict[str, str]:
        """The state of each collection in the archive."""
        session = FolderStore(self.bench.archive).session()
        found = [path.parent.relative_to(self.bench.archive) for path in self.bench.archive.rglob("irods-watcher.json")]
        avus = {str(path): {a.attribute: a.value for a in session.avus(str(path))} for path in found}
        return {path: values.get("acq:state", "") for path, values in avus.items()}

    def own(self, collection: str) -> dict[str, bytes]:
        """The members of a collection, without what is in another one below it."""
        below = tuple(f"{path}/" for path in self.collections() if path.startswith(f"{collection}/"))
        files = self.bench.archived(collection).items()
        return {name: data for name, data in files if not f"{collection}/{name}".startswith(below)}

    @invariant()
    def what_is_published_never_changes(self) -> None:
        for collection, state in self.collections().items():
            if state in {"complete", "superseded"}:
                now = self.own(collection)
                assert self.published.setdefault(collection, now) == now
                assert self.bench.sha256sum(collection).returncode == 0
            else:
                assert collection not in self.published

    def teardown(self) -> None:
        try:
            for _ in range(8):
                self.bench.finish()
            self.what_is_published_never_changes()
            self.everything_is_safe()
        except WatchFolderError:
            pass
        finally:
            self.bench.close()
            shutil.rmtree(self._base)

    def everything_is_safe(self) -> None:
        sets = self.bench.sets()
        open_sets = [one for one in sets if one.state not in {State.PUBLISHED, State.SUPERSEDED}]
        assert all("disappeared" in one.reason for one in open_sets), open_sets
        complete = [collection for collection, state in self.collections().items() if state == "complete"]
        there = {content for collection in complete for content in self.bench.archived(collection).values()}
        for path in self.bench.root.rglob("*"):
            if path.is_file():
                assert path.read_bytes() in there, path


TestAnything = Anything.TestCase
TestAnything.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
)
