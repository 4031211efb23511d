"""How a mount is looked at: polling, its caches, its errors, and the proof that it is the zone. See test_mount_way."""

import dataclasses
import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.mounted import FACILITY, LANDING, WRITER, Mounted
from watcher import daemon as module
from watcher.errors import ConfigurationError, WatchFolderError, WrongMount
from watcher.model import State
from watcher.pipeline import hints
from watcher.pipeline.hints import Hints
from watcher.pipeline.space import Space

RUN = f"{LANDING}/run1"
KNOWN = "home/facility/README.txt"


def sizes(mounted: Mounted, set_id: str | None = None) -> dict[str, int]:
    """What the journal knows of the files of the only set."""
    files = mounted.journal.files.of_set(set_id or mounted.only().id)
    return {file.path: file.facts.size for file in files}


# Polling, and what a mount cannot say.


def test_no_events_and_no_free_space_are_asked_of_a_mount(mounted: Mounted, monkeypatch: pytest.MonkeyPatch) -> None:
    def listen(*_: object) -> None:
        raise AssertionError("events of a mount tell only what this computer does")

    class Noted(Hints):
        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.start()
            assert self.alive  # so that nobody tries again
            mounted.daemon.stop()

    def of_what(*_: object) -> None:
        raise AssertionError("a mount says that it has no room at all")

    monkeypatch.setattr(module, "Hints", Noted)
    monkeypatch.setattr(Space, "__init__", of_what)
    monkeypatch.setattr(hints, "Observer", listen)
    mounted.daemon.run()


def test_what_is_written_is_found_by_looking_alone(mounted: Mounted) -> None:
    mounted.sweep()
    mounted.write("run1/a.dat")
    mounted.sweep()
    assert mounted.states() == {"run1": State.GROWING}


# Caches.


def test_a_size_is_the_catalogues_and_not_that_of_the_mount(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"")
    landing = mounted.client.root / "home/facility/landing"
    mounted.client.stat(landing / "run1/a.dat")
    mounted.append("run1/a.dat", b"x" * 500)
    assert mounted.client.stat(landing / "run1/a.dat").st_size == 0
    mounted.sweep(1)
    assert mounted.client.stat(landing / "run1/a.dat").st_size == 0
    assert sizes(mounted) == {"run1/a.dat": 500}


def test_an_old_size_that_is_shown_again_changes_nothing(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"x" * 500)
    mounted.rest()
    (before,) = mounted.sets()
    assert before.state is State.PUBLISHED
    # Another of its servers, say, knows only what was there an hour ago.
    landing = mounted.client.root / "home/facility/landing/run1/a.dat"
    real = mounted.client._attributes

    def old(logical: str) -> Any:
        found = real(logical)
        return dataclasses.replace(found, size=3) if logical.endswith("a.dat") else found

    mounted.client._attributes = old  # type: ignore[method-assign]
    mounted.client.forget()
    assert mounted.client.stat(landing).st_size == 3
    mounted.sweep(600)
    assert mounted.sets() == [before]


def test_a_file_that_is_not_listed_is_gone_only_if_the_catalogue_says_so(mounted: Mounted) -> None:
    mounted.write("run1/a.dat")
    mounted.write("run1/b.dat")
    mounted.sweep()
    real, hide = mounted.client._listing, {"b.dat"}
    mounted.client._listing = lambda logical: {  # type: ignore[method-assign]
        name: one for name, one in real(logical).items() if name not in hide
    }
    mounted.sweep()
    assert sizes(mounted) == {"run1/a.dat": 6, "run1/b.dat": 6}
    hide.add("run1")
    mounted.sweep()
    assert sizes(mounted) == {"run1/a.dat": 6, "run1/b.dat": 6}
    hide.clear()
    mounted.nfsrods.remove(WRITER, f"{RUN}/b.dat")
    mounted.sweep(120)
    assert sizes(mounted) == {"run1/a.dat": 6}


@pytest.mark.parametrize("pause", [20, 100, 115])
def test_a_file_written_for_an_hour_in_pieces_is_not_finished_before_its_end(mounted: Mounted, pause: int) -> None:
    mounted.configure(watch={"sweep": "60s"})
    whole = b""
    mounted.write("run1/a.dat", b"")
    for number in range(3600 // pause):
        piece = b"%06d" % number
        mounted.append("run1/a.dat", piece)
        whole += piece
        for _ in range(pause // 5):
            mounted.clock.advance(5)
            if int(mounted.clock.now()) % 60 < 5:
                mounted.sweep(0)
        assert mounted.states() in ({}, {"run1": State.GROWING}), number
    mounted.rest()
    assert mounted.states() == {"run1": State.PUBLISHED}
    assert mounted.bytes_in() == {f"{RUN}/a.dat": whole}
    assert mounted.said(RUN)["dcat:byteSize"] == str(len(whole))


def test_a_file_that_grows_leaves_the_time_of_its_folder_and_is_found_all_the_same(mounted: Mounted) -> None:
    # As long ago as a folder's time must be to be believed on a disk.
    mounted.clock.advance(-3_000_000_000)
    mounted.write("run1/a.dat", b"pixels")
    mounted.rest()
    assert mounted.states() == {"run1": State.PUBLISHED}
    # The sidecars were written by the clock of this computer.
    with mounted.server.catalogue.lock:
        mounted.server.catalogue.collections[RUN].modified = f"{1_000_000_100:011d}"
    mounted.sweep(200)
    folder = mounted.client.root / "home/facility/landing/run1"
    before = mounted.client.stat(folder).st_mtime
    mounted.append("run1/a.dat", b" and more")
    mounted.sweep(200)
    assert mounted.client.stat(folder).st_mtime == before == 1_000_000_100
    assert mounted.states() == {"run1": State.PUBLISHED, "run1.v2": State.GROWING}


def test_a_set_rests_for_longer_than_the_caches_last_before_it_is_finished(mounted: Mounted) -> None:
    mounted.write("run1/a.dat")
    mounted.sweep(1)
    mounted.sweep(119)
    assert mounted.only().state is State.GROWING
    mounted.sweep(1)
    assert mounted.only().state is State.COMPLETE


# Errors.


@pytest.mark.parametrize("error", [errno.ESTALE, errno.EIO, errno.ENOENT], ids=errno.errorcode.get)
@pytest.mark.parametrize("place", ["home/facility/landing/run2", "home/facility/landing/run2/b.dat"])
def test_a_mount_that_stumbles_in_mid_walk_is_walked_again(mounted: Mounted, error: int, place: str) -> None:
    for number in (1, 2, 3):
        mounted.write(f"run{number}/b.dat")
    mounted.client.fail(place, error)
    assert mounted.sweep() == []
    assert mounted.states() == dict.fromkeys(("run1", "run2", "run3"), State.GROWING)
    assert mounted.told.troubles[-1:] in ([], [""])


@pytest.mark.parametrize("error", [errno.ESTALE, errno.EIO, errno.ENOENT], ids=errno.errorcode.get)
def test_a_folder_that_cannot_be_read_keeps_what_is_known_of_it(mounted: Mounted, error: int) -> None:
    mounted.write("run1/a.dat")
    mounted.write("run2/a.dat")
    mounted.sweep()
    mounted.client.fail("home/facility/landing/run2", error, times=100)
    mounted.write("run3/a.dat")
    for _ in range(5):
        mounted.sweep()
    assert {file.path for one in mounted.sets() for file in mounted.journal.files.of_set(one.id)} == {
        f"run{number}/a.dat" for number in (1, 2, 3)
    }
    assert any("the folder cannot be read" in told for told in mounted.told.troubles)


def test_while_the_catalogue_does_not_answer_nothing_is_new_different_or_gone(mounted: Mounted) -> None:
    mounted.write("run1/a.dat")
    mounted.sweep()
    before = sizes(mounted)
    mounted.nfsrods.remove(WRITER, f"{RUN}/a.dat")
    mounted.write("run2/a.dat")
    mounted.server.faults.drop(api=702, times=None)
    for _ in range(4):
        mounted.sweep()
    assert sizes(mounted) == before
    assert mounted.states() == {"run1": State.GROWING}
    assert any("iRODS does not say what is there" in told for told in mounted.told.troubles)
    mounted.server.faults.clear()
    mounted.sweep()
    assert mounted.states() == {"run2": State.GROWING}


# The proof that the mount shows the zone.


def wrong_mount_root(mounted: Mounted) -> None:
    # A folder that has all of it but the zone: an old copy, with another file of the same name.
    copy = mounted.base / "mnt-copy"
    (copy / "home/facility/landing").mkdir(parents=True)
    (copy / KNOWN).write_text("The data of Scope-1, in otherZone", encoding="utf-8")
    mounted.client.unmount()
    shutil.rmtree(mounted.client.root)
    copy.rename(mounted.client.root)


def wrong_logical_root(mounted: Mounted) -> None:
    mounted.configure(store={"logical_root": "/tempZone/home"})


def another_file_there(mounted: Mounted) -> None:
    mounted.client.instead[KNOWN] = b"another file of thirty-three byte"


def an_empty_known_file(mounted: Mounted) -> None:
    mounted.nfsrods.create(WRITER, f"{LANDING}/empty")
    mounted.configure(store={"known": "home/facility/landing/empty"})


Wrong = Callable[[Mounted], None]


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (wrong_mount_root, "this is not /tempZone/home/facility/README.txt in iRODS"),
        (wrong_logical_root, "the known file is not in iRODS"),
        (another_file_there, "this is not"),
        (an_empty_known_file, "an empty file proves nothing"),
    ],
)
def test_nothing_is_begun_on_a_mount_that_is_not_what_the_profile_says(
    mounted: Mounted, wrong: Wrong, told: str
) -> None:
    mounted.write("run1/a.dat")
    mounted.sweep()
    mounted.restart()
    before = mounted.journal.files.count(mounted.profile.watch[0].path)
    wrong(mounted)
    with pytest.raises(WrongMount, match=told) as caught:
        mounted.daemon.run()
    assert isinstance(caught.value, ConfigurationError)
    assert caught.value.cure
    (trouble,) = mounted.sweep()
    assert isinstance(trouble, WrongMount)
    assert mounted.journal.files.count(mounted.profile.watch[0].path) == before == 1


def test_a_mount_that_went_away_makes_nothing_gone_and_is_proven_when_it_comes_back(mounted: Mounted) -> None:
    mounted.write("run1/a.dat")
    mounted.sweep()
    mounted.client.unmount()
    for _ in range(3):
        (trouble,) = mounted.sweep()
        assert "the mount does not show the known file" in trouble.what
    assert sizes(mounted) == {"run1/a.dat": 6}
    assert mounted.only().state is State.GROWING
    mounted.client.mount(device=5)
    mounted.rest()
    assert mounted.states() == {"run1": State.PUBLISHED}


def test_a_mount_that_went_away_over_a_folder_with_other_files_is_not_looked_at(mounted: Mounted) -> None:
    mounted.sweep()
    mounted.client.unmount()
    beneath = mounted.client.root / "home/facility/landing/old"
    beneath.mkdir(parents=True)
    (beneath / "a.dat").write_bytes(b"what was written before it was mounted")
    (trouble,) = mounted.sweep()
    assert isinstance(trouble, WatchFolderError)
    assert mounted.sets() == []


def test_another_mount_in_its_place_is_compared_anew(mounted: Mounted) -> None:
    assert mounted.sweep() == []
    mounted.client.device = 12
    mounted.client.instead[KNOWN] = b"another file of thirty-three byte"
    (trouble,) = mounted.sweep(1)
    assert isinstance(trouble, WrongMount)


def test_a_mount_that_does_not_answer_is_waited_for(mounted: Mounted) -> None:
    mounted.client.fail(".", errno.ESTALE)
    (trouble,) = mounted.sweep()
    assert isinstance(trouble, WatchFolderError)
    assert "the mount does not answer" in trouble.what
    assert mounted.sweep() == []


def test_a_part_of_the_zone_can_be_mounted(mounted: Mounted) -> None:
    mounted.client.logical = FACILITY
    mounted.configure(
        watch={"path": str(mounted.client.root / "landing")},
        store={"logical_root": FACILITY, "known": "README.txt"},
    )
    mounted.write("run1/a.dat")
    mounted.rest()
    assert mounted.states() == {"run1": State.PUBLISHED}
    assert mounted.said(RUN)["acq:state"] == "complete"


def test_root_is_refused_since_nfsrods_takes_it_for_the_administrator(
    mounted: Mounted, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from watcher import osfacts
    from watcher.profile import MountStore as Section
    from watcher.stores.mount import MountStore

    section = mounted.profile.store
    assert isinstance(section, Section)
    with pytest.raises(ConfigurationError, match="administrator of the zone") as caught:
        MountStore(section, is_root=lambda: True)
    assert "a user of its own" in caught.value.cure
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert osfacts.is_root()
    monkeypatch.setattr("os.geteuid", lambda: 1002)
    assert not osfacts.is_root()
