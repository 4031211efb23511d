"""Copies in further stores: the same tree with all that belongs to it, whatever comes between."""

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench, RiggedStore, asking
from watcher import osfacts
from watcher.errors import NotAllowed, StoreFull, StoreUnreachable
from watcher.journal.attributions import Order
from watcher.model import Avu, State
from watcher.pipeline.copies import evidence_everywhere
from watcher.pipeline.patience import LONGEST_WAIT
from watcher.profile import MAIN
from watcher.stores.folder import FolderStore
from watcher.stores.source import Source

SIDECARS = ("manifest-sha256.txt", "ro-crate-metadata.json")


class Killed(BaseException):
    """The process ends here, at once."""


def avus(archive: Path, collection: str) -> set[Avu]:
    return set(FolderStore(archive).session().avus(collection))


def tree(archive: Path) -> dict[str, bytes]:
    """All files but the metadata, by their path."""
    files = (path for path in archive.rglob("*") if path.is_file() and not path.name.startswith((".irods", "irods-")))
    return {path.relative_to(archive).as_posix(): path.read_bytes() for path in files}


def assert_copied(bench: Bench, name: str, *, state: str = "complete", collection: str = "scope/run") -> None:
    """The copy of a set is the main one's bytes and metadata, and each says of the other where it is."""
    copy = bench.base / name
    here = {path: content for path, content in tree(bench.archive).items() if path.startswith(f"{collection}/")}
    there = {path: content for path, content in tree(copy).items() if path.startswith(f"{collection}/")}
    assert here == there
    main, other = avus(bench.archive, collection), avus(copy, collection)
    assert {avu for avu in main if avu[0] != "acq:copy"} == {avu for avu in other if avu[0] != "acq:copy_of"}
    assert ("acq:copy", str(copy / collection), name) in main
    assert ("acq:copy_of", str(bench.archive / collection), name) in other
    assert ("acq:state", state, "") in other
    assert stat_of(copy / collection) == stat_of(copy)


def stat_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def disk(bench: Bench) -> RiggedStore:
    bench.configure(sets={"group": "directory"})
    (store,) = bench.copy_to("backup")
    return store


def test_a_published_set_is_copied_with_all_that_belongs_to_it(bench: Bench, disk: RiggedStore) -> None:
    os.utime(bench.write("run/a.dat", b"first"), (9, 9))
    bench.write("run/deep/b.dat", b"second")
    bench.finish()
    assert bench.states() == {"run": State.PUBLISHED}
    assert_copied(bench, "backup")
    assert (disk.path / "scope/run/a.dat").stat().st_mtime == 9
    assert set(SIDECARS) <= {path.name for path in (disk.path / "scope/run").iterdir()}
    (copy,) = bench.journal.copies.of(bench.only().id)
    assert (copy.collection, copy.wanted, copy.problem) == ("scope/run", False, "")
    assert copy.verified_at is not None
    assert ("acq:copies", "1", "") in avus(bench.archive, "scope/run")
    assert bench.told.troubles == []


def test_a_set_is_read_once_for_all_its_places(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.configure(sets={"group": "directory"})
    bench.copy_to("backup", "vault")
    for number in range(20):
        bench.write(f"run/{number}.dat", os.urandom(100_000))
    opened: list[Path] = []
    real = osfacts.open_shared

    def counted(path: Path) -> object:
        opened.extend([path] if path.is_relative_to(bench.root) else [])
        return real(path)

    monkeypatch.setattr(osfacts, "open_shared", counted)
    bench.finish()
    assert_copied(bench, "backup")
    assert_copied(bench, "vault")
    assert len(opened) == len(set(opened)) == 20


def test_a_copy_is_where_its_own_template_says(bench: Bench, disk: RiggedStore) -> None:
    bench.settings["copies"][0] |= {"collection": "all/{instrument}/{set}", "name": "backup"}
    bench.write("run/a.dat", b"first")
    bench.finish()
    assert set(tree(disk.path)) == {f"all/scope/run/{name}" for name in ("a.dat", *SIDECARS)}
    assert ("acq:copy", str(disk.path / "all/scope/run"), "backup") in avus(bench.archive, "scope/run")


def test_what_has_the_place_of_a_copy_is_left_alone(bench: Bench, disk: RiggedStore) -> None:
    (disk.path / "scope/run").mkdir(parents=True)
    (disk.path / "scope/run/theirs").write_bytes(b"theirs")
    bench.write("run/a.dat", b"first")
    bench.finish()
    place = f"scope/run~{bench.only().id[9:17]}"
    assert tree(disk.path)["scope/run/theirs"] == b"theirs"
    assert tree(disk.path)[f"{place}/a.dat"] == b"first"
    assert ("acq:copy", str(disk.path / place), "backup") in avus(bench.archive, "scope/run")


def test_a_store_that_is_away_delays_nothing_and_is_told_and_served_when_it_is_back(
    bench: Bench, disk: RiggedStore
) -> None:
    disk.path.rename(disk.path.with_name("away"))
    bench.write("run/a.dat", b"first")
    assert bench.finish().store_trouble is None
    assert bench.states() == {"run": State.PUBLISHED}
    assert "acq:copy" not in bench.avus("scope/run")
    assert any("copies to backup" in trouble for trouble in bench.told.troubles)
    assert bench.journal.troubles().keys() == {"copy backup"}
    disk.path.with_name("away").rename(disk.path)
    bench.clock.advance(LONGEST_WAIT)
    bench.daemon.once()
    assert_copied(bench, "backup")
    assert bench.journal.troubles() == {}


def test_an_empty_mount_point_is_not_taken_for_the_archive(bench: Bench, disk: RiggedStore) -> None:
    bench.write("run/a.dat", b"first")
    bench.finish()
    away = disk.path.rename(disk.path.with_name("away"))
    disk.path.mkdir()
    bench.restart()
    bench.copy_to("backup")
    bench.write("other/a.dat", b"second")
    bench.finish()
    assert list(disk.path.iterdir()) == []
    assert "not what was delivered into it" in bench.journal.troubles()["copy backup"][0]
    disk.path.rmdir()
    away.rename(disk.path)
    bench.clock.advance(LONGEST_WAIT)
    bench.daemon.once()
    assert_copied(bench, "backup", collection="scope/other")


def fails_once(store: RiggedStore, what: str, error: Exception) -> Callable[[str, str], None]:
    def fail(place: str, _: str) -> None:
        if place == what:
            store.before = lambda *_: None
            raise error

    return fail


@pytest.mark.parametrize("what", ["claim", "put", "replicas", "annotate", "marker"])
@pytest.mark.parametrize(
    "error", [StoreUnreachable("away"), StoreFull("full"), NotAllowed("no"), ValueError("mistake")]
)
def test_whatever_fails_once_is_made_good(bench: Bench, disk: RiggedStore, what: str, error: Exception) -> None:
    disk.before = fails_once(disk, what, error)
    for number in range(3):
        bench.write(f"run/{number}.dat", bytes([number]))
    bench.finish()
    assert bench.states() == {"run": State.PUBLISHED}
    for _ in range(3):
        bench.clock.advance(3700)
        bench.daemon.once()
    assert_copied(bench, "backup")
    assert bench.journal.troubles() == {}
    assert bench.journal.copies.waiting() == []


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("nth", range(1, 12))
def test_killed_at_any_step_it_is_whole_in_the_end_and_nothing_is_sent_twice(
    bench: Bench, disk: RiggedStore, moment: str, nth: int
) -> None:
    puts: list[str] = []
    calls = 0

    def die(what: str, where: str) -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise Killed

    setattr(disk, moment, die)
    for number in range(2):
        bench.write(f"run/{number}.dat", bytes([number]))
    with contextlib.suppress(Killed):
        bench.finish()
    there = {path for path in tree(disk.path) if path.endswith(".dat")}
    bench.restart()
    (again,) = bench.copy_to("backup")
    again.before = lambda what, where: puts.append(f"scope/run/{where}") if what == "put" else None
    bench.clock.advance(3700)
    bench.finish()
    assert_copied(bench, "backup")
    assert not there & set(puts)


def test_what_is_no_longer_on_the_disk_comes_from_the_main_store(bench: Bench, disk: RiggedStore) -> None:
    disk.before = _away
    for number in range(60):
        bench.write(f"run/{number}.dat", bytes([number]) * number)
    bench.finish()
    bench.write("run/1.dat", b"changed later")
    (bench.root / "run/2.dat").unlink()
    disk.before = lambda *_: None
    bench.clock.advance(LONGEST_WAIT)
    bench.daemon.once()
    assert_copied(bench, "backup")


def _away(what: str, where: str) -> None:
    raise StoreUnreachable("the share is away")


def test_other_bytes_with_the_same_facts_on_the_disk_are_not_copied(bench: Bench, disk: RiggedStore) -> None:
    disk.before = _away
    path = bench.write("run/a.dat", b"first")
    facts = osfacts.facts_at(path)
    bench.finish()
    with path.open("r+b") as file:
        file.write(b"FIRST")
    os.utime(path, ns=(facts.mtime_ns, facts.mtime_ns))
    disk.before = lambda *_: None
    for _ in range(3):
        bench.clock.advance(LONGEST_WAIT)
        bench.daemon.once()
    assert tree(disk.path)["scope/run/a.dat"] == b"first"
    assert_copied(bench, "backup")


def test_other_bytes_in_the_main_store_are_not_copied(bench: Bench, disk: RiggedStore) -> None:
    disk.before = _away
    bench.write("run/a.dat", b"first")
    bench.finish()
    (bench.root / "run/a.dat").unlink()
    (bench.archive / "scope/run/a.dat").write_bytes(b"FIRST")
    disk.before = lambda *_: None
    bench.clock.advance(LONGEST_WAIT)
    bench.daemon.once()
    assert not {path for path in tree(disk.path) if path.endswith("a.dat")}
    assert "other bytes than the manifest says" in bench.journal.copies.one(bench.only().id, "backup").problem
    assert "acq:copy" not in bench.avus("scope/run")


def test_a_later_version_and_what_it_replaces_reach_the_copies(bench: Bench, disk: RiggedStore) -> None:
    bench.write("run/a.dat", b"first")
    bench.finish()
    bench.write("run/a.dat", b"second one")
    bench.finish()
    assert bench.states() == {"run": State.SUPERSEDED, "run.v2": State.PUBLISHED}
    assert_copied(bench, "backup", state="superseded")
    assert_copied(bench, "backup", collection="scope/run.v2")


def test_what_becomes_known_later_reaches_the_copies(bench: Bench, disk: RiggedStore, tmp_path: Path) -> None:
    people = tmp_path / "people.yaml"
    people.write_text('persons:\n  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, logins: [jdoe]}\n')
    bench.settings["people"] = {"directory": str(people)}
    bench.write("run/a.dat", b"first")
    bench.finish()
    before = tree(disk.path)
    assert "dcterms:creator" not in {avu[0] for avu in avus(disk.path, "scope/run")}
    bench.journal.attributions.order([bench.only().id], Order(1.0, "jdoe", {"scientist": "jdoe"}))
    bench.daemon.once()
    assert ("dcterms:creator", "Doe, Jane", "") in {(a, v, "") for a, v, _ in avus(disk.path, "scope/run")}
    assert_copied(bench, "backup")
    after = tree(disk.path)
    assert {path for path in after if after[path] != before[path]} == {"scope/run/ro-crate-metadata.json"}


def test_with_a_lost_journal_copies_are_recognised_and_nothing_is_sent(bench: Bench, disk: RiggedStore) -> None:
    bench.write("run/a.dat", b"first")
    bench.finish()
    before = {path: path.stat().st_mtime_ns for path in disk.path.rglob("*/*") if path.is_file()}
    bench.lose_journal()
    puts: list[str] = []
    disk.before = lambda what, where: puts.append(where) if what in {"put", "marker"} else None
    for _ in range(3):
        bench.finish()
    assert puts == []
    assert_copied(bench, "backup")
    assert {path: path.stat().st_mtime_ns for path in disk.path.rglob("*/*") if path.is_file()} == before
    assert bench.journal.copies.one(bench.only().id, "backup").verified_at is not None


def test_a_change_while_the_journal_was_lost_supersedes_the_copy_too(bench: Bench, disk: RiggedStore) -> None:
    bench.write("run/a.dat", b"first")
    bench.finish()
    bench.write("run/a.dat", b"second one")
    bench.lose_journal()
    for _ in range(3):
        bench.finish()
    assert_copied(bench, "backup", state="superseded")
    assert_copied(bench, "backup", collection="scope/run.v2")


def test_what_a_lost_attempt_left_is_not_in_the_copy(bench: Bench, disk: RiggedStore) -> None:
    session = disk.session()
    bench.write("run/a.dat", b"first")
    bench.observe()
    session.claim("scope/run", bench.only().id)
    stray = bench.write("stray", b"of an earlier attempt")
    session.put(Source(stray, osfacts.facts_at(stray)), "scope/run", "gone.dat", lambda _: None)
    stray.unlink()
    bench.finish()
    assert_copied(bench, "backup")


def test_what_is_of_no_set_any_more_is_withdrawn_from_the_copies(bench: Bench, disk: RiggedStore) -> None:
    """Sent early, and then it turned out to be no set."""
    bench.configure(sets={"group": "auto"})
    bench.write("x/img_z001.dat", b"1")
    bench.observe()
    one = bench.only()
    assert bench.journal.copies.take(one.id, "backup", "scope/x/img")
    session = disk.session()
    session.claim("scope/x/img", one.id)
    bench.journal.sets.forget(one)
    bench.daemon.once()
    assert not (disk.path / "scope/x/img").exists()
    assert bench.journal.copies.withdrawals("backup") == []


def test_a_copy_that_goes_away_is_made_anew_but_one_that_was_changed_is_not_touched(
    bench: Bench, disk: RiggedStore
) -> None:
    bench.write("run/a.dat", b"first")
    bench.finish()
    one = bench.only()
    shutil.rmtree(disk.path / "scope/run")
    bench.journal.copies.lost(one.id, "backup", "it is gone")
    bench.daemon.once()
    assert_copied(bench, "backup")
    (disk.path / "scope/run/a.dat").write_bytes(b"FIRST")
    bench.journal.copies.lost(one.id, "backup", "it was changed")
    bench.daemon.once()
    assert tree(disk.path)["scope/run/a.dat"] == b"FIRST"
    assert "the copy holds other bytes than the set" in bench.journal.copies.one(one.id, "backup").problem


def test_the_main_place_is_never_taken_for_its_own_copy(bench: Bench, disk: RiggedStore) -> None:
    """As when two environment files name the same zone."""
    bench.copies = {"backup": FolderStore(bench.archive)}
    bench.write("run/a.dat", b"first")
    bench.finish()
    assert bench.states() == {"run": State.PUBLISHED}
    assert "acq:copy" not in bench.avus("scope/run")
    copy = bench.journal.copies.one(bench.only().id, "backup")
    assert copy.verified_at is None
    assert "not as a copy" in copy.problem


def test_evidence_is_found_in_every_place(bench: Bench, disk: RiggedStore) -> None:
    bench.write("run/a.dat", b"first")
    bench.finish()
    one = bench.only()
    sessions = {MAIN: FolderStore(bench.archive).session(), "backup": disk.session()}
    members = bench.journal.sets.members(one.id)
    assert evidence_everywhere(one, members, bench.journal, asking(sessions)) == {MAIN: [], "backup": []}
    (disk.path / "scope/run/a.dat").write_bytes(b"FIRST")
    found = evidence_everywhere(one, members, bench.journal, asking(sessions))
    assert found == {MAIN: [], "backup": ["a.dat: the catalogue has another SHA-256 than was sent"]}


def test_a_place_that_is_new_in_the_profile_gets_what_was_published_before(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    bench.write("run/a.dat", b"first")
    bench.finish()
    bench.restart()
    bench.copy_to("backup")
    bench.finish()
    assert_copied(bench, "backup")


def test_a_person_s_own_words_on_a_copy_stay(bench: Bench, disk: RiggedStore) -> None:
    bench.write("run/a.dat", b"first")
    bench.finish()
    disk.session().annotate("scope/run", [Avu("lab:shelf", "7")])
    bench.journal.copies.want_anew(bench.only().id)
    bench.daemon.once()
    assert ("lab:shelf", "7", "") in avus(disk.path, "scope/run")


def test_a_slow_store_does_not_hold_up_the_main_one(bench: Bench, disk: RiggedStore) -> None:
    """Its threads hang while the set is delivered and published."""
    free = threading.Event()
    published: list[bool] = []

    def hang(what: str, where: str) -> None:
        if what in {"claim", "put"}:
            free.wait(20)

    disk.before = hang
    moved = bench.told.moved

    def told(image_set: object) -> None:
        moved(image_set)  # type: ignore[arg-type]
        if bench.states() == {"run": State.PUBLISHED}:
            published.append(free.is_set())
            free.set()

    bench.told.moved = told  # type: ignore[method-assign]
    for number in range(3):
        bench.write(f"run/{number}.dat", os.urandom(100_000))
    bench.finish()
    assert published == [False]
    assert_copied(bench, "backup")
