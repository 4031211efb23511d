"""The whole way of one image set, from the watched folder to publication, in a process that does nothing else."""

import time
from pathlib import Path

from tests.benchmarks.processes import Figures, memory_peak
from tests.benchmarks.zones import Zone
from watcher import profile
from watcher.clock import SystemClock
from watcher.daemon import Daemon
from watcher.errors import WatcherError
from watcher.journal import Journal
from watcher.model import ImageSet, Member, State

#: The states that `deliver` tells the times of, in seconds from the start.
PHASES = (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED, State.PUBLISHED)


def write_profile(
    place: Path,
    zone: Zone,
    data: Path,
    run: str,
    *,
    sets: str = "directory",
    settle: str = "0s",
    complete: str = "quiet: 0s",
    more: str = "",
) -> Path:
    """A profile for one run: each folder in `data` is a set unless told otherwise, and goes to `base`/`run`-NAME."""
    path = place / f"{run}.yaml"
    path.write_text(
        f"instrument: {{name: {run}}}\n"
        f"watch: [{{path: {data}, settle: {settle}}}]\n"
        f"sets: {{group: {sets}}}\n"
        f"complete: {{{complete}}}\n"
        f"store: {zone.section(run)}\nweb: {{port: 0}}\n{more}",
        encoding="utf-8",
    )
    return path


def deliver(path: str, state: str) -> Figures:
    """`Daemon.once` with this profile and a new journal: seconds, CPU seconds, MiB, and when each state was reached."""
    loaded = profile.load(Path(path))
    clock, listener = SystemClock(), _Moves()
    with Journal(Path(state), owned=True) as journal:
        cpu, begin = time.process_time(), clock.now()
        daemon = Daemon(loaded, journal, listener, clock=clock, trust_times=True)
        listener.clock = clock
        result = daemon.once()
        figures: Figures = {"s": clock.now() - begin, "cpu": time.process_time() - cpu}
        figures["peak"] = memory_peak()
        if trouble := [*result.folder_trouble, *([result.store_trouble] if result.store_trouble else [])]:
            raise trouble[0]
        if result.unsafe:
            raise RuntimeError(f"{result.unsafe[0].name}: {result.unsafe[0].state}: {result.unsafe[0].reason}")
        published = journal.sets.in_states(State.PUBLISHED)
        listener.at[State.COMPLETE] = max(one.completed_at or 0.0 for one in published)
        members = [member for one in published for member in journal.sets.members(one.id)]
    figures["members"] = len(members)
    figures["bytes"] = sum(member.facts.size for member in members)
    return figures | {phase: listener.at[phase] - begin for phase in PHASES}


class _Moves:
    """Notes when the last set reached each state, and ends the run with any failure."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.at: dict[State, float] = {}

    def moved(self, image_set: ImageSet) -> None:
        self.at[image_set.state] = self.clock.now()

    def sent(self, image_set: ImageSet, member: Member, count: int) -> None: ...

    def failed(self, image_set: ImageSet, error: WatcherError) -> None:
        raise error

    def trouble(self, where: str, what: str) -> None:
        if what:
            raise RuntimeError(what)
