"""Durations."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.profile.units import seconds

_COUNT = st.integers(0, 999_999)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("20s", 20), ("2m", 120), ("24h", 86400), ("7d", 604800), ("1h30m", 5400), ("0s", 0), ("1d2h3m4s", 93784)],
)
def test_durations_are_read_as_people_write_them(text: str, expected: float) -> None:
    assert seconds(text) == expected


@settings(deadline=None)
@given(_COUNT, _COUNT, _COUNT, _COUNT)
def test_every_sum_of_units_is_read(days: int, hours: int, minutes: int, rest: int) -> None:
    assert seconds(f"{days}d{hours}h{minutes}m{rest}s") == days * 86400 + hours * 3600 + minutes * 60 + rest


@settings(deadline=None)
@given(st.text())
def test_any_other_text_is_refused_and_never_guessed(text: str) -> None:
    if not re.fullmatch(r"([0-9]+[dhms])+", text):
        with pytest.raises(ValueError, match="write"):
            seconds(text)


@pytest.mark.parametrize("bare", [20, 0, "20"])
def test_a_bare_number_is_refused_with_the_cure(bare: object) -> None:
    with pytest.raises(ValueError, match=f"^{bare} has no unit; write {bare}s for seconds, {bare}m for minutes"):
        seconds(bare)


@pytest.mark.parametrize("text", ["", "s", "-3s", "1.5h", "30m1h", "1 h", "22:00", "٣s", "1h\n", None, True, [], "1w"])
def test_what_is_no_duration_is_refused_with_an_example(text: object) -> None:
    with pytest.raises(ValueError, match="is not a duration; write one like 20s, 2m, 1h30m or 7d"):
        seconds(text)


def test_seconds_that_a_program_gives_pass() -> None:
    assert seconds(0.25) == 0.25
