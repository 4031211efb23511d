"""Sets that are moved to their place when they are published, if the profile says so and they are small enough."""

from typing import Any

import pytest

from tests.integration.mounted import FACILITY, PUBLISHED, RENAME, RUN, WATCH, WRITER, Mounted, by_the_watcher
from tests.irods_server.dialogue import connect
from watcher.errors import StoreUnreachable
from watcher.model import State
from watcher.stores.mount import MountStore

PEOPLE = """
persons:
  - {name: "Doe, Jane", logins: [jdoe], user: jdoe}
  - {name: "Watcher, The", logins: [watch]}
"""
TO = f"{FACILITY}/done"


@pytest.fixture
def moving(mounted: Mounted) -> Mounted:
    """A profile that says where sets go."""
    mounted.server.make_collection(TO, owner=WATCH)
    mounted.configure(store={"collection": f"{TO}/{{year}}/{{set}}", "move_up_to": 3})
    return mounted


def moved_to(mounted: Mounted) -> str:
    collection = mounted.only().collection
    assert collection is not None
    assert collection.startswith(f"{TO}/20")
    return collection


def test_a_set_is_moved_to_its_place_when_it_is_published(moving: Mounted) -> None:
    moving.write("run1/a.dat", b"pixels")
    moving.write("run1/sub/b.dat", b"more")
    moving.rest()
    place = moved_to(moving)
    assert moving.states() == PUBLISHED
    assert moving.bytes_in(place) == {f"{place}/a.dat": b"pixels", f"{place}/sub/b.dat": b"more"}
    assert moving.said(place)["acq:state"] == "complete"
    assert RUN not in moving.server.collections()
    moving.rest()
    assert moving.states() == PUBLISHED


def test_a_set_of_too_many_files_stays_and_says_so(moving: Mounted) -> None:
    for number in range(4):
        moving.write(f"run1/{number}.dat")
    moving.rest()
    assert moving.states() == PUBLISHED
    assert moving.only().collection == RUN
    assert "it stays where it was written: it has 4 files, and is moved with up to 3" in moving.only().remarks
    assert by_the_watcher(moving, RENAME) == set()


@pytest.mark.parametrize("done", [False, True])
def test_a_move_that_was_cut_off_is_taken_up_again(moving: Mounted, done: bool) -> None:
    (moving.base / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    moving.configure(people={"directory": str(moving.base / "people.yaml")})
    moving.write("run1/a.dat", b"pixels")
    moving.write("run1/Microscope.json", b'{"Schema_ID": "Instrument.json"}')
    moving.write("run1/acquisition.yaml", b"scientist: jdoe\n")
    real = MountStore.move

    def cut_off(*args: Any) -> bool:
        if done:
            real(*args)
        raise StoreUnreachable("as if the program had been killed here: nothing is left of it but the journal")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(MountStore, "move", cut_off)
        moving.rest()
    assert moving.only().state is State.VERIFIED
    assert (RUN in moving.server.collections()) is not done
    moving.restart()
    moving.rest()
    place = moved_to(moving)
    assert moving.states() == PUBLISHED
    assert moving.bytes_in(place)[f"{place}/a.dat"] == b"pixels"
    said = moving.said(place)
    assert (said["acq:state"], said["dcterms:creator"]) == ("complete", "Doe, Jane")
    assert said["acq:instrument.description"] == "Microscope.json"
    assert RUN not in moving.server.collections()


def test_a_set_is_never_moved_over_something(moving: Mounted) -> None:
    moving.write("run1/a.dat")
    for _ in range(4):
        moving.sweep()
    year = "2096"
    moving.server.make_collection(f"{TO}/{year}", owner=WATCH)
    moving.server.make_collection(f"{TO}/{year}/run1", owner="rods")
    moving.rest()
    place = moved_to(moving)
    assert moving.states() == PUBLISHED
    assert place.startswith(f"{TO}/{year}/run1~")
    assert moving.said(f"{TO}/{year}/run1") == {}


def test_what_is_written_until_it_is_moved_is_not_moved(moving: Mounted) -> None:
    path = moving.write("run1/a.dat", b"pixels")
    moved = moving.told.moved

    def write_then(image_set: Any) -> None:
        moved(image_set)
        if image_set.state is State.VERIFIED and moving.server.objects()[path].read() == b"pixels":
            moving.nfsrods.write(WRITER, path, b"PIXELS", 0)

    moving.told.moved = write_then  # type: ignore[method-assign]
    moving.rest()
    assert by_the_watcher(moving, RENAME) == set()
    moving.rest()
    moving.rest()
    assert moving.bytes_in(moved_to(moving)) == {f"{moved_to(moving)}/a.dat": b"PIXELS"}


def test_a_folder_that_is_used_again_is_another_acquisition(moving: Mounted) -> None:
    moving.write("run1/a.dat", b"pixels")
    moving.rest()
    first = moved_to(moving)
    moving.clock.advance(3600)
    moving.write("run1/a.dat", b"of the next user")
    moving.rest()
    assert set(moving.states().values()) == {State.PUBLISHED}
    places = {one.collection for one in moving.sets()}
    assert len(places) == 2
    assert moving.bytes_in(first) == {f"{first}/a.dat": b"pixels"}
    (second,) = places - {first}
    assert moving.bytes_in(str(second)) == {f"{second}/a.dat": b"of the next user"}
    assert "dcterms:replaces" not in moving.said(str(second))
    assert moving.said(first)["acq:state"] == "complete"


def test_a_set_for_which_no_place_is_free_waits_where_it_is(moving: Mounted) -> None:
    moving.write("run1/a.dat", b"pixels")
    for _ in range(4):
        moving.sweep()
    year, digits = f"{TO}/2096", moving.only().id[9:17]
    moving.server.make_collection(year, owner=WATCH)
    taken = [f"{year}/run1", f"{year}/run1~{digits}"]
    for place in taken:
        moving.server.make_collection(place, owner="rods")
    moving.rest()
    held = moving.only()
    assert held.state is State.HELD
    assert "something else is there already" in held.reason
    assert not held.cleared
    assert moving.bytes_in(RUN) == {f"{RUN}/a.dat": b"pixels"}
    with connect(moving.server) as session:
        session.collections.remove(taken[0], force=True)
    moving.journal.sets.advance(held, State.GROWING, moving.clock.now(), "a person wants it tried again")
    moving.rest()
    assert moving.states() == PUBLISHED
    assert moved_to(moving) == taken[0]
