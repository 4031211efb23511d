"""Persons are told what concerns their sets, if they want that, and nobody else is."""

import os

import pytest

from tests.unit.overview.telling import HOUR, MINUTE, Told, Way, let_pass, messages
from tests.unit.pipeline.conftest import Bench
from watcher.journal.attributions import Order
from watcher.model import ImageSet, State
from watcher.overview.addressees import Persons
from watcher.overview.messages import Messages

PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, email: jane@x.org, logins: [jdoe], messages: [problems, safe]}
  - {name: "Smith, Anna", email: anna@x.org, logins: [asmith], messages: [safe]}
  - {name: "Roe, Richard", email: richard@x.org, logins: [rroe], staff: true, messages: [problems]}
  - {name: "Poe, Edgar", email: edgar@x.org, logins: [epoe]}
generic_logins: [root]
"""


class Facility:
    """A bench with persons, who are told by a way that the test holds."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.way = Way("NOTIFY_MAIL")
        self.duty = self.started()

    def started(self) -> Messages:
        """The duty as it is after a start."""
        bench = self.bench
        daemon, journal = bench.daemon, bench.journal
        daemon.registers.refresh()
        persons = Persons(journal, daemon.registers, daemon.attribute, bench.clock)
        told = Told(journal, bench.clock)
        self.duty = messages(self.way, journal, bench.clock, audience=persons, told=told)
        return self.duty

    def let_pass(self, seconds: float) -> None:
        let_pass(self.duty, self.bench.clock, seconds)

    def publish(self, *paths: str) -> None:
        for path in paths:
            self.bench.write(path)
        self.bench.finish()

    def hold(self, path: str, why: str = "a file is missing") -> ImageSet:
        """A set of which one file came, and that needs somebody."""
        now = self.bench.clock.now()
        os.utime(self.bench.write(path), (now, now))
        self.bench.observe()
        one = next(one for one in self.bench.sets() if one.state is State.COMPLETE)
        return self.bench.journal.sets.advance(one, State.HELD, self.bench.clock.now(), why, reason=why)

    @property
    def told(self) -> list[tuple[str, str]]:
        """To whom, and what."""
        return [(to, message.title.removeprefix("scope: ")) for to, message in self.way.came]


@pytest.fixture
def facility(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Facility:
    monkeypatch.setenv("NOTIFY_MAIL", "mailto://127.0.0.1:1?from=scope@x.org")
    (bench.base / "people.yaml").write_text(PEOPLE)
    bench.configure(
        people={"directory": "people.yaml", "sessions": {"longest": "12h"}},
        watch={"settle": "0s", "capture": "{user}/"},
        complete={"quiet": "0s"},
        notify={"mail": {"env": "NOTIFY_MAIL"}},
    )
    return Facility(bench)


def test_a_problem_is_told_to_those_whose_set_it_is_and_want_to_know(facility: Facility) -> None:
    facility.hold("jdoe/a.dat")
    facility.hold("asmith/b.dat", "something else")
    facility.hold("epoe/c.dat")
    facility.hold("root/d.dat")
    facility.let_pass(3 * HOUR)
    assert facility.told == [("jane@x.org", "a: a file is missing")]
    assert "- a: a file is missing (since" in facility.way.came[0][1].text


def test_the_operator_of_a_set_is_told_and_whoever_knows_hears_of_the_end(facility: Facility) -> None:
    journal, clock = facility.bench.journal, facility.bench.clock
    journal.sessions.start("", "rroe", "", clock.now(), 12 * HOUR)
    one = facility.hold("jdoe/a.dat")
    facility.let_pass(HOUR)
    assert sorted(facility.told) == [("jane@x.org", "a: a file is missing"), ("richard@x.org", "a: a file is missing")]
    # It turns out to be somebody else's: whoever was told is told of the end all the same.
    journal.attributions.order([one.id], Order(clock.now(), "rroe", {"scientist": "asmith", "operator": "epoe"}))
    journal.sets.advance(journal.sets.get(one.id), State.SKIPPED, clock.now(), reason="")
    facility.let_pass(HOUR)
    assert sorted(facility.told[2:]) == [
        ("jane@x.org", "over: a: a file is missing"), ("richard@x.org", "over: a: a file is missing"),
    ]  # fmt: skip


def test_who_works_at_the_instrument_hears_what_is_urgent_there(facility: Facility) -> None:
    journal, clock = facility.bench.journal, facility.bench.clock
    journal.note("store", "no answer")
    journal.trouble("store", "no answer", clock.now())
    journal.trouble("registers people.yaml", "line 3", clock.now())
    facility.let_pass(HOUR)
    assert facility.told == []
    journal.sessions.start("", "rroe", "", clock.now(), 2 * HOUR)
    facility.let_pass(HOUR)
    assert facility.told == [("richard@x.org", "The store has a problem: no answer")]
    facility.let_pass(5 * HOUR)
    journal.note("store", "")
    facility.let_pass(HOUR)
    assert facility.told[1:] == [("richard@x.org", "over: The store has a problem: no answer")]


def test_the_scientist_is_told_once_an_hour_what_is_safe_and_where(facility: Facility) -> None:
    facility.publish("jdoe/a.dat", "jdoe/b.dat", "epoe/c.dat")
    facility.let_pass(30 * MINUTE)
    facility.publish("jdoe/d.dat", "asmith/e.dat")
    facility.let_pass(20 * MINUTE)
    assert facility.told == []
    facility.let_pass(20 * MINUTE)
    assert facility.told == [("jane@x.org", "3 image sets are safe in the archive")]
    text = facility.way.came[0][1].text
    for name in "abd":
        assert f"- {name}: scope/jdoe/{name} (1 file, 6 B)" in text
    facility.let_pass(HOUR)
    assert facility.told[1:] == [("anna@x.org", "1 image set is safe in the archive")]
    facility.bench.restart()
    facility.started()
    facility.let_pass(24 * HOUR)
    assert len(facility.told) == 2


def test_the_end_of_a_session_is_soon_enough(facility: Facility) -> None:
    journal, clock = facility.bench.journal, facility.bench.clock
    session = journal.sessions.start("", "rroe", "", clock.now(), 12 * HOUR)
    facility.publish("jdoe/a.dat")
    facility.let_pass(20 * MINUTE)
    journal.sessions.stop(session.id, clock.now(), "the operator")
    facility.let_pass(2 * MINUTE)
    facility.publish("jdoe/late.dat")
    facility.let_pass(4 * MINUTE)
    assert facility.told == []
    facility.let_pass(3 * MINUTE)
    assert facility.told == [("jane@x.org", "2 image sets are safe in the archive")]


def test_who_is_credited_later_hears_of_it_then_and_others_not_again(facility: Facility) -> None:
    facility.publish("root/a.dat", "jdoe/b.dat")
    facility.let_pass(2 * HOUR)
    assert facility.told == [("jane@x.org", "1 image set is safe in the archive")]
    journal, clock = facility.bench.journal, facility.bench.clock
    ids = [one.id for one in facility.bench.sets()]
    journal.attributions.order(ids, Order(clock.now(), "rroe", {"scientist": "jdoe", "operator": "rroe"}))
    facility.bench.daemon.amend()
    facility.let_pass(2 * HOUR)
    assert facility.told[1:] == [("jane@x.org", "1 image set is safe in the archive")]
    assert "- a: " in facility.way.came[1][1].text


def test_nobody_hears_again_of_all_their_sets_when_the_journal_was_lost(facility: Facility) -> None:
    facility.publish("jdoe/a.dat")
    facility.let_pass(2 * HOUR)
    facility.bench.lose_journal()
    facility.bench.finish()
    assert facility.bench.only().state is State.PUBLISHED
    facility.started()
    facility.let_pass(2 * HOUR)
    assert len(facility.told) == 1


def test_a_directory_that_cannot_be_read_at_the_start_loses_no_news(facility: Facility) -> None:
    facility.publish("jdoe/a.dat")
    facility.bench.restart()
    (facility.bench.base / "people.yaml").write_text("persons: [")
    facility.started()
    facility.let_pass(2 * HOUR)
    assert facility.told == []
    (facility.bench.base / "people.yaml").write_text(PEOPLE)
    facility.bench.daemon.registers.refresh()
    facility.let_pass(2 * HOUR)
    assert [to for to, _ in facility.told] == ["jane@x.org"]


def test_one_person_who_cannot_be_told_keeps_no_other(facility: Facility) -> None:
    facility.hold("jdoe/a.dat")
    facility.bench.journal.sessions.start("", "rroe", "", facility.bench.clock.now(), 12 * HOUR)
    facility.bench.journal.note("store", "no answer")

    class Refusing(Way):
        def send(self, message: object, to: str = "") -> None:
            self.away = "the mail server refuses the recipient" if to == "jane@x.org" else ""
            super().send(message, to)  # type: ignore[arg-type]

    facility.way = Refusing("NOTIFY_MAIL")
    facility.started()
    facility.let_pass(2 * HOUR)
    assert facility.told == [("richard@x.org", "2 things need somebody")]
    assert 3 < facility.way.tried < 14


def test_what_the_journal_keeps_of_who_was_told_names_nobody(facility: Facility) -> None:
    facility.hold("jdoe/a.dat")
    facility.publish("jdoe/b.dat")
    facility.let_pass(3 * HOUR)
    assert len(facility.told) == 2
    database = facility.bench.journal.database
    kept = [tuple(row) for table in ("notice", "addressee", "good_news", "fact") for row in
            database.rows(f"SELECT * FROM {table}")]  # noqa: S608 - of a test's own names  # fmt: skip
    assert "person " in str(kept)
    assert not any(word in str(kept).lower() for word in ("jane", "jdoe", "x.org"))
