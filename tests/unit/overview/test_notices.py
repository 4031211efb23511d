"""When somebody is told: whatever comes and goes, what was told is told to be over, and nothing is told twice."""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.journal.notices import Knows, Notice
from watcher.overview import notices
from watcher.overview.attention import Attention, Kind
from watcher.overview.notices import APART, GATHERS, SETTLES

HOUR, STEP = 3600.0, 30.0


@dataclass
class Reader:
    """Somebody who is told, and what they take to be wrong from what they were told."""

    known: list[Notice] = field(default_factory=list)
    told_at: float | None = None
    now: float = 1_000_000.0
    believes: dict[str, bool] = field(default_factory=dict)
    messages: list[tuple[float, set[str]]] = field(default_factory=list)

    def look(self, found: Mapping[str, bool], outcome: str = "sent", every: float = HOUR) -> bool:
        """One look, half a minute after the last, at what is there and whether it is urgent; whether it was told."""
        self.now += STEP
        there = {key: Attention(key, Kind.FOLDER, key, urgent=urgent) for key, urgent in found.items()}
        view = notices.look(self.known, there, self.now)
        self._keep(view.changed, view.dropped)
        due = [notices.due_at(view.notices, self.told_at, every, urgent=urgent) for urgent in (True, False)]
        if not any(at is not None and at <= self.now for at in due):
            return False
        these = notices.begun(notices.to_tell(view.notices, self.now))
        assert these, "what is due is never an empty message"
        self._keep(these)
        if outcome != "lost":
            self._hear(these)
        if outcome == "sent":
            self._keep(notices.told(these), [one.key for one in these if one.gone_at is not None])
            self.told_at = self.now
        return True

    def _hear(self, these: Iterable[Notice]) -> None:
        keys = set()
        for one in these:
            keys.add(f"{'' if one.gone_at is None else '-'}{one.key}")
            if one.gone_at is None:
                self.believes[one.key] = one.urgent
            else:
                self.believes.pop(one.key, None)
        self.messages.append((self.now, keys))

    def _keep(self, changed: Iterable[Notice], dropped: Iterable[str] = ()) -> None:
        kept = {one.key: one for one in self.known} | {one.key: one for one in changed}
        self.known = [one for key, one in kept.items() if key not in set(dropped)]

    def keep_looking(self, found: Mapping[str, bool], seconds: float, every: float = HOUR) -> None:
        for _ in range(int(seconds / STEP)):
            self.look(found, every=every)


def test_what_is_urgent_is_told_once_after_five_minutes_and_its_end_once() -> None:
    reader = Reader()
    begin = reader.now
    reader.keep_looking({"a": True}, 10 * HOUR)
    reader.keep_looking({}, 10 * HOUR)
    (first, keys), (second, end) = reader.messages
    assert (keys, end) == ({"a"}, {"-a"})
    assert first - begin == pytest.approx(GATHERS, abs=2 * STEP)
    assert second - begin - 10 * HOUR == pytest.approx(GATHERS, abs=2 * STEP)
    assert reader.known == []


@pytest.mark.parametrize("lasts", [STEP, SETTLES - STEP])
def test_what_comes_and_goes_within_two_minutes_is_not_told(lasts: float) -> None:
    reader = Reader()
    for _ in range(50):
        reader.keep_looking({"a": True}, lasts)
        reader.keep_looking({}, 600)
    assert reader.messages == []


def test_what_goes_and_comes_again_within_two_minutes_is_not_over() -> None:
    reader = Reader()
    reader.keep_looking({"a": True}, HOUR)
    for _ in range(20):
        reader.keep_looking({}, SETTLES - STEP)
        reader.keep_looking({"a": True}, 600)
    assert [keys for _, keys in reader.messages] == [{"a"}]


def test_what_came_within_a_few_minutes_is_one_message() -> None:
    reader = Reader()
    reader.look({"a": True})
    reader.look({"a": True, "b": False})
    reader.keep_looking({"a": True, "b": False, "c": True}, HOUR)
    assert [keys for _, keys in reader.messages] == [{"a", "b", "c"}]


def test_a_bad_night_is_a_message_every_quarter_of_an_hour_at_most() -> None:
    reader = Reader()
    for count in range(120):
        reader.keep_looking({str(number): True for number in range(count)}, 60)
    times = [at for at, _ in reader.messages]
    assert all(second - first >= APART for first, second in itertools.pairwise(times))
    assert 6 <= len(times) <= 8
    assert len(reader.believes) >= 118 - APART / 60


@pytest.mark.parametrize("every", [HOUR, 6 * HOUR])
def test_what_is_not_urgent_is_told_once_in_so_long_at_most(every: float) -> None:
    reader = Reader()
    for count in range(12 * 60):
        reader.keep_looking({str(number): False for number in range(count)}, 60, every)
    times = [at for at, _ in reader.messages]
    assert all(second - first >= every for first, second in itertools.pairwise(times))
    assert len(times) == pytest.approx(12 * HOUR / every, abs=1)


def test_what_becomes_urgent_is_told_again_and_what_becomes_less_so_is_not() -> None:
    reader = Reader()
    reader.keep_looking({"disk": False}, HOUR)
    reader.keep_looking({"disk": True}, HOUR)
    reader.keep_looking({"disk": False}, HOUR)
    reader.keep_looking({"disk": True}, HOUR)
    assert [keys for _, keys in reader.messages] == [{"disk"}, {"disk"}]
    reader.keep_looking({}, HOUR)
    assert [keys for _, keys in reader.messages][2:] == [{"-disk"}]


def test_what_may_have_been_told_is_told_to_be_over() -> None:
    """A message that was cut off may have come: the end is told, too."""
    for outcome in ("lost", "cut"):
        reader = Reader()
        while not reader.look({"a": True}, outcome):
            pass
        reader.keep_looking({}, HOUR)
        assert [keys for _, keys in reader.messages][-1:] == [{"-a"}]
        assert (reader.believes, reader.known) == ({}, [])


def test_what_begins_again_while_its_end_was_perhaps_told_is_told_again() -> None:
    reader = Reader()
    reader.keep_looking({"a": True}, HOUR)
    while not reader.look({}, "cut"):
        pass
    assert reader.believes == {}
    reader.keep_looking({"a": True}, HOUR)
    assert reader.believes == {"a": True}
    reader.keep_looking({}, HOUR)
    assert reader.believes == {}


def test_a_look_changes_nothing_where_nothing_changed() -> None:
    reader = Reader()
    reader.keep_looking({"a": True, "b": False}, HOUR)
    there = {key: Attention(key, Kind.DISK, f"{key} in other words", urgent=key == "a") for key in "ab"}
    view = notices.look(reader.known, there, reader.now + HOUR)
    assert (view.changed, view.dropped) == ((), ())
    assert {one.knows for one in view.notices} == {Knows.YES}


def test_what_is_not_told_yet_is_told_in_its_last_words() -> None:
    first = Attention("a", Kind.DISK, "4 GB are free", urgent=True)
    view = notices.look((), {"a": first}, 0.0)
    view = notices.look(view.notices, {"a": replace(first, what="3 GB are free")}, STEP)
    assert [one.what for one in view.changed] == ["3 GB are free"]


OUTCOMES = st.sampled_from(["sent", "sent", "lost", "cut"])
KEYS = st.dictionaries(st.sampled_from("abcd"), st.booleans(), max_size=4)
#: Longer than any wait, if what is not urgent is told every quarter of an hour.
LONG = 2 * APART + GATHERS


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(KEYS, st.integers(1, 30), OUTCOMES), max_size=10), KEYS)
def test_in_the_end_everybody_knows_what_is_there_and_nothing_else(
    story: list[tuple[dict[str, bool], int, str]], last: dict[str, bool]
) -> None:
    """`lost`: it failed and did not come; `cut`: it came, and the program was killed before it wrote that down."""
    reader = Reader()
    for found, looks, outcome in story:
        for _ in range(looks):
            reader.look(found, outcome, every=APART)
    reader.keep_looking(last, LONG, every=APART)
    assert set(reader.believes) == set(last)
    assert {key for key, urgent in last.items() if urgent} <= {key for key, urgent in reader.believes.items() if urgent}
    quiet = len(reader.messages)
    reader.keep_looking(last, LONG, every=APART)
    assert len(reader.messages) == quiet, "nobody is told twice"
    reader.keep_looking({}, LONG, every=APART)
    assert (reader.believes, reader.known) == ({}, [])


@settings(deadline=None, max_examples=200)
@given(st.lists(st.tuples(KEYS, st.integers(1, 30)), max_size=10))
def test_while_all_messages_come_beginnings_and_ends_take_turns(story: list[tuple[dict[str, bool], int]]) -> None:
    reader = Reader()
    for found, looks in story:
        for _ in range(looks):
            reader.look(found, every=APART)
    told: dict[str, str] = {}
    for key in (key for _, keys in reader.messages for key in keys):
        name = key.removeprefix("-")
        told[name] = told.get(name, "") + ("-" if key.startswith("-") else "+")
    for signs in told.values():
        # A second time only when it became urgent.
        assert re.fullmatch(r"(\+{1,2}-)*(\+{1,2})?", signs)
