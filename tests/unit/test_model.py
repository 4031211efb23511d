"""The states and what may follow what."""

import re
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest

from watcher.model import MOVES, UNDER_WAY, Avu, ImageSet, State


def test_every_state_is_explained_where_the_states_are() -> None:
    rows = re.findall(r"^ *\| (\w+) +\| \S", State.__doc__ or "", flags=re.MULTILINE)
    assert [row for row in rows if row != "state"] == [str(state) for state in State]


def test_every_state_has_its_moves() -> None:
    assert set(MOVES) == set(State)


def test_the_way_leads_from_growing_to_released() -> None:
    way = [State.GROWING, *UNDER_WAY, State.PUBLISHED, State.RELEASED]
    assert all(after in MOVES[before] for before, after in pairwise(way))


@pytest.mark.parametrize("state", [State.PUBLISHED, State.RELEASED, State.SUPERSEDED])
def test_what_was_published_is_never_taken_back(state: State) -> None:
    assert MOVES[state] <= {State.RELEASED, State.SUPERSEDED}


@pytest.mark.parametrize("state", [State.GROWING, *UNDER_WAY])
def test_what_is_not_published_can_wait_for_a_person_or_be_left_out(state: State) -> None:
    assert {State.HELD, State.SKIPPED, State.GROWING} <= MOVES[state]


def test_nothing_is_published_that_was_not_verified_just_before() -> None:
    assert [state for state in State if State.PUBLISHED in MOVES[state]] == [State.VERIFIED]
    assert [state for state in State if State.VERIFIED in MOVES[state]] == [State.DELIVERED]
    assert [state for state in State if State.RELEASED in MOVES[state]] == [State.PUBLISHED]


def test_every_state_but_the_last_has_a_way_on() -> None:
    assert [state for state in State if not MOVES[state]] == [State.SUPERSEDED]


def test_the_list_of_moves_can_not_be_changed_by_mistake() -> None:
    with pytest.raises(TypeError):
        MOVES[State.GROWING] = frozenset()  # type: ignore[index]


@pytest.mark.parametrize(("grouped_by", "place"), [("directory", "g/u"), ("stem", "g/u/run"), ("ome-tiff", "g/u/run")])
def test_a_person_finds_a_set_of_a_directory_beside_that_directory(grouped_by: str, place: str) -> None:
    made = ImageSet("id", Path("/d"), PurePosixPath("g/u/run"), "run", "", grouped_by, State.GROWING)
    assert made.place == PurePosixPath(place)


def test_metadata_has_no_unit_unless_one_is_given() -> None:
    assert Avu("a", "b") == ("a", "b", "")
