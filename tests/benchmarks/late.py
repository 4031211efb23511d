"""Late attribution: sets that were published without anybody's name, told who made them by one order."""

import time
from pathlib import Path

from tests.benchmarks.processes import Figures, fresh
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import deliver, write_profile
from tests.benchmarks.zones import Zone, each_zone
from watcher import profile
from watcher.cli.console import LogListener
from watcher.daemon import Daemon
from watcher.journal import Journal
from watcher.journal.attributions import Order
from watcher.model import Resolution, State

_PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, user: rods, logins: [jdoe]}
  - {name: "Roe, Richard", orcid: 0000-0001-5109-3700, logins: [rroe], staff: true}
generic_logins: [root]
"""
#: What is asked: 5,000 sets in a minute.
_SETS, _SECONDS = 5000, 60


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 5,000 sets, or 200."""
    sets = 200 if small else _SETS
    for zone in each_zone(place):
        tell(
            f"late: {sets} published sets of one file, who made them and who may read them told afterwards; {zone.name}"
        )
        found = measure(zone, sets)
        rows = [
            (name, f"{found[f'{name}: s']:.1f}", f"{sets / found[f'{name}: s']:.0f}",
             f"{found['published: s'] / found[f'{name}: s']:.2f}", f"{found.get(f'{name}: requests', 0) / sets:.2f}")
            for name in ("published", "attributed")
        ]  # fmt: skip
        table(("", "s", "sets/s", "times published", "requests a set"), rows)
        wanted = "" if small else f"; asked: {_SECONDS} s"
        tell(f"  attributed: crate, metadata, access and audit of each{wanted}")


def measure(zone: Zone, sets: int) -> Figures:
    """Seconds and requests of publishing sets one after the other, and of attributing them all."""
    data = zone.place / "late-data"
    data.mkdir()
    for number in range(sets):
        (data / f"s{number:05}.dat").write_bytes(b"%d" % number)
    (zone.place / "people.yaml").write_text(_PEOPLE, encoding="utf-8")
    more = "people: {directory: people.yaml}\naccess: [{who: '{scientist}', level: own}]\n"
    path = write_profile(zone.place, zone, data, "late", sets="file", more=more)
    state = zone.place / "late-state"
    found: Figures = {}
    for name, work in (("published", deliver), ("attributed", attribute)):
        if zone.server:
            zone.server.ask("reset_requests")
        for key, value in fresh(work, str(path), str(state)).items():
            found[f"{name}: {key}"] = value
        if zone.server:
            found[f"{name}: requests"] = len(zone.server.ask("requests"))
    return found


def attribute(path: str, state: str) -> Figures:
    """One order for all published sets, and all that follows from it in the store."""
    loaded = profile.load(Path(path))
    with Journal(Path(state), owned=True) as journal:
        begin = time.perf_counter()
        ids = [one.id for one in journal.sets.in_states(State.PUBLISHED)]
        journal.attributions.order(ids, Order(time.time(), "rroe", {"scientist": "jdoe", "operator": "rroe"}))
        Daemon(loaded, journal, LogListener()).amend()
        seconds = time.perf_counter() - begin
        resolved = journal.attributions.counts()[Resolution.RESOLVED]
        if resolved != len(ids) or journal.attributions.waiting() or journal.attributions.shut_out():
            raise RuntimeError(f"{resolved} of {len(ids)} are resolved: {journal.attributions.problems()[:3]}")
    return {"s": seconds, "sets": len(ids)}
