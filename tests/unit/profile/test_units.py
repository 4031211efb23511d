"""Durations and rates."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.profile.units import bytes_per_second, seconds

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


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("80MB/s", 80e6), ("20MiB/s", 20 * 1024**2), ("1.5GB/s", 1.5e9), ("100kB/s", 1e5), ("1GiB/s", 1024**3),
        ("999999B/s", 999_999), ("1TB/s", 1e12),
    ],
)  # fmt: skip
def test_rates_are_read_as_people_write_them(text: str, expected: float) -> None:
    assert bytes_per_second(text) == expected


@settings(deadline=None)
@given(st.text() | st.integers() | st.none() | st.booleans() | st.from_regex(r"[0-9.]{1,3}[kKMG]?i?[bB]/?[sS]?"))
def test_any_other_value_is_no_rate_and_never_guessed(value: object) -> None:
    if not (isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?(kB|MB|GB|TB|[KMGT]iB|B)/s", value)):
        with pytest.raises(ValueError, match="write"):
            bytes_per_second(value)


@pytest.mark.parametrize("bits", ["80Mb/s", "80Mbit/s", "80Mbps", "80KB/s", "80 MB/s", "-1MB/s", "MB/s"])
def test_what_is_no_rate_of_bytes_is_refused_with_an_example(bits: str) -> None:
    with pytest.raises(ValueError, match="is not a rate; write one like 80MB/s or 20MiB/s"):
        bytes_per_second(bits)


def test_bytes_per_second_that_a_program_gives_pass() -> None:
    assert bytes_per_second(0.25) == 0.25
