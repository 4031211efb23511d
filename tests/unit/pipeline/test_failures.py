"""What goes wrong on the way: the archive away or full, files that change under the reader, a killed watcher."""

import os
import shutil
from collections.abc import Callable

import pytest

from tests.unit.pipeline.conftest import Bench, RiggedStore, nothing
from watcher.errors import (
    Conflict,
    FixityError,
    NameRefused,
    NotAllowed,
    SourceUnreadable,
    StoreBusy,
    StoreError,
    StoreFull,
    StoreUnreachable,
    WatcherError,
)  # fmt: skip
from watcher.model import State
from watcher.pipeline.patience import BUSY_IS_STUCK

PUBLISHED, GROWING, HELD = State.PUBLISHED, State.GROWING, State.HELD


class Killed(BaseException):
    """The process ends here, at once."""


def fail_once(store: RiggedStore, operation: str, error: BaseException, *, when: str = "before") -> None:
    def act(what: str, where: str) -> None:
        if what == operation:
            setattr(store, when, nothing)
            raise error

    setattr(store, when, act)


def fail_always(store: RiggedStore, operation: str, error: Exception) -> None:
    def act(what: str, where: str) -> None:
        if what == operation:
            raise error

    store.before = act


def heal(store: RiggedStore) -> None:
    store.before = store.after = nothing


def do_once(store: RiggedStore, operation: str, act: Callable[[], object], *, when: str = "before") -> None:
    def once(what: str, where: str) -> None:
        if what == operation:
            setattr(store, when, nothing)
            act()

    setattr(store, when, once)


@pytest.mark.parametrize(
    ("operation", "when"),
    [
        ("claim", "before"), ("annotate", "before"), ("annotate", "after"), ("put", "before"), ("put", "after"),
        ("replicas", "before"), ("marker", "before"), ("marker", "after"),
    ],
)  # fmt: skip
def test_a_watcher_killed_anywhere_delivers_the_same_after_a_restart(bench: Bench, operation: str, when: str) -> None:
    store = bench.rigged()
    bench.configure(sets={"group": "directory"})
    for name in ("a", "b", "sub/c"):
        bench.write(f"run/{name}", name.encode() * 1000)
    fail_once(store, operation, Killed(), when=when)
    with pytest.raises(Killed):
        bench.finish()
    bench.restart()
    result = bench.finish()
    assert (bench.states(), result.unsafe) == ({"run": PUBLISHED}, [])
    assert bench.archived("scope/run") == {name: name.encode() * 1000 for name in ("a", "b", "sub/c")}
    assert bench.sha256sum("scope/run").returncode == 0
    assert bench.avus("scope/run")["acq:state"] == "complete"


@pytest.mark.parametrize("operation", ["claim", "annotate", "put", "replicas", "marker"])
def test_there_is_no_marker_before_everything_else_is_there(bench: Bench, operation: str) -> None:
    store = bench.rigged()
    bench.write("a.dat")
    fail_once(store, operation, Killed())
    with pytest.raises(Killed):
        bench.finish()
    assert bench.avus("scope/a").get("acq:state") in {None, "uploading"}
    if operation == "marker":
        assert bench.avus("scope/a")["acq:state"] == "uploading"
        assert bench.sha256sum("scope/a").returncode == 0


def test_a_journal_that_stops_between_two_steps_goes_on(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("a.dat", b"first")
    sets = type(bench.journal.sets)
    real = sets.advance
    for step in ("complete", "valid", "delivered", "verified", "published"):

        def advance(self: object, image_set: object, to: State, *rest: object, **more: object) -> object:
            if to == step:  # noqa: B023 - used up within this turn
                raise Killed
            return real(self, image_set, to, *rest, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(sets, "advance", advance)
        with pytest.raises(Killed):
            bench.finish()
        monkeypatch.undo()
        bench.restart()
    bench.finish()
    assert bench.states() == {"a": PUBLISHED}
    assert bench.archived() == {"scope/a/a.dat": b"first"}


def test_a_watcher_killed_between_seeing_files_and_making_sets_of_them_loses_none(bench: Bench) -> None:
    bench.write("x/a.dat")
    bench.watching.sweep.run()
    bench.restart()
    bench.finish()
    assert bench.states() == {"a": PUBLISHED}


def test_a_watcher_killed_between_seeing_a_change_and_its_version_loses_no_change(bench: Bench) -> None:
    bench.write("x/a.dat", b"first")
    bench.finish()
    bench.write("x/a.dat", b"second")
    bench.watching.sweep.run()
    bench.restart()
    bench.finish()
    bench.finish()
    assert set(bench.archived().values()) == {b"first", b"second"}


def test_a_watcher_killed_after_a_folder_went_does_not_count_on_its_files(bench: Bench) -> None:
    path = bench.write("x/a.dat")
    bench.write("b.dat")
    bench.observe()
    bench.observe(after=200)
    path.unlink()
    path.parent.rmdir()
    bench.watching.sweep.run()
    bench.restart()
    bench.observe()
    assert bench.states()["a"] is HELD


@pytest.mark.parametrize("error", [StoreBusy("locked"), FixityError("other bytes"), SourceUnreadable("in use")])
@pytest.mark.parametrize("operation", ["put", "replicas", "annotate"])
def test_what_may_pass_is_tried_again_later_and_later(bench: Bench, operation: str, error: WatcherError) -> None:
    store = bench.rigged()
    bench.write("a.dat")
    if operation == "annotate":
        bench.finish()
        bench.write("a.dat", b"second version")
    fail_always(store, operation, error)
    bench.finish()
    before = 0
    for _ in range(8):
        one = bench.sets()[-1]
        assert one.state in {State.VALID, State.DELIVERED, State.VERIFIED}
        assert one.attempts > before
        assert error.what in one.reason
        # What is sent again at once is hardly better; what is locked may be free in a moment.
        longest = min(60, (1 if isinstance(error, StoreBusy) else 5) * 2 ** (one.attempts - 1))
        assert 0.5 * longest <= one.retry_at - bench.clock.now() <= longest
        before = one.attempts
        bench.daemon.once()
    heal(store)
    bench.daemon.once()
    last = bench.sets()[-1]
    assert (last.state, last.attempts, last.reason) == (PUBLISHED, 0, "")


def test_what_stays_locked_is_left_and_the_set_goes_under_a_fresh_name(bench: Bench) -> None:
    store = bench.rigged()
    bench.write("a.dat", b"first")
    bench.write("a.txt", b"second")
    claimed = ""

    def locked(what: str, where: str) -> None:
        nonlocal claimed
        claimed = where if what == "claim" else claimed
        if what == "put" and where == "a.txt" and claimed == "scope/a":
            busy = StoreBusy("scope/a/a.txt: still being written")
            busy.path = "scope/a/a.txt"
            raise busy

    store.before = locked
    bench.finish()
    while bench.only().attempts < BUSY_IS_STUCK - 1:
        bench.clock.advance(60)
        bench.daemon.once()
    assert bench.only().collection == "scope/a"
    bench.clock.advance(60)
    bench.daemon.once()
    bench.daemon.once()
    one = bench.only()
    assert one.state is PUBLISHED
    assert one.collection == f"scope/a~{one.id[9:17]}"
    assert bench.archived(one.collection) == {"a.dat": b"first", "a.txt": b"second"}
    # The administrator finds the rest of it, which nobody else can read and no set will use again.
    assert bench.avus("scope/a")["acq:stuck"] == "scope/a/a.txt: still being written"
    assert (bench.archive / "scope/a").stat().st_mode & 0o077 == 0
    ((collection, why),) = bench.journal.collections.abandoned()
    assert (collection, "still being written" in why) == ("scope/a", True)
    assert "stuck in scope/a" in one.remarks[0]


def test_a_resource_that_is_down_for_long_sends_no_set_elsewhere(bench: Bench) -> None:
    store = bench.rigged()
    bench.write("a.dat", b"first")
    fail_always(store, "put", StoreBusy("its resource is down"))
    bench.finish()
    for _ in range(BUSY_IS_STUCK + 3):
        bench.clock.advance(60)
        bench.daemon.once()
    assert bench.only().collection == "scope/a"
    heal(store)
    bench.clock.advance(60)
    bench.daemon.once()
    assert (bench.only().state, bench.only().collection) == (PUBLISHED, "scope/a")


@pytest.mark.parametrize(
    "error", [NotAllowed("no permission there"), Conflict("taken"), StoreError("odd"), NameRefused("too long")]
)
def test_what_does_not_pass_waits_for_a_person_with_reason_and_cure(bench: Bench, error: WatcherError) -> None:
    store = bench.rigged()
    bench.write("a.dat")
    bench.write("b.dat", b"goes on")
    fail_once(store, "put", error)
    result = bench.finish()
    by_state = {state: name for name, state in bench.states().items()}
    assert set(by_state) == {HELD, PUBLISHED}
    (held,) = result.unsafe
    assert held.reason == str(error)
    assert error.cure in held.reason
    assert bench.told.failures == [error]


def test_a_held_set_that_is_tried_again_goes_on(bench: Bench) -> None:
    store = bench.rigged()
    bench.write("a.dat")
    fail_once(store, "put", NotAllowed("no"))
    bench.finish()
    one = bench.only()
    bench.journal.sets.advance(one, GROWING, bench.clock.now(), "retry", retry_at=0.0, reason="")
    bench.daemon.once()
    assert bench.states() == {"a": PUBLISHED}


@pytest.mark.parametrize("error", [StoreUnreachable("no answer"), StoreFull("no space")])
def test_trouble_of_the_whole_store_blames_no_set(bench: Bench, error: WatcherError) -> None:
    store = bench.rigged()
    bench.write("a.dat")
    bench.write("b.dat")
    fail_always(store, "claim", error)
    result = bench.finish()
    assert result.store_trouble is error
    assert {one.state for one in bench.sets()} <= {State.COMPLETE, State.VALID}
    assert [one.attempts for one in bench.sets()] == [0, 0]
    assert bench.told.failures == []
    heal(store)
    bench.daemon.once()
    assert set(bench.states().values()) == {PUBLISHED}


def test_an_archive_that_is_not_there_is_told_and_is_not_made(bench: Bench) -> None:
    bench.write("a.dat")
    bench.archive.rmdir()
    result = bench.finish()
    assert "archive is not there" in str(result.store_trouble)
    assert not bench.archive.exists()
    bench.archive.mkdir()
    assert bench.daemon.once().store_trouble is None
    assert bench.states() == {"a": PUBLISHED}


@pytest.mark.parametrize("change", ["grown", "rewritten", "replaced", "truncated", "removed"])
def test_a_file_that_changes_between_freeze_and_reading_is_not_published(bench: Bench, change: str) -> None:
    store = bench.rigged()
    path = bench.write("a.dat", b"12345")
    bench.write("b.dat")

    def act() -> None:
        if change == "removed":
            path.unlink()
        elif change == "replaced":
            path.with_name(".new").write_bytes(b"54321")
            path.with_name(".new").replace(path)
        else:
            path.write_bytes({"grown": b"123456", "rewritten": b"54321", "truncated": b"1"}[change])

    do_once(store, "put", act)
    bench.finish()
    assert bench.states()["a"] is GROWING
    assert "acq:num_files" not in bench.avus("scope/a")
    if change == "removed":
        bench.finish()
        assert bench.journal.sets.find("a").state is HELD
    else:
        content = path.read_bytes()
        bench.finish()
        bench.finish()
        assert bench.journal.sets.find("a").state is PUBLISHED
        assert bench.archived("scope/a") == {"a.dat": content}
        assert len(bench.sets()) == 2


def test_a_file_that_grows_while_it_is_read_is_not_published(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bench.write("a.dat", os.urandom(9_000_000))
    grown: list[int] = []

    def sent(image_set: object, member: object, count: int) -> None:
        if not grown:
            grown.append(count)
            with path.open("ab") as file:
                file.write(b"more")

    monkeypatch.setattr(bench.told, "sent", sent)
    bench.finish()
    assert grown
    assert bench.states() == {"a": GROWING}
    assert "9000000 bytes then, 9000004 now" in bench.journal.sets.history(bench.only().id)[-1][2]
    assert all(name.endswith(".part") for name in bench.archived())
    bench.finish()
    bench.finish()
    assert bench.states() == {"a": PUBLISHED}
    assert bench.archived() == {"scope/a/a.dat": path.read_bytes()}


def test_only_the_member_that_changed_is_sent_again(bench: Bench) -> None:
    store = bench.rigged()
    bench.configure(sets={"group": "directory"})
    for name in ("a", "b", "c"):
        bench.write(f"run/{name}", name.encode())
    fail_always(store, "replicas", StoreBusy("wait"))
    bench.finish()
    heal(store)
    bench.write("run/b", b"longer")
    bench.finish()
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    assert bench.told.bytes_sent == {"a": 1, "b": 1 + 6, "c": 1}
    assert bench.archived("scope/run") == {"a": b"a", "b": b"longer", "c": b"c"}


def test_a_member_that_is_gone_before_publication_is_not_in_the_archive(bench: Bench) -> None:
    store = bench.rigged()
    bench.configure(sets={"group": "directory"})
    for name in ("a", "b"):
        bench.write(f"run/{name}", name.encode())
    fail_always(store, "replicas", StoreBusy("wait"))
    bench.finish()
    assert set(bench.archived()) == {"scope/run/a", "scope/run/b"}
    (bench.root / "run/b").unlink()
    heal(store)
    bench.finish()
    bench.finish()
    assert bench.states() == {"run": PUBLISHED}
    assert bench.archived() == {"scope/run/a": b"a"}
    assert bench.avus("scope/run")["acq:num_files"] == "1"


@pytest.mark.parametrize("damage", ["other bytes", "shorter", "gone"])
def test_what_the_archive_lost_before_verification_is_sent_again(bench: Bench, damage: str) -> None:
    store = bench.rigged()
    bench.write("a.dat", b"12345")
    there = bench.archive / "scope/a/a.dat"

    def act() -> None:
        if damage == "gone":
            there.unlink()
        else:
            there.write_bytes(b"54321" if damage == "other bytes" else b"1")

    do_once(store, "replicas", act)
    bench.finish()
    assert isinstance(bench.told.failures[0], FixityError)
    bench.daemon.once()
    assert bench.states() == {"a": PUBLISHED}
    assert bench.archived() == {"scope/a/a.dat": b"12345"}


@pytest.mark.parametrize("noticed", [True, False])
def test_a_file_that_changes_while_its_set_is_published_makes_a_version(bench: Bench, noticed: bool) -> None:
    store = bench.rigged()
    bench.write("a.dat", b"first")

    def act() -> None:
        bench.write("a.dat", b"second one")
        if noticed:
            bench.watching.look_everywhere()

    do_once(store, "marker", act, when="after")
    for _ in range(4):
        bench.finish()
    assert bench.archived("scope/a") == {"a.dat": b"first"}
    assert set(bench.archived().values()) == {b"first", b"second one"}
    assert bench.sha256sum("scope/a").returncode == 0


def test_a_file_that_changes_after_the_watcher_was_killed_behind_the_marker_makes_a_version(bench: Bench) -> None:
    store = bench.rigged()
    bench.write("a.dat", b"first")
    fail_once(store, "marker", Killed(), when="after")
    with pytest.raises(Killed):
        bench.finish()
    bench.restart()
    bench.write("a.dat", b"second one")
    for _ in range(4):
        bench.finish()
    assert bench.archived("scope/a") == {"a.dat": b"first"}
    assert set(bench.archived().values()) == {b"first", b"second one"}


@pytest.mark.parametrize("operation", ["claim", "put", "replicas", "annotate", "marker"])
def test_a_set_that_a_person_leaves_out_meanwhile_stays_left_out(bench: Bench, operation: str) -> None:
    store = bench.rigged()
    bench.write("a.dat")

    def skip() -> None:
        bench.journal.sets.advance(bench.only(), State.SKIPPED, bench.clock.now(), "a person")

    do_once(store, operation, skip)
    bench.finish()
    bench.finish()
    assert bench.states() == {"a": State.SKIPPED}


@pytest.mark.parametrize("failure", ["changed", "conflict"])
def test_a_set_left_out_while_a_step_fails_stays_left_out(bench: Bench, failure: str) -> None:
    store = bench.rigged()
    path = bench.write("a.dat")

    def skip() -> None:
        bench.journal.sets.advance(bench.only(), State.SKIPPED, bench.clock.now(), "a person")
        if failure == "conflict":
            raise Conflict("taken")
        path.write_bytes(b"changed meanwhile")

    do_once(store, "put", skip)
    result = bench.finish()
    assert result.store_trouble is None
    bench.finish()
    assert bench.states() == {"a": State.SKIPPED}


def test_stopping_gives_up_the_transfer_and_nothing_half_sent_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.write("a.dat", os.urandom(9_000_000))
    monkeypatch.setattr(bench.told, "sent", lambda *_: bench.daemon.stop())
    bench.finish()
    assert bench.states() == {"a": State.VALID}
    assert all(name.endswith(".part") for name in bench.archived())
    monkeypatch.undo()
    bench.restart()
    bench.finish()
    assert bench.states() == {"a": PUBLISHED}
    assert set(bench.archived()) == {"scope/a/a.dat"}


def test_a_full_archive_passes_when_there_is_space_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.write("a.dat")
    bench.observe()
    bench.clock.advance(200)

    def fsync(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        result = bench.daemon.once()
    assert isinstance(result.store_trouble, StoreFull)
    assert all(name.endswith(".part") for name in bench.archived())
    bench.daemon.once()
    assert bench.states() == {"a": PUBLISHED}


@pytest.mark.parametrize("failure", ["changed", "gone", "unreadable"])
def test_a_failure_with_a_name_that_is_no_text_holds_nothing_up(bench: Bench, failure: str) -> None:
    store = bench.rigged()
    path = bench.write(b"b\xff.dat", b"first")
    bench.write("c.dat")

    def act() -> None:
        if failure == "unreadable":
            raise SourceUnreadable(f"{path}: no permission")
        if failure == "gone":
            path.unlink()
        else:
            path.write_bytes(b"changed")

    def before(what: str, where: str) -> None:
        if what == "put" and where == "b%FF.dat":
            store.before = nothing
            act()

    store.before = before
    bench.finish()
    bench.finish()
    assert bench.states() == {"b%FF": HELD if failure == "gone" else PUBLISHED, "c": PUBLISHED}


def test_a_new_version_is_not_published_over_what_somebody_put_at_its_place(bench: Bench) -> None:
    bench.write("a.dat", b"first")
    bench.finish()
    foreign = bench.archive / "scope/a.v2/theirs"
    foreign.parent.mkdir()
    foreign.write_text("theirs")
    bench.write("a.dat", b"second one")
    bench.finish()
    assert bench.states() == {"a": State.SUPERSEDED, "a.v2": PUBLISHED}
    assert sorted(path.name for path in foreign.parent.iterdir()) == ["theirs"]
    assert bench.archived("scope/a") == {"a.dat": b"first"}


def test_no_member_is_written_outside_of_the_archive(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    for name in ("...", "..dat", "a..", "a/..b/c"):
        bench.write(f"run/{name}", name.encode())
    bench.finish()
    outside = {path.name for path in bench.base.iterdir()}
    assert outside == {"data", "archive", "state", "scope.yaml", "xdg-state"} & outside
    assert bench.states() == {"run": PUBLISHED}


def test_nothing_is_published_into_the_empty_place_that_the_archive_left(bench: Bench) -> None:
    bench.write("a.dat", b"first")
    bench.finish()
    bench.restart()
    bench.archive.rename(bench.base / "unmounted")
    bench.archive.mkdir()
    bench.write("b.dat", b"other")
    result = bench.finish()
    assert result.store_trouble is not None
    assert bench.states()["b"] is not PUBLISHED
    assert bench.archived() == {}
    bench.archive.rmdir()
    (bench.base / "unmounted").rename(bench.archive)
    bench.daemon.once()
    assert bench.states() == {"a": PUBLISHED, "b": PUBLISHED}
    assert set(bench.archived()) == {"scope/a/a.dat", "scope/b/b.dat"}


def test_a_set_whose_folder_in_the_archive_was_removed_holds_up_no_other(bench: Bench) -> None:
    store = bench.rigged()
    bench.write("a.dat")
    do_once(store, "put", lambda: shutil.rmtree(bench.archive / "scope/a"))
    bench.finish()
    bench.write("b.dat")
    bench.finish()
    assert bench.states()["b"] is PUBLISHED
