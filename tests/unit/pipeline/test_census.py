"""A set keeps its identity while its files come, change and go; what was delivered is never taken back."""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.errors import StaleSet
from watcher.formats.base import Claim
from watcher.model import UNDER_WAY, ImageSet, Member, State
from watcher.pipeline.assemble import Assembly
from watcher.simulate import ome_tiff_series


def no_pause(_: float) -> None:
    """Takes no time."""


def brought_to(bench: Bench, state: State) -> ImageSet:
    """A set of one file in this state, as if its steps had been taken."""
    bench.write("a.dat", b"first")
    bench.write("other.dat")
    bench.observe()
    bench.observe(after=200)
    image_set = bench.journal.sets.find("a")
    assert image_set.state is State.COMPLETE
    for step in (State.VALID, State.DELIVERED, State.VERIFIED, State.PUBLISHED, State.RELEASED):
        if image_set.state is state:
            break
        image_set = bench.journal.sets.advance(image_set, step, bench.clock.now())
    if state in {State.PUBLISHED, State.RELEASED}:
        bench.journal.files.rest(image_set.id)
    return image_set


def states(bench: Bench) -> list[tuple[int, State]]:
    return [(one.version, one.state) for one in bench.sets() if one.name == "a"]


@pytest.mark.parametrize("change", ["grown", "new sidecar"])
@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_set_that_changes_before_publication_grows_again(bench: Bench, state: State, change: str) -> None:
    before = brought_to(bench, state)
    bench.write("a.dat" if change == "grown" else "a.txt", b"longer than before")
    bench.observe(after=5)
    assert states(bench) == [(1, State.GROWING)]
    again = bench.journal.sets.get(before.id)
    assert again.last_change == bench.clock.now()
    assert bench.journal.sets.history(before.id)[-1][1:] == (State.GROWING, "its files changed")


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_set_that_loses_a_file_before_publication_grows_again(bench: Bench, state: State) -> None:
    bench.write("a.txt")
    brought_to(bench, state)
    (bench.root / "a.txt").unlink()
    bench.observe(after=5)
    assert states(bench) == [(1, State.GROWING)]


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_set_that_lost_a_file_before_publication_is_frozen_anew_without_it(bench: Bench, state: State) -> None:
    bench.write("a.txt")
    before = brought_to(bench, state)
    (bench.root / "a.txt").unlink()
    bench.observe(after=5)
    bench.observe(after=200)
    assert states(bench) == [(1, State.COMPLETE)]
    assert [one.target for one in bench.journal.sets.members(before.id)] == ["a.dat"]


@pytest.mark.parametrize("change", ["grown", "new sidecar", "touched"])
@pytest.mark.parametrize("state", [State.PUBLISHED, State.RELEASED])
def test_a_set_that_changes_after_publication_gets_a_new_version(bench: Bench, state: State, change: str) -> None:
    before = brought_to(bench, state)
    if change == "touched":
        os.utime(bench.root / "a.dat", (5, 5))
    else:
        bench.write("a.dat" if change == "grown" else "a.txt", b"longer than before")
    bench.observe(after=5)
    assert states(bench) == [(1, state), (2, State.GROWING)]
    second = bench.sets()[1]
    assert second.supersedes == before.id
    assert "a.dat" in bench.members(second)
    assert bench.members(before) == set()


@pytest.mark.parametrize("state", [State.PUBLISHED, State.RELEASED])
def test_a_file_that_is_cleared_away_after_publication_makes_no_version(bench: Bench, state: State) -> None:
    bench.write("a.txt")
    brought_to(bench, state)
    (bench.root / "a.txt").unlink()
    bench.observe(after=5)
    assert states(bench) == [(1, state)]
    (bench.root / "a.dat").unlink()
    bench.observe(after=5)
    assert states(bench) == [(1, state)]


@pytest.mark.parametrize("state", [*UNDER_WAY, State.PUBLISHED, State.RELEASED])
def test_nothing_happens_to_a_set_whose_files_stay_as_they_are(bench: Bench, state: State) -> None:
    before = brought_to(bench, state)
    bench.restart()
    bench.watching.look_everywhere(deep=True)
    bench.write("b.dat")
    bench.observe(after=5)
    assert bench.journal.sets.get(before.id) == before


def held(bench: Bench) -> ImageSet:
    image_set = brought_to(bench, State.COMPLETE)
    return bench.journal.sets.advance(image_set, State.HELD, bench.clock.now(), "why", reason="why")


def test_a_held_set_stays_held_while_nothing_changes(bench: Bench) -> None:
    before = held(bench)
    bench.restart()
    bench.write("b.dat")
    bench.observe(after=10_000)
    bench.observe(after=10_000)
    assert bench.journal.sets.get(before.id) == before


def test_a_held_set_whose_files_change_grows_again_without_its_old_reason(bench: Bench) -> None:
    before = held(bench)
    bench.write("a.dat", b"longer than before")
    bench.observe(after=5)
    again = bench.journal.sets.get(before.id)
    assert (again.state, again.reason, again.problems) == (State.GROWING, "", ())


def test_a_held_set_from_which_the_bad_file_was_removed_grows_again(bench: Bench) -> None:
    bench.write("a.txt")
    before = held(bench)
    (bench.root / "a.txt").unlink()
    bench.observe(after=5)
    assert bench.journal.sets.get(before.id).state is State.GROWING


@pytest.mark.parametrize("change", ["grown", "new sidecar", "file lost", "none"])
def test_a_set_that_a_person_left_out_stays_left_out(bench: Bench, change: str) -> None:
    bench.write("a.txt")
    before = brought_to(bench, State.COMPLETE)
    bench.journal.sets.advance(before, State.SKIPPED, bench.clock.now(), "test")
    if change == "file lost":
        (bench.root / "a.txt").unlink()
    elif change != "none":
        bench.write("a.dat" if change == "grown" else "a.xml", b"longer than before")
    bench.observe(after=5)
    bench.observe(after=1000)
    assert states(bench) == [(1, State.SKIPPED)]


def test_a_set_that_was_left_out_stays_so_if_its_folder_was_away_for_a_moment(bench: Bench) -> None:
    bench.write("x/a.dat")
    bench.write("b.dat")
    bench.observe()
    bench.journal.sets.advance(bench.journal.sets.find("a"), State.SKIPPED, bench.clock.now(), "test")
    (bench.root / "x").rename(bench.base / "away")
    bench.observe(after=5)
    (bench.base / "away").rename(bench.root / "x")
    bench.observe(after=5)
    assert states(bench) == [(1, State.SKIPPED)]


def test_a_growing_set_of_which_nothing_is_left_is_forgotten(bench: Bench) -> None:
    path = bench.write("a.dat")
    bench.write("b.dat")
    bench.observe()
    path.unlink()
    bench.observe(after=5)
    assert bench.states() == {"b": State.GROWING}


@pytest.mark.parametrize("state", UNDER_WAY)
def test_a_finished_set_whose_files_disappear_waits_for_a_person(bench: Bench, state: State) -> None:
    before = brought_to(bench, state)
    (bench.root / "a.dat").unlink()
    bench.observe(after=5)
    after = bench.journal.sets.get(before.id)
    assert after.state is State.HELD
    assert "disappeared from the disk before it was safe" in after.reason


def sent_early(bench: Bench, name: str, sha256: str | None) -> None:
    """As if the one file of a growing set had been sent, or was just being sent."""
    sets = bench.journal.sets
    image_set = sets.change(sets.find(name), claimed=True, collection=f"scope/{name}")
    (file,) = bench.journal.files.of_set(image_set.id)
    sets.intend(image_set, [Member(file.path, file.facts, file.name, sha256)])


def test_a_growing_set_that_was_partly_sent_is_not_forgotten(bench: Bench) -> None:
    path = bench.write("a.dat")
    bench.write("b.dat")
    bench.observe()
    sent_early(bench, "a", "5" * 64)
    path.unlink()
    bench.observe(after=5)
    held = bench.journal.sets.find("a")
    assert held.state is State.HELD
    assert "what was sent of it until then is in scope/a" in held.reason
    assert bench.journal.collections.withdrawals() == []


def test_the_collection_of_a_forgotten_set_is_to_be_cleared(bench: Bench) -> None:
    path = bench.write("a.dat")
    bench.write("b.dat")
    bench.observe()
    sent_early(bench, "a", None)
    forgotten = bench.journal.sets.find("a")
    path.unlink()
    bench.observe(after=5)
    assert set(bench.states()) == {"b"}
    assert bench.journal.collections.withdrawals() == [("scope/a", forgotten.id)]
    # Until then no other set goes there, and no name is lost by that.
    with pytest.raises(StaleSet):
        bench.journal.collections.take(bench.only(), "scope/a")
    bench.journal.collections.withdrawn("scope/a")
    assert bench.journal.collections.take(bench.only(), "scope/a")


def test_a_finished_set_goes_on_when_its_folder_comes_back(bench: Bench) -> None:
    bench.write("x/a.dat")
    bench.write("b.dat")
    bench.observe()
    bench.observe(after=200)
    assert bench.states()["a"] is State.COMPLETE
    (bench.root / "x").rename(bench.base / "away")
    bench.observe(after=5)
    (bench.base / "away").rename(bench.root / "x")
    bench.observe(after=5)
    assert states(bench) == [(1, State.GROWING)]


def enter(bench: Bench, claims: dict[str, Claim]) -> None:
    """Take in the groups as formats would make them that say this of the files."""
    bench.watching.sweep.run()
    assembly = Assembly(bench.profile.watch[0], bench.profile.sets, bench.journal, lambda path: claims.get(path.name))
    now = bench.clock.now() + 1000
    assembly.learn("", now)
    bench.watching.census.enter(assembly.groups(""), now)
    bench.watching.census.drop_empty(now)


def forget_claims(bench: Bench, names: Iterable[str]) -> None:
    for name in names:
        os.utime(bench.root / name, (7, 7))


def test_sets_that_turn_out_to_be_one_are_joined(bench: Bench) -> None:
    for name in ("a.x", "b.x", "c.x"):
        bench.write(name)
    enter(bench, {})
    assert set(bench.groups()) == {"a", "b", "c"}
    forget_claims(bench, ["b.x"])
    enter(bench, {"b.x": Claim("x", ("a.x", "b.x", "c.x"), "whole")})
    assert bench.groups() == {"whole": {"a.x", "b.x", "c.x"}}
    assert bench.only().version == 1


def test_finished_sets_that_turn_out_to_be_one_wait_for_nobody(bench: Bench) -> None:
    for name in ("a.x", "b.x"):
        bench.write(name)
    enter(bench, {})
    for one in bench.sets():
        bench.journal.sets.advance(one, State.COMPLETE, bench.clock.now())
    bench.write("c.x")
    enter(bench, {"c.x": Claim("x", ("a.x", "b.x", "c.x"), "whole")})
    assert State.HELD not in bench.states().values()


def test_a_set_that_turns_out_to_be_two_becomes_two(bench: Bench) -> None:
    for name in ("img_z001.x", "img_z002.x", "snap_ch01.x"):
        bench.write(f"whole/{name}")
    bench.write("b.x")
    bench.observe()
    assert set(bench.groups()) == {"whole", "b"}
    series = Claim("x", ("img_z001.x", "img_z002.x"), "whole")
    watch, sets = bench.profile.watch[0], bench.profile.sets
    assembly = Assembly(watch, sets, bench.journal, lambda path: series if "img" in path.name else None)
    assembly.learn("whole", bench.clock.now() + 1000)
    for _ in range(2):
        bench.watching.census.enter(assembly.groups("whole"), bench.clock.now())
    found = [one for one in bench.sets() if one.name != "b"]
    assert sorted(len(bench.members(one)) for one in found) == [1, 2]


def test_a_set_gets_its_name_when_the_file_that_tells_it_has_come(bench: Bench) -> None:
    first, second = ome_tiff_series(bench.root, "beads", pause=no_pause, planes=2, size=16)
    bench.observe()
    assert set(bench.states()) == {"beads_Z01", "beads_Z02"}
    bench.observe(after=25)
    assert set(bench.states()) == {"beads"}
    assert bench.members() == {first.name, second.name}


def test_a_set_that_has_its_collection_keeps_its_name(bench: Bench) -> None:
    bench.write("a.x")
    enter(bench, {})
    bench.journal.sets.change(bench.only(), claimed=True, collection="scope/a")
    bench.write("b.x")
    enter(bench, {"b.x": Claim("x", ("a.x", "b.x"), "whole")})
    assert bench.groups() == {"a": {"a.x", "b.x"}}


def test_what_was_sent_of_files_that_turn_out_to_be_of_another_set_is_withdrawn(bench: Bench) -> None:
    bench.write("a.x")
    enter(bench, {})
    sent_early(bench, "a", "5" * 64)
    bench.clock.advance(1)
    bench.write("b.x")
    enter(bench, {})
    sent_early(bench, "b", "6" * 64)
    b = bench.journal.sets.find("b")
    bench.write("c.x")
    enter(bench, {"c.x": Claim("x", ("a.x", "b.x", "c.x"), "whole")})
    assert bench.groups() == {"a": {"a.x", "b.x", "c.x"}}
    assert bench.journal.collections.withdrawals() == [("scope/b", b.id)]


def test_another_series_with_the_title_of_a_published_one_is_no_new_version_of_it(bench: Bench) -> None:
    for prefix in ("Z", "T"):
        ome_tiff_series(bench.base / prefix, "run", pause=no_pause, planes=2, size=16, seed=ord(prefix))
        for path in sorted((bench.base / prefix).iterdir()):
            name = path.name.replace("_Z", f"_{prefix}")
            bench.write(name, path.read_bytes().replace(b"run_Z", f"run_{prefix}".encode()))
        bench.finish()
    assert set(bench.states().values()) == {State.PUBLISHED}
    assert len(bench.sets()) == 2


def test_a_rename_of_the_only_file_is_a_new_set_and_the_old_one_is_forgotten(bench: Bench) -> None:
    path = bench.write("a.dat")
    bench.observe()
    path.rename(path.with_name("b.dat"))
    bench.observe(after=5)
    assert bench.groups() == {"b": {"b.dat"}}


def test_a_folder_renamed_while_it_grows_is_one_set_under_its_new_name(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    bench.write("run_tmp1/x/a")
    bench.write("keep/a")
    bench.observe()
    (bench.root / "run_tmp1").rename(bench.root / "run")
    bench.observe(after=5)
    assert bench.groups() == {"run": {"run/x/a"}, "keep": {"keep/a"}}


def test_an_empty_folder_is_no_set(bench: Bench) -> None:
    bench.configure(sets={"group": "directory"})
    (bench.root / "run/x").mkdir(parents=True)
    bench.write("a/b")
    bench.observe()
    shutil.rmtree(bench.root / "run")
    assert bench.states() == {"a": State.GROWING}


def test_a_changed_rule_for_sets_does_not_stop_the_watcher(bench: Bench) -> None:
    bench.configure(sets={"group": "file"})
    bench.write("run/x/a.dat")
    bench.write("run/b.dat")
    bench.observe()
    bench.observe(after=200)
    one = bench.journal.sets.find("a.dat")
    assert one.folder == PurePosixPath("run/x")
    bench.daemon.store.session().claim("scope/run/x/a.dat", one.id)
    bench.journal.sets.change(one, claimed=True, collection="scope/run/x/a.dat")
    bench.journal.sets.advance(bench.journal.sets.find("b.dat"), State.GROWING, bench.clock.now())
    bench.restart()
    bench.configure(sets={"group": "directory"})
    bench.write("run/c.dat")
    bench.finish()
    assert State.PUBLISHED in bench.states().values()


def test_every_file_belongs_to_a_set_after_each_look(bench: Bench) -> None:
    ome_tiff_series(bench.root, "beads", pause=no_pause, planes=3, size=16)
    for name in ("beads.txt", "x/img_z001.tif", "x/img_z002.tif", "x/a.dat", "loose"):
        bench.write(name)
    for after in (0, 10, 20, 150, 300):
        bench.observe(after)
        files = bench.journal.files.below(bench.root, "")
        assert len(files) == sum(1 for path in Path(bench.root).rglob("*") if path.is_file())
        assert all(file.set_id for file in files)
