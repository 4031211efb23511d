"""Anything may happen at any moment: what is published is right and never changes, and in the end nothing is lost.

`HYPOTHESIS_EXAMPLES=2000 pytest --timeout=0 tests/model` looks for longer than CI does.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.model.archive import Archive
from tests.model.disk import CONTENTS, FILES, Disk
from tests.model.program import Interference, Killed, Program, ShiftingClock, lose_journal, nothing_to_do
from watcher.errors import (
    FixityError,
    JournalFull,
    LoginRefused,
    NotAllowed,
    SourceUnreadable,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreachable,
    WatcherError,
)
from watcher.model import State
from watcher.profile import load

EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))
OPERATIONS = ("claim", "put", "replicas", "remove", "avus", "annotate", "open_to_readers")
STORE = ("before", "after", *(f"{one}.{when}" for one in OPERATIONS for when in ("before", "after")))
JOURNAL = ("look:journal.before", "look:journal.after", "step:journal.before", "step:journal.after")
ERRORS = (
    StoreUnreachable, StoreFull, StoreBusy, FixityError, NotAllowed, StoreError, LoginRefused, SourceUnreadable,
    RuntimeError,
)  # fmt: skip
#: Seconds: shorter and longer than `settle` and `quiet`, longer than a probe's longest wait, than the deadline, days.
PAUSES = (0.5, 25.0, 70.0, 130.0, 4000.0, 300_000.0)

contents = st.sampled_from(["22", "33", *sorted(CONTENTS)])
calls = st.sampled_from([0, 0, 1, 1, 2, 3, 4, 5, 6, 8])
#: Which of the few files of an example.
which = st.integers(0, 2)
#: How a file can change so that only one of its facts tells, and in other ways.
subtly = st.sampled_from(["write", "touch", "exchange", "append"])
changes = st.one_of(subtly, st.sampled_from(["truncate", "copy_back", "delete", "rename", ""]))
#: What the program does next; something that is to happen then may also come later.
works = st.sampled_from(["deliver", "deliver", "deliver", "look", "judge", "step", ""])


class TheWay(RuleBasedStateMachine):
    """An instrument, people, a store and a journal's disk that fail, and a watcher that dies in between."""

    def __init__(self) -> None:
        super().__init__()
        self.base = Path(tempfile.mkdtemp())
        self.disk = Disk(self.base)
        self.archive = Archive(self.base)
        self.world = Interference()
        self.clock = ShiftingClock(self.world)
        self.untouched = self.disk.picture()

    @initialize(
        paths=st.lists(st.sampled_from(FILES), min_size=1, max_size=3, unique=True),
        group=st.sampled_from(["auto", "auto", "directory", "stem", "file"]),
        incomplete=st.sampled_from(["hold", "deliver"]),
        aged=st.booleans(),
    )
    def begin(self, paths: list[str], group: str, incomplete: str, aged: bool) -> None:
        profile = self.base / "scope.yaml"
        (self.base / "key").write_text("A" * 32, encoding="utf-8")
        webhook = {"url": "http://localhost/", "secret": {"file": str(self.base / "key")}}
        content = {
            "handoff": {"agent": "omero", "webhook": webhook},
            "instrument": {"name": "scope"},
            "watch": [{"path": str(self.disk.root), "settle": "20s"}],
            "sets": {"group": group},
            "complete": {"quiet": "2m", "deadline": "1h", "incomplete": incomplete},
            "store": {"kind": "folder", "path": str(self.archive.path)},
        }
        profile.write_text(yaml.safe_dump(content), encoding="utf-8")
        self.profile = load(profile)
        self.paths = paths
        self.disk.aged = aged
        self.program = self.started()

    def started(self) -> Program:
        """A new process of the watcher."""
        return Program(self.profile, self.base / "state", self.archive.path, self.clock, self.world)

    def run(self, what: str, work: Callable[[], object]) -> None:
        """The program does something, and may be killed by that."""
        self.untouched = self.disk.picture()
        self.world.busy = what
        try:
            work()
        except Killed:
            self.restart()
        finally:
            self.world.busy = ""

    # The instrument, and people with a file manager

    def changed(self, number: int, how: str, content: str = "1") -> None:
        """Something happens to a file that is not the program's doing."""
        path, other = (self.paths[one % len(self.paths)] for one in (number, number + 1))
        if how == "write":
            self.disk.write(path, content, fresh=bool(number % 2))
        elif how == "rename":
            self.disk.rename(path, other)
        elif how:
            getattr(self.disk, how)(path)
        self.untouched = self.disk.picture()

    @rule(number=which, content=contents)
    def write(self, number: int, content: str) -> None:
        self.changed(number, "write", content)

    @rule(number=which, how=changes, work=works)
    def change(self, number: int, how: str, work: str) -> None:
        self.changed(number, how)
        self.work(work)

    @rule(what=st.sampled_from(["folder x", "folder w", "share", "archive"]), empty=st.booleans(), work=works,
          comes_back=st.booleans())  # fmt: skip
    def something_goes_away(self, what: str, empty: bool, work: str, comes_back: bool) -> None:
        kind, _, name = what.partition(" ")
        if kind == "folder":
            self.disk.move_folder(name, outside=empty)
        elif kind == "share":
            self.disk.unplug(empty)
        else:
            self.archive.take_away()
        self.untouched = self.disk.picture()
        self.work(work)
        if comes_back:
            self.disk.plug()
            self.archive.bring_back()
            self.untouched = self.disk.picture()

    # The program

    def work(self, what: str, pause: float = 150.0) -> None:
        """Let it look, judge, take sets along, or all of that."""
        if what in {"look", "deliver"}:
            self.run("look", self.program.look)
        if what in {"judge", "deliver"}:
            self.clock.shift(pause)
            self.run("look", self.program.judge)
        if what in {"step", "deliver"}:
            self.run("step", self.step_all)

    def step_all(self) -> None:
        error = self.program.step_all()
        assert error is None or error.store_wide, error

    @rule(number=which, content=contents)
    def acquire(self, number: int, content: str) -> None:
        """A file is written and taken all the way."""
        self.changed(number, "write", content)
        self.work("deliver")

    @rule(seconds=st.sampled_from(PAUSES), work=works)
    def time_passes(self, seconds: float, work: str) -> None:
        self.clock.shift(seconds)
        self.work(work, seconds)

    @rule(deep=st.booleans(), folders=st.sets(st.sampled_from(["", "x", "x/y", "w", "x-moved"])))
    def look(self, deep: bool, folders: set[str]) -> None:
        self.run("look", lambda: self.program.look(deep=deep, folders=folders))

    # What goes wrong

    @rule(error=st.sampled_from(ERRORS), place=st.sampled_from(("sending", *STORE)), calls=calls,
          times=st.sampled_from([1, 1, 2, 5, 1000]), number=which, how=changes, work=works)  # fmt: skip
    def store_fails(
        self, error: type[Exception], place: str, calls: int, times: int, number: int, how: str, work: str
    ) -> None:
        def fail(_: str) -> None:
            raise error("the world is like that")

        self.world.plan(place, calls, times, fail)
        self.changed(number, how)
        self.work(work)

    @rule(place=st.sampled_from(JOURNAL[::2]), calls=calls, times=st.sampled_from([1, 3]), number=which, how=changes,
          work=works)  # fmt: skip
    def journals_disk_is_full(self, place: str, calls: int, times: int, number: int, how: str, work: str) -> None:
        def fail(_: str) -> None:
            raise JournalFull("the disk is full")

        self.world.plan(place, calls, times, fail)
        self.changed(number, how)
        self.work(work)

    @rule(place=st.sampled_from(("sending", "clock", *JOURNAL, *STORE)), calls=calls, number=which, how=changes,
          work=works)  # fmt: skip
    def dies(self, place: str, calls: int, number: int, how: str, work: str) -> None:
        self.world.plan(place, calls, 1, self.world.die)
        self.changed(number, how)
        self.work(work)

    @rule(calls=calls, vanishes=st.booleans(), place=st.sampled_from(STORE), number=which, how=changes, work=works)
    def archive_suffers(self, calls: int, vanishes: bool, place: str, number: int, how: str, work: str) -> None:
        if vanishes:
            self.world.plan(place, calls, 1, lambda _: self.archive.take_away())
        else:
            self.world.plan("put.after", calls, 1, self.archive.damage)
        self.changed(number, how)
        self.work(work)

    @rule(
        place=st.one_of(st.sampled_from(JOURNAL), st.sampled_from(("sending", *STORE))), calls=calls, number=which,
        how=changes, what=st.one_of(changes, subtly, st.sampled_from(["skip", "retry"])), other=which,
        noticed=st.sampled_from(["", "look", "judge"]), work=works,
    )  # fmt: skip
    def meanwhile(
        self, place: str, calls: int, number: int, how: str, what: str, other: int, noticed: str, work: str
    ) -> None:
        """Something happens while the program is at work, and its other thread does what it does."""

        def act(_: str) -> None:
            if what in {"skip", "retry"}:
                self.program.order(what, other)
            else:
                self.changed(other, what, "33")
            if self.world.busy == "look" and noticed:
                self.step_all()
            elif self.world.busy == "step" and noticed:
                self.program.look()
            if self.world.busy == "step" and noticed == "judge":
                self.clock.shift(150.0)
                self.program.judge()

        self.world.plan(place, calls, 1, act)
        self.changed(number, how)
        self.work(work)

    @rule(how=st.sampled_from(["well", "well", "restart", "clock ahead", "clock back", "journal lost"]))
    def begin_anew(self, how: str) -> None:
        """Nothing goes wrong any more, for now; perhaps the computer was started again or has lost the journal."""
        self.world.clear()
        self.disk.plug()
        self.archive.bring_back()
        self.untouched = self.disk.picture()
        if how != "well":
            self.restart(how)

    def restart(self, how: str = "") -> None:
        """The process has ended, and begins again."""
        self.world.clear()
        self.program.close()
        if how == "journal lost":
            lose_journal(self.base / "state")
        self.clock.shift({"clock ahead": 300_000.0, "clock back": -300_000.0}.get(how, 0.0))
        self.program = self.started()

    @rule(verb=st.sampled_from(["retry", "skip"]), number=st.integers(0, 5))
    def order(self, verb: str, number: int) -> None:
        self.program.order(verb, number)

    # What always holds

    @invariant()
    def what_is_published_is_right(self) -> None:
        self.archive.check(self.disk)

    @invariant()
    def what_is_published_is_told(self) -> None:
        sets = {one.id: one for one in self.program.sets()}
        published, replaced = self.program.told()
        assert published == sorted(one.id for one in sets.values() if one.published_at is not None)
        former = [sets[one.supersedes] for one in sets.values() if one.published_at is not None and one.supersedes]
        assert replaced == sorted(one.id for one in former if one.state is State.SUPERSEDED)
        assert {one.id for one in sets.values() if self.program.journal.handoffs.of(one)} == set(published)

    @invariant()
    def nothing_local_was_changed(self) -> None:
        assert self.disk.picture() == self.untouched

    def teardown(self) -> None:
        try:
            self.in_the_end_all_is_safe()
        finally:
            self.program.close()
            shutil.rmtree(self.base)

    def in_the_end_all_is_safe(self) -> None:
        """Nothing goes wrong any more, and then a person tries again what is held."""
        self.disk.plug()
        self.archive.bring_back()
        self.come_to_rest()
        self.check_files()
        self.program.retry_all()
        self.come_to_rest()
        self.check_files()
        for one in self.program.sets():
            told = ("still incomplete after", "all its files disappeared")
            assert one.state is not State.HELD or one.reason.startswith(told), one

    def come_to_rest(self) -> None:
        """Time passes until nothing moves any more."""
        self.world.clear()
        self.untouched = self.disk.picture()
        quiet = 0
        for _ in range(60):
            before = self.program.sets()
            self.clock.shift(200.0)
            troubles: list[WatcherError | None] = [
                self.program.look(deep=True), self.program.judge(), self.program.step_all()
            ]  # fmt: skip
            assert troubles == [None, None, None]
            self.what_is_published_is_right()
            self.nothing_local_was_changed()
            sets = self.program.sets()
            quiet = quiet + 1 if sets == before and nothing_to_do(sets) else 0
            if quiet == 3:
                return
        unfinished = [(one.name, one.state, one.reason, one.waits_for) for one in sets]
        raise AssertionError(f"it does not come to rest: {unfinished}")

    def check_files(self) -> None:
        """Every file on the disk is in the archive as it is now, or a person was told why not."""
        collections = self.archive.collections()
        for path, content in self.disk.files().items():
            home = self.program.home(self.disk.root, path)
            if path.endswith(".tmp"):
                assert home is None, path
                continue
            assert home is not None, f"{path} belongs to no set"
            if home.state in {State.HELD, State.SKIPPED}:
                assert home.reason, home
                continue
            assert home.state is State.PUBLISHED, (path, home)
            there = collections[home.collection or ""]
            assert there.state == "complete", (path, home, there)
            assert there.files[self.program.target(home, path) or ""] == content, (path, home)
        by_id = {one.id: one for one in self.program.sets()}
        for one in by_id.values():
            former = by_id.get(one.supersedes or "")
            if one.state is State.PUBLISHED and former and former.collection in collections:
                assert collections[former.collection].state != "complete", (former, one)


TestTheWay = pytest.mark.timeout(180)(TheWay.TestCase)
TestTheWay.settings = settings(
    max_examples=EXAMPLES or 30,
    stateful_step_count=35,
    derandomize=not EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
