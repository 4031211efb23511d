"""A bench whose local copies may go: folder store, a copy of it, clocks and disks that a test sets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.errors import StoreUnreachable, WatcherError
from watcher.journal.releases import Phase
from watcher.model import ImageSet, Member
from watcher.pipeline.release.duty import Releasing
from watcher.pipeline.release.evidence import MAIN, wanting
from watcher.profile.release import Release
from watcher.stores.folder import FolderStore

DAY = 86400.0
GB = 10**9


@dataclass
class Site:
    """What a test changes to see whether a local copy stays."""

    bench: Bench
    release: Release = field(default_factory=lambda: Release(after=7 * DAY))
    others: dict[str, list[str]] = field(default_factory=dict)
    acquires: bool = False
    wall_ahead: float = 0.0
    free: int = 900 * GB
    away: bool = False
    told: dict[str, str] = field(default_factory=dict)

    def ask(self, image_set: ImageSet, members: Sequence[Member]) -> Mapping[str, Sequence[str]]:
        """The bench's archive, and whatever copies the test says there are."""
        try:
            if self.away:
                raise StoreUnreachable("the archive does not answer")
            session = FolderStore(self.bench.archive).session()
            main = wanting(image_set, image_set.collection or "", members, session)
        except WatcherError as error:
            main = [error.what]
        return {MAIN: main, **self.others}

    @property
    def duty(self) -> Releasing:
        """The duty as a process that has just begun has it."""
        return Releasing(
            self.bench.profile, self.release, self.bench.journal, self.bench.clock, self.ask,
            acquires=lambda: self.acquires, tell=self.told.__setitem__,
            wall=lambda: self.bench.clock.now() + self.wall_ahead,
            usage=lambda _: (1000 * GB, 1000 * GB - self.free, self.free),
        )  # fmt: skip

    def publish(self, *names: str, content: bytes = b"pixels") -> None:
        """Sets of one file, each in a folder of its own, published eight days ago; a sweep has just ended."""
        for name in names:
            self.bench.write(f"{name}/{name}.dat", content + name.encode())
        self.bench.finish()
        self.bench.clock.advance(8 * DAY)
        self.look()

    def look(self) -> None:
        """A sweep."""
        self.bench.journal.swept(self.bench.root, self.bench.clock.now(), [])

    def work(self) -> None:
        """Let the duty do all that is due."""
        duty = self.duty
        for _ in range(1000):
            if duty.round():
                return
        raise AssertionError("it never comes to rest")

    def order(self, *names: str) -> None:
        """A person wants these local copies to go."""
        for one in self.bench.sets():
            if not names or one.name in names:
                self.bench.journal.releases.enter(one.id, Phase.ORDERED, self.bench.clock.now())

    def files(self) -> dict[str, bytes]:
        """What lies in the watched folder, by path; what is put aside, too."""
        root = self.bench.root
        return {
            path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
        }

    def phase(self, name: str = "a") -> Phase | None:
        """How far the local copy of a set is."""
        one = next(one for one in self.bench.sets() if one.name == name)
        aside = self.bench.journal.releases.of(one.id)
        return aside.phase if aside else None

    def why(self, name: str = "a") -> str:
        """Why it was refused."""
        one = next(one for one in self.bench.sets() if one.name == name)
        aside = self.bench.journal.releases.of(one.id)
        return aside.why if aside else ""


@pytest.fixture
def site(bench: Bench) -> Site:
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"})
    return Site(bench)


def aside_of(root: Path) -> list[Path]:
    """The files that are put aside."""
    return [path for path in (root / ".irods-watcher-aside").rglob("*") if path.is_file()]
