"""Facilities for the tests of faults: one that many tests share, or one of their own."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.facility import Facility, facility, fresh_name


@pytest.fixture(autouse=True)
def _no_thread_outlives_its_test() -> None:
    """Instead of the check of the other tests: the server's agents serve a program that outlives a test.

    `sound_afterwards` counts connections, and closing the server at the end joins its threads.
    """


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facility]:
    """Use `running` instead, which sees to it that the program runs."""
    with facility(tmp_path_factory.mktemp("facility")) as made:
        made.warm_up()
        yield made


@pytest.fixture(scope="module")
def clean(shared: Facility) -> Counter[int]:
    """How many messages of each kind a tree with two chunks costs; some come more often if workers race."""
    shared.run()
    counts = []
    for _ in range(2):
        shared.server.reset_requests()
        shared.wait_published(shared.tree(fresh_name("clean"), 2))
        requests = shared.server.requests
        makes = {request.path for request in requests if request.api == 681}
        counts.append(Counter(request.api for request in requests if request.api not in {681, 110000}))
        counts[-1][681] = len(makes)
    return counts[0] & counts[1]


@pytest.fixture
def running(shared: Facility) -> Iterator[Facility]:
    """The program as it watches and is at rest; shared by the tests of one module."""
    shared.run()
    yield shared
    shared.server.faults.clear()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Facility]:
    """A facility of its own, whose program is not started."""
    with facility(tmp_path) as made:
        yield made
