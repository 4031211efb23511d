"""A local copy goes only when as many stores hold the set as the profile demands, each by its own evidence now."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.journal.releases import Phase
from watcher.model import ImageSet, State

DAY = 86400.0


@pytest.fixture
def backed_up(bench: Bench, tmp_path: Path) -> Bench:
    """A set that was published eight days ago and is in the archive, in `backup`, and in `vault`."""
    for name in ("backup", "vault"):
        (tmp_path / name).mkdir()
    copies = [{"kind": "folder", "path": str(tmp_path / name)} for name in ("backup", "vault")]
    bench.settings["copies"] = copies
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"}, release={"after": "7d", "copies": 3})
    bench.write("a/a.dat", b"pixels")
    bench.finish()
    bench.clock.advance(8 * DAY)
    bench.journal.swept(bench.root, bench.clock.now(), [])
    return bench


def release(bench: Bench) -> ImageSet:
    bench.daemon.carry_out_releases()
    return bench.only()


def phase_and_why(bench: Bench) -> tuple[Phase | None, str]:
    aside = bench.journal.releases.of(bench.only().id)
    return (aside.phase, aside.why) if aside else (None, "")


def test_it_goes_when_all_demanded_copies_are_proven_and_each_is_named(backed_up: Bench, tmp_path: Path) -> None:
    release(backed_up)
    assert phase_and_why(backed_up)[0] is Phase.ASIDE
    backed_up.clock.advance(2 * DAY)
    assert release(backed_up).state is State.RELEASED
    assert not (backed_up.root / "a/a.dat").exists()
    (removed,) = backed_up.journal.releases.removals()
    places = {backed_up.only().collection, *(str(tmp_path / name / "scope/a/a") for name in ("backup", "vault"))}
    assert set(removed.copies) == places


def _alias(copy: Path, other: Path) -> None:
    shutil.rmtree(copy)
    copy.symlink_to(other, target_is_directory=True)


DAMAGES: list[tuple[str, Callable[[Path, Path], object], str]] = [
    ("changed", lambda copy, _: (copy / "scope/a/a/a.dat").write_bytes(b"PIXELS"), "another SHA-256 than was sent"),
    ("cut short", lambda copy, _: (copy / "scope/a/a/a.dat").write_bytes(b"pix"), "the catalogue says 3 bytes"),
    ("removed", lambda copy, _: (copy / "scope/a/a/a.dat").unlink(), "the catalogue does not have it"),
    ("share away", lambda copy, _: copy.rename(copy.with_name("gone")), "the folder of the archive is not there"),
    ("unlabelled", lambda copy, _: (copy / "scope/a/a/irods-watcher.json").unlink(), "it is not labelled"),
    ("one place twice", _alias, "it is not the copy vault"),
]


@pytest.mark.parametrize(("damage", "why"), [case[1:] for case in DAMAGES], ids=[case[0] for case in DAMAGES])
def test_a_copy_that_is_not_whole_at_this_moment_does_not_count(
    backed_up: Bench, tmp_path: Path, damage: Callable[[Path, Path], object], why: str
) -> None:
    damage(tmp_path / "vault", tmp_path / "backup")
    release(backed_up)
    phase, said = phase_and_why(backed_up)
    assert phase is Phase.REFUSED
    assert "2 of 3 copies are there and whole" in said
    assert why in said
    assert (backed_up.root / "a/a.dat").read_bytes() == b"pixels"


def test_a_copy_that_is_lost_in_the_grace_period_brings_the_files_back(backed_up: Bench, tmp_path: Path) -> None:
    release(backed_up)
    (tmp_path / "vault/scope/a/a/a.dat").write_bytes(b"PIXELS")
    backed_up.clock.advance(2 * DAY)
    assert release(backed_up).state is State.PUBLISHED
    assert phase_and_why(backed_up)[0] is Phase.REFUSED
    assert (backed_up.root / "a/a.dat").read_bytes() == b"pixels"


def test_fewer_demanded_copies_may_be_any_with_the_main_one(backed_up: Bench, tmp_path: Path) -> None:
    backed_up.configure(release={"copies": 2})
    (tmp_path / "vault/scope/a/a/a.dat").unlink()
    release(backed_up)
    assert phase_and_why(backed_up)[0] is Phase.ASIDE


def test_copies_do_not_stand_in_for_the_main_one(backed_up: Bench) -> None:
    backed_up.configure(release={"copies": 1})
    (backed_up.archive / "scope/a/a/a.dat").unlink()
    release(backed_up)
    phase, why = phase_and_why(backed_up)
    assert phase is Phase.REFUSED
    assert "the catalogue does not have it" in why


def test_what_is_not_copied_yet_is_not_asked_about_as_a_copy(bench: Bench, tmp_path: Path) -> None:
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"}, release={"after": "7d"})
    bench.write("a/a.dat", b"pixels")
    bench.finish()
    (tmp_path / "backup").mkdir()
    bench.settings["copies"] = [{"kind": "folder", "path": str(tmp_path / "backup")}]
    bench.configure(release={"copies": 2})
    bench.clock.advance(8 * DAY)
    bench.journal.swept(bench.root, bench.clock.now(), [])
    release(bench)
    assert "1 of 2 copies are there and whole; backup: it was not sent there" in phase_and_why(bench)[1]
