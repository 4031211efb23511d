"""What the journal keeps of who made the sets: sessions, orders of persons, changes in the store, who was let in."""

from pathlib import Path, PurePosixPath

import pytest

from watcher.journal import Journal
from watcher.journal.attributions import Change, Order
from watcher.model import Attribution, Avu, Contributor, ImageSet, Organisation, Person, Resolution, State

ROOT = Path("/data")
JANE = Person(
    "Doe, Jane", "https://orcid.org/0000-0002-1825-0097", "j@x.org", Organisation("Cells"), "jdoe", staff=True
)
RECORD = Attribution(
    Resolution.PARTIAL, (JANE,), JANE, (Contributor(JANE, "Researcher", "software"),
    Contributor(Organisation("BIC", "r"), "HostingInstitution")), Organisation("BIC", "r"),
    {"request": "RQ4F7K2MT"}, {"scientist": "session"}, ("a",), ("b",),
)  # fmt: skip


def new(journal: Journal, name: str = "a", *, published: bool = True) -> ImageSet:
    one = journal.sets.create(ROOT, PurePosixPath(), name, grouped_by="stem", format="tiff", now=1.0)
    states = (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED, State.PUBLISHED) if published else ()
    for state in states:
        one = journal.sets.advance(one, state, 2.0)
    return one


def test_one_session_at_a_time_and_several_in_different_folders(journal: Journal) -> None:
    first = journal.sessions.start("RQ1", "rroe", "", 100.0, 1000.0)
    beside = journal.sessions.start("RQ2", "mmoe", "/data/b", 150.0, 1000.0)
    second = journal.sessions.start("RQ3", "rroe", "", 200.0, 1000.0)
    assert [one.id for one in journal.sessions.between(250.0, 250.0)] == [beside.id, second.id]
    ended = next(one for one in journal.sessions.latest(9) if one.id == first.id)
    assert (ended.until, ended.ended_by) == (200.0, "the next session")
    assert [one.id for one in journal.sessions.between(120.0, 130.0)] == [first.id], "what was is remembered"
    assert [one.id for one in journal.sessions.between(0.0, 99.0)] == []


def test_a_forgotten_session_ends_by_itself(journal: Journal) -> None:
    one = journal.sessions.start("RQ1", "rroe", "", 100.0, 50.0)
    assert journal.sessions.between(149.0, 149.0) == [one]
    assert journal.sessions.between(150.0, 150.0) == []
    assert not journal.sessions.stop(one.id, 151.0, "the operator")
    assert journal.sessions.latest(1) == [one]


def test_a_session_is_stopped_once(journal: Journal) -> None:
    one = journal.sessions.start("RQ1", "rroe", "", 100.0, 50.0)
    assert journal.sessions.stop(one.id, 120.0, "the operator")
    assert not journal.sessions.stop(one.id, 121.0, "the operator")
    (found,) = journal.sessions.latest(9)
    assert (found.until, found.ended_by, found.is_open(120.0)) == (120.0, "the operator", False)


def test_who_made_a_set_is_kept_as_it_was_written(journal: Journal) -> None:
    one = new(journal)
    assert journal.attributions.record(one.id) is None
    journal.attributions.written(one.id, RECORD, 0)
    assert journal.attributions.record(one.id) == RECORD
    assert journal.attributions.due(1e9, 9) == []


def test_an_order_for_published_sets_is_due_at_once_and_one_for_others_waits_for_publication(journal: Journal) -> None:
    there, growing = new(journal, "a"), new(journal, "b", published=False)
    journal.attributions.order([there.id, growing.id], Order(10.0, "rroe", {"request": "RQ4F7K2MT"}))
    journal.attributions.order([there.id], Order(11.0, "mmoe", {"scientist": "jdoe"}))
    assert journal.attributions.due(20.0, 9) == [there.id]
    assert journal.attributions.waiting() == 1
    assert [(one.at, one.who, dict(one.values)) for one in journal.attributions.orders(there.id)] == [
        (10.0, "rroe", {"request": "RQ4F7K2MT"}), (11.0, "mmoe", {"scientist": "jdoe"}),
    ]  # fmt: skip
    assert len(journal.attributions.orders(growing.id)) == 1


def test_an_order_that_comes_while_the_store_is_told_of_another_is_not_lost(journal: Journal) -> None:
    one = new(journal, published=False)
    revision = journal.attributions.revision(one.id)
    journal.attributions.order([one.id], Order(10.0, "rroe", {"scientist": "jdoe"}))
    journal.attributions.written(one.id, RECORD, revision)
    assert journal.attributions.due(20.0, 9) == [one.id], "it was published by what was known before"
    journal.attributions.written(one.id, RECORD, journal.attributions.revision(one.id))
    assert journal.attributions.due(20.0, 9) == []


def test_what_fails_is_tried_again_later_or_left_with_its_reason(journal: Journal) -> None:
    one = new(journal)
    journal.attributions.look_again([one.id])
    assert journal.attributions.postpone(one.id, 50.0, "locked") == 1
    assert journal.attributions.postpone(one.id, 60.0, "locked") == 2
    assert (journal.attributions.due(59.0, 9), journal.attributions.due(60.0, 9)) == ([], [one.id])
    assert journal.attributions.next_due() == 60.0
    journal.attributions.give_up(one.id, "no permission")
    assert journal.attributions.problems() == [(one.id, "no permission")]
    assert journal.attributions.next_due() is None
    journal.attributions.look_again([one.id])
    journal.attributions.written(one.id, RECORD, journal.attributions.revision(one.id))
    assert journal.attributions.problems() == []


def test_only_sets_that_are_in_the_store_are_looked_at_again(journal: Journal) -> None:
    growing = new(journal, published=False)
    journal.attributions.look_again([growing.id, "urn:uuid:unknown"])
    assert journal.attributions.waiting() == 0


def test_a_change_that_was_cut_off_keeps_what_was_there_before_it(journal: Journal) -> None:
    one, old, new_one = new(journal), (Avu("a", "1"),), (Avu("a", "2"),)
    journal.attributions.begin_change(one.id, Change(10.0, "rroe", old, new_one))
    # Killed here, after the store was changed: the second attempt finds the new values.
    journal.attributions.begin_change(one.id, Change(20.0, "rroe", new_one, new_one))
    assert journal.attributions.end_change(one.id, new_one)
    (change,) = journal.attributions.changes(one.id)
    assert (change.at, change.who, change.before, change.after) == (10.0, "rroe", (Avu("a", "1"),), (Avu("a", "2"),))


def test_a_change_that_changes_nothing_is_no_change(journal: Journal) -> None:
    one = new(journal)
    journal.attributions.begin_change(one.id, Change(10.0, "rroe", (Avu("a", "1"),), ()))
    assert not journal.attributions.end_change(one.id, [Avu("a", "1")])
    assert journal.attributions.changes(one.id) == []


def test_who_could_not_be_let_in_is_on_the_list_until_they_are(journal: Journal) -> None:
    one = new(journal)
    journal.attributions.grant(one.id, {"jdoe": "read", "omero": "read"}, {"omero": "unknown to the zone"})
    assert journal.attributions.granted(one.id) == {"jdoe": ("read", ""), "omero": ("read", "unknown to the zone")}
    assert journal.attributions.shut_out() == [(one.id, "omero", "unknown to the zone")]
    journal.attributions.grant(one.id, {"omero": "read"}, {})
    assert journal.attributions.shut_out() == []
    assert journal.attributions.granted(one.id) == {"omero": ("read", "")}


@pytest.mark.parametrize("with_order", [True, False])
def test_a_set_that_is_forgotten_leaves_nothing_behind(journal: Journal, with_order: bool) -> None:
    one = new(journal, published=False)
    if with_order:
        journal.attributions.order([one.id], Order(10.0, "rroe", {"request": "RQ4F7K2MT"}))
    journal.sets.forget(one)
    assert journal.attributions.orders(one.id) == []
