"""Files that are copied back after the journal forgot them: a version beside what was delivered, never over it."""

from tests.unit.pipeline.conftest import Bench
from watcher.journal.pruning import prune
from watcher.model import State

DAY = 86400.0


def deliver_and_remove(bench: Bench, days: float) -> None:
    """Deliver a set of two files, remove them from the disk, and let time pass; then the journal is pruned."""
    for name in ("x/a.tif", "x/b.tif"):
        bench.write(name, name.encode())
    bench.configure(sets={"group": "directory"})
    bench.finish()
    for path in (bench.root / "x").iterdir():
        path.unlink()
    bench.observe()
    bench.clock.advance(days * DAY)
    for _ in prune(bench.journal.database, bench.clock.now(), [bench.root]):
        pass


def test_within_thirty_days_the_same_files_are_no_new_version(bench: Bench) -> None:
    deliver_and_remove(bench, 29)
    for name in ("x/a.tif", "x/b.tif"):
        bench.write(name, name.encode())
    bench.finish()
    assert bench.states() == {"x": State.PUBLISHED}


def test_after_that_they_are_recognised_by_the_digest_of_their_manifest(bench: Bench) -> None:
    deliver_and_remove(bench, 31)
    before = bench.archived()
    for name in ("x/a.tif", "x/b.tif"):
        bench.write(name, name.encode())
    bench.finish()
    assert bench.states() == {"x": State.PUBLISHED}
    assert bench.archived() == before
    assert len(bench.journal.sets.members(bench.only().id)) == 2


def test_other_content_is_a_version_beside_the_first(bench: Bench) -> None:
    deliver_and_remove(bench, 31)
    before = bench.archived()
    assert bench.journal.sets.members(bench.only().id) == []
    for name in ("x/a.tif", "x/b.tif"):
        bench.write(name, b"changed")
    bench.finish()
    assert bench.states() == {"x": State.PUBLISHED, "x.v2": State.PUBLISHED}
    now = bench.archived()
    assert now.items() >= before.items()
    assert {name: now[name] for name in now.keys() - before.keys()} == {
        name.replace("/x/", "/x.v2/"): b"changed" for name in before
    }
    assert bench.sha256sum("scope/x").returncode == bench.sha256sum("scope/x.v2").returncode == 0


def test_a_part_that_is_copied_back_is_a_version_too(bench: Bench) -> None:
    deliver_and_remove(bench, 31)
    bench.write("x/b.tif", b"x/b.tif")
    bench.finish()
    assert bench.states() == {"x": State.PUBLISHED, "x.v2": State.PUBLISHED}
    assert bench.archived("scope/x.v2") == {"b.tif": b"x/b.tif"}


def test_a_journal_that_is_lost_after_pruning_still_recognises_what_is_in_the_store(bench: Bench) -> None:
    deliver_and_remove(bench, 31)
    before = bench.archived()
    bench.lose_journal()
    for name in ("x/a.tif", "x/b.tif"):
        bench.write(name, name.encode())
    bench.finish()
    assert bench.states() == {"x": State.PUBLISHED}
    assert bench.archived() == before
