"""An audit of many published sets: what it asks the catalogue, and how long that takes."""

import base64
import hashlib
import time
from pathlib import Path, PurePosixPath

from tests.benchmarks.processes import Figures, fresh, memory_peak
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import write_profile
from tests.benchmarks.zones import HOME, Zone, test_server
from watcher import profile
from watcher.cli.console import LogListener
from watcher.daemon import Daemon
from watcher.journal import Journal
from watcher.model import IDENTIFIER, Avu, FileFacts, Member, State
from watcher.pipeline.auditing import batches
from watcher.provenance import manifest
from watcher.provenance.vocabulary import COMPLETE, COPIES, MANIFEST_DIGEST

_MEMBERS = 10
#: So many are asked about alone.
_ALONE = 200
TOGETHER, ALONE = "together", "each alone"
#: What else a set says of itself, as many as a real one.
_OTHERS = 35
#: What is asked: 10,000 sets with 100,000 objects in a minute.
_SETS, _SECONDS = 10_000, 60


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 10,000 sets, or 500."""
    sets = 500 if small else _SETS
    tell(f"audit: {sets} published sets of {_MEMBERS} files, compared with the catalogue; test server")
    with test_server(place) as zone:
        found = measure(zone, sets, changed=sets // 100)
    rows = [
        (
            name,
            *(f"{found[f'{name}: sets']:.0f}", f"{found[f'{name}: s']:.1f}", f"{_rate(found, name):.0f}"),
            f"{_rate(found, name) / _rate(found, ALONE):.1f}",
            f"{found[f'{name}: requests'] / found[f'{name}: sets']:.3f}",
            *(f"{found[f'{name}: cpu']:.1f}", f"{found[f'{name}: server']:.1f}", f"{found[f'{name}: peak']:.0f}"),
            f"{found[f'{name}: found']:.0f} of {sets // 100}",
        )
        for name in (TOGETHER, ALONE)
    ]
    titles = (
        "",
        "sets",
        "s",
        "sets/s",
        "times",
        "requests a set",
        "CPU s",
        "server's CPU s",
        "peak MiB",
        "changed found",
    )
    table(titles, rows)
    tell("  the catalogue was filled for it without a byte in the vault" + ("" if small else f"; asked: {_SECONDS} s"))


def measure(zone: Zone, sets: int, changed: int) -> Figures:
    """Seconds, CPU and requests of one audit of all sets, of which so many have lost a file."""
    assert zone.server
    data, state = zone.place / "audit-data", zone.place / "audit-state"
    data.mkdir()
    path = write_profile(zone.place, zone, data, "audit")
    with Journal(state, owned=True) as journal, journal.database.transaction():
        for number in range(sets):
            _publish(journal, zone, data, number, lost=number < changed)
    found: Figures = {}
    for name, together in ((TOGETHER, True), (ALONE, False)):
        zone.server.ask("reset_requests")
        before = zone.server.cpu
        figures = fresh(audited, str(path), str(state), together)
        figures |= {"requests": len(zone.server.ask("requests")), "server": zone.server.cpu - before}
        found |= {f"{name}: {key}": value for key, value in figures.items()}
    return found


def _rate(found: Figures, name: str) -> float:
    return found[f"{name}: sets"] / found[f"{name}: s"]


def audited(path: str, state: str, together: bool) -> Figures:
    """What `verify --all` does; or the first of the sets, each by itself."""
    loaded = profile.load(Path(path))
    with Journal(Path(state)) as journal:
        cpu, begin = time.process_time(), time.perf_counter()
        auditor = Daemon(loaded, journal, LogListener()).auditor()
        looked = drifted = 0
        ids = journal.looks.stored()
        alone = [[journal.sets.get(set_id)] for set_id in ids[:_ALONE]]
        for some in batches(journal, ids) if together else alone:
            for found in auditor.look(some):
                looked += 1
                drifted += bool(auditor.record(found)[1])
        auditor.close()
        seconds, used = time.perf_counter() - begin, time.process_time() - cpu
    return {"s": seconds, "cpu": used, "sets": looked, "found": drifted, "peak": memory_peak()}


def _publish(journal: Journal, zone: Zone, data: Path, number: int, *, lost: bool) -> None:
    """A set as it is after its publication, in the journal and in the catalogue."""
    assert zone.server
    name, now = f"s{number:05}", time.time()
    folder = PurePosixPath(name)
    one = journal.sets.create(data, folder, name, grouped_by="directory", format="", now=now)
    members = [
        Member(f"{name}/{file}", FileFacts(len(name), 0, f"{number}-{file}"), file, _digest(f"{name}/{file}").hex())
        for file in (f"plane-{plane:03}.tif" for plane in range(_MEMBERS))
    ]
    journal.sets.freeze(one, members)
    one = journal.sets.get(one.id)
    for to in (State.COMPLETE, State.VALID, State.DELIVERED, State.VERIFIED):
        one = journal.sets.advance(one, to, now)
    collection = f"{HOME}/audit/{name}"
    journal.sets.advance(
        one, State.PUBLISHED, now, published_at=now, collection=collection, claimed=True, replicas=1, files=_MEMBERS
    )  # fmt: skip
    listing = manifest.text(members)
    avus = [Avu(IDENTIFIER, one.id), COMPLETE, Avu(MANIFEST_DIGEST, manifest.digest(members)), Avu(COPIES, "1")]
    avus += [Avu(f"acq:other.{other}", f"value {other} of {name}") for other in range(_OTHERS)]
    objects = {one.target: [one.facts.size, _checksum(bytes.fromhex(one.sha256 or ""))] for one in members}
    objects[manifest.NAME] = [len(listing), _checksum(_digest(listing))]
    if lost:
        del objects[members[0].target]
    zone.server.ask("register", collection=collection, avus=avus, objects=objects)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8")).digest()


def _checksum(digest: bytes) -> str:
    return "sha2:" + base64.b64encode(digest).decode("ascii")
