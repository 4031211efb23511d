"""Many small members as one set, all the way to publication, beside put() and iput -r -K; the same over a long line."""

import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.benchmarks.client import put_all
from tests.benchmarks.files import write_set
from tests.benchmarks.processes import Figures, fresh
from tests.benchmarks.proxy import line
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import deliver, write_profile
from tests.benchmarks.zones import Zone, each_zone, no_icommand

SIZE = 20_000
ROUND_TRIP = 0.020
#: AUTHENTICATION_APN: not counted, because the watcher makes its connection anew after 500 requests.
_LOGIN = 110000
_NAMES = {
    602: "open", 606: "put", 615: "unlink", 629: "checksum", 665: "extract", 673: "close", 676: "write", 681: "mkdir",
    702: "query", 707: "access", 20000: "describe", 20002: "metadata",
}  # fmt: skip
OURS, FOUR, ONE = "irods-watcher", "put(), four sessions", "put(), one session"
_COMMANDS = {"iput -r -K": ("iput", "-r", "-K"), "irsync -r -K": ("irsync", "-r", "-K")}


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 2000 members, or 200."""
    members = 200 if small else 2000
    data = write_set(place / "data" / "set", members, SIZE).parent
    for zone in each_zone(place):
        tell(f"small: one set of {members} members of {SIZE} bytes; {zone.name}")
        found = measure(zone, data, rounds=1 if small else 3)
        rows = []
        for name in (OURS, FOUR, ONE, *_COMMANDS):
            if f"{name}: s" not in found:
                tell(f"  {no_icommand(zone, name.split()[0])}")
                continue
            seconds = found[f"{name}: s"]
            requests = found.get(f"{name}: requests", math.nan)
            row = [name, f"{seconds:.2f}", f"{members / seconds:.0f}", f"{found[f'{FOUR}: s'] / seconds:.2f}"]
            rows.append([*row, "-" if math.isnan(requests) else f"{requests / members:.3f}"])
        table(("", "s", "members/s", f"times {FOUR}", "requests a member"), rows)
        if zone.server:
            tell(f"  requests of {OURS}, on {found[f'{OURS}: connections']:.0f} connections: {_by_api(found)}")
        tell(
            f"  {OURS}: CPU {found[f'{OURS}: cpu']:.2f} s; verified and published. The others: stored, and that is all"
        )


def measure(zone: Zone, data: Path, rounds: int) -> Figures:
    """Seconds (the best round, alternating) for all that can be had here, and requests where they are counted."""
    (folder,) = data.iterdir()
    found: Figures = {}

    def ours(run: str) -> Figures:
        path = write_profile(zone.place, zone, data, run)
        done: Figures = fresh(deliver, str(path), str(zone.place / run))
        return done

    ways: dict[str, Callable[[str], Figures]] = {
        OURS: ours,
        FOUR: lambda run: dict(fresh(put_all, zone.where, str(folder), run, 4)),
        ONE: lambda run: dict(fresh(put_all, zone.where, str(folder), run, 1)),
    }
    for name, words in _COMMANDS.items():
        if not no_icommand(zone, words[0]):
            prefix = "i:" if words[0] == "irsync" else ""
            ways[name] = lambda run, words=words, prefix=prefix: {  # type: ignore[misc]
                "s": zone.icommand(*words, folder, f"{prefix}{zone.base}/{run}")
            }
    for number in range(rounds):
        for position, (name, way) in enumerate(ways.items()):
            if zone.server:
                zone.server.ask("reset_requests")
            for key, value in way(f"run-{number}-{position}").items():
                found[f"{name}: {key}"] = min(value, found.get(f"{name}: {key}", math.inf))
            if zone.server:
                asked = zone.server.ask("requests")
                apis = Counter(one["api"] for one in asked if one["api"] != _LOGIN)
                found[f"{name}: connections"] = len({one["connection"] for one in asked})
                found[f"{name}: requests"] = apis.total()
                found |= {f"{name}: api {api}": count for api, count in apis.items()}
    return found


def _by_api(found: Figures) -> str:
    start = f"{OURS}: api "
    apis = {int(key.removeprefix(start)): int(count) for key, count in found.items() if key.startswith(start)}
    return ", ".join(f"{_NAMES.get(api, '')} {api}: {count}".strip() for api, count in sorted(apis.items()))


def run_latency(place: Path, *, small: bool) -> None:
    """Tell what a round trip of 20 ms does to the same set."""
    members, fewer = (200, 20) if small else (2000, 200)
    data = write_set(place / "data" / "set", members, SIZE).parent
    few = write_set(place / "few" / "set", fewer, SIZE).parent
    for zone in each_zone(place):
        tell(f"latency: {members} members of {SIZE} bytes over a line of {ROUND_TRIP * 1000:.0f} ms; {zone.name}")
        found = measure_latency(zone, data, few, rounds=1 if small else 3)
        rows = [
            (name, f"{found[f'{name}: direct']:.1f}", f"{found[f'{name}: proxy']:.1f}", f"{found[f'{name}: late']:.1f}",
             f"{found[f'{name}: late'] / found[f'{name}: proxy']:.2f}")
            for name in (OURS, FOUR)
        ]  # fmt: skip
        table(("ms a member", "direct", "proxy, 0 ms", f"proxy, {ROUND_TRIP * 1000:.0f} ms", "ratio"), rows)
        tell(f"  {FOUR}: {fewer} members, since each takes seven round trips")


def measure_latency(zone: Zone, data: Path, few: Path, rounds: int, round_trip: float = ROUND_TRIP) -> Figures:
    """Milliseconds a member, directly, through a proxy without and with a delay; the best of several, alternating."""
    found: Figures = {}
    with line(zone, 0.0) as short, line(zone, round_trip) as long:
        for number in range(rounds):
            for kind, there in (("direct", zone), ("proxy", short.zone), ("late", long.zone)):
                run = f"{kind}-{number}"
                path = write_profile(zone.place, there, data, run)
                done = fresh(deliver, str(path), str(zone.place / run))
                (folder,) = few.iterdir()
                puts = fresh(put_all, there.where, str(folder), f"{run}-put", 4)
                for name, seconds, count in (
                    (OURS, done["s"], done["members"]), (FOUR, puts["s"], len(list(folder.iterdir())))
                ):  # fmt: skip
                    key = f"{name}: {kind}"
                    found[key] = min(1000 * seconds / count, found.get(key, math.inf))
    return found
