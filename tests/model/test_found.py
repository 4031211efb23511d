"""What the model of the way found, each with as little as it takes. The marks go when it is mended."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.model.disk import CONTENTS, SERIES
from tests.unit.pipeline.conftest import Bench, Recorder, nothing
from watcher.errors import NotAllowed
from watcher.model import ImageSet, Member, State
from watcher.stores.source import Source


class Killed(BaseException):
    """The process ends here, at once."""


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """An instrument's folder, a watcher and an archive."""
    made = Bench(tmp_path)
    yield made
    made.close()


def test_a_folder_that_turns_out_to_hold_a_listed_set_beside_its_planes_does_not_stop_the_watcher(bench: Bench) -> None:
    bench.write("x/img_z001.tif")
    for name, content in zip(SERIES, ("first of series", "second of series"), strict=True):
        bench.write(f"x/{name}", CONTENTS[content])
    bench.finish()
    bench.finish()
    assert bench.groups() == {"s": {f"x/{name}" for name in SERIES}, "x": {"x/img_z001.tif"}}


def test_a_set_whose_files_are_gone_and_that_is_tried_again_says_so_again(bench: Bench) -> None:
    store = bench.rigged()
    bench.write("stays.dat")
    bench.finish()
    path = bench.write("a.dat")

    def gone(what: str, where: str) -> None:
        if what == "put":
            store.before = nothing
            path.unlink()

    store.before = gone
    bench.finish()
    bench.finish()
    held = bench.journal.sets.find("a")
    assert held.state is State.HELD
    bench.journal.sets.advance(held, State.GROWING, bench.clock.now(), "retry was ordered", reason="")
    bench.finish()
    assert bench.journal.sets.find("a").state is State.HELD


def test_a_change_while_a_version_is_found_to_be_no_new_one_is_delivered(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = bench.write("a.dat", b"first")
    bench.finish()
    os.utime(path, (9, 9))
    real = Source.sha256

    def sha256(source: Source) -> str:
        digest = real(source)
        monkeypatch.undo()
        bench.write("a.dat", b"second")
        bench.watching.look_everywhere()
        return digest

    monkeypatch.setattr(Source, "sha256", sha256)
    for _ in range(4):
        bench.finish()
    bench.clock.advance(4000)
    bench.watching.look_everywhere(deep=True)
    bench.finish()
    assert b"second" in bench.archived().values()


def test_what_a_killed_put_left_of_a_file_that_is_gone_is_not_part_of_the_published_set(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    bench.write("run/a")
    gone = bench.write("run/b")

    def die(image_set: ImageSet, member: Member, count: int) -> None:
        if member.target == "b":
            raise Killed

    bench.told.sent = die  # type: ignore[method-assign]
    with pytest.raises(Killed):
        bench.finish()
    bench.restart()
    bench.told = Recorder()
    gone.unlink()
    bench.finish()
    bench.finish()
    assert bench.states() == {"run": State.PUBLISHED}
    assert bench.archived("scope/run") == {"a": b"pixels"}


def test_a_member_that_is_gone_since_the_journal_was_lost_is_not_in_the_archive(bench: Bench) -> None:
    store = bench.rigged()
    bench.configure(sets={"group": "directory"})
    bench.write("run/a")
    gone = bench.write("run/b")

    def die(what: str, where: str) -> None:
        if what == "replicas":
            store.before = nothing
            raise Killed

    store.before = die
    with pytest.raises(Killed):
        bench.finish()
    gone.unlink()
    bench.lose_journal()
    bench.finish()
    bench.finish()
    assert bench.states() == {"run": State.PUBLISHED}
    assert bench.archived("scope/run") == {"a": b"pixels"}


def test_a_step_that_fails_for_a_set_that_was_forgotten_meanwhile_is_no_trouble_of_the_store(bench: Bench) -> None:
    store = bench.rigged()
    bench.write("a.dat")
    bench.write("b.dat")

    def joined(what: str, where: str) -> None:
        if what == "claim":
            store.before = nothing
            bench.journal.sets.forget(bench.journal.sets.find("a"))
            raise NotAllowed("no permission")

    store.before = joined
    assert bench.finish().store_trouble is None


def test_an_archive_that_goes_away_behind_the_marker_supersedes_the_former_version_when_it_is_back(
    bench: Bench,
) -> None:
    store = bench.rigged()
    bench.write("a.dat", b"first")
    bench.finish()
    bench.write("a.dat", b"second")
    away = bench.base / "away"

    def go(what: str, where: str) -> None:
        if what == "marker":
            store.after = nothing
            bench.archive.rename(away)

    store.after = go
    bench.finish()
    away.rename(bench.archive)
    bench.finish()
    assert bench.avus("scope/a.v2")["acq:state"] == "complete"
    assert bench.avus("scope/a")["acq:state"] == "superseded"
