"""The short form of the soak test; the long one is `make soak`."""

import pytest

from tests.faults.facility import Facility
from tests.faults.soak import Soak


@pytest.mark.timeout(400)
def test_a_few_hundred_sets_under_random_faults(alone: Facility, capsys: pytest.CaptureFixture[str]) -> None:
    soak = Soak(alone, sets=200, seed=4, batch=8)
    try:
        soak.run()
    finally:
        with capsys.disabled():
            print(f"\n{soak.report()}")  # noqa: T201 - for the log of CI
    soak.check()
    assert sum(soak.struck.values()) > 20, "hardly anything has struck"
