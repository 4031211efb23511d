"""The instrument, or whoever works at it, touches a file while it is being delivered."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from tests.faults.facility import Facility, fresh_name
from tests.faults.soundness import OnDisk, sound_afterwards
from tests.irods_server.faults import Gate
from watcher.model import State

#: Several waits of up to 40 s stand in a test, for machines that stall.
pytestmark = pytest.mark.timeout(180)

#: More than a stream may have on its way at a time, so that holding its first block holds the reading.
HUGE: Final = 28 << 20


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"one more plane")


def _truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _overwrite_the_end(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(b"ECHO")


def _replace(path: Path) -> None:
    """Another file of the same size and time takes its name."""
    status = path.stat()
    other = path.with_name(f".{path.name}.new")
    other.write_bytes(bytes(255 - byte for byte in path.read_bytes()[:4096]) + b"\1" * max(0, status.st_size - 4096))
    os.truncate(other, status.st_size)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(path)


CHANGES: Final[dict[str, Callable[[Path], None]]] = {
    "append": _append,
    "truncate": _truncate,
    "overwrite": _overwrite_the_end,
    "replace": _replace,
}
#: Where the delivery of one large file is held meanwhile: the API and which of its messages.
STAGES: Final = {
    "claim": {"api": 681},
    "label": {"api": 20002},
    "first block": {"api": 676},
    "last block": {"api": 676, "nth": 7},
    "close": {"api": 673},
    "manifest": {"api": 606},
    "metadata": {"api": 20002, "nth": 2},
    "marker": {"api": 20002, "nth": 3},
    "marker set": {"api": 20002, "nth": 3, "reply": True},
}
_SHORT: Final = [
    *(("first block", change) for change in CHANGES),
    *((stage, "replace") for stage in STAGES if stage != "first block"),
    ("marker", "append"),
    ("marker set", "append"),
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All stages with all changes in the long form, some of them in the short one."""
    if {"stage", "change"} <= set(metafunc.fixturenames):
        long = metafunc.config.getoption("--long")
        cases = [(stage, change) for stage in STAGES for change in CHANGES] if long else _SHORT
        metafunc.parametrize(("stage", "change"), cases)


def _held(facility: Facility, stage: str, path: Callable[[], Path]) -> tuple[Gate, Path]:
    """Write a file and hold its delivery at this stage."""
    gate = facility.server.faults.hold(**STAGES[stage])  # type: ignore[arg-type]
    written = path()
    facility.wait_until(gate.reached.is_set, f"the delivery is at the {stage}")
    return gate, written


def test_a_file_that_changes_during_its_delivery_is_published_as_it_is_at_last(
    running: Facility, stage: str, change: str
) -> None:
    gate, path = _held(running, stage, lambda: running.large(fresh_name("changes"), HUGE))
    CHANGES[change](path)
    after = running.expected(path)
    gate.open()
    running.wait_published(path)
    sound_afterwards(running, after)
    _check_versions(running, path, after)


@pytest.mark.parametrize("stage", ["claim", "first block", "close", "manifest", "marker", "marker set"])
def test_a_file_that_is_removed_during_its_delivery_is_not_lost_when_it_comes_back(
    running: Facility, stage: str
) -> None:
    gate, path = _held(running, stage, lambda: running.large(fresh_name("removed"), HUGE))
    away = running.home / path.name
    path.rename(away)
    gate.open()
    running.wait_until(
        lambda: running.sets_of(path)[0].state in {State.HELD, State.PUBLISHED}, "somebody is told of it, or it is safe"
    )
    one = running.sets_of(path)[0]
    if one.state is State.HELD:
        assert "disappeared" in one.reason
        assert running.markers.count[one.collection or ""] <= (stage in {"marker", "marker set"})
    away.rename(path)
    running.wait_published(path)
    sound_afterwards(running, running.expected(path))


@pytest.mark.parametrize("stage", ["claim", "first block", "close"])
def test_a_file_that_cannot_be_read_for_a_while_is_waited_for(running: Facility, stage: str) -> None:
    gate, path = _held(running, stage, lambda: running.large(fresh_name("unreadable"), HUGE))
    path.chmod(0)
    gate.open()
    # What is open already may be read to its end.
    running.wait_until(
        lambda: any("cannot be read" in one.reason or one.published_at for one in running.sets_of(path)),
        "it is told, or was open already",
    )
    path.chmod(0o600)
    running.wait_published(path)
    sound_afterwards(running, running.expected(path))


@pytest.mark.parametrize("change", ["replace", "remove", "unreadable", "append"])
def test_a_small_member_that_changes_before_it_is_read(running: Facility, change: str) -> None:
    """Among others that do not: they are not sent twice, and what is gone is not published."""
    gate = running.server.faults.hold(api=681)
    tree = running.tree(fresh_name(f"member-{change}"), 4, large=0)
    chunk = tree / "0" / "1.0"
    running.wait_until(gate.reached.is_set, "the claim has come")
    if change == "remove":
        chunk.unlink()
    elif change == "unreadable":
        chunk.chmod(0)
    else:
        CHANGES[change](chunk)
    gate.open()
    if change == "unreadable":
        running.wait_until(lambda: any("cannot be read" in one.reason for one in running.sets_of(tree)), "told")
        chunk.chmod(0o600)
    running.wait_published(tree)
    running.wait_until(lambda: running.sets_of(tree)[0].state is State.PUBLISHED, "published")
    sound_afterwards(running, running.expected(tree))


def test_a_member_that_is_removed_after_it_was_sent(running: Facility) -> None:
    """Nothing is lost that was read once, and the last version is what is on the disk."""
    gate = running.server.faults.hold(api=606, path="*/manifest-sha256.txt")
    tree = running.tree(fresh_name("fewer"), 4, large=0)
    running.wait_until(gate.reached.is_set, "all members have come")
    (tree / "0" / "1.0").unlink()
    running.wait_until(lambda: running.sets_of(tree)[0].state is not State.VERIFIED, "the sweep has seen it")
    gate.open()
    running.wait_published(tree)
    sound_afterwards(running, running.expected(tree))


def _check_versions(facility: Facility, path: Path, after: dict[str, OnDisk]) -> None:
    """What was published before the change stays beside it, marked as replaced; and no more versions than two."""
    versions = [one for one in facility.all_sets() if one.name == path.stem]
    assert [one.state for one in sorted(versions, key=lambda one: one.version)] in (
        [State.PUBLISHED],
        [State.SUPERSEDED, State.PUBLISHED],
    )
    for old in versions:
        if old.state is State.SUPERSEDED:
            states = {value for name, value, _ in facility.server.avus(old.collection or "") if name == "acq:state"}
            assert states == {"superseded"}, old
