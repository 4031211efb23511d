"""Looking through the sets: filtered, in pages, however many there are."""

import sqlite3
import time
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest

from watcher.journal import Journal
from watcher.journal.listing import Place, Wanted
from watcher.model import UNDER_WAY, Attribution, FileFacts, ImageSet, Member, Person, Resolution, State

ROOT = Path("/data")
JANE = Person("Doe, Jane", orcid="https://orcid.org/0000-0002-1825-0097", user="jdoe")


def grown(journal: Journal, name: str, at: float) -> ImageSet:
    return journal.sets.create(ROOT, PurePosixPath("x"), name, grouped_by="file", format="czi", now=at, last_change=at)


def published(journal: Journal, name: str, at: float, made_by: Person | None = None) -> ImageSet:
    one = grown(journal, name, at)
    for state in (*UNDER_WAY, State.PUBLISHED):
        one = journal.sets.advance(one, state, at, published_at=at)
    if made_by:
        journal.attributions.written(one.id, Attribution(Resolution.RESOLVED, (made_by,), facts={"title": "x"}), 0)
    return one


def names(found: list[ImageSet]) -> list[str]:
    return [one.name for one in found]


def place(one: ImageSet) -> Place:
    return Place(one.last_change, one.id)


def test_pages_follow_each_other_without_a_gap_also_where_times_are_the_same(journal: Journal) -> None:
    made = [grown(journal, f"s{number}", float(number // 3)) for number in range(10)]
    made.sort(key=lambda one: (one.last_change, one.id), reverse=True)
    found: list[ImageSet] = []
    while page := journal.listing.page(Wanted(), 3, below=place(found[-1]) if found else None):
        found += page
    assert names(found) == names(made)
    back = journal.listing.page(Wanted(), 3, above=place(found[5]))
    assert names(back) == names(found[2:5])
    assert journal.listing.page(Wanted(), 3, above=place(found[0])) == []


def test_sets_of_several_states_come_in_one_order(journal: Journal) -> None:
    for at, name in enumerate(("a", "b", "c")):
        published(journal, name, float(at))
    grown(journal, "d", 1.5)
    wanted = Wanted((State.GROWING, State.PUBLISHED))
    assert names(journal.listing.page(wanted, 3)) == ["c", "d", "b"]
    assert names(journal.listing.page(Wanted((State.HELD,)), 3)) == []


@pytest.mark.parametrize(
    ("text", "found"), [("ACTIN", ["actin 100%"]), ("0%", ["actin 100%"]), ("_", []), ("'; DROP", []), ("\\", [])]
)
def test_text_is_taken_as_it_is_written(journal: Journal, text: str, found: list[str]) -> None:
    for name in ("actin 100%", "tubulin"):
        grown(journal, name, 1.0)
    assert names(journal.listing.page(Wanted(text=text), 5)) == found


def test_a_set_is_found_by_its_collection_and_its_identifier(journal: Journal) -> None:
    one = journal.sets.change(grown(journal, "a", 1.0), collection="/zone/home/Scope/actin")
    grown(journal, "b", 1.0)
    for text in ("scope/act", one.id[9:20]):
        assert names(journal.listing.page(Wanted(text=text), 5)) == ["a"]


@pytest.mark.parametrize("word", ["doe, j", "0000-0002-1825-0097", "jdoe"])
def test_a_person_is_found_by_name_orcid_and_user_and_not_by_the_rest_of_the_record(
    journal: Journal, word: str
) -> None:
    published(journal, "hers", 1.0, JANE)
    published(journal, "nobody's", 2.0)
    published(journal, "another's", 3.0, Person("Roe, Richard"))
    assert names(journal.listing.page(Wanted(person=word), 5)) == ["hers"]
    assert names(journal.listing.page(Wanted(person="title"), 5)) == []


def test_only_what_changed_since_is_listed(journal: Journal) -> None:
    for at in range(4):
        grown(journal, f"s{at}", float(at))
    assert names(journal.listing.page(Wanted(since=2.0), 5)) == ["s3", "s2"]


def test_members_come_in_pages_whether_frozen_or_still_written(journal: Journal) -> None:
    one = grown(journal, "a", 1.0)
    facts = FileFacts(5, 1, "x")
    journal.files.record(ROOT, "x", {f"f{n}": facts for n in range(5)}, (), 1.0)
    journal.files.record(ROOT, "", {"top": facts}, (), 1.0)
    for folder in ("", "x"):
        journal.files.assign(ROOT, journal.files.in_folder(ROOT, folder), one.id)
    journal.sets.intend(one, [Member("x/f3", facts, "f3")])
    journal.sets.sent(one, Member("x/f3", facts, "f3"), "a" * 64)
    assert journal.listing.member_count(one) == 6
    found = journal.listing.members(one, 10)
    assert [member.path for member in found] == ["top", "x/f0", "x/f1", "x/f2", "x/f3", "x/f4"]
    assert [member.path for member in found if member.sha256] == ["x/f3"]
    journal.sets.freeze(one, [Member(f"x/f{n}", facts, f"f{n}") for n in range(5)])
    one = journal.sets.advance(one, State.COMPLETE, 2.0)
    assert [member.path for member in journal.listing.members(one, 2, 2)] == ["x/f2", "x/f3"]
    assert journal.listing.member_count(one) == 5


def test_the_first_page_is_found_by_an_index_in_every_filter(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that sorts would read all sets first; that shows in the plan, and not in a small journal's time."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    rows = journal.database.rows

    def listen(query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        asked.append((query, values))
        return rows(query, values)

    monkeypatch.setattr(journal.database, "rows", listen)
    for wanted in (Wanted(), Wanted((State.PUBLISHED, State.RELEASED)), Wanted(text="x"), Wanted(since=time.time())):
        journal.listing.page(wanted, 50, below=Place(1.0, "x"))
    for query, values in asked:
        plan = [row["detail"] for row in rows(f"EXPLAIN QUERY PLAN {query}", values)]
        searches = [(line, after) for line, after in pairwise(plan) if " image_set " in line]
        assert searches
        for line, after in searches:
            assert "changed" in line
            assert "TEMP B-TREE" not in after, plan
