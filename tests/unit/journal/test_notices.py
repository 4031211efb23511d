"""What people know is kept by addressee, and good news reach each of those whom they concern once."""

from pathlib import Path, PurePosixPath

from watcher.journal import Journal
from watcher.journal.notices import Knows, Notice

NOTICE = Notice("disk:/d", "little room", None, True, "", 10.0)


def safe(journal: Journal, name: str, at: float) -> str:
    one = journal.sets.create(Path("/d"), PurePosixPath(), name, grouped_by="stem", format="", now=1.0)
    journal.notices.is_safe(one.id, at)
    return one.id


def test_what_was_kept_is_found_again_as_it_was(tmp_path: Path) -> None:
    known = Notice("set:1", "a: broken", 5.0, False, "urn:uuid:1", 10.0, 20.0, Knows.PERHAPS, True)
    with Journal(tmp_path) as journal:
        journal.notices.keep("facility A", [NOTICE, known], told_at=30.0)
    with Journal(tmp_path) as journal:
        assert journal.notices.of("facility A") == [NOTICE, known]
        assert journal.notices.of("facility B") == []
        assert (journal.notices.told_at("facility A"), journal.notices.told_at("facility B")) == (30.0, None)
        journal.notices.keep("facility A", [NOTICE], [known.key])
        assert journal.notices.of("facility A") == [NOTICE]


def test_good_news_go_to_each_of_those_whom_they_concern_once(journal: Journal) -> None:
    second, first = safe(journal, "b", 20.0), safe(journal, "a", 10.0)
    assert journal.notices.unaddressed(10) == [first, second]
    journal.notices.address(first, ["person 1", "person 2"])
    journal.notices.address(second, ["person 1"])
    assert journal.notices.unaddressed(10) == []
    assert journal.notices.good_news("person 1") == [(first, 10.0), (second, 20.0)]
    journal.notices.told_good_news("person 1", [first], 30.0)
    assert journal.notices.good_news("person 1") == [(second, 20.0)]
    assert journal.notices.good_news("person 2") == [(first, 10.0)]
    # It became known otherwise who made the first: who has heard of it does not hear again.
    journal.notices.is_safe(first, 40.0)
    journal.notices.address(first, ["person 1", "person 3"])
    assert journal.notices.good_news("person 1") == [(second, 20.0)]
    assert journal.notices.good_news("person 3") == [(first, 40.0)]


def test_times_of_a_clock_that_was_ahead_are_taken_back(journal: Journal) -> None:
    set_id = safe(journal, "a", 1e9)
    journal.notices.address(set_id, ["person 1"])
    journal.notices.keep("x", [Notice("k", "w", None, True, "", 1e9, 1e9, Knows.YES)], told_at=1e9)
    journal.believe(100.0)
    (one,) = journal.notices.of("x")
    assert (one.seen_at, one.gone_at, journal.notices.told_at("x")) == (100.0, 100.0, 100.0)
    assert journal.notices.good_news("person 1") == [(set_id, 100.0)]
