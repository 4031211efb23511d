"""The gauges: what the journal has, in the words of Prometheus, and nobody's name."""

import shutil
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.metrics.conftest import parsed, value
from tests.unit.pipeline.conftest import Bench
from watcher import errors
from watcher.errors import JournalError, StoreError, WatcherError
from watcher.journal import Journal
from watcher.metrics import Metrics, rendered_gauges
from watcher.metrics.counters import INCOMPLETE, STAGES
from watcher.model import ImageSet, State
from watcher.overview.attention import Kind
from watcher.pipeline import orders
from watcher.pipeline.space import Space


def usage(path: Path) -> tuple[int, int, int]:
    """What a disk says of itself: all, used, free."""
    return (100, 70, 30)


def render(bench: Bench) -> bytes:
    return rendered_gauges(bench.journal, bench.clock.now)


@pytest.fixture
def quick(bench: Bench) -> Bench:
    """A bench on which sets are finished at once."""
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"})
    return bench


def test_sets_that_are_safe_and_those_that_need_somebody_are_counted(quick: Bench) -> None:
    store = quick.rigged()

    def refuse(what: str, where: str) -> None:
        if what == "put" and where == "bad.dat":
            raise StoreError("bad.dat: it is strange")

    store.before = refuse
    for name in ("a.dat", "b.dat", "bad.dat"):
        quick.write(name)
    quick.finish()
    text = render(quick)
    assert value(text, "sets", state="published") == 2
    assert value(text, "sets", state="held") == 1
    assert value(text, "sets", state="growing") == 0
    assert value(text, "attention", kind="set", urgent="true") == 1
    assert value(text, "attention", kind="disk", urgent="true") == 0
    assert value(text, "last_success_timestamp_seconds") == quick.journal.sets.last_published()
    assert value(text, "store_up") == 1
    assert value(text, "paused") == 0


def test_what_waits_and_since_when_is_told_and_is_absent_when_nothing_waits(quick: Bench) -> None:
    quick.write("a.dat", b"12345")
    quick.observe()
    orders.pause(quick.journal, quick.clock.now(), "somebody")
    (one,) = quick.journal.sets.in_states(State.COMPLETE)
    text = render(quick)
    assert value(text, "oldest_pending_timestamp_seconds") == one.completed_at
    assert value(text, "unsent_bytes") == 5
    assert value(text, "paused") == 1
    orders.resume(quick.journal)
    quick.finish()
    text = render(quick)
    assert value(text, "oldest_pending_timestamp_seconds") is None
    assert value(text, "unsent_bytes") == 0


def test_a_store_in_trouble_and_a_watcher_that_looks_are_told(quick: Bench) -> None:
    quick.daemon.observe()
    quick.journal.note("heartbeat", 123.0)
    quick.journal.note("store", "it does not answer")
    text = render(quick)
    assert value(text, "store_up") == 0
    assert value(text, "attention", kind="store", urgent="true") == 1
    assert value(text, "heartbeat_timestamp_seconds") == 123


def test_hours_in_which_nothing_is_sent_are_told_while_the_watcher_runs(quick: Bench) -> None:
    quick.configure(limits={"hours": "03:00-03:01"})
    quick.journal.note("pace", asdict(quick.daemon._manners.pace()))
    assert value(render(quick), "resting") == 1


def test_disks_and_sweeps_go_by_the_number_of_the_folder_and_not_by_its_path(quick: Bench) -> None:
    quick.observe()
    Space([quick.root, Path("/no/longer/watched")], quick.journal, quick.clock, usage).round()
    text = render(quick)
    assert value(text, "disk_free_bytes", folder="1") == 30
    assert value(text, "disk_size_bytes", folder="1") == 100
    assert value(text, "last_sweep_timestamp_seconds", folder="1") == quick.clock.now()
    assert str(quick.root).encode() not in text


def test_the_journal_is_asked_once_a_second_at_most(quick: Bench) -> None:
    quick.observe()
    metrics = Metrics(quick.journal, "scope", now=quick.clock.now)
    orders.pause(quick.journal, quick.clock.now(), "somebody")
    assert value(metrics.render()[0], "paused") == 1
    orders.resume(quick.journal)
    quick.clock.advance(0.9)
    assert value(metrics.render()[0], "paused") == 1
    quick.clock.advance(0.2)
    assert value(metrics.render()[0], "paused") == 0
    orders.pause(quick.journal, quick.clock.now(), "somebody")
    quick.clock.advance(-3600.0)
    assert value(metrics.render()[0], "paused") == 1, "a clock that was set back does not stop it"


def test_a_journal_that_cannot_be_read_is_told(quick: Bench) -> None:
    metrics = Metrics(quick.journal, "scope")
    quick.journal.close()
    with pytest.raises(JournalError):
        metrics.render()
    quick.restart()


def test_promtool_finds_nothing_to_complain_of(quick: Bench, promtool: str) -> None:
    quick.write("a.dat")
    quick.finish()
    text, _ = Metrics(quick.journal, "scope", now=quick.clock.now).render()
    assert parsed(text)
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


#: All that a label may say, besides the name of the instrument and the bounds of buckets.
REASONS = {INCOMPLETE, *(name for name, kind in vars(errors).items() if isinstance(kind, type))}
ALLOWED = {
    "state": {str(state) for state in State},
    "kind": {str(kind) for kind in Kind},
    "urgent": {"true", "false"},
    "stage": set(STAGES.values()),
    "reason": REASONS,
    "sink": {"webhook", "amqp"},
    "folder": {"1", "2"},
    "version": {"0.1.0"},
}
_NAMES = st.text(st.characters(categories=["L", "N", "P", "Zs"]), min_size=3, max_size=20).map(lambda text: f"Zz{text}")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(_NAMES, _NAMES, st.sampled_from(list(State))), max_size=6), _NAMES)
def test_no_label_ever_names_a_set_a_person_or_a_path(sets: list[tuple[str, str, State]], person: str) -> None:
    place = Path(tempfile.mkdtemp())
    try:
        with Journal(place) as journal:
            root = Path("/data") / person.replace("/", "_")
            journal.note("watching", {"instrument": "scope", "folders": [str(root), "/other"], "version": "0.1.0"})
            metrics = Metrics(journal, "scope")
            for number, (name, folder, state) in enumerate(sets):
                one = made(
                    journal, root, folder.replace("/", "_"), f"{name}{number}", state, f"{name}: {person} did it"
                )
                metrics.counters.moved(one)
                metrics.counters.failed(one, WatcherError(f"{name}: {person}"))
            journal.trouble(f"registers {person}", f"{person} is there twice", 5.0)
            Space([root], journal, Clock(), usage).round()
            text, _ = metrics.render()
        for _, labels in parsed(text):
            for label, said in labels:
                if label in ALLOWED:
                    assert said in ALLOWED[label]
                elif label == "instrument":
                    assert said == "scope"
                else:
                    assert label == "le"
                    float(said)
    finally:
        shutil.rmtree(place)


class Clock:
    """It is always ten."""

    def now(self) -> float:
        return 10.0

    def wait(self, seconds: float, wake: object) -> bool:
        return False


def made(journal: Journal, root: Path, folder: str, name: str, state: State, reason: str) -> ImageSet:
    """A set in some state, without the way to it."""
    one = journal.sets.create(root, PurePosixPath(folder), name, grouped_by="file", format="", now=1.0)
    with journal.database.transaction() as sql:
        sql.execute("UPDATE image_set SET state = ?, reason = ?, completed_at = 2.0", (state, reason))
    return journal.sets.get(one.id)
