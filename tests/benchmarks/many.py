"""One set of 100,000 members: memory, the time of each step, and whether it grows with the members and not faster."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.files import write_set
from tests.benchmarks.processes import Figures, fresh
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import PHASES, deliver, write_profile
from tests.benchmarks.zones import Zone, each_zone

SIZE = 100
#: What is asked: MiB for the process, interpreter and libraries included.
MOST = 200


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 25,000, 50,000 and 100,000 members, or 1000, 2000 and 4000."""
    counts = (1_000, 2_000, 4_000) if small else (25_000, 50_000, 100_000)
    for zone in each_zone(place):
        tell(f"many: one set of many members of {SIZE} bytes, each count in a fresh process; {zone.name}")
        found = measure(zone, counts)
        first = found[f"{counts[0]}: s"] / counts[0]
        rows = []
        for count in counts:
            each = found[f"{count}: s"] / count
            ends = [0.0, *(found[f"{count}: {phase}"] for phase in PHASES)]
            steps = [f"{end - begin:.1f}" for begin, end in pairwise(ends)]
            peak = found[f"{count}: peak"]
            rows.append(
                (f"{count}", f"{found[f'{count}: s']:.1f}", f"{1e6 * each:.0f}", f"{each / first:.2f}",
                 f"{found[f'{count}: cpu']:.1f}", *steps, f"{peak:.0f}", "" if peak < MOST else f"over {MOST}")
            )  # fmt: skip
        phases = [f"s to {phase}" for phase in PHASES]
        table(("members", "s", "µs each", f"times {counts[0]}", "CPU s", *phases, "peak MiB", ""), rows)


def measure(zone: Zone, counts: Sequence[int]) -> Figures:
    """What `way.deliver` says, for each count."""
    found: Figures = {}
    for count in counts:
        run = f"many-{count}"
        data = write_set(zone.place / run / "set", count, SIZE).parent
        profile = write_profile(zone.place, zone, data, run)
        for key, value in fresh(deliver, str(profile), str(zone.place / f"{run}-state")).items():
            found[f"{count}: {key}"] = value
        if zone.server:
            zone.server.ask("reset_requests")  # its log of them grows too
    return found
