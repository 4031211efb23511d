"""The page over a journal of 100,000 sets: how soon it answers, what 50 open browsers cost, and what it costs delivery.

The journal of a watcher that delivered so much is made by the journal's own methods, not by delivering.
"""

import http.client
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from tests.benchmarks.browsers import Browsers
from tests.benchmarks.files import write_file
from tests.benchmarks.processes import Figures, elapsed, fresh
from tests.benchmarks.running import Running, running
from tests.benchmarks.telling import table, tell
from tests.benchmarks.way import write_profile
from tests.benchmarks.zones import Zone, test_server
from watcher import profile
from watcher.journal import Journal
from watcher.model import UNDER_WAY, Attribution, FileFacts, Member, Person, Resolution, State
from watcher.provenance.registers import Registers
from watcher.web.server import PageServer

#: Beside as few sets as this, and how often each page is asked for.
FEW, TIMES = 100, 50
#: What is asked of the first page, in milliseconds.
_MOST = 100.0
BROWSERS = 50
NOBODY, LOOKED_AT = "nobody looks", "browsers look"
FIRST = "first page"
_NOTHING_NEW = "first page, nothing new"
_PART = "what keeps it current"
PAGES = {
    FIRST: "/",
    _NOTHING_NEW: "/",
    _PART: "/",
    "page 2": "/?below={second}",
    "a page in the middle": "/?below={middle}",
    "search: one set": "/?text=scan_000077",
    "search: all sets": "/?text=scan",
    "search: none": "/?text=mitochondria",
    "state: needs attention": "/?state=attention",
    "state: safe, since a day": "/?state=safe&since={day}",
    "a person": "/?person=doe+3",
    "a person, since a day": "/?person=doe+3&since={day}",
    "nobody": "/?person=nobody",
    "one set": "/sets/{number}",
    "/api/v1/status": "/api/v1/status",
    "/api/v1/sets": "/api/v1/sets",
}
_SIZE = 20_000
#: Until what the delivery before has left to do is done, in seconds.
_SETTLED = 5.0
_DAY = 86400.0
#: Sets that are not safe: each so-manyth.
_ODD = {997: State.HELD, 499: State.SKIPPED}


def run(place: Path, *, small: bool) -> None:
    """Tell the figures for 100,000 sets, or 2,000."""
    sets, files = (2000, 50) if small else (100_000, 600)
    tell(f"page: {sets} sets in the journal; each page {TIMES} times over loopback, after a change in the journal")
    few, many = place / "few", place / "many"
    fresh(fill, str(few), FEW)
    taken = elapsed(lambda: fresh(fill, str(many), sets))
    tell(f"  the journal was filled with {sets / taken:.0f} sets/s")
    found, beside = fresh(answers, str(many), TIMES), fresh(answers, str(few), TIMES)
    rows = []
    for name in PAGES:
        median, worst = found[f"{name}: ms"], found[f"{name}: worst"]
        over = f"over {_MOST:g} ms" if name == FIRST and worst > _MOST else ""
        few_ms = beside[f"{name}: ms"]
        cpu, size = found[f"{name}: cpu"], found[f"{name}: bytes"] / 1000
        rows.append((name, f"{median:.1f}", f"{worst:.1f}", f"{cpu:.1f}", f"{few_ms:.1f}", f"{median / few_ms:.2f}",
                     f"{size:.0f}", over))  # fmt: skip
    table(("", "median ms", "worst", "CPU ms", f"with {FEW} sets", "times", "kB", ""), rows)
    with test_server(place) as zone:
        looked = measure_looking(zone, many, files, BROWSERS, rounds=1 if small else 3, rest=10.0 if small else 60.0)
    tell(f"page: the same journal, `run` delivers {files} sets of one file of {_SIZE} bytes; {BROWSERS} browsers")
    costs = [
        (name, f"{looked[f'{name}: rest']:.2f}", f"{looked[f'{name}: s']:.2f}", f"{looked[f'{name}: cpu']:.2f}",
         f"{looked[f'{name}: s'] / looked[f'{NOBODY}: s']:.2f}", f"{looked[f'{name}: pages']:.0f}")
        for name in (NOBODY, LOOKED_AT)
    ]  # fmt: skip
    table(("", "at rest, % of a core", "s to deliver", "CPU s", "times nobody", "pages fetched"), costs)


def fill(state: str, sets: int) -> None:
    """A year of sets of one file of a gigabyte, made by twenty people; few of them are held or left out."""
    now, root = time.time() - 60, Path("/data")
    people = [Person(f"Doe {number}, Jane", user=f"jdoe{number}") for number in range(20)]
    with Journal(Path(state), owned=True) as journal, journal.database.transaction():
        for number in range(sets):
            at, name = now - 365 * _DAY * (1 - (number + 1) / sets), f"scan_{number:06d}"
            one = journal.sets.create(
                root, PurePosixPath("jdoe"), name, grouped_by="file", format="czi", now=at, last_change=at
            )
            journal.sets.freeze(
                one, [Member(f"jdoe/{name}.czi", FileFacts(10**9, number, "x"), f"{name}.czi", "ab" * 32)]
            )
            odd = next((kind for each, kind in _ODD.items() if number % each == each - 1), None)
            if odd:
                journal.sets.advance(one, odd, at, "3 of 96 images are missing")
                continue
            there = f"/tempZone/home/rods/facility/{name}"
            for step in (*UNDER_WAY, State.PUBLISHED):
                one = journal.sets.advance(
                    one, step, at, collection=there, completed_at=at, published_at=at, claimed=True
                )
            made_by = Attribution(Resolution.RESOLVED, (people[number % 20],), facts={"request": "RQ4F7K2MT"})
            journal.attributions.written(one.id, made_by, 0)


def answers(state: str, times: int) -> Figures:
    """Milliseconds (median and worst), of CPU too, and bytes of each page; the journal changes before each request."""
    place = Path(state)
    path = place.with_suffix(".yaml")
    path.write_text(
        "instrument: {name: bench}\nwatch: [{path: /data}]\nstore: {kind: folder, path: archive}\n"
        "web: {port: 0, people: true}\n",
        encoding="utf-8",
    )
    loaded, moved, found = profile.load(path), 0.0, Figures()

    def now() -> float:
        return time.time() + moved

    with Journal(place, owned=True) as journal, PageServer(loaded, place, Registers(loaded), _end, now=now):
        sets = journal.sets.in_states(State.PUBLISHED)
        newest = sorted(sets, key=lambda one: (one.last_change, one.id), reverse=True)
        places = {"second": newest[min(49, len(sets) - 1)], "middle": newest[len(sets) // 2]}
        words = {key: f"{one.last_change!r}~{one.id.removeprefix('urn:uuid:')}" for key, one in places.items()}
        words |= {"number": newest[0].id.removeprefix("urn:uuid:")}
        words["day"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - _DAY))
        connection = _reached(journal)
        for name, pattern in PAGES.items():
            taken, worked = list[float](), list[float]()
            address = pattern.format(**words)
            for number in range(times + 1):  # the first one is not counted: templates are compiled
                if name != _NOTHING_NEW:
                    moved += 2.0
                    journal.note("heartbeat", now())
                begin, cpu = time.perf_counter(), time.process_time()
                connection.request("GET", address, headers={"HX-Request": "true"} if name == _PART else {})
                body, status = (answer := connection.getresponse()).read(), answer.status
                if number:
                    taken.append(1000 * (time.perf_counter() - begin))
                    worked.append(1000 * (time.process_time() - cpu))
                if status != 200:
                    raise RuntimeError(f"{address}: {status}")
            found |= {
                f"{name}: ms": statistics.median(taken),
                f"{name}: worst": max(taken),
                f"{name}: cpu": statistics.median(worked),
                f"{name}: bytes": len(body),
            }
        connection.close()
    return found


def measure_looking(zone: Zone, state: Path, files: int, browsers: int, rounds: int, rest: float) -> Figures:
    """What it costs `run` that so many browsers look: CPU at rest, and the time of delivery, the best of the rounds."""
    data = zone.place / "page-data"
    data.mkdir()
    path = write_profile(zone.place, zone, data, "page", sets="file")
    found: Figures = {}
    with running(path, state) as program, Journal(state) as journal:
        program.wait_for(lambda: journal.noted("page") is not None, 60)
        connection = _reached(journal)
        connection.request("GET", "/")  # templates are compiled once in the life of a watcher
        connection.getresponse().read()
        connection.close()
        program.wait_until_idle(60)
        for number in range(rounds):
            for name in (NOBODY, LOOKED_AT)[:: -1 if number % 2 else 1]:
                with _looking(journal, browsers if name == LOOKED_AT else 0) as looking:
                    if number == 0:
                        time.sleep(_SETTLED)
                        before = program.cpu
                        time.sleep(rest)
                        found[f"{name}: rest"] = 100 * (program.cpu - before) / rest
                    before, fetched = program.cpu, looking.pages
                    seconds = _delivered(program, journal, data, f"{name[0]}{number}", files)
                    if seconds < found.get(f"{name}: s", float("inf")):
                        found |= {f"{name}: s": seconds, f"{name}: cpu": program.cpu - before,
                                  f"{name}: pages": looking.pages - fetched}  # fmt: skip
                    found[f"{name}: streams"] = looking.open
    return found


def _delivered(program: Running, journal: Journal, data: Path, name: str, files: int) -> float:
    """Seconds until files that appear at once are all published."""
    staged = data.with_name(name)
    for number in range(files):
        write_file(staged / f"{name}_{number:05}.raw", _SIZE)
    wanted = journal.sets.counts()[State.PUBLISHED] + files
    begin = time.monotonic()
    staged.rename(data / name)
    program.wait_for(lambda: journal.sets.counts()[State.PUBLISHED] == wanted, 600, every=0.1)
    return time.monotonic() - begin


@contextmanager
def _looking(journal: Journal, browsers: int) -> Iterator[Browsers]:
    with Browsers(_port(journal), browsers) as looking:
        yield looking


def _reached(journal: Journal) -> http.client.HTTPConnection:
    end = time.monotonic() + 20
    while journal.noted("page") is None:
        if time.monotonic() > end:
            raise RuntimeError("the page did not open")
        time.sleep(0.02)
    return http.client.HTTPConnection("127.0.0.1", _port(journal), timeout=60)


def _port(journal: Journal) -> int:
    noted = journal.noted("page")
    assert isinstance(noted, dict)
    return int(noted["address"].rstrip("/").rpartition(":")[2])


def _end(_: str, what: str) -> None:
    if what:
        raise RuntimeError(what)
