"""Every kind of message on the way of a set, and everything that can go wrong with it while the program runs.

The short form strikes the first message of a kind, with cuts also the last; `--long` strikes each one with everything.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from tests.faults.facility import PATIENCE, Facility, fresh_name
from tests.faults.soundness import sound_afterwards

#: Several waits of up to 40 s stand in a test, for machines that stall.
pytestmark = pytest.mark.timeout(180)

#: The messages of a clean delivery by the stage they belong to.
STAGES: Final = {
    681: "the claim, collections between",
    702: "the claim, verification, publication",
    20002: "the label, the metadata, the marker",
    707: "access at the claim and at publication",
    606: "small members, the manifest",
    602: "a large member",
    20000: "a large member, just opened",
    676: "the bytes of a large member",
    673: "the end of a large member",
}
STREAM: Final = (602, 20000, 676, 673)
#: Longer than the program waits.
_LONG: Final = PATIENCE * 1.5

Fault = Callable[[Facility, int, int], None]


def _cut(**how: int | bool) -> Fault:
    return lambda facility, api, nth: facility.server.faults.drop(api=api, nth=nth, **how)  # type: ignore[arg-type]


def _stall(*, reply: bool = False) -> Fault:
    return lambda facility, api, nth: facility.server.faults.stall(_LONG, api=api, nth=nth, reply=reply)


def _error(code: int, times: int = 1) -> Fault:
    return lambda facility, api, nth: facility.server.faults.error(api=api, nth=nth, code=code, times=times)


def _kill_agent(facility: Facility, api: int, nth: int) -> None:
    facility.server.faults.kill_agent(api=api, nth=nth)


#: By name: the fault, and which kinds of message the short form strikes with it.
FAULTS: Final[dict[str, tuple[Fault, tuple[int, ...]]]] = {
    "cut before it is carried out": (_cut(), tuple(STAGES)),
    "cut before the reply": (_cut(reply=True), tuple(STAGES)),
    "cut within the reply": (_cut(reply=True, after_bytes=40), (606, 702, 20002, 602)),
    "cut within the bytes": (_cut(after_bytes=600), (606, 676)),
    "cut within the bytes for a while": (_cut(after_bytes=600, times=3), (606, 676)),
    "reset": (_cut(reset=True), (606, 676, 20002)),
    "reset before the reply": (_cut(reply=True, reset=True), (606, 673, 20002)),
    "cut five times": (_cut(times=5), (606, 676, 20002)),
    "stall": (_stall(), (606, 676)),
    "stall before the reply": (_stall(reply=True), (606, 673, 20002)),
    "no catalogue": (_error(-801000, times=2), (681, 606)),
    "unknown error": (_error(-987000), (20002, 606)),
    "locked": (_error(-406000, times=5), (606, 602)),
    "agent death": (_kill_agent, (681, 702, 20002, 707)),
}

BOTH_ENDS: Final = {"cut before it is carried out", "cut before the reply"}


def _cases(config: pytest.Config) -> list[tuple[str, int]]:
    if not config.getoption("--long"):
        return [(name, api) for name, (_, apis) in FAULTS.items() for api in apis]
    all_cases = [(name, api) for name in FAULTS for api in STAGES]
    with_bytes = [case for case in all_cases if "within the bytes" not in case[0] or case[1] in {606, 676}]
    # An agent that dies with a replica open leaves it stuck: test_stuck.py.
    return [case for case in with_bytes if case[0] != "agent death" or case[1] not in {606, *STREAM}]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The cases of the short or of the long form."""
    if {"fault", "api"} <= set(metafunc.fixturenames):
        metafunc.parametrize(("fault", "api"), _cases(metafunc.config))


@pytest.mark.timeout(200)
def test_nothing_is_lost_by_what_strikes_a_message(
    running: Facility, clean: Counter[int], request: pytest.FixtureRequest, fault: str, api: int
) -> None:
    count = clean[api]
    short = sorted({1, count}) if fault in BOTH_ENDS else [1]
    numbers = range(1, count + 1) if request.config.getoption("--long") else short
    for nth in numbers:
        running.server.faults.struck.clear()
        FAULTS[fault][0](running, api, nth)
        tree = running.tree(fresh_name(f"at-{api}-{nth}"), 2)
        reasons = running.wait_published_with_help(tree)
        assert running.server.faults.struck or nth > 1, "the fault has not struck"
        assert all("-987000" in reason for reason in reasons), "a person was asked for what passes by itself"
        running.server.faults.clear()
        sound_afterwards(running, running.expected(tree))


def test_the_list_of_messages_is_complete(clean: Counter[int]) -> None:
    assert clean.keys() == STAGES.keys()


@pytest.mark.parametrize("api", [606, 676])
@pytest.mark.parametrize("how", ["corrupt", "lie"])
def test_bytes_that_arrive_wrong_or_are_said_to_be_wrong_are_sent_again(running: Facility, api: int, how: str) -> None:
    if how == "corrupt":
        running.server.faults.corrupt(api=api)
    else:
        running.server.faults.lie_about_checksums(path="*/1.0" if api == 606 else "*/2.0", times=2)
    tree = running.tree(fresh_name(how), 2)
    running.wait_published(tree)
    sound_afterwards(running, running.expected(tree))


@pytest.mark.parametrize("fault", ["full", "full within a file", "down"])
@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_a_resource_that_is_full_or_down_is_waited_for(running: Facility, fault: str, *, large: bool) -> None:
    if fault == "down":
        running.server.faults.resource_down()
    else:
        running.server.faults.resource_full(0 if fault == "full" else 1 << 20 if large else 150)
    name = fresh_name("waits")
    path = running.large(name) if large else running.single(name)
    running.wait_until(
        lambda: bool(running.store_trouble() or any(one.reason for one in running.sets_of(path))), "trouble is told"
    )
    assert not running.sets_of(path)[0].published_at
    running.server.faults.clear()
    running.wait_published(path)
    running.wait_until(lambda: not running.store_trouble(), "the trouble is said to be over")
    sound_afterwards(running, running.expected(path))


@pytest.mark.parametrize("api", [681, 20002, 707, 702, 606])
@pytest.mark.parametrize("reply", [False, True], ids=["before", "after"])
def test_a_server_that_restarts_at_a_message_gets_everything_once(running: Facility, api: int, *, reply: bool) -> None:
    gate = running.server.faults.hold(api=api, reply=reply)
    tree = running.tree(fresh_name(f"restart-{api}"), 2, large=0)
    running.wait_until(gate.reached.is_set, "the message has come")
    running.server.restart()
    running.wait_published(tree)
    sound_afterwards(running, running.expected(tree))


@pytest.mark.parametrize("at", ["login", "delivery"])
def test_a_server_that_is_away_for_a_while_is_waited_for(running: Facility, at: str) -> None:
    gate = running.server.faults.hold(api=606)
    if at == "login":
        running.server.stop()
    tree = running.tree(fresh_name("away"), 2, large=0)
    if at == "delivery":
        running.wait_until(gate.reached.is_set, "the delivery has begun")
        running.server.stop()
    running.wait_until(lambda: "no answer" in running.store_trouble(), "the outage is told")
    gate.open()
    running.server.start()
    running.wait_published(tree)
    running.wait_until(lambda: not running.store_trouble(), "the outage is said to be over")
    sound_afterwards(running, running.expected(tree))


def test_a_login_that_is_cut_or_refused_is_tried_again(running: Facility) -> None:
    for fault in ("cut", "stall", "refused"):
        running.server.drop_connections()
        if fault == "cut":
            running.server.faults.drop(api=110000, times=2)
        elif fault == "stall":
            running.server.faults.stall(_LONG, api=110000)
        else:
            running.server.faults.error(api=110000, code=-826000)
        single = running.single(fresh_name(f"login-{fault}"))
        running.wait_published(single)
        sound_afterwards(running, running.expected(single))
