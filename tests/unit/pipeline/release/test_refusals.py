"""Every reason to refuse, with every policy: nothing is removed, nothing is even moved, and the reason is told."""

import fcntl
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.pipeline.release.conftest import DAY, GB, Site
from watcher.journal.releases import Phase
from watcher.model import State
from watcher.profile.release import Release
from watcher.stores.folder import FolderStore

Breaks = Callable[[Site], Any]


def _changed_byte(site: Site) -> None:
    path = site.bench.root / "a" / "a.dat"
    before = path.stat()
    path.write_bytes(b"pixelsA")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size


def _touched(site: Site) -> None:
    os.utime(site.bench.root / "a" / "a.dat", (1, 1))


def _missing_there(site: Site) -> None:
    (site.bench.archive / "scope/a/a/a.dat").unlink()


def _other_bytes_there(site: Site) -> None:
    (site.bench.archive / "scope/a/a/a.dat").write_bytes(b"PIXELSa")


def _not_marked(site: Site) -> None:
    session = FolderStore(site.bench.archive).session()
    collection = "scope/a/a"
    marks = [avu for avu in session.avus(collection) if avu.attribute == "acq:state"]
    session.annotate(collection, [], marks)


def _too_few(site: Site) -> None:
    site.release = site.release.model_copy(update={"copies": 2})
    site.others = {"backup": ["backup/a.dat: it is not there"]}


def _away(site: Site) -> None:
    site.away = True


def _on_hold(site: Site) -> None:
    site.bench.journal.sets.change(site.bench.only(), on_hold="wrong folder")


def _incomplete(site: Site) -> None:
    site.bench.journal.sets.change(site.bench.only(), whole=False)


def _young(site: Site) -> None:
    site.bench.journal.sets.change(site.bench.only(), published_at=site.bench.clock.now() - 3600)


def _hard_link(site: Site) -> None:
    os.link(site.bench.root / "a" / "a.dat", site.bench.base / "elsewhere.dat")


def _link(site: Site) -> None:
    path = site.bench.root / "a" / "a.dat"
    path.rename(site.bench.base / "real.dat")
    path.symlink_to(site.bench.base / "real.dat")


def _new_file(site: Site) -> None:
    (site.bench.root / "a" / "b.dat").write_bytes(b"new")


def _gone(site: Site) -> None:
    (site.bench.root / "a" / "a.dat").unlink()
    (site.bench.root / "other").mkdir()


def _clock_ahead(site: Site) -> None:
    site.wall_ahead = 3600.0


def _clock_back(site: Site) -> None:
    site.bench.journal.note("heartbeat", site.bench.clock.now() + 7200)


def _trouble_in_sweep(site: Site) -> None:
    site.bench.journal.swept(site.bench.root, site.bench.clock.now(), ["x: cannot be read"])


def _acquires(site: Site) -> None:
    site.bench.configure(
        watch={"settle": "0s"},
        complete={"quiet": "0s"},
        limits={"acquiring": {"process": "zen.exe"}, "rate_while_acquiring": "20MB/s"},
    )
    site.acquires = True


def _grows_beside(site: Site) -> None:
    site.bench.configure(watch={"settle": "0s"}, complete={"quiet": "1h"})
    site.bench.write("a/growing.dat")
    site.bench.daemon.observe()


def _rebuilt(site: Site) -> None:
    published_at = site.bench.only().published_at
    site.bench.lose_journal()
    site.bench.finish()
    site.look()
    site.bench.journal.sets.change(site.bench.only(), published_at=published_at)


REASONS: list[tuple[Breaks, str]] = [
    (_changed_byte, "its bytes are not those that were sent"),
    (_touched, "it is not as it was when it was sent"),
    (_missing_there, "the catalogue does not have it"),
    (_other_bytes_there, "another size or SHA-256"),
    (_not_marked, "it is not marked as complete there"),
    (_too_few, "1 of 2 copies are there and whole; backup: backup/a.dat: it is not there"),
    (_away, "the archive does not answer"),
    (_incomplete, "something of it was missing when it was published"),
    (_hard_link, "it has another name elsewhere (a hard link)"),
    (_link, "it is no plain file"),
    (_new_file, "b.dat: this file is new in its folder"),
    (_gone, "it cannot be looked at (No such file or directory)"),
    (_clock_ahead, "the clock of this computer was changed"),
    (_clock_back, "the clock of this computer was changed"),
    (_trouble_in_sweep, "it was not looked through without trouble lately"),
    (_acquires, "the instrument acquires"),
    (_grows_beside, "another set is being written in its folder"),
    (_rebuilt, "the journal was rebuilt, and the set was not verified since"),
]


def _after(site: Site) -> None:
    """Time."""
    site.release = site.release.model_copy(update={"after": 7 * DAY})


def _full(site: Site) -> None:
    """The disk is nearly full."""
    site.release = site.release.model_copy(update={"after": None, "below_free": 0.15})
    site.free = 100 * GB


def _ordered(site: Site) -> None:
    """A person says so."""
    site.release = site.release.model_copy(update={"after": None})
    site.order("a")


POLICIES = [_after, _full, _ordered]


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.__doc__)
@pytest.mark.parametrize(("breaks", "told"), REASONS, ids=lambda value: getattr(value, "__name__", ""))
def test_a_reason_keeps_the_files_where_they_are(site: Site, breaks: Breaks, told: str, policy: Breaks) -> None:
    site.publish("a")
    breaks(site)
    policy(site)
    before = site.files()
    site.work()
    site.bench.clock.advance(3700)
    site.work()
    assert site.files() == before
    assert site.phase() is Phase.REFUSED
    assert told in site.why()
    assert site.bench.journal.releases.removals() == []


@pytest.mark.parametrize("breaks", [_young, _on_hold], ids=lambda value: value.__name__)
def test_what_is_not_due_is_not_even_asked_about(site: Site, breaks: Breaks) -> None:
    site.publish("a")
    breaks(site)
    before = site.files()
    site.work()
    assert (site.files(), site.phase()) == (before, None)
    site.order("a")
    site.work()
    assert site.files() == before
    assert site.phase() is Phase.REFUSED


@pytest.mark.parametrize("state", [state for state in State if state is not State.PUBLISHED])
def test_only_what_is_published_may_go(site: Site, state: State) -> None:
    site.publish("a")
    before = site.files()
    one = replace(site.bench.only(), state=state)
    assert site.duty.refusals(one) == [f"it is {state} and not published"]
    assert site.files() == before


def test_a_file_that_a_program_has_open_for_writing_stays(site: Site) -> None:
    site.publish("a")
    path = site.bench.root / "a" / "a.dat"
    with path.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        site.work()
        assert "a.dat: a program has it open for writing" in site.why()
    assert path.exists()
    site.bench.clock.advance(3601)
    site.look()
    site.work()
    assert not path.exists(), "it is closed now"


def test_files_that_are_not_watched_are_nobody_s_reason_and_nobody_s_to_remove(site: Site) -> None:
    site.publish("a")
    for name in ("Thumbs.db", ".hidden", "x.tmp"):
        (site.bench.root / "a" / name).write_bytes(b"not ours")
    site.work()
    site.bench.clock.advance(2 * DAY)
    site.work()
    assert set(site.files()) == {"a/Thumbs.db", "a/.hidden", "a/x.tmp"}
    assert site.bench.states() == {"a": State.RELEASED}


def test_a_dry_run_says_the_same_and_reads_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from watcher.stores.source import Source

    site.publish("a")
    monkeypatch.setattr(Source, "open", lambda _: pytest.fail("the source was read"))
    assert site.duty.refusals(site.bench.only()) == []
    _hard_link(site)
    (reason,) = site.duty.refusals(site.bench.only())
    assert "hard link" in reason


def test_a_rebuilt_journal_releases_what_was_verified_since(site: Site) -> None:
    site.publish("a")
    _rebuilt(site)
    with site.bench.journal.database.transaction() as sql:
        sql.execute("INSERT INTO looked_at (set_id, at) VALUES (?, ?)", (site.bench.only().id, site.bench.clock.now()))
    site.work()
    assert site.phase() is Phase.ASIDE


def test_a_missing_root_is_a_reason(site: Site) -> None:
    site.publish("a")
    Path(site.bench.root).rename(site.bench.base / "away")
    site.bench.root.mkdir()
    (reason,) = site.duty.refusals(site.bench.only())
    assert "it is empty or cannot be read" in reason


def test_the_profile_says_what_it_demands() -> None:
    with pytest.raises(ValueError, match="more than below_free"):
        Release.model_validate({"below_free": "15%", "until_free": "10%"})
    assert Release.model_validate({"below_free": "15%"}).below_free == 0.15
