"""A journal that is lost, broken or left behind: what is in the archive is recognised, and never written over."""

import os
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench, nothing
from watcher.model import State

PUBLISHED = State.PUBLISHED


class Killed(BaseException):
    """The process ends here, at once."""


def lose(bench: Bench) -> None:
    bench.lose_journal()
    bench.told.bytes_sent.clear()
    for _ in range(3):
        bench.finish()


def archive_of(bench: Bench) -> dict[str, tuple[bytes, int]]:
    files = (path for path in bench.archive.rglob("*") if path.is_file() and path.name != ".irods-watcher-archive")
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize("touched", [False, True])
def test_a_lost_journal_is_rebuilt_and_nothing_is_sent_twice(bench: Bench, touched: bool) -> None:
    path = bench.write("x/a.dat", b"first")
    bench.finish()
    before = (bench.only().id, archive_of(bench))
    if touched:
        os.utime(path, (9, 9))
    lose(bench)
    assert (bench.only().id, archive_of(bench)) == before
    assert bench.states() == {"a": PUBLISHED}
    assert bench.told.bytes_sent == {}


def test_a_change_while_the_journal_was_lost_is_a_version_beside(bench: Bench) -> None:
    bench.write("a.dat", b"first")
    bench.finish()
    bench.write("a.dat", b"second one")
    lose(bench)
    assert bench.archived() == {"scope/a/a.dat": b"first", "scope/a.v2/a.dat": b"second one"}
    assert bench.states() == {"a": State.SUPERSEDED, "a.v2": PUBLISHED}
    assert bench.avus("scope/a")["acq:state"] == "superseded"
    assert bench.sha256sum("scope/a").returncode == 0


@pytest.mark.parametrize("versions", [2, 3])
@pytest.mark.parametrize("changed", [False, True])
def test_a_journal_lost_after_several_versions_leaves_all_of_them_as_they_are(
    bench: Bench, versions: int, changed: bool
) -> None:
    for version in range(1, versions + 1):
        bench.write("a.dat", b"version " * version)
        bench.finish()
    before = archive_of(bench)
    if changed:
        bench.write("a.dat", b"new")
    bench.lose_journal()
    for _ in range(versions + 3):
        bench.finish()
    data = {name: value for name, value in archive_of(bench).items() if name.endswith(".dat")}
    assert {name: data[name] for name in before if name.endswith(".dat")} == {
        name: value for name, value in before.items() if name.endswith(".dat")
    }
    assert len(data) == versions + changed
    newest = f"scope/a.v{versions + changed}"
    assert bench.avus(newest)["acq:state"] == "complete"
    assert bench.avus("scope/a")["acq:state"] == "superseded"
    assert bench.sha256sum(newest).returncode == 0


def test_an_old_version_that_came_back_after_the_journal_was_lost_overwrites_nothing(bench: Bench) -> None:
    for content in (b"first", b"second one"):
        bench.write("a.dat", content)
        bench.finish()
    bench.write("a.dat", b"first")
    bench.lose_journal()
    for _ in range(6):
        bench.finish()
    assert bench.archived("scope/a") == {"a.dat": b"first"}
    assert bench.archived("scope/a.v2") == {"a.dat": b"second one"}
    assert bench.sets()[-1].state is PUBLISHED


def test_a_journal_lost_in_the_middle_of_a_delivery_is_rebuilt(bench: Bench) -> None:
    store = bench.rigged()
    bench.configure(sets={"group": "directory"})
    for name in ("a", "b"):
        bench.write(f"run/{name}", name.encode())

    def die(what: str, where: str) -> None:
        if what == "replicas":
            store.before = nothing
            raise Killed

    store.before = die
    with pytest.raises(Killed):
        bench.finish()
    Path(bench.root / "run/a").write_bytes(b"changed meanwhile")
    lose(bench)
    assert bench.states() == {"run": PUBLISHED}
    assert bench.archived() == {"scope/run/a": b"changed meanwhile", "scope/run/b": b"b"}


def test_what_a_crash_left_of_a_journal_that_broke_is_found_again(bench: Bench) -> None:
    bench.write("a.dat", b"first")
    bench.finish()
    before = archive_of(bench)
    bench.restart()
    for path in bench.state.glob("journal.sqlite*"):
        path.write_bytes(b"broken" * 1000)
    bench.finish()
    assert bench.journal.set_aside is not None
    bench.finish()
    assert bench.states() == {"a": PUBLISHED}
    assert archive_of(bench) == before


def test_with_a_lost_journal_no_set_is_put_into_the_collection_of_another(bench: Bench) -> None:
    for name in ("img_z001.dat", "img_z002.dat"):
        bench.write(f"x/{name}", name.encode())
    bench.write("stays.dat")
    bench.finish()
    before = bench.archived("scope/x")
    for path in (bench.root / "x").iterdir():
        path.unlink()
    bench.write("x/a.dat", b"new")
    bench.lose_journal()
    bench.finish()
    assert bench.archived("scope/x") == before
    assert b"new" in bench.archived().values()
