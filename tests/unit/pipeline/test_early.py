"""Early delivery: what goes out while a set grows, what waits for its end, and what is made of it there."""

from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench, RiggedStore, nothing
from watcher.errors import NotAllowed, StoreUnreachable
from watcher.model import State
from watcher.pipeline.crew import Crew
from watcher.pipeline.early import Early
from watcher.pipeline.way import Way

PUBLISHED = State.PUBLISHED


class Eager:
    """The early delivery of a bench, done step by step; what it remembers lives as long as this."""

    def __init__(self, bench: Bench, crew: Crew) -> None:
        daemon = bench.daemon
        self._bench = bench
        self._way = Way(
            daemon.profile, bench.journal, daemon.store, daemon.destinations, crew, bench.clock, bench.told,
            daemon.attribute,
        )  # fmt: skip
        self._early = Early(daemon.profile, bench.journal, daemon.store, self._way.sending, bench.clock)

    def __call__(self, after: float = 0.0, in_hand: tuple[str, ...] = ()) -> list[str]:
        """Let time pass, look at the disk, and send what is due; the names of the sets of which something was due."""
        self._bench.observe(after)
        self._bench.clock.advance(2)
        steps = []
        while (image_set := self._early.next_set(in_hand)) is not None:
            steps.append(image_set.name)
            self._early.step(image_set)
        return steps


@pytest.fixture
def rig(bench: Bench) -> RiggedStore:
    return bench.rigged()


@pytest.fixture
def eager(bench: Bench, rig: RiggedStore):  # type: ignore[no-untyped-def]
    bench.configure(sets={"group": "directory"})
    bench.journal  # noqa: B018 - opened by this thread
    with Crew(rig, 2) as crew:
        yield Eager(bench, crew)


def state_of(bench: Bench, collection: str) -> str:
    return bench.avus(collection)["acq:state"]


def test_members_that_have_come_to_rest_go_out_into_a_closed_collection(bench: Bench, eager: Eager) -> None:
    bench.write("run/1.dat", b"one")
    assert eager() == []
    bench.clock.advance(15)
    bench.write("run/2.dat", b"two")
    assert eager(after=8) == ["run"]
    assert bench.archived("scope/run") == {"1.dat": b"one"}
    assert state_of(bench, "scope/run") == "uploading"
    assert (bench.archive / "scope/run").stat().st_mode & 0o077 == 0
    assert bench.states() == {"run": State.GROWING}
    assert eager(after=30) == ["run"]
    assert bench.archived("scope/run") == {"1.dat": b"one", "2.dat": b"two"}
    assert eager(after=30) == []


def test_at_completion_nothing_is_sent_twice(bench: Bench, eager: Eager) -> None:
    for n in range(5):
        bench.write(f"run/{n}.dat", b"x" * n)
    eager()
    eager(after=30)
    sent = dict(bench.told.bytes_sent)
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    assert bench.told.bytes_sent == sent
    assert len(bench.archived("scope/run")) == 5
    assert bench.sha256sum("scope/run").returncode == 0


def test_what_changed_is_sent_again_and_what_vanished_is_removed(bench: Bench, eager: Eager) -> None:
    changing, vanishing = bench.write("run/a.dat", b"old"), bench.write("run/b.dat", b"gone")
    bench.write("run/c.dat", b"same")
    eager()
    eager(after=30)
    assert set(bench.archived("scope/run")) == {"a.dat", "b.dat", "c.dat"}
    changing.write_bytes(b"newer")
    vanishing.unlink()
    # A file that changed after it was sent waits for the end: it may do so again and again.
    eager()
    eager(after=30)
    assert bench.archived("scope/run")["a.dat"] == b"old"
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    assert bench.archived("scope/run") == {"a.dat": b"newer", "c.dat": b"same"}
    assert bench.sha256sum("scope/run").returncode == 0


def test_what_vanished_while_nobody_watched_is_removed_too(bench: Bench, eager: Eager, rig: RiggedStore) -> None:
    vanishing = bench.write("run/b.dat", b"gone")
    bench.write("run/c.dat", b"same")
    eager()

    class Killed(BaseException):
        pass

    def kill(what: str, where: str) -> None:
        if what == "put":
            raise Killed

    rig.after = kill
    with pytest.raises(Killed):
        eager(after=30)
    rig.after = nothing
    assert bench.archived("scope/run")
    vanishing.unlink()
    bench.restart()
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    assert bench.archived("scope/run") == {"c.dat": b"same"}


def test_many_files_that_were_seen_in_one_look_all_go_out(bench: Bench, eager: Eager) -> None:
    for n in range(600):
        bench.write(f"run/{n}.dat", b"")
    eager()
    eager(after=30)
    assert len(bench.archived("scope/run")) == 600


def test_a_single_file_that_is_visibly_unfinished_is_not_sent(bench: Bench, rig: RiggedStore) -> None:
    bench.configure(sets={"group": "auto"})
    bench.write("a.tif", b"II*\0" + (1000).to_bytes(4, "little"))
    with Crew(rig, 1) as crew:
        eager = Eager(bench, crew)
        eager()
        eager(after=30)
        eager(after=30)
    assert bench.archived() == {}


def test_where_nothing_says_what_belongs_together_the_end_is_waited_for(bench: Bench, rig: RiggedStore) -> None:
    bench.configure(sets={"group": "auto"})
    bench.write("Data0000.dat", b"of a slide whose file comes last, perhaps")
    with Crew(rig, 1) as crew:
        eager = Eager(bench, crew)
        eager()
        eager(after=30)
    assert bench.archived() == {}
    bench.finish()
    assert bench.states() == {"Data0000": PUBLISHED}


def test_a_large_member_that_is_visibly_unfinished_waits_and_the_others_go(bench: Bench, eager: Eager) -> None:
    bench.write("run/small.tif", b"II*\0" + (1000).to_bytes(4, "little"))
    large = bench.write("run/large.tif", b"II*\0" + (1000).to_bytes(4, "little"))
    with large.open("r+b") as file:
        file.truncate(40 << 20)
    eager()
    eager(after=30)
    assert set(bench.archived("scope/run")) == {"small.tif"}


def test_a_profile_can_do_without(bench: Bench, rig: RiggedStore) -> None:
    bench.configure(complete={"early": False})
    bench.write("a.dat")
    with Crew(rig, 1) as crew:
        eager = Eager(bench, crew)
        eager()
        assert eager(after=30) == []


def test_a_later_version_waits_until_it_is_known_to_be_one(bench: Bench, eager: Eager) -> None:
    path = bench.write("run/a.dat", b"old")
    bench.finish()
    path.write_bytes(b"newer")
    eager()
    assert eager(after=30) == []
    bench.finish()
    assert bench.states() == {"run": State.SUPERSEDED, "run.v2": PUBLISHED}


def test_nothing_is_ever_sent_early_into_a_published_collection(bench: Bench, rig: RiggedStore) -> None:
    """The journal was lost, and a file has changed since: version 1 is what it was."""
    bench.configure(sets={"group": "directory"})
    path = bench.write("run/a.dat", b"old")
    bench.finish()
    bench.lose_journal()
    path.write_bytes(b"other")
    bench.journal  # noqa: B018 - opened by this thread
    with Crew(rig, 2) as crew:
        eager = Eager(bench, crew)
        eager()
        eager(after=30)
    assert bench.archived() == {"scope/run/a.dat": b"old"}
    bench.finish()
    bench.finish()
    assert bench.archived() == {"scope/run/a.dat": b"old", "scope/run.v2/a.dat": b"other"}


def test_a_set_that_is_in_hand_has_its_turn_later(bench: Bench, eager: Eager) -> None:
    bench.write("run/a.dat", b"a")
    eager()
    assert eager(after=30, in_hand=(bench.only().id,)) == []
    assert eager(after=5) == ["run"]


def test_what_may_not_be_sent_early_is_left_for_the_end_without_a_word(
    bench: Bench, eager: Eager, rig: RiggedStore
) -> None:
    bench.write("run/a.dat", b"a")

    def refuse(what: str, where: str) -> None:
        if what == "put" and where == "a.dat":
            raise NotAllowed("not now")

    rig.before = refuse
    eager()
    assert eager(after=30) == ["run"]
    assert eager(after=5) == []
    assert bench.only().state is State.GROWING
    rig.before = nothing
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}


def test_a_mistake_of_the_program_holds_its_set_at_the_end_and_stops_nothing_before(
    bench: Bench, eager: Eager, rig: RiggedStore
) -> None:
    bench.write("run/a.dat", b"a")

    def stumble(what: str, where: str) -> None:
        if what == "put" and where == "a.dat":
            raise RuntimeError("a mistake")

    rig.before = stumble
    eager()
    assert eager(after=30) == ["run"]
    bench.finish()
    assert bench.only().state is State.HELD
    assert "RuntimeError" in bench.only().reason


def test_a_store_that_is_away_is_told_and_the_set_is_due_again(bench: Bench, eager: Eager, rig: RiggedStore) -> None:
    bench.write("run/a.dat", b"a")

    def away(what: str, where: str) -> None:
        raise StoreUnreachable("away")

    rig.before = away
    eager()
    with pytest.raises(StoreUnreachable):
        eager(after=30)
    rig.before = nothing
    assert eager(after=2) == ["run"]
    assert bench.archived("scope/run") == {"a.dat": b"a"}


def test_a_file_that_changes_while_it_is_sent_early_is_sent_at_the_end(
    bench: Bench, eager: Eager, rig: RiggedStore
) -> None:
    path = bench.write("run/a.dat", b"a")
    bench.write("run/b.dat", b"b")

    def change(what: str, where: str) -> None:
        if what == "put" and where == "a.dat":
            path.write_bytes(b"another")
            rig.before = nothing

    rig.before = change
    eager()
    eager(after=30)
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    assert bench.archived("scope/run") == {"a.dat": b"another", "b.dat": b"b"}


def test_a_member_that_moves_within_its_set_is_not_left_twice(bench: Bench, eager: Eager) -> None:
    path: Path = bench.write("run/a.dat", b"a")
    bench.write("run/b.dat", b"b")
    eager()
    eager(after=30)
    (bench.root / "run/sub").mkdir()
    path.rename(bench.root / "run/sub/a.dat")
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    assert bench.archived("scope/run") == {"sub/a.dat": b"a", "b.dat": b"b"}
