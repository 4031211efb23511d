"""One read of a member for several stores, whoever fails or stops at whatever byte."""

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from watcher import osfacts
from watcher.errors import SourceError, SourceUnreadable
from watcher.stores.sharing import Allowance, Fed, Feed, Shared

CONTENT = bytes(range(256)) * 4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "member"
    path.write_bytes(CONTENT)
    return path


@dataclass
class Taker:
    """One who wants the bytes too, in a thread of its own; gives up after so many bytes, if at all."""

    source: Fed
    stops_after: int | None = None
    slow: float = 0.0
    whole: bool = False
    got: bytes = b""
    told: str = ""

    def start(self) -> threading.Thread:
        thread = threading.Thread(target=self._take)
        thread.start()
        return thread

    def _take(self) -> None:
        try:
            if self.whole:
                self.got = bytes(self.source.read())
                return
            with contextlib.closing(self.source.blocks()) as blocks:
                for block in blocks:
                    self.got += block
                    time.sleep(self.slow)
                    if self.stops_after is not None and len(self.got) >= self.stops_after:
                        self.told = "stopped"
                        return
        except SourceUnreadable as error:
            self.told = str(error)


def _feeds(path: Path, number: int, most: int = 1 << 20) -> tuple[Shared, list[Feed], list[Allowance]]:
    facts = osfacts.facts_at(path)
    allowances = [Allowance(most) for _ in range(number)]
    feeds = [Feed(facts.size, allowance) for allowance in allowances]
    return Shared(path, facts, tuple(feeds)), feeds, allowances


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(0, 1024),
    block=st.sampled_from([1, 7, 64, 4096]),
    takers=st.lists(st.tuples(st.booleans(), st.none() | st.integers(0, 1100)), max_size=3),
    reads_whole=st.booleans(),
    reader_fails_at=st.none() | st.integers(0, 1100),
    most=st.sampled_from([64, 1 << 20]),
)
def test_everyone_has_all_bytes_or_knows_that_they_do_not(
    tmp_path: Path,
    size: int,
    block: int,
    takers: list[tuple[bool, int | None]],
    reads_whole: bool,
    reader_fails_at: int | None,
    most: int,
) -> None:
    path = tmp_path / "member"
    path.write_bytes(CONTENT[:size])
    shared, feeds, allowances = _feeds(path, len(takers), most)
    wanting = [
        Taker(Fed(path, shared.facts, feed), stops_after, whole=whole and stops_after is None)
        for feed, (whole, stops_after) in zip(feeds, takers, strict=True)
    ]
    threads = [taker.start() for taker in wanting]
    read = b""
    try:
        if reads_whole:
            read = bytes(shared.read())
        else:
            with contextlib.closing(shared.blocks(block)) as blocks:
                for view in blocks:
                    read += view
                    if reader_fails_at is not None and len(read) >= reader_fails_at:
                        break
    finally:
        for feed in feeds:
            feed.end(whole=False)
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    failed = not reads_whole and reader_fails_at is not None and reader_fails_at <= size
    assert read == CONTENT[:size] or failed
    for taker in wanting:
        assert taker.got == CONTENT[: len(taker.got)]
        assert taker.told or taker.got == CONTENT[:size]
        if not failed and taker.stops_after is None and most > size:
            assert taker.told == ""
    assert [allowance.left for allowance in allowances] == [most] * len(takers)


def test_a_file_that_changes_while_it_is_read_reaches_nobody_whole(file: Path) -> None:
    shared, feeds, _ = _feeds(file, 1)
    taker = Taker(Fed(file, shared.facts, feeds[0]))
    thread = taker.start()
    with contextlib.closing(shared.blocks(100)) as blocks:
        next(blocks)
        with file.open("ab") as writing:
            writing.write(b"more")
        with pytest.raises(SourceError):
            list(blocks)
    thread.join(10)
    assert "not read to its end" in taker.told
    assert len(taker.got) < len(CONTENT)


def test_what_is_never_read_is_told_as_soon_as_that_is_known(file: Path) -> None:
    shared, feeds, _ = _feeds(file, 1)
    taker = Taker(Fed(file, shared.facts, feeds[0]))
    thread = taker.start()
    feeds[0].end(whole=False)
    thread.join(10)
    assert taker.told
    assert b"".join(shared.blocks()) == CONTENT


def test_only_the_first_reading_is_shared_and_a_second_taking_reads_the_disk(file: Path) -> None:
    shared, feeds, _ = _feeds(file, 1)
    fed = Fed(file, shared.facts, feeds[0])
    assert len(shared.read()) == len(shared.read()) == len(CONTENT)
    assert fed.sha256() == shared.sha256()
    file.write_bytes(b"x" * len(CONTENT))
    with pytest.raises(SourceError):
        fed.read()


def test_a_taker_that_does_not_come_costs_a_tenth_of_the_time_and_no_more(file: Path) -> None:
    allowance = Allowance(200)
    feed = Feed(len(CONTENT), allowance)
    shared = Shared(file, osfacts.facts_at(file), (feed,))
    waited: list[float] = []
    take = allowance.take

    def watched(count: int, patience: float) -> bool:
        waited.append(max(0.0, patience))
        return take(count, patience)

    allowance.take = watched  # type: ignore[method-assign]
    begin = time.monotonic()
    with contextlib.closing(shared.blocks(100)) as blocks:
        read = b"".join(_slowly(blocks, 0.02))
    assert read == CONTENT
    # The third block found no room: nothing is waited for after that.
    assert len(waited) == 3
    assert 0 < waited[-1] <= 0.1 * (time.monotonic() - begin)
    assert allowance.left == 200


def _slowly(blocks: Iterator[memoryview], pause: float) -> Iterator[bytes]:
    for block in blocks:
        time.sleep(pause)
        yield bytes(block)


def test_a_taker_that_keeps_up_gets_all_with_room_for_two_blocks_only(file: Path) -> None:
    allowance = Allowance(200)
    began_long_ago = iter([time.monotonic() - 1000])
    feed = Feed(len(CONTENT), allowance, lambda: next(began_long_ago, time.monotonic()))
    shared = Shared(file, osfacts.facts_at(file), (feed,))
    taker = Taker(Fed(file, shared.facts, feed), slow=0.001)
    thread = taker.start()
    assert b"".join(map(bytes, shared.blocks(100))) == CONTENT
    thread.join(10)
    assert (taker.got, taker.told) == (CONTENT, "")
    assert allowance.left == 200
