"""The image sets in the journal: moves, concurrent changes, finding them, frozen members and collections."""

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from watcher.errors import SetNotFound, StaleSet, WatcherError
from watcher.journal import Journal
from watcher.model import MOVES, FileFacts, ImageSet, Member, State

ROOT = Path("/data")


def new(journal: Journal, name: str = "cells", folder: str = "", root: Path = ROOT, now: float = 1.0) -> ImageSet:
    return journal.sets.create(
        root, PurePosixPath(folder), name, grouped_by="stem", format="", now=now, last_change=now
    )


def member(path: str, *, size: int = 1, mtime: int = 1, identity: str = "1:1", target: str = "") -> Member:
    return Member(path, FileFacts(size, mtime, identity), target or path)


def digests(journal: Journal, image_set: ImageSet) -> dict[str, str | None]:
    return {one.target: one.sha256 for one in journal.sets.members(image_set.id)}


def test_a_new_set_grows_and_its_history_says_since_when(journal: Journal) -> None:
    made = new(journal, now=5.0)
    assert (made.state, made.version, made.first_seen) == (State.GROWING, 1, 5.0)
    assert journal.sets.get(made.id) == made
    assert journal.sets.history(made.id) == [(5.0, State.GROWING, "first seen")]


def test_everything_about_a_set_is_the_same_after_a_restart(state: Path) -> None:
    changes: dict[str, Any] = {
        "whole": True, "sound": False, "problems": ("a\udcff", "b; c"), "waits_for": ("d",), "reason": "e",
        "embedded": {"size": "2x2", "µ": "\u2603"}, "completed_at": 2.5, "claimed": True, "attempts": 3,
    }  # fmt: skip
    with Journal(state) as journal:
        folder = PurePosixPath("sub\udcfe/x")
        made = journal.sets.create(
            Path("/d\udcff"), folder, "n", grouped_by="directory", format="tiff", now=1.25, last_change=1.0
        )
        changed = journal.sets.change(made, **changes)
    with Journal(state) as journal:
        assert journal.sets.get(made.id) == changed
        assert journal.sets.get(made.id).folder == folder


def test_the_next_set_of_that_name_and_place_is_the_next_version(journal: Journal) -> None:
    first, second, third = new(journal), new(journal), new(journal)
    assert [one.version for one in (first, second, third)] == [1, 2, 3]
    assert (second.supersedes, third.supersedes) == (first.id, second.id)


def test_the_same_name_elsewhere_is_another_set(journal: Journal) -> None:
    sets = [new(journal), new(journal, folder="a"), new(journal, root=Path("/other")), new(journal, name="Cells")]
    assert {one.version for one in sets} == {1}
    assert len({one.id for one in sets}) == 4


def test_a_lost_journal_gives_the_same_identifiers_again(tmp_path: Path) -> None:
    ids = []
    for state in ("one", "two"):
        with Journal(tmp_path / state) as journal:
            ids.append((new(journal, "b%FF", "a\udcff").id, new(journal, "b%FF", "a\udcff").id))
    assert ids[0] == ids[1]


@pytest.mark.parametrize(("start", "to"), [(a, b) for a in State for b in State if b not in MOVES[a]])
def test_a_move_that_is_not_on_the_list_is_refused_and_changes_nothing(
    journal: Journal, start: State, to: State
) -> None:
    made = journal.sets.change(new(journal), state=start)
    with pytest.raises(WatcherError, match=f"cannot go from {start} to {to}"):
        journal.sets.advance(made, to, 2.0)
    assert journal.sets.get(made.id) == made
    assert len(journal.sets.history(made.id)) == 1


@pytest.mark.parametrize(("start", "to"), [(a, b) for a in State for b in MOVES[a]])
def test_a_move_on_the_list_is_made_and_written_down(journal: Journal, start: State, to: State) -> None:
    made = journal.sets.change(new(journal), state=start)
    moved = journal.sets.advance(made, to, 2.0, "why", reason="because")
    assert journal.sets.get(made.id) == moved
    assert (moved.state, moved.reason, moved.revision) == (to, "because", made.revision + 1)
    assert journal.sets.history(made.id)[-1] == (2.0, to, "why")


def test_a_step_on_an_older_form_of_a_set_does_not_count(state: Path, journal: Journal) -> None:
    made = new(journal)
    with Journal(state) as person:
        skipped = person.sets.advance(person.sets.find("cells"), State.SKIPPED, 2.0, "a person")
    with pytest.raises(StaleSet, match="changed meanwhile"):
        journal.sets.advance(made, State.COMPLETE, 3.0)
    assert journal.sets.get(made.id) == skipped
    assert [state for _, state, _ in journal.sets.history(made.id)] == [State.GROWING, State.SKIPPED]


def test_a_change_to_a_set_that_was_forgotten_does_not_count(journal: Journal) -> None:
    made = new(journal)
    journal.sets.forget(made)
    with pytest.raises(StaleSet):
        journal.sets.change(made, attempts=1)


def test_a_reason_may_name_a_file_whose_name_is_no_text(journal: Journal) -> None:
    made = new(journal)
    held = journal.sets.advance(made, State.HELD, 2.0, "/data/b\udcff.tif: gone", reason="/data/b\udcff.tif: gone")
    assert ".tif: gone" in journal.sets.get(held.id).reason
    assert ".tif: gone" in journal.sets.history(held.id)[-1][2]


def test_history_is_in_the_order_of_events_even_if_the_clock_was_set_back(journal: Journal) -> None:
    moved = journal.sets.advance(new(journal, now=100.0), State.COMPLETE, 50.0)
    journal.sets.advance(moved, State.VALID, 60.0)
    assert [state for _, state, _ in journal.sets.history(moved.id)] == [State.GROWING, State.COMPLETE, State.VALID]


def test_a_set_is_found_by_identifier_beginning_name_and_collection(journal: Journal) -> None:
    made = journal.sets.change(new(journal), collection="/zone/cells")
    new(journal, "other")
    for text in (made.id, made.id.removeprefix("urn:uuid:"), made.id[9:17], made.id[:17], "cells", "/zone/cells"):
        assert journal.sets.find(text).id == made.id


@pytest.mark.parametrize("text", ["nothing", "", "cel", "%", "cell_", "urn:uuid:ffffffff", "' OR 1=1 --"])
def test_what_is_no_set_is_not_found(journal: Journal, text: str) -> None:
    new(journal)
    with pytest.raises(SetNotFound, match="no such set"):
        journal.sets.find(text)


def test_a_name_that_no_set_can_have_is_not_found(journal: Journal) -> None:
    new(journal)
    with pytest.raises(SetNotFound):
        journal.sets.find("b\udcff")


def test_three_letters_are_no_beginning_of_an_identifier(journal: Journal) -> None:
    made = new(journal)
    with pytest.raises(SetNotFound):
        journal.sets.find(made.id[9:12])


def test_a_name_means_its_newest_version(journal: Journal) -> None:
    first, second = new(journal), new(journal)
    assert journal.sets.find("cells").id == second.id
    assert journal.sets.find(first.id[9:17]).id == first.id


def test_a_name_in_two_folders_is_ambiguous_and_both_are_shown(journal: Journal) -> None:
    one, other = new(journal, folder="a"), new(journal, folder="b")
    with pytest.raises(SetNotFound, match="several sets fit") as told:
        journal.sets.find("cells")
    assert all(made.id[9:17] in str(told.value) for made in (one, other))


def test_sets_are_listed_in_the_order_in_which_they_were_finished(journal: Journal) -> None:
    late, early, growing = (new(journal, name, now=number) for number, name in enumerate(("late", "early", "young")))
    journal.sets.advance(late, State.COMPLETE, 30.0, completed_at=30.0)
    journal.sets.advance(early, State.COMPLETE, 20.0, completed_at=20.0)
    assert [one.name for one in journal.sets.in_states(State.COMPLETE)] == ["early", "late"]
    assert [one.name for one in journal.sets.in_states(State.COMPLETE, limit=1)] == ["early"]
    assert {one.name for one in journal.sets.in_states()} == {"late", "early", growing.name}
    assert journal.sets.counts() == {State.COMPLETE: 2, State.GROWING: 1}


def test_a_digest_is_kept_only_for_a_file_that_is_still_the_same(journal: Journal) -> None:
    made = new(journal)
    names = ("same", "grown", "touched", "replaced", "gone")
    journal.sets.freeze(made, [member(name) for name in names])
    for one in journal.sets.members(made.id):
        journal.sets.sent(made, one, f"digest of {one.target}")
    now = [
        member("same"), member("grown", size=2), member("touched", mtime=2), member("replaced", identity="1:2"),
        member("new"),
    ]  # fmt: skip
    journal.sets.freeze(made, now)
    assert digests(journal, made) == {
        "same": "digest of same", "grown": None, "touched": None, "replaced": None, "new": None
    }  # fmt: skip


@pytest.mark.parametrize("change", [{"size": 2}, {"mtime": 2}, {"identity": "1:2"}], ids=str)
def test_a_digest_for_another_generation_of_the_file_is_not_written_down(
    journal: Journal, change: dict[str, Any]
) -> None:
    made = new(journal)
    old = member("a")
    journal.sets.freeze(made, [member("a", **change)])
    journal.sets.sent(made, old, "digest of the old bytes")
    assert digests(journal, made) == {"a": None}


def test_a_member_that_must_be_sent_again_loses_its_digest(journal: Journal) -> None:
    made = new(journal)
    journal.sets.freeze(made, [member("a")])
    (one,) = journal.sets.members(made.id)
    journal.sets.sent(made, one, "digest")
    journal.sets.sent(made, one, None)
    assert digests(journal, made) == {"a": None}


def test_members_come_back_in_order_with_names_that_are_no_text(journal: Journal) -> None:
    made = new(journal)
    paths = ["b\udcff.tif", "a/z", "a\n'b\"", "Ω"]
    journal.sets.freeze(made, [member(path, target=f"t{number}") for number, path in enumerate(paths)])
    found = journal.sets.members(made.id)
    assert {str(one.path) for one in found} == set(paths)
    assert found == sorted(found, key=lambda one: str(one.path).encode("utf-8", "surrogateescape"))


def test_what_may_have_been_sent_and_is_no_member_any_more_is_left_over(journal: Journal) -> None:
    made = journal.sets.change(new(journal), claimed=True)
    journal.sets.freeze(made, [member("a"), member("b")])
    journal.sets.freeze(made, [member("b")])
    assert journal.sets.leftovers(made.id) == ["a"]
    journal.sets.freeze(made, [member("a"), member("b")])
    assert journal.sets.leftovers(made.id) == []


def test_nothing_is_left_over_of_a_set_that_has_no_collection_yet(journal: Journal) -> None:
    made = new(journal)
    journal.sets.freeze(made, [member("a"), member("b")])
    journal.sets.freeze(made, [member("b")])
    assert journal.sets.leftovers(made.id) == []


@pytest.mark.parametrize("wanted", ["/z/a/b", "/z/a", "/z", "/z/a/b/c", "/z/a/b/c/d"])
def test_no_set_goes_into_another_ones_collection_nor_above_or_below_it(journal: Journal, wanted: str) -> None:
    assert journal.collections.take(new(journal), "/z/a/b")
    other = new(journal, "other")
    assert journal.collections.take(other, wanted) is None
    assert journal.sets.get(other.id).collection is None


@pytest.mark.parametrize("free", ["/z/ab", "/z/a.v2", "/z/A", "/z/b/a", "/z/a~1/x", "/z/a%/x"])
def test_a_collection_beside_another_is_free(journal: Journal, free: str) -> None:
    assert journal.collections.take(new(journal), "/z/a")
    taken = journal.collections.take(new(journal, "other"), free)
    assert taken is not None
    assert journal.sets.get(taken.id).collection == free


def test_a_set_may_take_its_own_collection_again(journal: Journal) -> None:
    taken = journal.collections.take(new(journal), "/z/a")
    assert taken is not None
    again = journal.collections.take(taken, "/z/a")
    assert again is not None
    assert again.collection == "/z/a"


def test_a_forgotten_set_leaves_nothing_and_its_files_are_free(journal: Journal) -> None:
    made = journal.sets.change(new(journal), claimed=True)
    journal.files.record(ROOT, "", {"a": FileFacts(1, 1, "")}, (), 1.0)
    journal.files.assign(ROOT, journal.files.in_folder(ROOT, ""), made.id)
    journal.files.rest(made.id)
    journal.sets.freeze(made, [member("a"), member("b")])
    journal.sets.freeze(made, [member("b")])
    journal.sets.forget(made)
    query = """SELECT id FROM image_set UNION ALL SELECT set_id FROM member UNION ALL SELECT set_id FROM leftover
               UNION ALL SELECT set_id FROM history"""
    assert not journal.database.rows(query)
    assert [file.set_id for file in journal.files.in_folder(ROOT, "")] == [None]
    assert [name for name, *_ in journal.files.live_in(ROOT, "")] == [b"a"]
    assert new(journal).version == 1


def test_only_unfinished_sets_count_as_being_without_files(journal: Journal) -> None:
    with_file = new(journal, "with")
    journal.files.record(ROOT, "", {"a": FileFacts(1, 1, "")}, (), 1.0)
    journal.files.assign(ROOT, journal.files.in_folder(ROOT, ""), with_file.id)
    for state in State:
        journal.sets.change(new(journal, str(state)), state=state)
    new(journal, "elsewhere", root=Path("/other"))
    found = {one.name for one in journal.sets.without_files(ROOT)}
    assert found == {"growing", "complete", "valid", "delivered", "verified"}


def test_an_older_form_can_not_be_written_back(journal: Journal) -> None:
    made = new(journal)
    journal.sets.change(made, attempts=1)
    with pytest.raises(StaleSet):
        journal.sets.change(replace(made, reason="old"), attempts=9)
    assert journal.sets.get(made.id).attempts == 1
