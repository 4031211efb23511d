"""How far what is sent has come: never more than there is, and nothing is written while nothing happens."""

from pathlib import Path, PurePosixPath

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.pipeline.conftest import Bench
from watcher.model import FileFacts, ImageSet, Member, State
from watcher.overview import picture
from watcher.pipeline.progress import EVERY, Progress

SET = ImageSet("urn:uuid:one", Path("/d"), PurePosixPath(), "one", "", "stem", State.VALID)


def member(name: str, size: int) -> Member:
    return Member(name, FileFacts(size, 0, ""), name)


def noted(bench: Bench) -> dict[str, object]:
    found = bench.journal.noted("sending")
    assert isinstance(found, dict)
    return found


def test_what_is_under_way_is_noted_with_its_rate_and_forgotten_when_it_is_there(bench: Bench) -> None:
    progress = Progress(bench.journal, bench.clock)
    progress.round()
    for _ in range(4):
        progress.sent(SET, member("a", 100_000), 20_000)
        bench.clock.advance(EVERY)
        progress.round()
    assert noted(bench)["sets"] == {SET.id: 80_000}
    assert noted(bench)["rate"] == 10_000
    progress.sent(SET, member("a", 100_000), 20_000)
    progress.round()
    assert noted(bench)["sets"] == {}, "the journal's own count has it now"


def test_nothing_is_written_while_nothing_is_sent(bench: Bench) -> None:
    progress = Progress(bench.journal, bench.clock)
    progress.sent(SET, member("a", 10), 10)
    for _ in range(30):
        bench.clock.advance(EVERY)
        progress.round()
    before = noted(bench)["at"]
    assert noted(bench)["rate"] == 0
    bench.clock.advance(EVERY)
    progress.round()
    assert noted(bench)["at"] == before


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(-200, 200))))
def test_it_is_never_less_than_nothing_nor_as_much_as_the_member_has(steps: list[tuple[str, int]]) -> None:
    class Notes:
        said: dict[str, int]

        def note(self, name: str, value: dict[str, dict[str, int]]) -> None:
            self.said = value["sets"]

    class Clock:
        def now(self) -> float:
            return 0.0

    notes = Notes()
    progress = Progress(notes, Clock())  # type: ignore[arg-type]
    for name, count in steps:
        progress.sent(SET, member(name, 150), count)
    progress.round()
    assert all(0 < done < 2 * 150 for done in notes.said.values())


def test_a_set_that_is_being_sent_has_a_bar(bench: Bench) -> None:
    bench.configure(watch={"settle": "0s"}, complete={"quiet": "0s"})
    bench.write("a.dat", b"x" * 1000)
    bench.daemon.observe()
    (bar,) = picture.take(bench.journal, bench.clock.now()).sending
    assert (bar.image_set.name, bar.done, bar.total) == ("a", 0, 1000)
    bench.finish()
    assert picture.take(bench.journal, bench.clock.now()).sending == ()
