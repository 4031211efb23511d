"""How fast is sent, and when: to the byte, for all threads together, whatever the clock on the wall does."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.pipeline.conftest import Bench, FakeClock
from watcher.model import State
from watcher.pipeline.manners import ASK_EVERY, Manners, Pace, acquires
from watcher.profile.limits import Acquiring, Limits

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MB = 1_000_000
BLOCK = 4 * 1024 * 1024


class Time(FakeClock):
    """A clock that goes on when somebody waits, and counts how often and how long at most."""

    def __init__(self, start: float = 1_000_000.0) -> None:
        super().__init__(start)
        self.begin = start
        self.waits: list[float] = []
        self.stop_after = 10**9

    def sleep(self, seconds: float) -> bool:
        """Wait; whether the program is to stop."""
        self.waits.append(seconds)
        self.advance(seconds)
        return len(self.waits) >= self.stop_after

    @property
    def passed(self) -> float:
        """Seconds since the beginning."""
        return self.now() - self.begin


def never() -> bool:
    return False


class Question:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> bool:
        self.asked += 1
        return False


def manners(limits: Limits, time: Time, acquiring: Callable[[], bool] = never, zone: ZoneInfo = AMSTERDAM) -> Manners:
    return Manners(limits, zone, time, acquiring, time.sleep)


# rates


def test_over_ten_minutes_the_pace_is_the_rate_after_a_first_second() -> None:
    time = Time()
    bucket = manners(Limits(rate=80.0 * MB), time)
    sent = 0
    while time.passed < 600:
        bucket.spend(BLOCK)
        sent += BLOCK
    assert sent == pytest.approx(80 * MB * (time.passed + 1), abs=BLOCK)
    assert max(time.waits) <= 1.0


def test_a_block_that_takes_minutes_is_slept_for_in_short_pieces() -> None:
    time = Time()
    bucket = manners(Limits(rate=0.1 * MB), time)
    bucket.spend(30 * MB)
    assert time.passed == pytest.approx(299)
    assert max(time.waits) <= 1.0


def test_without_limits_nobody_waits_and_nobody_asks() -> None:
    time, question = Time(), Question()
    bucket = manners(Limits(), time, question)
    for _ in range(100):
        bucket.spend(10**12)
    assert (time.waits, question.asked) == ([], 0)
    assert (bucket.resting(), bucket.pace()) == (0.0, Pace(None, acquiring=False, resting_until=None))


def test_what_was_not_sent_in_a_quiet_time_is_not_saved_up() -> None:
    time = Time()
    bucket = manners(Limits(rate=10.0 * MB), time)
    time.advance(3600)
    for _ in range(10):
        bucket.spend(10 * MB)
    assert time.passed - 3600 == pytest.approx(9)


def test_bytes_that_did_not_count_after_all_give_nothing_back() -> None:
    time = Time()
    bucket = manners(Limits(rate=10.0 * MB), time)
    bucket.spend(20 * MB)
    bucket.spend(-20 * MB)
    bucket.spend(0)
    bucket.spend(10 * MB)
    assert time.passed == pytest.approx(2)


def test_stopping_ends_a_long_sleep_at_once() -> None:
    time = Time()
    time.stop_after = 3
    manners(Limits(rate=0.1 * MB), time).spend(1000 * MB)
    assert len(time.waits) == 3


def test_a_real_stop_event_ends_the_sleep_of_a_thread() -> None:
    stop, time = threading.Event(), Time()
    bucket = Manners(Limits(rate=0.1 * MB), None, time, never, lambda _: stop.wait(60))
    thread = threading.Thread(target=bucket.spend, args=(1000 * MB,))
    thread.start()
    assert thread.is_alive()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


def test_while_the_instrument_acquires_the_lower_rate_holds_and_not_longer() -> None:
    time = Time()
    bucket = manners(Limits(rate=80.0 * MB, rate_while_acquiring=20.0 * MB), time, lambda: 100 <= time.passed < 200)
    sent: list[tuple[float, int]] = []
    while time.passed < 300:
        bucket.spend(BLOCK)
        sent.append((time.passed, BLOCK))

    def rate(begin: float, end: float) -> float:
        return sum(count for at, count in sent if begin <= at < end) / (end - begin) / MB

    late = ASK_EVERY + 1
    assert rate(10, 100) == pytest.approx(80, rel=0.02)
    assert rate(100 + late, 200) == pytest.approx(20, rel=0.02)
    assert rate(200 + late, 300) == pytest.approx(80, rel=0.02)


def test_a_rate_only_for_acquisitions_takes_hold_within_a_long_sleep_and_ends_within_one() -> None:
    time = Time()
    bucket = manners(Limits(rate_while_acquiring=1.0 * MB), time, lambda: time.passed < 50)
    bucket.spend(BLOCK)
    assert bucket.pace() == Pace(1.0 * MB, acquiring=True, resting_until=None)
    bucket.spend(1000 * MB)
    assert 50 <= time.passed <= 50 + ASK_EVERY + 1
    assert bucket.pace() == Pace(None, acquiring=False, resting_until=None)


def test_whether_the_instrument_acquires_is_asked_every_ten_seconds_and_after_a_jump_of_the_clock() -> None:
    time, question = Time(), Question()
    bucket = manners(Limits(rate_while_acquiring=1.0 * MB), time, question)
    for _ in range(100):
        bucket.spend(1)
        time.advance(0.5)
    assert question.asked == 5
    time.advance(-(10**6))
    bucket.spend(1)
    assert question.asked == 6


class Together:
    """Time for several threads: it goes on to the next waking only when all of them wait."""

    def __init__(self, threads: int) -> None:
        self._condition = threading.Condition()
        self._running = threads
        self._now = 1_000_000.0
        self._wakes: list[float] = []

    def now(self) -> float:
        """Seconds since 1970."""
        with self._condition:
            return self._now

    def wait(self, seconds: float, wake: threading.Event) -> bool:
        """As the Clock says."""
        self.sleep(seconds)
        return wake.is_set()

    def sleep(self, seconds: float) -> bool:
        """Wait; the program is never to stop."""
        with self._condition:
            wake = self._now + seconds
            self._wakes.append(wake)
            self._running -= 1
            self._go_on()
            self._condition.wait_for(lambda: self._now >= wake)
        return False

    def end(self) -> None:
        """One thread less."""
        with self._condition:
            self._running -= 1
            self._go_on()

    def _go_on(self) -> None:
        if self._running == 0 and self._wakes:
            self._now = min(self._wakes)
            self._running += sum(wake <= self._now for wake in self._wakes)
            self._wakes = [wake for wake in self._wakes if wake > self._now]
            self._condition.notify_all()


def test_all_threads_share_one_bucket_and_none_is_left_out() -> None:
    threads, rate = 4, 40.0 * MB
    time = Together(threads)
    bucket = Manners(Limits(rate=rate), None, time, never, time.sleep)
    sent: list[tuple[float, int]] = []

    def send(number: int) -> None:
        while time.now() < 1_000_120:
            bucket.spend(BLOCK)
            sent.append((time.now() - 1_000_000, number))
        time.end()

    running = [threading.Thread(target=send, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(50)
    in_time = [number for at, number in sent if at <= 120]
    assert len(in_time) * BLOCK == pytest.approx(rate * 121, abs=threads * BLOCK)
    shares = [in_time.count(number) for number in range(threads)]
    assert max(shares) - min(shares) <= 0.1 * len(in_time)


@settings(deadline=None)
@given(
    rate=st.floats(1e5, 1e9),
    steps=st.lists(st.tuples(st.integers(-1000, 10**8), st.floats(0, 3)), min_size=1, max_size=30),
)
def test_at_no_moment_more_was_sent_than_the_rate_and_one_second(rate: float, steps: list[tuple[int, float]]) -> None:
    time = Time(0.0)
    bucket = manners(Limits(rate=rate), time)
    # From any of the moments on, not only from the beginning.
    marks = [(0.0, 0)]
    for count, pause in steps:
        bucket.spend(count)
        sent = marks[-1][1] + max(0, count)
        for at, before in marks:
            assert sent - before <= rate * (time.now() - at + 1) * (1 + 1e-9) + 1
        time.advance(pause)
        marks.append((time.now(), sent))


# hours


def at(text: str, zone: ZoneInfo = AMSTERDAM) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


def rest(hours: str | list[str], now: float, zone: ZoneInfo = AMSTERDAM) -> float:
    return manners(Limits.model_validate({"hours": hours}), Time(now), zone=zone).resting()


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        ("00:00-24:00", "2025-05-05T12:00", None),
        ("20:00-06:00", "2025-05-05T19:59:30", "2025-05-05T20:00"),
        ("20:00-06:00", "2025-05-05T20:00", None),
        ("20:00-06:00", "2025-05-05T23:59:59", None),
        ("20:00-06:00", "2025-05-06T00:00", None),
        ("20:00-06:00", "2025-05-06T05:59:59", None),
        ("20:00-06:00", "2025-05-06T06:00", "2025-05-06T20:00"),
        ("20:00-24:00", "2025-05-06T00:00", "2025-05-06T20:00"),
        ("00:00-06:00", "2025-05-06T06:00", "2025-05-07T00:00"),
        (["20:00-06:00", "12:00-13:00"], "2025-05-06T11:00", "2025-05-06T12:00"),
        (["20:00-06:00", "12:00-13:00"], "2025-05-06T12:59:59.5", None),
        (["20:00-06:00", "12:00-13:00"], "2025-05-06T13:00", "2025-05-06T20:00"),
        # Spring: 02:00 to 03:00 is not there, and the day has 23 hours.
        ("02:30-06:00", "2025-03-30T01:59", "2025-03-30T03:00"),
        ("02:00-03:00", "2025-03-30T01:00", "2025-03-31T02:00"),
        ("20:00-22:00", "2025-03-29T22:00", "2025-03-30T20:00"),
        # Autumn: 02:00 to 03:00 is there twice, and the day has 25 hours.
        ("02:30-06:00", "2025-10-26T01:00", "2025-10-26T02:30"),
        ("20:00-22:00", "2025-10-25T22:00", "2025-10-26T20:00"),
    ],
)
def test_sending_begins_when_the_clock_on_the_wall_says_so(hours: str | list[str], now: str, until: str | None) -> None:
    expected = at(until) - at(now) if until else 0.0
    assert rest(hours, at(now)) == pytest.approx(expected, abs=1e-6)


def test_the_night_of_the_change_is_shorter_in_spring_and_longer_in_autumn() -> None:
    def asleep(day: str) -> float:
        return rest("06:00-20:00", at(f"{day}T20:00"))

    assert asleep("2025-03-29") == 9 * 3600
    assert asleep("2025-06-01") == 10 * 3600
    assert asleep("2025-10-25") == 11 * 3600


def test_an_hour_that_comes_twice_counts_twice() -> None:
    first = datetime(2025, 10, 26, 0, 0, tzinfo=UTC)  # 02:00 in summer time
    allowed = [rest("02:00-03:00", (first + timedelta(minutes=m)).timestamp()) == 0 for m in range(-5, 130)]
    assert allowed == [False] * 5 + [True] * 120 + [False] * 10


TIMES = st.integers(0, 24 * 60 - 1)


@settings(deadline=None, max_examples=50)
@given(
    windows=st.lists(st.tuples(TIMES, TIMES).filter(lambda one: one[0] != one[1]), min_size=1, max_size=3),
    now=st.floats(1.7e9, 1.8e9),
    zone=st.sampled_from(["Europe/Amsterdam", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_sending_is_allowed_exactly_when_the_rest_is_over(
    windows: list[tuple[int, int]], now: float, zone: str
) -> None:
    hours = [f"{b // 60:02}:{b % 60:02}-{e // 60:02}:{e % 60:02}" for b, e in windows]
    place = ZoneInfo(zone)
    pause = rest(hours, now, place)

    def allowed(moment: float) -> bool:
        wall = datetime.fromtimestamp(moment, place)
        minute = wall.hour * 60 + wall.minute
        return any(b <= minute < e if b < e else minute >= b or minute < e for b, e in windows)

    assert allowed(now + pause + 0.001)
    assert pause == 0 or not any(allowed(now + pause * part / 50) for part in range(50))


def test_the_computers_own_clock_is_taken_without_a_zone() -> None:
    noon = datetime(2025, 5, 5, 12).timestamp()
    limits = Limits.model_validate({"hours": "13:00-14:00"})
    time = Time(noon)
    assert Manners(limits, None, time, never, time.sleep).resting() == 3600


def test_hours_follow_a_clock_that_was_set_and_rates_do_not() -> None:
    time, wall = Time(at("2025-05-05T12:00")), FakeClock(at("2025-05-05T12:00"))
    limits = Limits.model_validate({"hours": "20:00-06:00", "rate": "1MB/s"})
    bucket = Manners(limits, AMSTERDAM, time, never, time.sleep, wall=wall.now)
    assert bucket.resting() == 8 * 3600
    wall.advance(8 * 3600)
    assert bucket.resting() == 0
    bucket.spend(11 * MB)
    assert time.passed == pytest.approx(10)


def test_the_pace_says_until_when_nothing_is_sent() -> None:
    time = Time(at("2025-05-05T12:00"))
    pace = manners(Limits.model_validate({"hours": "20:00-06:00", "rate": "8MB/s"}), time).pace()
    assert pace == Pace(8e6, acquiring=False, resting_until=at("2025-05-05T20:00"))


# does the instrument acquire?


def test_an_instrument_acquires_while_its_files_change_and_a_little_longer(bench: Bench) -> None:
    bench.configure(watch={"sweep": "10s"}, complete={"quiet": "1h"})
    question = acquires(bench.profile, bench.journal, bench.clock)
    assert not question()
    answers = []
    for step in range(8):
        if step < 3:
            bench.write("scan.tif", b"x" * (step + 1))
        bench.observe(after=10)
        answers.append(question())
    # The last change is seen in the third look.
    assert answers == [True] * 5 + [False] * 3


def test_between_two_sweeps_it_still_acquires(bench: Bench) -> None:
    bench.configure(watch={"sweep": "5m"}, complete={"quiet": "1h"})
    question = acquires(bench.profile, bench.journal, bench.clock)
    for number in range(3):
        bench.write("scan.tif", b"x" * (number + 1))
        bench.observe()
        bench.clock.advance(299)
        assert question()
    bench.clock.advance(200)
    assert not question()


def test_a_set_that_was_just_found_complete_was_just_acquired_and_a_published_one_was_not(bench: Bench) -> None:
    sets = bench.journal.sets
    one = sets.create(bench.root, PurePosixPath(), "a", grouped_by="file", format="tiff", now=bench.clock.now())
    question = acquires(bench.profile, bench.journal, bench.clock)
    for state in (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED):
        one = sets.advance(one, state, bench.clock.now())
        assert question()
    sets.advance(one, State.PUBLISHED, bench.clock.now())
    assert not question()


def test_a_named_program_alone_decides(bench: Bench) -> None:
    section = {"rate_while_acquiring": "20MB/s", "acquiring": {"process": "no such program.exe"}}
    bench.configure(limits=section)
    bench.write("a.tif")
    bench.observe()
    assert not acquires(bench.profile, bench.journal, bench.clock)()
    limits = Limits(rate_while_acquiring=1e6, acquiring=Acquiring(process=_my_name().upper() + ".EXE"))
    profile = bench.profile.model_copy(update={"limits": limits})
    assert acquires(profile, bench.journal, bench.clock)()


def _my_name() -> str:
    import psutil

    return Path(psutil.Process().name()).name
