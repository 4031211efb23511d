"""What was looked at again: when, what was found and since when, and what is due."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from watcher.journal import Journal
from watcher.model import ImageSet, State

DAY = 86400.0


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path) as made:
        yield made


def published(journal: Journal, name: str, at: float) -> ImageSet:
    one = journal.sets.create(Path("/data"), PurePosixPath(), name, grouped_by="file", format="", now=at)
    for state in (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED):
        one = journal.sets.advance(one, state, at)
    return journal.sets.advance(one, State.PUBLISHED, at, published_at=at, collection=f"/zone/{name}")


def test_what_is_found_has_its_beginning_and_its_end(journal: Journal) -> None:
    one = published(journal, "a", 0.0)
    assert journal.looks.of(one.id).drift == ()
    assert journal.looks.record(one.id, 10.0, ["it is gone"]).drift == ()
    assert journal.looks.record(one.id, 20.0, ["it is gone", "so is this"]).drift == ("it is gone",)
    assert journal.looks.drifted(10) == [(one.id, "a", ("it is gone", "so is this"), 10.0)]
    assert journal.looks.drifted_count() == 1
    assert journal.releases.verified_at(one.id) == 0.0
    assert journal.looks.record(one.id, 30.0, []).drift == ("it is gone", "so is this")
    assert journal.looks.drifted(10) == []
    assert journal.releases.verified_at(one.id) == 30.0


def test_damaged_bytes_stay_known_until_they_are_read_again(journal: Journal) -> None:
    one = published(journal, "a", 0.0)
    journal.looks.record(one.id, 10.0, [], ["a.tif: other bytes"])
    journal.looks.record(one.id, 20.0, [])
    look = journal.looks.of(one.id)
    assert look.drift == look.damaged == ("a.tif: other bytes",)
    assert (look.at, look.deep_at, look.since) == (20.0, 10.0, 10.0)
    journal.looks.record(one.id, 30.0, [], [])
    assert journal.looks.of(one.id).drift == ()


def test_the_longest_not_looked_at_are_due_first_and_publication_is_a_look(journal: Journal) -> None:
    old, new, seen = (published(journal, name, at) for name, at in (("old", 1.0), ("new", 9 * DAY), ("seen", 0.0)))
    journal.sets.create(Path("/data"), PurePosixPath(), "growing", grouped_by="file", format="", now=0.0)
    journal.looks.record(seen.id, 2 * DAY, [])
    assert journal.looks.due(3 * DAY, 0.0, 10) == [old.id, seen.id]
    assert journal.looks.due(3 * DAY, 0.0, 1) == [old.id]
    assert journal.looks.due(1 * DAY, 0.0, 10) == [old.id]
    journal.looks.record(new.id, 9 * DAY, ["it is gone"])
    assert journal.looks.due(0.0, 9 * DAY, 10) == [new.id]
    assert journal.looks.deep_due(9 * DAY - 1) == seen.id
    journal.looks.record(seen.id, 9 * DAY, [], [])
    assert journal.looks.deep_due(9 * DAY - 1) == old.id
    assert journal.looks.stored() == [seen.id, old.id, new.id]


def test_whom_others_let_in_is_kept_by_a_look(journal: Journal) -> None:
    one = published(journal, "a", 0.0)
    journal.looks.let_in(one.id, {"alice#zone": "own"})
    assert journal.releases.verified_at(one.id) == 0.0
    journal.looks.record(one.id, 10.0, [])
    assert journal.looks.of(one.id).readers == {"alice#zone": "own"}


def test_what_was_looked_at_while_the_clock_was_ahead_is_due_again(journal: Journal) -> None:
    one = published(journal, "a", 0.0)
    journal.looks.record(one.id, 900 * DAY, ["it is gone"], [])
    journal.believe(10 * DAY)
    look = journal.looks.of(one.id)
    assert (look.at, look.deep_at, look.since) == (10 * DAY, 10 * DAY, 10 * DAY)
