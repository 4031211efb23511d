"""What the journal knows of copies in further stores."""

from pathlib import Path, PurePosixPath

import pytest

from watcher.journal import Journal
from watcher.journal.pruning import KEEP, prune
from watcher.model import FileFacts, ImageSet, Member, State


@pytest.fixture
def one(journal: Journal) -> ImageSet:
    return _set(journal, "one")


def _set(journal: Journal, name: str, *, published: bool = True) -> ImageSet:
    made = journal.sets.create(
        Path("/data"), PurePosixPath("x"), name, grouped_by="stem", format="", now=1.0, last_change=1.0
    )
    if not published:
        return made
    journal.sets.freeze(made, [Member(f"x/{name}", FileFacts(1, 1, ""), name, "d")])
    for state in (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED, State.PUBLISHED):
        made = journal.sets.advance(made, state, 1.0, published_at=1.0)
    return made


def test_a_wanted_copy_is_due_until_it_is_verified(journal: Journal, one: ImageSet) -> None:
    assert journal.copies.due("disk", 5.0) is None
    journal.copies.want(one.id, ["disk", "zone"])
    assert journal.copies.due("disk", 5.0) == one.id
    assert journal.copies.waiting() == [("disk", 1, ""), ("zone", 1, "")]
    assert journal.copies.take(one.id, "disk", "lab/one")
    journal.copies.verified(one.id, "disk", journal.copies.one(one.id, "disk").revision, 7.0)
    disk, zone = journal.copies.of(one.id)
    assert (disk.collection, disk.verified_at, disk.wanted) == ("lab/one", 7.0, False)
    assert (zone.collection, zone.verified_at, zone.wanted) == (None, None, True)
    assert (journal.copies.due("disk", 9.0), journal.copies.next_at("disk")) == (None, None)
    assert journal.copies.waiting() == [("zone", 1, "")]


def test_what_changed_while_a_copy_was_made_is_still_to_be_told(journal: Journal, one: ImageSet) -> None:
    journal.copies.want(one.id, ["disk"])
    begun = journal.copies.one(one.id, "disk").revision
    journal.copies.want_anew(one.id)
    journal.copies.verified(one.id, "disk", begun, 7.0)
    assert journal.copies.one(one.id, "disk").verified_at == 7.0
    assert journal.copies.due("disk", 7.0) == one.id


def test_what_fails_is_tried_again_at_its_time_and_tells_why(journal: Journal, one: ImageSet) -> None:
    journal.copies.want(one.id, ["disk"])
    journal.copies.failed(one.id, "disk", 50.0, "no room")
    assert (journal.copies.due("disk", 49.0), journal.copies.due("disk", 50.0)) == (None, one.id)
    assert journal.copies.next_at("disk") == 50.0
    found = journal.copies.one(one.id, "disk")
    assert (found.problem, found.attempts) == ("no room", 1)
    assert journal.copies.waiting() == [("disk", 1, "no room")]
    journal.copies.want(one.id, ["disk"])
    assert journal.copies.due("disk", 1.0) == one.id


def test_a_copy_that_is_gone_is_wanted_anew(journal: Journal, one: ImageSet) -> None:
    journal.copies.want(one.id, ["disk"])
    assert journal.copies.take(one.id, "disk", "lab/one")
    journal.copies.verified(one.id, "disk", 0, 7.0)
    journal.copies.lost(one.id, "disk", "it is gone")
    found = journal.copies.one(one.id, "disk")
    assert (found.collection, found.verified_at, found.problem, found.wanted) == ("lab/one", None, "it is gone", True)


def test_a_new_place_in_the_profile_gets_all_that_is_published(journal: Journal, one: ImageSet) -> None:
    growing = _set(journal, "growing", published=False)
    journal.copies.keep_only(["disk"])
    assert journal.copies.due("disk", 0.0) == one.id
    assert journal.copies.of(growing.id) == []
    assert journal.copies.take(one.id, "disk", "lab/one")
    journal.copies.verified(one.id, "disk", 0, 7.0)
    journal.copies.want(one.id, ["zone"])
    journal.copies.keep_only([])
    (known,) = journal.copies.of(one.id)
    assert (known.name, known.verified_at, known.wanted) == ("disk", 7.0, False)
    assert journal.copies.waiting() == []
    journal.copies.keep_only(["disk"])
    assert journal.copies.waiting() == []


def test_a_forgotten_set_is_to_be_withdrawn_from_its_copies_too(journal: Journal) -> None:
    growing = _set(journal, "growing", published=False)
    assert journal.copies.take(growing.id, "disk", "lab/growing")
    assert journal.copies.take(growing.id, "zone", "/z/growing")
    journal.sets.forget(growing)
    assert journal.copies.withdrawals("disk") == [("lab/growing", growing.id)]
    journal.copies.withdrawn("disk", "lab/growing")
    assert journal.copies.withdrawals("disk") == []
    assert journal.copies.withdrawals("zone") == [("/z/growing", growing.id)]


def test_the_files_of_a_set_are_not_forgotten_before_its_copies_are_made(journal: Journal, one: ImageSet) -> None:
    journal.sets.change(one, cleared=True)
    journal.copies.want(one.id, ["disk"])
    list(prune(journal.database, 2 + KEEP, [Path("/data")]))
    assert len(journal.sets.members(one.id)) == 1
    journal.copies.verified(one.id, "disk", 0, 7.0)
    list(prune(journal.database, 2 + KEEP, [Path("/data")]))
    assert journal.sets.members(one.id) == []


def test_attempts_that_a_wrong_clock_put_off_for_years_are_made(journal: Journal, one: ImageSet) -> None:
    journal.copies.want(one.id, ["disk"])
    journal.copies.failed(one.id, "disk", 1e10, "no room")
    journal.believe(1e9)
    assert journal.copies.due("disk", 1e9) == one.id


def test_a_place_is_taken_before_it_is_claimed_and_not_while_it_is_to_be_cleared(journal: Journal) -> None:
    first, second = (_set(journal, name, published=False) for name in ("first", "second"))
    assert journal.copies.take(first.id, "disk", "lab/x")
    assert not journal.copies.one(first.id, "disk").claimed
    journal.copies.claimed(first.id, "disk")
    assert journal.copies.one(first.id, "disk").claimed
    assert journal.copies.take(first.id, "disk", "lab/y")
    assert not journal.copies.one(first.id, "disk").claimed
    journal.sets.forget(first)
    assert not journal.copies.take(first.id, "disk", "lab/z")
    assert not journal.copies.take(second.id, "disk", "lab/y")
    assert journal.copies.take(second.id, "zone", "lab/y")
    journal.copies.withdrawn("disk", "lab/y")
    assert journal.copies.take(second.id, "disk", "lab/y")
