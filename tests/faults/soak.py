"""Many small sets under random faults until all are published: `make soak`, or `python -m tests.faults.soak --help`."""

import argparse
import math
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.faults.facility import PATIENCE, Facility, facility
from tests.faults.resting import resident_memory
from tests.faults.soundness import sound_afterwards, stuck_replicas
from watcher import simulate
from watcher.journal import Journal
from watcher.model import State

#: Sets that the instrument may be ahead of the watcher, and how many of them lie in one folder.
AHEAD: Final = 60
A_FOLDER: Final = 50
#: The program's own seconds in one: what it waits between attempts is not what is tried here.
SOAK_HASTE: Final = 15
#: Of the sets, the first part during which the program is also killed; then one life of it is measured.
KILLED: Final = 0.25
#: What the memory may grow from the first half of that life to the second: a tenth, and this for caches to fill.
ALLOWANCE: Final = 12 << 20
_APIS: Final = (681, 702, 20002, 707, 606, 606, 606, 602, 676, 673)


@dataclass(slots=True)
class Sample:
    """The program at one moment of the measured life."""

    published: int
    memory: int
    descriptors: int
    threads: int


@dataclass(slots=True)
class Soak:
    """One run: `sets` image sets, and faults from the stream of `seed`."""

    made: Facility
    sets: int
    seed: int
    #: After so many sets something is made to go wrong.
    batch: int = 20
    struck: Counter[str] = field(default_factory=Counter)
    samples: list[Sample] = field(default_factory=list)
    mended: set[str] = field(default_factory=set)
    written: int = 0
    seconds: float = 0.0
    _chance: random.Random = field(default_factory=random.Random)

    def run(self, *, patience: float = 120.0, limit: float = math.inf) -> None:
        """Write, strike and wait until all is published; AssertionError if nothing moves for `patience` seconds.

        After `limit` seconds nothing more is written, and `sets` is what has been.
        """
        begin = moved = time.monotonic()
        published = 0
        self._chance.seed(self.seed)
        self.made.haste = SOAK_HASTE
        self.made.warm_up()
        self.made.server.faults.struck.clear()
        while published < self.sets:
            if time.monotonic() > begin + limit:
                self.sets = self.written
            self.made.run()
            now_published = self._published()
            if now_published > published:
                published, moved = now_published, time.monotonic()
                self._sample(published)
            assert time.monotonic() < moved + patience, f"nothing moves: {self._stuck_sets()}"
            if self.written < min(self.sets, published + AHEAD):
                self._write(min(self.batch, self.sets - self.written))
                self._strike(killing=self.written < KILLED * self.sets)
            else:
                self._help()
                time.sleep(0.05)
        self.made.server.faults.clear()
        self.seconds = time.monotonic() - begin
        self._count()

    def check(self) -> None:
        """What must be true at the end, and that nothing has grown."""
        expected = self.made.expected(self.made.data)
        sound_afterwards(self.made, expected, beside=self.mended)
        first, second = self.samples[: len(self.samples) // 2], self.samples[len(self.samples) // 2 :]
        memory = [statistics.median(one.memory for one in half) for half in (first, second)]
        assert memory[1] <= memory[0] * 1.1 + ALLOWANCE, f"memory grows: {memory}"
        for what in ("descriptors", "threads"):
            most = [max(getattr(one, what) for one in half) for half in (first, second)]
            assert most[1] <= most[0] + 2, f"{what} grow: {most}"

    def report(self) -> str:
        """The seed, how long it took, the faults that struck, and what the program held."""
        lines = [f"seed {self.seed}: {self.sets} sets in {self.seconds:.0f} s"]
        lines += [f"{count:7d}  {what}" for what, count in sorted(self.struck.items())]
        lines.append("published  memory MiB  descriptors  threads   (one life of the program)")
        for one in self.samples[:: max(1, len(self.samples) // 10)]:
            lines.append(f"{one.published:9d}  {one.memory / 2**20:10.1f}  {one.descriptors:11d}  {one.threads:7d}")
        return "\n".join(lines)

    # the instrument

    def _write(self, count: int) -> None:
        for _ in range(count):
            folder = self.made.data / f"day{self.written // A_FOLDER:03d}"
            name, seed = f"scan{self.written:05d}", self.written
            match self._chance.randrange(20):
                case 0:  # more than a message holds, so that it goes by the stream lane
                    simulate.growing_stack(folder, name, pause=_no_pause, seed=seed, pages=1, size=750)
                case 1 | 2 | 3 | 4 | 5:
                    simulate.ome_tiff_series(folder, name, pause=_no_pause, seed=seed, planes=3, size=16)
                case 6 | 7 | 8 | 9 | 10:
                    simulate.plane_directory(folder, name, pause=_no_pause, seed=seed, channels=1, z=3, size=16)
                case _:
                    simulate.growing_stack(folder, name, pause=_no_pause, seed=seed, pages=1, size=16)
            self.written += 1

    # what goes wrong

    def _strike(self, *, killing: bool) -> None:
        faults, chance = self.made.server.faults, self._chance
        api, nth = chance.choice(_APIS), chance.randrange(1, 20)
        light: list[Callable[[], object]] = [
            lambda: faults.drop(api=api, nth=nth),
            lambda: faults.drop(api=api, nth=nth, reply=True),
            lambda: faults.drop(api=api, nth=nth, reset=True),
            lambda: faults.drop(api=api, nth=nth, after_bytes=100, times=2),
            lambda: faults.error(api=api, nth=nth, code=-801000),
            lambda: faults.error(api=606, nth=nth, code=-406000, times=chance.randrange(1, 8)),
            lambda: faults.corrupt(api=606, nth=nth),
            lambda: faults.lie_about_checksums(times=1),
        ]
        for fault in chance.sample(light, 3):
            fault()
        heavy: list[tuple[str, Callable[[], object]]] = [
            ("stall", lambda: faults.stall(PATIENCE * 1.3, api=api, nth=nth)),
            ("unknown error", lambda: faults.error(api=api, nth=nth, code=-987000)),
            ("resource full", lambda: self._for_a_while(lambda: faults.resource_full(2000), faults.clear)),
            ("resource down", lambda: self._for_a_while(faults.resource_down, faults.clear)),
            ("server away", lambda: self._for_a_while(self.made.server.stop, self.made.server.start)),
            ("server restart", self.made.server.restart),
            ("all connections cut", self.made.server.drop_connections),
        ]
        if chance.random() < 0.3:
            name, strike = chance.choice(heavy)
            self._note(name)
            strike()
        if killing and chance.random() < 0.4:
            time.sleep(chance.uniform(0, 0.3))
            self._note("program killed")
            self.made.kill()

    def _for_a_while(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        begin()
        limit = time.monotonic() + 3
        while not self.made.store_trouble() and time.monotonic() < limit:
            time.sleep(0.02)
        end()

    def _note(self, what: str) -> None:
        if what not in {"stall", "unknown error"}:  # these are counted when they strike
            self.struck[what] += 1

    def _count(self) -> None:
        self.struck.update(f"{action} at {api}" for action, api, _ in self.made.server.faults.struck)
        self.made.server.faults.struck.clear()

    def _help(self) -> None:
        """What people do: `retry` for what is held, and an administrator mends replicas that are stuck."""
        if self.made.all_sets(State.HELD):
            self.struck["(help: retry)"] += 1
            self.made("retry", "--all")
        waiting = [one for one in self.made.all_sets(State.VALID) if "still being written" in one.reason]
        stuck = stuck_replicas(self.made.server) if waiting else set()
        if stuck:
            self.struck["(help: stuck replica mended)"] += len(stuck)
            self.made.server.mend_stuck_replicas()
            self.mended |= stuck

    # what is seen

    def _published(self) -> int:
        with Journal(self.made.state) as journal:
            return journal.sets.counts().get(State.PUBLISHED, 0) - 1  # the one that warmed it up

    def _sample(self, published: int) -> None:
        step = max(1, self.sets // 200)
        last = self.samples[-1].published if self.samples else 0
        if self.written >= KILLED * self.sets + self.batch and published >= last + step:
            now = self.made.holdings()
            assert self.made.process is not None
            self.samples.append(Sample(published, resident_memory(self.made.process.pid), now.descriptors, now.threads))
            self.made.server.reset_requests()

    def _stuck_sets(self) -> list[tuple[str, str, str]]:
        return [(one.name, str(one.state), one.reason) for one in self.made.all_sets() if one.published_at is None][:5]


def _no_pause(seconds: float) -> None:
    """The instrument is as fast as it can be."""


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--minutes", type=float, default=math.inf, help="write no more sets after so long")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)  # noqa: T201
    with tempfile.TemporaryDirectory(prefix="irods-watcher-soak-") as home, facility(Path(home)) as made:
        soak = Soak(made, options.sets, options.seed)
        try:
            soak.run(limit=60 * options.minutes)
        finally:
            print(soak.report(), flush=True)  # noqa: T201
        soak.check()
        print("sound: every set published once, every byte right, nothing grew")  # noqa: T201


if __name__ == "__main__":
    main()
