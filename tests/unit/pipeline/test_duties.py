"""Duties beside the sets: none delays another, and what one has done is work for the next at once."""

import threading
from dataclasses import dataclass, field

from watcher.clock import SystemClock
from watcher.pipeline.duties import Duties
from watcher.pipeline.patience import LONGEST_WAIT


@dataclass
class Duty:
    """Tells when it was its turn; does something in the rounds that are named."""

    name: str
    busy: set[int] = field(default_factory=set)
    rounds: list[float] = field(default_factory=list)
    turned: threading.Event = field(default_factory=threading.Event)

    def round(self) -> float:
        """One turn."""
        number = len(self.rounds)
        self.rounds.append(0.0)
        self.turned.set()
        return 0.0 if number in self.busy else LONGEST_WAIT

    def close(self) -> None:
        """Nothing takes long."""


class Broken(Duty):
    """Fails whenever it is its turn."""

    def round(self) -> float:
        super().round()
        raise RuntimeError("oh no")


class Asked(Duty):
    """Looks often whether it is asked, and does one thing then."""

    asked = False

    def round(self) -> float:
        """One turn."""
        super().round()
        done, self.asked = self.asked, False
        return 0.0 if done else 0.02


def test_what_one_duty_has_done_wakes_the_others_and_they_come_to_rest() -> None:
    stop, asked, telling = threading.Event(), Asked("amend"), Duty("line")
    duties = Duties([asked, telling], SystemClock(), stop, lambda *_: None)
    duties.start()
    try:
        assert telling.turned.wait(30)
        telling.turned.clear()
        asked.asked = True
        assert telling.turned.wait(30), "it waits long, and was not told"
        before = len(telling.rounds)
        stop.wait(0.3)
        assert len(telling.rounds) == before, "nothing more was done"
    finally:
        stop.set()
        duties.join()


def test_a_duty_that_breaks_is_told_and_keeps_no_other() -> None:
    stop, troubles, well = threading.Event(), list[tuple[str, str]](), Duty("well", {0, 1})
    duties = Duties([Broken("broken"), well], SystemClock(), stop, lambda where, what: troubles.append((where, what)))
    duties.start()
    try:
        assert well.turned.wait(30)
    finally:
        stop.set()
        duties.join()
    assert len(well.rounds) >= 3
    assert troubles[0][0] == "duty broken"
    assert "unexpected RuntimeError: oh no" in troubles[0][1]
