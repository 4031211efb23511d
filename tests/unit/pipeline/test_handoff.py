"""Published sets are handed on: what is written down for others, and what an agent answers, whatever happens."""

import base64
import json
from collections.abc import Iterable
from typing import Any

import pytest

from tests.unit.pipeline.conftest import Bench, nothing
from watcher.errors import TargetMissing
from watcher.model import Answer, Avu, State
from watcher.pipeline.answers import BETWEEN, Answers
from watcher.pipeline.crew import Crew
from watcher.provenance.handoff import AGENTS, answer_in
from watcher.stores.folder import FolderStore

PUBLISHED, SUPERSEDED = "org.irods-watcher.set.published", "org.irods-watcher.set.superseded"
COLLECTION = "scope/a"


class Killed(BaseException):
    """The process ends here, at once."""


@pytest.fixture
def told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A bench whose profile names an agent and a webhook, at an address where nobody is."""
    monkeypatch.setenv("AGENT_SECRET", base64.b64encode(bytes(32)).decode())
    webhook = {"url": "http://127.0.0.1:1/events", "secret": {"env": "AGENT_SECRET"}}
    bench.configure(handoff={"agent": "omero", "webhook": webhook})
    return bench


def events(bench: Bench) -> list[tuple[str, dict[str, Any]]]:
    """The events that were made, in order: type and data."""
    rows = bench.journal.database.rows("SELECT type, body FROM event ORDER BY number")
    return [(row["type"], json.loads(row["body"])["data"]) for row in rows]


def ids(bench: Bench) -> set[str]:
    return {row[0] for row in bench.journal.database.rows("SELECT id FROM event")}


def write(bench: Bench, *pairs: tuple[str, str], instead_of: Iterable[tuple[str, str]] = ()) -> None:
    """What an agent does."""
    session = FolderStore(bench.archive).session()
    session.annotate(COLLECTION, [Avu(*pair) for pair in pairs], [Avu(*pair) for pair in instead_of])


def avus(bench: Bench) -> set[tuple[str, str]]:
    found = FolderStore(bench.archive).session().avus(COLLECTION)
    return {(avu.attribute, avu.value) for avu in found if avu.attribute.startswith("acq:handoff")}


def test_a_published_set_is_told_with_what_arrived(told: Bench) -> None:
    told.write("a.dat", b"12345")
    told.finish()
    ((kind, data),) = events(told)
    assert kind == PUBLISHED
    assert (data["id"], data["collection"], data["files"], data["bytes"]) == (told.only().id, COLLECTION, 1, 5)
    assert data["manifest"] == {"name": "manifest-sha256.txt", "sha256": told.avus(COLLECTION)["acq:manifest.sha256"]}


def test_without_anybody_to_tell_nothing_is_written_down(bench: Bench) -> None:
    bench.write("a.dat")
    bench.finish()
    assert bench.only().state is State.PUBLISHED
    assert (events(bench), bench.journal.handoffs.counts()) == ([], [])
    assert not [name for name in bench.avus(COLLECTION) if "handoff" in name]


def test_a_receiver_that_is_away_changes_nothing_for_the_set_and_is_told_once(told: Bench) -> None:
    told.write("a.dat")
    result = told.finish()
    assert (result.store_trouble, result.unsafe) == (None, [])
    assert told.only().state is State.PUBLISHED
    problem = "127.0.0.1:1: no connection (Connection refused); it is tried again by itself, and nothing is lost"
    assert told.told.troubles == [problem]
    told.clock.advance(3600)
    told.daemon.once()
    assert told.told.troubles == [problem]
    assert told.journal.outbox.backlogs()[0].waiting == 1


@pytest.mark.parametrize("moment", ["annotate", "marker"])
def test_a_set_whose_publication_was_cut_off_is_told_once_it_is_published(told: Bench, moment: str) -> None:
    store = told.rigged()
    told.write("a.dat")

    def die(what: str, where: str) -> None:
        if what == moment:
            store.after = nothing
            raise Killed

    store.after = die
    with pytest.raises(Killed):
        told.finish()
    assert events(told) == []
    told.restart()
    told.finish()
    assert [kind for kind, _ in events(told)] == [PUBLISHED]
    assert told.journal.handoffs.of(told.only()) == Answer("omero", "requested")


def test_a_new_version_tells_of_itself_and_then_that_the_former_is_replaced(told: Bench) -> None:
    for content in (b"first", b"second one"):
        told.write("a.dat", content)
        told.finish()
    old, new = told.sets()
    assert [(kind, data["id"]) for kind, data in events(told)] == [
        (PUBLISHED, old.id), (PUBLISHED, new.id), (SUPERSEDED, old.id),
    ]  # fmt: skip
    assert events(told)[1][1]["supersedes"] == old.id
    assert events(told)[2][1]["superseded_by"] == {"id": new.id, "version": 2, "collection": "scope/a.v2"}


def test_a_lost_journal_tells_the_same_events_again(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    before = ids(told)
    told.lose_journal()
    told.finish()
    told.finish()
    assert told.only().state is State.PUBLISHED
    assert ids(told) == before


def test_a_lost_journal_tells_that_what_was_published_is_replaced(told: Bench) -> None:
    told.write("a.dat", b"first")
    told.finish()
    (old,) = told.sets()
    told.write("a.dat", b"second one")
    told.lose_journal()
    for _ in range(3):
        told.finish()
    assert [(kind, data["id"], data["version"]) for kind, data in events(told)] == [
        (PUBLISHED, told.sets()[1].id, 2), (SUPERSEDED, old.id, 1),
    ]  # fmt: skip


def test_what_waits_for_a_way_that_the_profile_no_longer_names_is_dropped_at_the_next_start(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    assert told.journal.outbox.backlogs()[0].waiting == 1
    del told.settings["handoff"]["webhook"]
    told.configure()
    told.restart()
    told.daemon.once()
    assert told.journal.outbox.backlogs() == []


def test_the_agent_is_asked_before_the_marker_is_there(told: Bench) -> None:
    store = told.rigged()
    told.write("a.dat")
    seen: list[set[tuple[str, str]]] = []

    def look(what: str, where: str) -> None:
        if what == "marker":
            seen.append(avus(told))

    store.before = look
    told.finish()
    assert seen == [{("acq:handoff", "requested"), ("acq:handoff.agent", "omero")}]


def test_what_an_agent_answers_is_seen_a_minute_later_and_kept(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    told.clock.advance(59)
    write(told, ("acq:handoff", "done"), ("acq:handoff.result", "Image:7"), instead_of=[("acq:handoff", "requested")])
    write(told, ("acq:handoff.result", "Dataset:3"), ("acq:handoff.message", "imported"))
    told.daemon.once()
    assert told.journal.handoffs.of(told.only()) == Answer("omero", "requested")
    told.clock.advance(1)
    told.daemon.once()
    done = Answer("omero", "done", "imported", ("Dataset:3", "Image:7"))
    assert told.journal.handoffs.of(told.only()) == done
    # Whatever comes after `done` is not looked for.
    write(told, ("acq:handoff", "failed"), instead_of=[("acq:handoff", "done")])
    told.clock.advance(86400)
    told.daemon.once()
    assert told.journal.handoffs.of(told.only()) == done


def test_an_agent_that_answered_too_early_is_not_asked_again_after_a_crash(told: Bench) -> None:
    store = told.rigged()
    told.write("a.dat")

    def die(what: str, where: str) -> None:
        if what == "annotate":
            store.after = nothing
            write(
                told,
                ("acq:handoff", "done"),
                ("acq:handoff.message", "quick"),
                instead_of=[("acq:handoff", "requested")],
            )
            raise Killed

    store.after = die
    with pytest.raises(Killed):
        told.finish()
    told.configure(complete={"quiet": "3m"})  # so that the rest of the metadata changes
    told.restart()
    told.finish()
    assert told.only().state is State.PUBLISHED
    assert avus(told) == {("acq:handoff", "done"), ("acq:handoff.agent", "omero"), ("acq:handoff.message", "quick")}


def test_a_set_that_was_found_again_keeps_its_answer_and_shows_it(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    write(told, ("acq:handoff", "done"), ("acq:handoff.result", "Image:7"), instead_of=[("acq:handoff", "requested")])
    before = avus(told)
    told.lose_journal()
    told.finish()
    told.finish()
    assert avus(told) == before
    assert told.journal.handoffs.of(told.only()) == Answer("omero", "done", "", ("Image:7",))


def test_a_set_that_was_found_again_and_never_was_for_an_agent_is_not_said_to_be(told: Bench) -> None:
    del told.settings["handoff"]["agent"]
    told.configure()
    told.write("a.dat")
    told.finish()
    told.configure(handoff={"agent": "omero"})
    told.lose_journal()
    told.finish()
    told.finish()
    assert told.only().state is State.PUBLISHED
    assert (avus(told), told.journal.handoffs.of(told.only())) == (set(), None)


def test_an_answer_that_makes_no_sense_is_shown_as_far_as_it_can_be_and_harms_nothing(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    write(
        told,
        ("acq:handoff", "\x1b[31mno\nidea\u202e" + "x" * 1000),
        ("acq:handoff.message", "\x00\x07" + "y" * 2000),
        *(("acq:handoff.result", f"Image:{number}\t") for number in range(500)),
    )
    told.clock.advance(60)
    told.daemon.once()
    answer = told.journal.handoffs.of(told.only())
    assert answer is not None
    assert answer.state.startswith(" [31mno idea xxx".strip())
    assert (len(answer.state), len(answer.message), len(answer.results)) == (100, 500, 50)
    assert (answer.state + answer.message + "".join(answer.results)).isprintable()
    told.clock.advance(86400)
    write(
        told,
        ("acq:handoff", "done"),
        instead_of=[("acq:handoff", value) for name, value in avus(told) if name == "acq:handoff"],
    )
    told.daemon.once()
    assert told.journal.handoffs.of(told.only()) is not None
    assert told.only().state is State.PUBLISHED


def test_while_the_store_is_away_nobody_knows_anything_new(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    write(told, ("acq:handoff", "done"), instead_of=[("acq:handoff", "requested")])
    told.clock.advance(60)
    told.archive.rename(told.base / "gone")
    with Crew(told.daemon.store, 1) as crew:
        answers = Answers(told.journal, crew, told.clock)
        assert answers.round() == 60.0
        with pytest.raises(TargetMissing):
            answers.look()
        assert told.journal.handoffs.of(told.only()) == Answer("omero", "requested")
        (told.base / "gone").rename(told.archive)
        assert answers.round() == BETWEEN
        assert told.journal.handoffs.of(told.only()) == Answer("omero", "done")
        assert answers.round() == 60.0


def test_a_collection_that_somebody_removed_is_asked_for_ever_more_seldom(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    (told.archive / COLLECTION).rename(told.base / "elsewhere")
    told.clock.advance(60)
    told.daemon.once()
    assert told.journal.handoffs.of(told.only()) == Answer("omero", "requested")
    assert told.journal.handoffs.next_at() == told.clock.now() + 60


@pytest.mark.parametrize(
    ("written", "answer"),
    [
        ([], None),
        ([("acq:handoff.message", "hm")], None),
        ([("acq:handoff", "requested")], Answer("unknown", "requested")),
        ([("acq:handoff", "requested"), ("acq:handoff", "accepted")], Answer("unknown", "accepted")),
        ([("acq:handoff", "failed"), ("acq:handoff", "done")], Answer("unknown", "done, failed")),
    ],
)
def test_an_agent_that_adds_its_answer_instead_of_changing_the_request_is_understood(
    written: list[tuple[str, str]], answer: Answer | None
) -> None:
    assert answer_in([Avu(*pair) for pair in written]) == answer


def test_nothing_that_is_the_agents_is_among_what_we_describe_but_the_request(told: Bench) -> None:
    told.write("a.dat")
    told.finish()
    ours = {name for name, _ in avus(told)}
    assert ours & AGENTS == {"acq:handoff"}
