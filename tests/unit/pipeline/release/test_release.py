"""The good case: all files are put aside, can be brought back, and go when the grace is over; never some of them."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipeline.release.conftest import DAY, GB, Site, aside_of
from watcher.journal.releases import Phase
from watcher.model import State
from watcher.pipeline.release import aside, removal
from watcher.pipeline.release.duty import WANTED_BACK
from watcher.profile.release import Release


def test_files_are_put_aside_and_go_when_the_grace_is_over(site: Site) -> None:
    site.publish("a")
    before = site.files()
    site.work()
    assert site.phase() is Phase.ASIDE
    assert sorted(path.name for path in aside_of(site.bench.root)) == ["a.dat"]
    assert not (site.bench.root / "a" / "a.dat").exists()
    assert site.bench.states() == {"a": State.PUBLISHED}
    site.bench.clock.advance(DAY - 60)
    site.work()
    assert site.phase() is Phase.ASIDE
    site.bench.clock.advance(120)
    site.work()
    assert site.files() == {}
    assert list(site.bench.root.rglob("*")) == [site.bench.root / "a"], "a folder that people made is theirs"
    assert site.bench.states() == {"a": State.RELEASED}
    (line,) = site.bench.journal.releases.removals()
    assert (line.path, line.size, line.copies) == ("a/a.dat", len(before["a/a.dat"]), ("scope/a/a",))
    assert site.bench.journal.releases.first_false() is None
    assert site.bench.archived("scope/a/a")["a.dat"] == before["a/a.dat"]


def test_the_folder_that_is_the_set_itself_goes_with_it(site: Site) -> None:
    site.bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"}, sets={"group": "directory"})
    site.publish("a")
    site.work()
    site.bench.clock.advance(2 * DAY)
    site.work()
    assert list(site.bench.root.iterdir()) == []
    assert site.bench.states() == {"a": State.RELEASED}


def test_what_was_put_aside_comes_back_as_it_was(site: Site) -> None:
    site.publish("a")
    path = site.bench.root / "a" / "a.dat"
    before = (site.files(), path.stat().st_mtime_ns, path.stat().st_ino)
    site.work()
    site.bench.daemon.observe()
    site.bench.journal.releases.enter(site.bench.only().id, Phase.BACK, site.bench.clock.now(), why=WANTED_BACK)
    site.work()
    assert (site.files(), path.stat().st_mtime_ns, path.stat().st_ino) == before
    site.bench.finish()
    assert site.bench.states() == {"a": State.PUBLISHED}, "it is the set that it was"
    assert site.phase() is Phase.KEPT
    site.bench.clock.advance(30 * DAY)
    site.look()
    site.work()
    assert site.phase() is Phase.KEPT, "it goes when a person says so, and not by itself"


def test_a_name_that_is_taken_meanwhile_is_never_taken_away(site: Site) -> None:
    site.publish("a")
    site.work()
    new = site.bench.write("a/a.dat", b"a new acquisition")
    assert not site.duty.bring_back(site.bench.only())
    assert new.read_bytes() == b"a new acquisition"
    (kept,) = aside_of(site.bench.root)
    assert kept.read_bytes() == b"pixelsa"
    assert site.phase() is Phase.STUCK
    (told,) = site.told.values()
    assert "another file is there now" in told
    assert str(kept.parent.parent) in told


def test_when_the_disk_is_full_the_oldest_go_until_there_is_room(site: Site) -> None:
    site.release = Release.model_validate({"below_free": "15%", "until_free": "20%"})
    for name in "abc":
        site.publish(name)
    with site.bench.journal.database.transaction() as sql:
        sql.execute("UPDATE image_set SET bytes = ?", (60 * GB,))
    site.free = 160 * GB
    site.work()
    assert [site.phase(name) for name in "abc"] == [None, None, None], "there is room enough"
    site.free = 140 * GB
    site.work()
    assert [site.phase(name) for name in "abc"] == [Phase.ASIDE, None, None], "the oldest makes room for all"
    site.free = 100 * GB
    site.work()
    assert [site.phase(name) for name in "abc"] == [Phase.ASIDE, Phase.ASIDE, None]


def test_without_time_or_room_only_what_was_ordered_goes(site: Site) -> None:
    site.release = Release()
    site.publish("a", "b")
    site.work()
    assert (site.phase("a"), site.phase("b")) == (None, None)
    site.order("b")
    site.work()
    assert (site.phase("a"), site.phase("b")) == (None, Phase.ASIDE)


def test_a_store_that_lost_something_in_the_grace_gets_the_files_back(site: Site) -> None:
    site.publish("a")
    before = site.files()
    site.work()
    (site.bench.archive / "scope/a/a/a.dat").unlink()
    site.bench.clock.advance(2 * DAY)
    site.work()
    assert site.files() == before
    assert "0 of 1 copies are there and whole" in site.why()


def test_a_file_that_somebody_went_on_writing_into_comes_back(site: Site) -> None:
    site.publish("a")
    site.work()
    (path,) = aside_of(site.bench.root)
    with path.open("ab") as file:
        file.write(b"more")
    site.bench.clock.advance(2 * DAY)
    site.work()
    assert site.files() == {"a/a.dat": b"pixelsamore"}
    assert "it is not as it was when it was sent" in site.why()


def test_all_go_or_none(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("x.dat", "y.dat", "z.dat"):
        site.bench.write(f"run/{name}", name.encode())
    site.bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"}, sets={"group": "directory"})
    site.bench.finish()
    site.bench.clock.advance(8 * DAY)
    site.look()
    before = site.files()
    from watcher import osfacts

    real = osfacts.move_new

    def refuse(old: Path, new: Path) -> None:
        if old.name == "z.dat" and ".irods-watcher-aside" in str(new):
            raise PermissionError(13, "Permission denied", str(old))
        real(old, new)

    monkeypatch.setattr(osfacts, "move_new", refuse)
    site.work()
    assert site.files() == before
    assert "z.dat: it cannot be put aside (Permission denied)" in site.why("run")


def test_a_file_that_is_replaced_in_the_last_moment_is_not_taken_for_the_one_that_was_read(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.publish("a")
    from watcher import osfacts

    real = osfacts.move_new

    def replaced(old: Path, new: Path) -> None:
        if ".irods-watcher-aside" in str(new):
            old.with_name("new").write_bytes(b"another acquisition")
            os.replace(old.with_name("new"), old)
        real(old, new)

    monkeypatch.setattr(osfacts, "move_new", replaced)
    site.work()
    assert site.files() == {"a/a.dat": b"another acquisition"}
    assert site.phase() is Phase.REFUSED


class Killed(BaseException):
    """SIGKILL."""


def _steps() -> list[tuple[Any, str]]:
    from watcher import osfacts
    from watcher.journal.releases import Releases

    return [
        (osfacts, "move_new"), (Releases, "enter"), (Releases, "sign"), (Releases, "over"), (aside, "clear"),
        (Path, "unlink"), (Path, "mkdir"), (Path, "rmdir"), (removal, "remove"),
    ]  # fmt: skip


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("which", range(len(_steps())))
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_killed_at_any_step_no_byte_exists_nowhere(
    site: Site, monkeypatch: pytest.MonkeyPatch, which: int, when: str, nth: int
) -> None:
    for name in ("x.dat", "y.dat", "z.dat"):
        site.bench.write(f"run/{name}", name.encode())
    site.bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"}, sets={"group": "directory"})
    site.bench.finish()
    site.bench.clock.advance(8 * DAY)
    site.look()
    owner, name = _steps()[which]
    real, calls = getattr(owner, name), 0

    def killed(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == nth and when == "before":
            raise Killed
        result = real(*arguments, **named)
        if calls == nth and when == "after":
            raise Killed
        return result

    was_killed = False
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, killed)
        try:
            for _ in range(4):
                site.work()
                site.bench.clock.advance(2 * DAY)
                site.look()
        except Killed:
            was_killed = True
    everything = {*site.files().values(), *site.bench.archived("scope/run").values()}
    assert {b"x.dat", b"y.dat", b"z.dat"} <= everything
    for _ in range(6):
        site.work()
        site.bench.daemon.observe()
        site.bench.finish()
        site.bench.clock.advance(2 * DAY)
        site.look()
        everything = {*site.files().values(), *site.bench.archived("scope/run").values()}
        assert {b"x.dat", b"y.dat", b"z.dat"} <= everything
    assert was_killed or calls < nth or name in {"mkdir", "rmdir"}, "these may fail by themselves"
    assert site.bench.states() == {"run": State.RELEASED}, (site.why("run"), site.told, site.files())
    assert site.files() == {}
    lines = site.bench.journal.releases.removals()
    assert sorted(line.path for line in lines) == ["run/x.dat", "run/y.dat", "run/z.dat"]
    assert site.bench.journal.releases.first_false() is None


def test_a_line_that_was_changed_or_taken_out_is_found(site: Site) -> None:
    site.publish("a", "b", "c")
    site.work()
    site.bench.clock.advance(2 * DAY)
    site.work()
    releases = site.bench.journal.releases
    assert len(releases.removals()) == 3
    assert releases.first_false() is None
    with site.bench.journal.database.transaction() as sql:
        sql.execute("DELETE FROM removal WHERE number = 2")
    assert releases.first_false() == 3
    key = site.bench.journal.state / "removals.key"
    assert key.stat().st_mode & 0o077 == 0
