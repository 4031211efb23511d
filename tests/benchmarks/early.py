"""An acquisition as it runs: how soon after its completion rule is met it is published, and what had left by then."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.processes import ROOT, Figures
from tests.benchmarks.running import Running, running
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import PHASES, write_profile
from tests.benchmarks.zones import Zone, each_zone
from watcher.journal import Journal
from watcher.model import State
from watcher.provenance.vocabulary import COMPLETE

SETTLE, QUIET = 2.0, 5.0
_SET = "acquisition"


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the microscope does: so many planes of so many bytes, evenly over so many seconds."""

    planes: int
    size: int
    seconds: float


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 2000 planes of 2 MB over 60 s, or 100 of 200 kB over 5 s."""
    one = Acquisition(100, 200_000, 5.0) if small else Acquisition(2000, 2_000_000, 60.0)
    for zone in each_zone(place):
        total = one.planes * one.size
        tell(f"early: {one.planes} planes, {total / 1e6:.0f} MB, written over {one.seconds:g} s; {zone.name}")
        columns = {rule: _column(measure(zone, one, rule), total) for rule in ("quiet", "marker")}
        rows = [(name, *(column[name] for column in columns.values())) for name in columns["quiet"]]
        table((f"s from the rule met ({QUIET:g} s quiet, {SETTLE:g} s settle)", *columns), rows)


def _column(found: Figures, total: int) -> dict[str, str]:
    return {
        **{f"{phase}": f"{found[phase]:.1f}" for phase in PHASES if phase in found},
        "marker seen in the zone": f"{found['seconds']:.1f}",
        "the same, of the time that the writing took": f"{found['seconds'] / found['took']:.2f}",
        "bytes in the zone at the last plane, of all": f"{100 * found['sent'] / total:.0f} %",
        "CPU s of the program until then": f"{found['cpu']:.1f}",
        "CPU s afterwards": f"{found['cpu after']:.1f}",
        "peak MiB": f"{found['peak']:.0f}",
    }


def measure(zone: Zone, acquisition: Acquisition, rule: str) -> Figures:
    """Seconds from the moment that the rule is met to `acq:state = complete`, bytes in the store at the last plane."""
    run_name = f"early-{rule}"
    data = zone.place / run_name
    data.mkdir()
    complete = f"quiet: {QUIET:g}s" + (", marker: '*.done'" if rule == "marker" else "")
    profile = write_profile(zone.place, zone, data, run_name, settle=f"{SETTLE:g}s", complete=complete)
    collection = f"{zone.base}/{run_name}-{_SET}"
    state = zone.place / f"{run_name}-state"
    with running(profile, state) as program, zone.store().session() as session:
        program.wait_until_idle(60)
        at_start = program.cpu
        written = _acquire(data / _SET, acquisition, marker=rule == "marker")
        at_end = program.cpu
        there = session.replicas(zone.base)
        sent = sum(one.size for target, one in there.items() if target.startswith(f"{run_name}-") and one.good)
        met = written["last"] + (QUIET if rule == "quiet" else SETTLE)
        program.wait_for(lambda: COMPLETE in session.avus(collection), 20 * (acquisition.seconds + QUIET), every=0.05)
        published = time.time() - met
        reached = _history(state, program)
        stored = session.replicas(collection)
        return {
            "seconds": published,
            "sent": sent,
            "cpu": at_end - at_start,
            "cpu after": program.cpu - at_end,
            "peak": program.peak,
            "took": written["last"] - written["first"],
            **{phase: at - met for phase, at in reached.items()},
            "members": sum(replica.good for replica in stored.values()),
        }


def _history(state: Path, program: Running) -> dict[State, float]:
    """When the set reached each state, as the journal has it: the marker stands in the zone before it says so."""
    with Journal(state) as journal:
        program.wait_for(lambda: bool(journal.sets.in_states(State.PUBLISHED)), 60)
        (one,) = journal.sets.in_states(State.PUBLISHED)
        return {reached: at for at, reached, _ in journal.sets.history(one.id)}


def _acquire(folder: Path, acquisition: Acquisition, *, marker: bool) -> Figures:
    """Let another process write the planes; the times of its first and last write."""
    told = [str(folder), str(acquisition.planes), str(acquisition.size), str(acquisition.seconds), str(int(marker))]
    command = [sys.executable, "-m", "tests.benchmarks.early", *told]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT)
    times: Figures = json.loads(done.stdout)
    return times


def _write(folder: Path, acquisition: Acquisition, *, marker: bool) -> Figures:
    folder.mkdir()
    pixels = bytearray(os.urandom(acquisition.size))
    begin = time.time()
    for number in range(acquisition.planes):
        time.sleep(max(0.0, begin + acquisition.seconds * number / acquisition.planes - time.time()))
        pixels[:8] = number.to_bytes(8, "little")  # no two planes are the same
        (folder / f"plane_{number:06d}.raw").write_bytes(pixels)
    if marker:
        (folder / "acquisition.done").touch()
    return {"first": begin, "last": time.time()}


if __name__ == "__main__":
    place, planes, size, seconds, with_marker = sys.argv[1:]
    times = _write(Path(place), Acquisition(int(planes), int(size), float(seconds)), marker=with_marker == "1")
    sys.stdout.write(json.dumps(times))
