"""Replays an acquisition while the watcher runs: the steps of an instrument's program, and what must come of them.

    replay("nikon-nd2", [
        Write("a.nd2", begin), Pause(1.5), Waits("a", "chunk map"), Append("a.nd2", end), Whole("a", ["a.nd2"]),
    ], tmp_path)

The profile is the one in `profiles/`, with the folder, the store and the times of the test; its template, capture,
rules and formats are its own. Names are relative to the watched folder, or to `under` in it (for a profile with a
capture: `under="group/user"`). Before every step nothing may be published but what a `Whole` has asked for.
"""

import os
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.contents import SIDECARS, check_with_sha256sum, on_disk
from watcher.daemon import Daemon
from watcher.errors import WatcherError
from watcher.journal import Journal
from watcher.model import ImageSet, Member, State
from watcher.profile import Profile, load
from watcher.stores.folder import FolderStore

PROFILES = Path(__file__).parents[2] / "profiles"
#: How long a checkpoint waits for what it expects.
PATIENCE = 30.0


@dataclass(frozen=True, slots=True)
class Write:
    """A file is written at once; one that is there is written over in place."""

    name: str
    data: bytes

    def perform(self, root: Path) -> None:
        (root / self.name).parent.mkdir(parents=True, exist_ok=True)
        (root / self.name).write_bytes(self.data)


@dataclass(frozen=True, slots=True)
class Append:
    """Bytes are written behind the end of a file, which may be new."""

    name: str
    data: bytes

    def perform(self, root: Path) -> None:
        (root / self.name).parent.mkdir(parents=True, exist_ok=True)
        with (root / self.name).open("ab") as file:
            file.write(self.data)


@dataclass(frozen=True, slots=True)
class Patch:
    """Bytes inside a file are written over."""

    name: str
    offset: int
    data: bytes

    def perform(self, root: Path) -> None:
        with (root / self.name).open("r+b") as file:
            file.seek(self.offset)
            file.write(self.data)


@dataclass(frozen=True, slots=True)
class Preallocate:
    """A file gets a size that it does not need yet: zeros that take no space."""

    name: str
    size: int

    def perform(self, root: Path) -> None:
        (root / self.name).parent.mkdir(parents=True, exist_ok=True)
        with (root / self.name).open("ab") as file:
            file.truncate(self.size)


@dataclass(frozen=True, slots=True)
class Truncate:
    """A file is cut."""

    name: str
    size: int

    def perform(self, root: Path) -> None:
        os.truncate(root / self.name, self.size)


@dataclass(frozen=True, slots=True)
class Rename:
    """A file or folder gets its name, perhaps in place of another file."""

    old: str
    new: str

    def perform(self, root: Path) -> None:
        (root / self.new).parent.mkdir(parents=True, exist_ok=True)
        (root / self.old).replace(root / self.new)


@dataclass(frozen=True, slots=True)
class Remove:
    """A file is deleted."""

    name: str

    def perform(self, root: Path) -> None:
        (root / self.name).unlink()


@dataclass(frozen=True, slots=True)
class Pause:
    """The instrument does something else."""

    seconds: float

    def perform(self, root: Path) -> None:
        time.sleep(self.seconds)


Step = Write | Append | Patch | Preallocate | Truncate | Rename | Remove | Pause


@dataclass(frozen=True, slots=True)
class Whole:
    """The step before was the last of this set: it must be published now, with these members and no others.

    members are their names below `folder`, which is the folder that the set shares, and so below its collection.
    """

    name: str
    members: Collection[str]
    folder: str = ""
    validation: str = "sound"
    complete: str = "yes"
    version: int = 1


@dataclass(frozen=True, slots=True)
class Waits:
    """The set must be growing, and say in these words what it waits for."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Held:
    """The set must be held for a person, with a reason in these words."""

    name: str
    words: str


Checkpoint = Whole | Waits | Held
Script = Sequence[Step | Checkpoint]


@dataclass(slots=True)
class Replay:
    """What came of it. `collections`: of every published set, by (name, version), its folder in the archive."""

    root: Path
    archive: Path
    journal: Journal
    profile: Profile
    told: "Listener"
    collections: dict[tuple[str, int], Path] = field(default_factory=dict)
    contents: dict[tuple[str, int], dict[str, str]] = field(default_factory=dict)
    expected: dict[tuple[str, int], set[State]] = field(default_factory=dict)

    def sets(self) -> dict[tuple[str, int], ImageSet]:
        """All sets by name and version."""
        return {(one.name, one.version): one for one in self.journal.sets.in_states()}

    def said(self, name: str, version: int = 1) -> dict[str, str]:
        """What the archive says of a published set."""
        collection = self.collections[name, version].relative_to(self.archive).as_posix()
        return {avu.attribute: avu.value for avu in FolderStore(self.archive).session().avus(collection)}

    def check_nothing_is_early(self, after: str) -> None:
        early = [one for one in self.told.published() if one not in self.collections]
        assert not early, f"published too early, after {after}: {early}"

    def reach(self, point: Checkpoint) -> None:
        """Wait for what the checkpoint expects, and look at it closely."""
        match point:
            case Whole():
                self._reach_whole(point)
            case Waits():
                self._wait(lambda: self._says(point, State.GROWING), f"{point.name} to wait for {point.words!r}")
                self._expect(point.name, State.GROWING)
            case Held():
                self._wait(lambda: self._says(point, State.HELD), f"{point.name} to be held for {point.words!r}")
                self._expect(point.name, State.HELD)

    def finish(self) -> None:
        """All that was expected is there and nothing else, and what was published once is as it was."""
        there = {key: one.state for key, one in self.sets().items()}
        assert there.keys() == self.expected.keys(), self.story()
        assert all(state in self.expected[key] for key, state in there.items()), self.story()
        self._wait(lambda: not self.journal.collections.withdrawals(), "what was sent for nothing to be withdrawn")
        collections = {path.parent for path in self.archive.rglob("irods-watcher.json")}
        # What was sent early of sets that wait for a person is there, and nobody can read it.
        early = {self.archive / str(one.collection) for one in self.sets().values() if one.state is not State.PUBLISHED}
        assert collections - early == set(self.collections.values()) - early, f"{collections}"
        assert all(_is_closed(one) for one in collections - set(self.collections.values()))
        for key, collection in self.collections.items():
            assert _content(collection) == self.contents[key], f"{key} was changed after it was published"
        assert not self.told.failures, self.story()

    def story(self) -> str:
        """What the journal tells of every set, for the one who reads a failure."""
        lines = []
        for key, one in self.sets().items():
            members = sorted(str(file.path) for file in self.journal.files.of_set(one.id))
            lines.append(f"{key}: {one.state} {members}; waits for {one.waits_for}; {one.problems}; {one.reason}")
            lines += (f"    {state}: {note}" for _, state, note in self.journal.sets.history(one.id))
        return "\n".join((*lines, *map(str, (*self.told.failures, *self.told.troubles))))

    def _expect(self, name: str, *states: State, version: int = 1) -> None:
        self.expected[name, version] = set(states)

    def _reach_whole(self, point: Whole) -> None:
        key = point.name, point.version
        self._wait(lambda: key in self.told.published(), f"{key} to be published")
        for earlier in range(1, point.version):
            self._expect(point.name, State.SUPERSEDED, version=earlier)
        self._expect(point.name, State.PUBLISHED, version=point.version)
        collection = self.archive / str(self.sets()[key].collection)
        self.collections[key] = collection
        self.contents[key] = _content(collection)
        arrived = sorted(self.contents[key])
        assert arrived == sorted(point.members), f"{arrived}\n{self.story()}"
        there = on_disk(self.root / point.folder)
        different = [name for name in point.members if self.contents[key][name] != there[name]]
        assert not different, f"arrived with other bytes: {different}"
        check_with_sha256sum(collection)
        said = self.said(*key)
        assert (said["acq:state"], said["acq:validation"], said["acq:complete"]) == (
            "complete", point.validation, point.complete,
        ), f"{said}"  # fmt: skip

    def _says(self, point: Waits | Held, state: State) -> bool:
        found = [one for (name, _), one in self.sets().items() if name == point.name and one.state is state]
        return any(point.words in "; ".join((*one.waits_for, *one.problems, one.reason)) for one in found)

    def _wait(self, what: Callable[[], bool], words: str) -> None:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if what():
                return
            time.sleep(0.05)
        pytest.fail(f"waited {PATIENCE:g} s for {words}\n{self.story()}")


class ScriptClock:
    """Runs with the real time, but while steps are done never further than the script says.

    So that a machine which stands still for a second between two steps does not make the instrument fall silent.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._real = time.monotonic()
        self._now = time.time()
        self._limit = self._now

    def now(self) -> float:
        with self._lock:
            real = time.monotonic()
            self._now = min(self._now + real - self._real, max(self._limit, self._now))
            self._real = real
            return self._now

    def wait(self, seconds: float, wake: threading.Event) -> bool:
        return wake.wait(max(0.0, seconds))

    def allow(self, seconds: float) -> None:
        """Let so much time pass from now on, and then none."""
        now = self.now()
        with self._lock:
            self._limit = now + seconds


class Listener:
    """Remembers what was published and what went wrong; called from the watcher's threads."""

    def __init__(self) -> None:
        self.moves: list[ImageSet] = []
        self.failures: list[WatcherError] = []
        self.troubles: list[str] = []

    def published(self) -> set[tuple[str, int]]:
        return {(one.name, one.version) for one in tuple(self.moves) if one.state is State.PUBLISHED}

    def moved(self, image_set: ImageSet) -> None:
        self.moves.append(image_set)

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None:
        pass

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        # A file that changes while it is read sends its set back to growing: that is as it should be.
        if image_set.state is not State.GROWING:
            self.failures.append(error)

    def trouble(self, where: str, what: str) -> None:
        self.troubles.extend([what] if what else [])


def replay(
    profile_name: str,
    steps: Script,
    tmp_path: Path,
    *,
    under: str = "",
    settle: float = 0.3,
    quiet: float = 1.0,
    sweep: float = 1.0,
    deadline: float = 3600.0,
) -> Replay:
    """Do the steps while the watcher runs with this profile, and check what comes of them."""
    profile = prepared(profile_name, tmp_path, settle=settle, quiet=quiet, sweep=sweep, deadline=deadline)
    root = tmp_path / "data" / under
    root.mkdir(parents=True, exist_ok=True)
    told = Listener()
    clock = ScriptClock()
    with Journal(tmp_path / "state", owned=True) as journal, _running(Daemon(profile, journal, told, clock=clock)):
        result = Replay(root, tmp_path / "archive", journal, profile, told)
        before = "nothing"
        for number, step in enumerate(steps, 1):
            result.check_nothing_is_early(before)
            if isinstance(step, Whole | Waits | Held):
                clock.allow(float("inf"))
                result.reach(step)
            else:
                clock.allow(step.seconds if isinstance(step, Pause) else 0.0)
                step.perform(root)
            before = f"step {number}: {type(step).__name__}({getattr(step, 'name', '')})"
        result.check_nothing_is_early(before)
        result.finish()
    return result


def prepared(profile_name: str, tmp_path: Path, **times: float) -> Profile:
    """The profile with the folder, the store and the times of the test; all else is its own."""
    document: dict[str, Any] = yaml.safe_load((PROFILES / f"{profile_name}.yaml").read_text(encoding="utf-8"))
    (tmp_path / "data").mkdir(exist_ok=True)
    (tmp_path / "archive").mkdir(exist_ok=True)
    document["watch"] = [document["watch"][0] | {"path": str(tmp_path / "data")}]
    collection = document["store"]["collection"].lstrip("/")
    document["store"] = {"kind": "folder", "path": str(tmp_path / "archive"), "collection": collection}
    file = tmp_path / f"{profile_name}.yaml"
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    profile = load(file)
    # Times below a second cannot be written in a profile.
    watch = profile.watch[0].model_copy(update={"settle": times["settle"], "sweep": times["sweep"]})
    complete = profile.complete.model_copy(update={"quiet": times["quiet"], "deadline": times["deadline"]})
    return profile.model_copy(update={"watch": (watch,), "complete": complete})


@contextmanager
def _running(daemon: Daemon) -> Iterator[None]:
    mistakes: list[Exception] = []

    def run() -> None:
        try:
            daemon.run()
        except Exception as error:
            mistakes.append(error)

    thread = threading.Thread(target=run, name="watcher")
    thread.start()
    try:
        yield
    finally:
        daemon.stop()
        thread.join()
    if mistakes:
        raise mistakes[0]


def _is_closed(collection: Path) -> bool:
    return not collection.stat().st_mode & 0o077 and '"uploading"' in (collection / "irods-watcher.json").read_text()


def _content(collection: Path) -> dict[str, str]:
    return {path: digest for path, digest in on_disk(collection).items() if path not in SIDECARS}
