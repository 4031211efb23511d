"""Published sets are compared with their stores again by and by: what is found is told once, and told as over."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.journal.pruning import prune
from watcher.model import Avu, State
from watcher.overview.attention import attentions
from watcher.pipeline.auditing import Auditing
from watcher.profile.audit import Audit
from watcher.stores.folder import FolderStore

DAY = 86400.0


class Site:
    """A bench with sets that were published eight days ago and copied to `backup`, and the duty that looks at them."""

    def __init__(self, bench: Bench, tmp_path: Path) -> None:
        self.bench = bench
        self.backup = tmp_path / "backup"
        self.backup.mkdir()
        bench.settings["copies"] = [{"kind": "folder", "path": str(self.backup)}]
        bench.configure(sets={"group": "directory"})
        for name in ("one", "two"):
            bench.write(f"{name}/a.dat", b"first")
            bench.write(f"{name}/b.dat", b"second")
        bench.finish()
        bench.clock.advance(8 * DAY)
        self.told: list[tuple[str, str]] = []
        self.troubles: dict[str, str] = {}
        self.rest = 0.0

    @property
    def auditing(self) -> Auditing:
        section = Audit(every=7 * DAY, deep=180 * DAY, rate=100e6)
        return Auditing(
            section, self.bench.journal, self.bench.clock, self.auditor,
            resting=lambda: self.rest, tell=lambda *what: self.told.append(what), trouble=self.troubles.__setitem__,
        )  # fmt: skip

    def audit(self, deep_days: float = 0) -> None:
        """Let all that is due be done, by a process that has just begun."""
        self.bench.clock.advance(deep_days * DAY)
        with closing(self.bench.daemon.auditor()) as self.auditor:
            duty = self.auditing
            for _ in range(100):
                if duty.round() >= 60:
                    return
        raise AssertionError("it never comes to rest")

    def drift(self) -> dict[str, tuple[str, ...]]:
        return {name: drift for _, name, drift, _ in self.bench.journal.looks.drifted(10)}

    def needs(self) -> list[str]:
        now = self.bench.clock.now()
        return [one.what for one in attentions(self.bench.journal, now, watched=True) if one.kind == "audit"]


@pytest.fixture
def site(bench: Bench, tmp_path: Path) -> Site:
    return Site(bench, tmp_path)


def test_sets_that_are_as_they_were_are_looked_at_once_in_a_while_and_nothing_is_told(site: Site) -> None:
    site.audit()
    assert (site.told, site.needs(), site.drift()) == ([], [], {})
    ids = [one.id for one in site.bench.sets()]
    first = {site.bench.journal.looks.of(set_id).at for set_id in ids}
    assert min(first) > site.bench.clock.now() - 100
    site.bench.clock.advance(6 * DAY)
    site.audit()
    assert {site.bench.journal.looks.of(set_id).at for set_id in ids} == first
    site.bench.clock.advance(2 * DAY)
    site.audit()
    assert all(site.bench.journal.looks.of(set_id).at > max(first) for set_id in ids)


def _say(folder: Path, add: Avu, *remove: Avu) -> None:
    FolderStore(folder.parents[1]).session().annotate("scope/one", [add], remove)


DRIFTS: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda folder: (folder / "a.dat").unlink(), "a.dat: the catalogue does not have it"),
    ("cut short", lambda folder: (folder / "a.dat").write_bytes(b"f"), "a.dat: the catalogue says 1 bytes"),
    ("no manifest", lambda folder: (folder / "manifest-sha256.txt").unlink(), "it is not the manifest of these files"),
    ("gone", shutil.rmtree, "it is not labelled as this set's"),
    (
        "another label",
        lambda folder: (folder / "irods-watcher.json").write_text('{"metadata": []}'),
        "it is not labelled as this set's",
    ),
    (
        "not published",
        lambda folder: _say(folder, Avu("acq:state", "uploading"), Avu("acq:state", "complete")),
        "it is not marked as published",
    ),
]


@pytest.mark.parametrize(("damage", "what"), [case[1:] for case in DRIFTS], ids=[case[0] for case in DRIFTS])
def test_what_is_not_as_it_was_is_told_once_and_told_as_over(
    site: Site, tmp_path: Path, damage: Callable[[Path], object], what: str
) -> None:
    before = shutil.copytree(site.bench.archive, tmp_path / "before")
    damage(site.bench.archive / "scope/one")
    site.audit()
    assert what in site.drift()["one"][0]
    assert "two" not in site.drift()
    assert [where for where, _ in site.told] == ["audit of one"]
    assert "one is not as it was published" in site.needs()[0]
    assert what in site.needs()[0]
    for _ in range(3):
        site.bench.clock.advance(8 * DAY)
        site.audit()
    assert len(site.told) == 1
    shutil.rmtree(site.bench.archive)
    shutil.copytree(before, site.bench.archive)
    site.bench.clock.advance(2 * 3600)
    site.audit()
    assert site.told[1:] == [("audit of one", "")]
    assert site.needs() == []


def test_bytes_that_changed_behind_the_catalogue_are_found_by_reading_them_again_and_stay_told(site: Site) -> None:
    (site.bench.archive / "scope/one/a.dat").write_bytes(b"FIRST")
    site.audit()
    assert site.drift() == {}
    site.audit(deep_days=180)
    assert site.drift() == {"one": ("a.dat: the disk holds other bytes",)}
    # A look that reads no bytes does not take that back.
    site.bench.clock.advance(8 * DAY)
    site.audit()
    assert site.drift() == {"one": ("a.dat: the disk holds other bytes",)}
    assert len(site.told) == 1
    (site.bench.archive / "scope/one/a.dat").write_bytes(b"first")
    site.audit(deep_days=180)
    assert site.told[1:] == [("audit of one", "")]


def test_reading_again_is_spread_over_time(site: Site) -> None:
    for one in site.bench.sets():
        site.bench.journal.looks.record(one.id, site.bench.clock.now(), [])
    with closing(site.bench.daemon.auditor()) as site.auditor:
        duty = Auditing(
            Audit(every=1e9, deep=1.0, rate=1.0), site.bench.journal, site.bench.clock, site.auditor,
            resting=lambda: 0.0, tell=lambda *_: None, trouble=site.troubles.__setitem__,
        )  # fmt: skip
        # A byte a second: first of two files with 5 and 6 bytes.
        assert [duty.round(), duty.round()] == [5.0, 6.0]


def test_what_is_to_be_delivered_comes_first_and_so_do_the_hours(site: Site) -> None:
    (site.bench.archive / "scope/one/a.dat").unlink()
    site.rest = 30.0
    with closing(site.bench.daemon.auditor()) as site.auditor:
        duty = site.auditing
        assert duty.round() == 30.0
        site.rest = 0.0
        one = next(one for one in site.bench.sets() if one.name == "two")
        waiting = site.bench.journal.sets.create(
            one.root, one.folder, "three", grouped_by="file", format="", now=site.bench.clock.now()
        )
        site.bench.journal.sets.advance(waiting, State.COMPLETE, site.bench.clock.now())
        assert duty.round() == 60.0
        assert site.drift() == {}


def test_a_copy_that_lost_something_is_told_and_made_whole_by_the_mirror(site: Site) -> None:
    (site.backup / "scope/one/a.dat").unlink()
    site.audit()
    assert site.drift() == {"one": ("backup: a.dat: the catalogue does not have it",)}
    copy = site.bench.journal.copies.one(next(one.id for one in site.bench.sets() if one.name == "one"), "backup")
    assert (copy.verified_at, copy.wanted) == (None, True)
    site.bench.daemon.once()
    assert (site.backup / "scope/one/a.dat").read_bytes() == b"first"
    site.bench.clock.advance(2 * 3600)
    site.audit()
    assert site.drift() == {}
    assert site.told[-1] == ("audit of one", "")


def test_a_copy_that_is_away_is_no_drift_and_keeps_the_main_store_from_nothing(site: Site) -> None:
    site.backup.rename(site.backup.with_name("away"))
    (site.bench.archive / "scope/two/b.dat").unlink()
    site.audit()
    assert list(site.drift()) == ["two"]
    assert any("the folder of the archive is not there" in what for what in site.bench.told.troubles)
    site.backup.mkdir()  # the mount point that a share leaves behind
    site.bench.clock.advance(8 * DAY)
    site.audit()
    assert list(site.drift()) == ["two"]


def test_a_main_store_that_is_away_is_told_and_no_set_is_blamed(site: Site) -> None:
    site.bench.archive.rename(site.bench.archive.with_name("away"))
    site.audit()
    assert "the folder of the archive is not there" in site.troubles["audit"]
    assert site.drift() == {}
    site.bench.archive.with_name("away").rename(site.bench.archive)
    site.audit()
    assert site.troubles["audit"] == ""


def test_giving_up_at_the_end_is_no_trouble(site: Site) -> None:
    with closing(site.bench.daemon.auditor()) as site.auditor:
        duty = site.auditing
        duty.close()
        duty.round()
    assert site.troubles == {}
    assert site.drift() == {}


def test_a_set_of_which_the_journal_has_forgotten_the_files_is_compared_with_its_manifest(site: Site) -> None:
    one = next(one for one in site.bench.sets() if one.name == "one")
    site.bench.journal.sets.change(one, cleared=True)
    site.bench.clock.advance(60 * DAY)
    for _ in prune(site.bench.journal.database, site.bench.clock.now(), [site.bench.root]):
        pass
    assert site.bench.journal.sets.members(one.id) == []
    site.audit()
    assert site.drift() == {}
    (site.bench.archive / "scope/one/a.dat").unlink()
    site.bench.clock.advance(8 * DAY)
    site.audit()
    assert site.drift() == {"one": ("a.dat: the catalogue does not have it",)}
    (site.bench.archive / "scope/one/manifest-sha256.txt").write_text("nothing\n")
    site.bench.clock.advance(8 * DAY)
    site.audit()
    assert "it is not the manifest that was published" in site.drift()["one"][0]


@pytest.mark.timeout(60)
def test_a_running_watcher_looks_by_itself_and_stops_at_once(bench: Bench, tmp_path: Path) -> None:
    import threading

    site = Site(bench, tmp_path)
    bench.configure(audit={"every": "7d", "deep": "180d"})
    (bench.archive / "scope/one/a.dat").unlink()
    running = threading.Thread(target=bench.daemon.run)
    running.start()
    try:
        for _ in range(400):
            if site.drift():
                break
            threading.Event().wait(0.05)
    finally:
        bench.daemon.stop()
        running.join(30)
    assert not running.is_alive()
    assert site.drift()["one"] == ("a.dat: the catalogue does not have it",)
    assert sum("one: a.dat: the catalogue does not have it" in what for what in bench.told.troubles) == 1
