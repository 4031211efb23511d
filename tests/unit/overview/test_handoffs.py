"""What a person reads of the hand-off: a sentence for each thing that is not as it should be, and never too many."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from watcher.journal import Journal
from watcher.model import Answer, Event, ImageSet
from watcher.overview import handoffs


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with Journal(tmp_path / "state") as opened:
        yield opened


def create(journal: Journal, name: str) -> ImageSet:
    return journal.sets.create(Path("/d"), PurePosixPath(), name, grouped_by="stem", format="", now=1.0)


def answered(journal: Journal, name: str, state: str, message: str = "") -> None:
    one = create(journal, name)
    journal.handoffs.begin(one, "omero", 0.0)
    journal.handoffs.looked(one.id, 60.0, Answer("omero", state, message))


def test_nothing_is_said_while_all_is_well(journal: Journal) -> None:
    answered(journal, "a", "done")
    assert (handoffs.sink_lines(journal.outbox.backlogs()), handoffs.agent_lines(journal)) == ([], [])


def test_each_way_says_what_waits_and_why(journal: Journal) -> None:
    events = [Event(f"e{number}", create(journal, f"s{number}").id, "t", "{}") for number in range(3)]
    for event in events:
        journal.outbox.add(event, ["amqp", "webhook"], 10.0)
    assert handoffs.sink_lines(journal.outbox.backlogs()) == [
        "Hand-off by amqp: 3 events to be told.",
        "Hand-off by webhook: 3 events to be told.",
    ]
    journal.outbox.failed(events[0], "amqp", 20.0, 30.0, "no answer", refused=False)
    journal.outbox.failed(events[1], "webhook", 20.0, 30.0, "not wanted", refused=True)
    amqp, webhook = handoffs.sink_lines(journal.outbox.backlogs())
    assert amqp.startswith("Hand-off by amqp: 3 events wait since 1970-")
    assert amqp.endswith(": no answer")
    assert webhook == "Hand-off by webhook: 1 event was refused: not wanted"


def test_what_agents_could_not_do_is_named_and_what_they_have_still_to_do_is_counted(journal: Journal) -> None:
    for number in range(5):
        answered(journal, f"bad{number}", "failed", "no dataset" if number else "")
    answered(journal, "new", "requested")
    failed, (waiting,) = handoffs.failed_line(journal, "omero", 5), handoffs.agent_lines(journal)
    assert failed.startswith("5 sets were refused by the agent omero: bad")
    assert failed.endswith("; and 2 more")
    assert failed.count("no dataset") in {2, 3}
    assert waiting == "1 set waits for the agent omero."


def test_an_agent_that_says_something_else_of_each_set_does_not_fill_the_screen(journal: Journal) -> None:
    for number in range(20):
        answered(journal, f"s{number}", f"at {number} %")
    answered(journal, "t", "accepted")
    answered(journal, "u", "accepted")
    lines = handoffs.agent_lines(journal)
    assert lines[0] == "2 sets: the agent omero says: accepted"
    assert lines[-1] == "18 sets: agents say other things of them."
    assert len(lines) == 4


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, ""),
        (Answer("omero", "requested"), "requested, omero"),
        (Answer("omero", "done", "imported", ("Image:1", "Image:2")), "done, omero: Image:1, Image:2 (imported)"),
    ],
)
def test_one_answer_in_words(answer: Answer | None, words: str) -> None:
    assert handoffs.words(answer) == words
