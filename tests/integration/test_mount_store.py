"""The mount store by itself: what others wrote is never sent, removed or overwritten, whoever asks for it."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.mounted import LANDING, RUN, SCOPE, WATCH, Mounted
from tests.irods_server.dialogue import connect, reads
from tests.irods_server.permissions import READ
from watcher.errors import Conflict, SourceGone
from watcher.model import IDENTIFIER, REPLACES, UPLOADING, Avu, State
from watcher.stores.base import Claimed, Grant
from watcher.stores.irods.catalogue import Catalogue
from watcher.stores.mount.session import MountSession

OURS, OTHER = "urn:uuid:ours", "urn:uuid:other"


@pytest.fixture
def session(mounted: Mounted) -> Iterator[MountSession]:
    """A session of the watcher, with a set that the instrument wrote."""
    mounted.write("run1/a.dat", b"pixels")
    with mounted.store.session() as opened:
        yield opened


def test_nothing_that_others_wrote_is_removed(mounted: Mounted, session: MountSession) -> None:
    assert session.claim(RUN, OURS) is Claimed.NOW
    session.remove(RUN, "a.dat")
    session.withdraw(RUN, OURS)
    assert mounted.bytes_in() == {f"{RUN}/a.dat": b"pixels"}
    assert mounted.server.avus(RUN) == []


def test_what_is_published_or_anothers_keeps_its_label(mounted: Mounted, session: MountSession) -> None:
    session.claim(RUN, OURS)
    session.withdraw(RUN, OTHER)
    session.annotate(RUN, {Avu("acq:state", "complete")}, {UPLOADING})
    before = mounted.server.avus(RUN)
    session.withdraw(RUN, OURS)
    assert mounted.server.avus(RUN) == before


def test_a_file_that_this_account_did_not_write_is_never_rewritten(mounted: Mounted, session: MountSession) -> None:
    path = mounted.write("run1/manifest-sha256.txt", b"of the instrument")
    with pytest.raises(Conflict, match="did not write it"):
        session.rewrite(RUN, "manifest-sha256.txt", b"ours")
    assert mounted.server.objects()[path].read() == b"of the instrument"


@pytest.mark.parametrize("said", [set(), {Avu(REPLACES, OTHER)}], ids=["never labelled", "after another version"])
def test_a_folder_with_a_file_of_our_names_is_not_claimed(
    mounted: Mounted, session: MountSession, said: set[Avu]
) -> None:
    session.annotate(RUN, said)
    mounted.write("run1/ro-crate-metadata.json", b"of the instrument")
    with pytest.raises(Conflict, match="did not write it"):
        session.claim(RUN, OURS)


def test_a_collection_has_one_set(session: MountSession) -> None:
    assert session.claim(RUN, OURS) is Claimed.NOW
    assert session.claim(RUN, OURS) is Claimed.NOW
    assert session.claim(RUN, OTHER) is Claimed.NOT
    assert session.claim(LANDING, OTHER) is Claimed.NOT
    with pytest.raises(SourceGone):
        session.claim(f"{LANDING}/nothing", OTHER)


def test_a_set_that_was_superseded_there_does_not_come_back(session: MountSession) -> None:
    session.annotate(RUN, {Avu(REPLACES, OURS)})
    assert session.claim(RUN, OURS) is Claimed.NOT
    assert session.claim(RUN, OTHER) is Claimed.NOW


def test_of_those_who_may_read_no_longer_writers_keep_everything(mounted: Mounted, session: MountSession) -> None:
    mounted.server.add_user("alice", "alice")
    assert session.grant(RUN, [Grant("alice", "read")]) == {}
    assert reads(mounted.server, "alice", f"{RUN}/a.dat")
    session.revoke(RUN, ["alice", SCOPE])
    assert not reads(mounted.server, "alice", f"{RUN}/a.dat")
    assert mounted.server.access(RUN)[SCOPE] == "own"


def test_a_move_is_done_once_and_never_without_the_label(mounted: Mounted, session: MountSession) -> None:
    to = "/tempZone/home/facility/done"
    mounted.server.make_collection(to, owner=WATCH)
    with pytest.raises(Conflict, match="not that of the set any more"):
        session.move(RUN, f"{to}/2026/run1", OURS)
    session.claim(RUN, OURS)
    assert session.move(RUN, f"{to}/2026/run1", OURS)
    assert session.move(RUN, f"{to}/2026/run1", OURS)
    mounted.write("run1/a.dat", b"others")
    session.claim(RUN, OTHER)
    assert not session.move(RUN, f"{to}/2026/run1", OTHER)
    assert not session.move(RUN, f"{to}/2026/run1/inside", OTHER)
    assert mounted.bytes_in() == {f"{RUN}/a.dat": b"others"}
    assert mounted.bytes_in(to) == {f"{to}/2026/run1/a.dat": b"pixels"}


def test_an_account_that_may_not_label_says_what_it_needs(mounted: Mounted) -> None:
    path = mounted.write("run1/a.dat")
    catalogue = mounted.server.catalogue
    with catalogue.lock:
        for place in (RUN, path):
            entity = catalogue.entity(place)
            assert entity is not None
            catalogue.set_access(entity, catalogue.user(WATCH), READ)
    mounted.rest()
    held = mounted.only()
    assert held.state is State.HELD
    assert "ichmod -r own" in held.reason
    assert mounted.server.avus(RUN) == []


def test_a_label_of_another_watcher_that_came_at_the_same_moment_wins_nobody(
    mounted: Mounted, session: MountSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Catalogue.annotate

    def at_the_same_moment(catalogue: Catalogue, collection: str, *changes: Any) -> None:
        monkeypatch.setattr(Catalogue, "annotate", real)
        with connect(mounted.server) as other:
            other.collections.get(collection).metadata.add(IDENTIFIER, OTHER)
        real(catalogue, collection, *changes)

    monkeypatch.setattr(Catalogue, "annotate", at_the_same_moment)
    assert session.claim(RUN, OURS) is Claimed.NOT
    assert {value for name, value, _ in mounted.server.avus(RUN) if name == IDENTIFIER} == {OTHER}
