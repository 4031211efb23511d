"""The facility is told what needs somebody: once, whatever happens to the program, and at the hours that it wants."""

import textwrap
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from tests.unit.overview.telling import HOUR, MINUTE, Killed, Told, Way, let_pass, messages
from tests.unit.pipeline.conftest import FakeClock
from watcher.journal import Journal
from watcher.model import ImageSet, State
from watcher.notify.base import Message
from watcher.overview.attention import MOST_SETS, attentions
from watcher.overview.messages import Hours
from watcher.profile.limits import Window

NIGHT = Hours(quiet=(Window(22 * 60, 7 * 60),), zone=UTC)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "state") as opened:
        yield opened


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 27, 12, 0, tzinfo=UTC).timestamp())


def held(journal: Journal, clock: FakeClock, name: str, why: str = "3 of 96 images are missing") -> ImageSet:
    one = journal.sets.create(Path("/d"), PurePosixPath(), name, grouped_by="stem", format="", now=clock.now())
    return journal.sets.advance(one, State.HELD, clock.now(), why, reason=why)


def mended(journal: Journal, clock: FakeClock, one: ImageSet, to: State = State.GROWING) -> None:
    journal.sets.advance(journal.sets.get(one.id), to, clock.now(), reason="")


def short(what: str) -> str:
    """As in a title."""
    return textwrap.shorten(what, 100, placeholder=" ...")


def test_a_broken_set_is_told_once_with_what_to_do_and_so_is_its_end(journal: Journal, clock: FakeClock) -> None:
    way = Way()
    duty = messages(way, journal, clock)
    one = held(journal, clock, "plate3")
    let_pass(duty, clock, 5 * HOUR)
    mended(journal, clock, one, State.SKIPPED)
    let_pass(duty, clock, 5 * HOUR)
    (_, first), (_, second) = way.came
    assert first.title == "scope: plate3: 3 of 96 images are missing"
    assert "- plate3: 3 of 96 images are missing (since 20" in first.text
    assert "then retry it, or skip it." in first.text
    assert "https://scope.example/" in first.text
    assert first.kind == "failure"
    assert second.title == "scope: over: plate3: 3 of 96 images are missing"
    assert "- plate3: left out (was: 3 of 96 images are missing)" in second.text
    assert second.kind == "success"


def test_a_restart_tells_nothing_twice(journal: Journal, clock: FakeClock) -> None:
    way = Way()
    one = held(journal, clock, "a")
    for _ in range(30):
        let_pass(messages(way, journal, clock), clock, MINUTE)
    assert way.titles == ["scope: a: 3 of 96 images are missing"]
    mended(journal, clock, one)
    for _ in range(30):
        let_pass(messages(way, journal, clock), clock, MINUTE)
    assert len(way.came) == 2


@pytest.mark.parametrize("dies", ["before", "after"])
@pytest.mark.parametrize("mended_meanwhile", [False, True])
def test_a_program_that_is_killed_while_it_tells_tells_twice_at_most_and_not_never(
    journal: Journal, clock: FakeClock, dies: str, mended_meanwhile: bool
) -> None:
    way = Way(dies=dies)
    one = held(journal, clock, "a")
    with pytest.raises(Killed):
        let_pass(messages(way, journal, clock), clock, HOUR)
    way.dies = ""
    if mended_meanwhile:
        mended(journal, clock, one)
    let_pass(messages(way, journal, clock), clock, HOUR)
    problem, over = "scope: a: 3 of 96 images are missing", "scope: over: a: 3 of 96 images are missing"
    came = [problem] if dies == "after" else []
    assert way.titles == [*came, over if mended_meanwhile else problem]
    if not mended_meanwhile:
        way.dies = dies
        mended(journal, clock, one)
        with pytest.raises(Killed):
            let_pass(messages(way, journal, clock), clock, HOUR)
        way.dies = ""
        let_pass(messages(way, journal, clock), clock, HOUR)
        assert way.titles == [*came, problem, *([over] if dies == "after" else []), over]


def test_quiet_hours_are_quiet_and_in_the_morning_all_is_told_in_one_message(
    journal: Journal, clock: FakeClock
) -> None:
    way = Way()
    duty = messages(way, journal, clock, hours=NIGHT)
    let_pass(duty, clock, 10.5 * HOUR)
    gone = held(journal, clock, "gone")
    held(journal, clock, "a")
    let_pass(duty, clock, 4 * HOUR)
    held(journal, clock, "b")
    mended(journal, clock, gone)
    let_pass(duty, clock, 4.4 * HOUR)
    assert way.came == []
    let_pass(duty, clock, HOUR)
    assert way.titles == ["scope: 2 things need somebody"]
    assert "gone" not in way.came[0][1].text


def test_what_is_urgent_may_be_told_at_night_and_what_is_not_waits(journal: Journal, clock: FakeClock) -> None:
    way = Way()
    hours = Hours(NIGHT.quiet, urgent_in_quiet=True, zone=UTC)
    duty = messages(way, journal, clock, hours=hours)
    let_pass(duty, clock, 11 * HOUR)
    journal.trouble("registers people.yaml", "line 3 is wrong", clock.now())
    let_pass(duty, clock, HOUR)
    assert way.came == []
    held(journal, clock, "a")
    let_pass(duty, clock, HOUR)
    assert way.titles == ["scope: a: 3 of 96 images are missing"]
    assert "Not urgent:\n- line 3 is wrong" in way.came[0][1].text, "one message, if there is one anyway"


def test_hours_go_by_the_clock_on_the_wall(journal: Journal, clock: FakeClock) -> None:
    assert not NIGHT.allow(datetime(2026, 11, 27, 23, 0, tzinfo=UTC).timestamp(), urgent=True)
    assert not NIGHT.allow(datetime(2026, 11, 27, 6, 59, tzinfo=UTC).timestamp(), urgent=False)
    assert NIGHT.allow(datetime(2026, 11, 27, 7, 0, tzinfo=UTC).timestamp(), urgent=False)
    assert Hours().allow(clock.now(), urgent=False)


def test_a_way_that_fails_is_a_warning_by_the_others_and_loses_nothing(journal: Journal, clock: FakeClock) -> None:
    told = Told(journal, clock)
    bad, good = Way("BAD", away="no answer"), Way("GOOD")
    duties = [messages(way, journal, clock, told=told) for way in (bad, good)]
    held(journal, clock, "a")

    def both(seconds: float) -> None:
        for _ in range(int(seconds / 30)):
            for duty in duties:
                duty.round()
            clock.advance(30)

    both(12 * HOUR)
    assert 40 < bad.tried < 70, "at first soon, then every quarter of an hour"
    assert [where for where, _ in told.said] == ["messages by BAD"]
    (trouble,) = [one for one in attentions(journal, clock.now(), watched=False) if one.kind == "notify"]
    assert (trouble.urgent, "no answer" in trouble.what) == (False, True)
    assert good.titles == ["scope: a: 3 of 96 images are missing", f"scope: {short(trouble.what)}"]
    assert "`irods-watcher notify test`" in good.came[1][1].text
    bad.away = ""
    both(3 * HOUR)
    assert bad.titles == ["scope: a: 3 of 96 images are missing"], "and nothing of its own trouble"
    assert told.said[1:] == [("messages by BAD", "")]
    assert good.titles[2:] == [f"scope: over: {short(trouble.what)}"]


def test_what_is_over_before_a_way_works_again_is_told_as_over(journal: Journal, clock: FakeClock) -> None:
    """It may have come each time."""
    way = Way(away="no answer")
    duty = messages(way, journal, clock)
    one = held(journal, clock, "a")
    let_pass(duty, clock, HOUR)
    mended(journal, clock, one)
    let_pass(duty, clock, HOUR)
    way.away = ""
    let_pass(duty, clock, HOUR)
    assert way.titles == ["scope: over: a: 3 of 96 images are missing"]
    assert journal.notices.of("facility NOTIFY_FACILITY") == []


def test_the_end_of_the_program_is_no_failure_of_the_way(journal: Journal, clock: FakeClock) -> None:
    stop, told = threading.Event(), Told(journal, clock)

    class CutOff(Way):
        def send(self, message: Message, to: str = "") -> None:
            stop.set()
            super().send(message, to)

    way = CutOff(away="no answer")
    held(journal, clock, "a")
    duty = messages(way, journal, clock, told=told, stop=stop)
    let_pass(duty, clock, 10 * MINUTE)
    assert (way.tried, told.said) == (1, [])


def test_more_sets_than_are_told_one_by_one_are_counted_and_not_told_to_be_over(
    journal: Journal, clock: FakeClock
) -> None:
    way = Way()
    duty = messages(way, journal, clock)
    for number in range(MOST_SETS + 5):
        held(journal, clock, f"s{number:02}")
        clock.advance(0.01)
    let_pass(duty, clock, HOUR)
    ((_, message),) = way.came
    assert message.title == f"scope: {MOST_SETS + 1} things need somebody"
    assert "- and 36 more" in message.text
    # Older ones take the places of those that were told.
    clock.advance(-10 * HOUR)
    early = [held(journal, clock, f"early{number}") for number in range(3)]
    clock.advance(10 * HOUR)
    let_pass(duty, clock, HOUR)
    assert "over" not in way.came[1][1].text
    assert len(way.came) == 2
    for one in early:
        mended(journal, clock, one)
    let_pass(duty, clock, HOUR)
    assert way.titles[2:] == ["scope: 3 problems are over"]


def test_a_folder_whose_name_is_no_text_harms_no_message(journal: Journal, clock: FakeClock) -> None:
    way = Way()
    journal.trouble("watch", "/d/\udcff: gone", clock.now())
    let_pass(messages(way, journal, clock), clock, HOUR)
    (_, message) = way.came[0]
    assert "/d/\\udcff: gone" in message.text
    (message.title + message.text).encode("utf-8")


def test_a_clock_that_was_ahead_keeps_nobody_from_being_told(journal: Journal, clock: FakeClock) -> None:
    way, name = Way(), "facility NOTIFY_FACILITY"
    journal.notices.keep(name, (), told_at=clock.now() + 1000 * HOUR)
    held(journal, clock, "a")
    journal.believe(clock.now())
    let_pass(messages(way, journal, clock), clock, 2 * HOUR)
    assert len(way.came) == 1
