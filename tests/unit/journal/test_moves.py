"""Any order of steps, two hands at once: a set is never in a state that the list of moves does not allow."""

import tempfile
from itertools import pairwise
from pathlib import Path, PurePosixPath

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from watcher.errors import StaleSet, WatcherError
from watcher.journal import Journal
from watcher.model import MOVES, ImageSet, State


class Moves(RuleBasedStateMachine):
    """A watcher and a person give orders on forms of sets that may be out of date."""

    forms: Bundle[ImageSet] = Bundle("forms")

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self._hands = [Journal(Path(self._folder.name)), Journal(Path(self._folder.name))]
        self._expected: dict[str, list[State]] = {}
        self._revision: dict[str, int] = {}
        self._now = 0.0

    @rule(target=forms, name=st.sampled_from("ab"), hand=st.integers(0, 1))
    def create(self, name: str, hand: int) -> ImageSet:
        self._now += 1
        made = self._hands[hand].sets.create(
            Path("/d"), PurePosixPath(), name, grouped_by="stem", format="", now=self._now, last_change=self._now
        )
        assert made.id not in self._expected
        self._expected[made.id] = [State.GROWING]
        self._revision[made.id] = made.revision
        return made

    @rule(target=forms, form=forms, to=st.sampled_from(State), hand=st.integers(0, 1))
    def advance(self, form: ImageSet, to: State, hand: int) -> ImageSet:
        self._now += 1
        fresh = self._revision[form.id] == form.revision
        try:
            moved = self._hands[hand].sets.advance(form, to, self._now)
        except StaleSet:
            assert not fresh
            return form
        except WatcherError:
            assert to not in MOVES[form.state]
            return form
        assert fresh
        assert to in MOVES[form.state]
        self._expected[form.id].append(to)
        self._revision[form.id] = moved.revision
        return moved

    @rule(form=forms, number=st.integers(0, 1))
    def restart(self, form: ImageSet, number: int) -> None:
        self._hands[number].close()
        self._hands[number] = Journal(Path(self._folder.name))

    @invariant()
    def history_is_complete_and_legal(self) -> None:
        for set_id, expected in self._expected.items():
            for hand in self._hands:
                states = [state for _, state, _ in hand.sets.history(set_id)]
                assert states == expected
                assert hand.sets.get(set_id).state is states[-1]
            assert all(after in MOVES[before] for before, after in pairwise(expected))

    def teardown(self) -> None:
        for hand in self._hands:
            hand.close()
        self._folder.cleanup()


TestMoves = Moves.TestCase
TestMoves.settings = settings(max_examples=40, stateful_step_count=25, deadline=None)
