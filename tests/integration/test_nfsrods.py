"""The model of NFSRODS is what requirements-and-metadata.md, section 6, says of the real one, and no better."""

import errno
import os
import stat
from pathlib import Path

import pytest

from tests.integration.mounted import LANDING, README, WRITER, Mounted
from tests.irods_server.dialogue import connect, digest
from tests.irods_server.entities import GOOD, INTERMEDIATE
from tests.nfsrods import Client

A = f"{LANDING}/run/a.dat"


def seen(mounted: Mounted, path: str = "home/facility/landing/run/a.dat") -> os.stat_result:
    return mounted.client.stat(mounted.client.root / path)


def test_what_is_created_is_an_empty_good_object_at_once(mounted: Mounted) -> None:
    mounted.nfsrods.mkdir(WRITER, f"{LANDING}/run")
    mounted.nfsrods.create(WRITER, A)
    there = mounted.server.objects()[A]
    assert (there.size, there.status, there.checksum) == (0, GOOD, "")


def test_a_half_written_file_is_good_between_two_writes(mounted: Mounted) -> None:
    mounted.nfsrods.wsize = 4
    between: list[tuple[int, int]] = []

    def note(path: str) -> None:
        between.append((mounted.server.objects()[path].status, mounted.nfsrods.rpcs))

    mounted.nfsrods.in_write = note
    before = mounted.nfsrods.rpcs
    mounted.write("run/a.dat", b"123456789")
    assert between == [(INTERMEDIATE, before + number) for number in (2, 3, 4)]
    there = mounted.server.objects()[A]
    assert (there.read(), there.status) == (b"123456789", GOOD)
    mounted.append("run/a.dat", b"0")
    assert (mounted.server.objects()[A].size, mounted.server.objects()[A].status) == (10, GOOD)


def test_a_write_wipes_the_checksum_and_none_is_ever_made(mounted: Mounted) -> None:
    mounted.write("run/a.dat", b"1234")
    assert mounted.server.objects()[A].checksum == ""
    with connect(mounted.server) as session:
        session.data_objects.chksum(A)
    assert mounted.server.objects()[A].checksum == digest(b"1234")
    mounted.append("run/a.dat", b"5")
    assert mounted.server.objects()[A].checksum == ""


def test_others_see_an_old_size_until_three_caches_are_over(mounted: Mounted) -> None:
    mounted.write("run/a.dat", b"old")
    with mounted.client.entries(mounted.client.root / "home/facility/landing/run") as entries:
        assert [entry.stat().st_size for entry in entries] == [3]
    mounted.append("run/a.dat", b" and new")
    # Who writes has their own at once, through another mount.
    assert mounted.nfsrods.attributes(WRITER, A).size == 11
    mounted.clock.advance(29)
    # The client asks anew, and is told what NFSRODS still knows from its list.
    mounted.client.forget()
    assert seen(mounted).st_size == 3
    mounted.clock.advance(59)
    assert seen(mounted).st_size == 3
    mounted.clock.advance(2)
    assert seen(mounted).st_size == 11


def test_a_status_tells_less_than_on_a_disk(mounted: Mounted) -> None:
    mounted.write("run/a.dat")
    created = int(mounted.clock.now())
    mounted.clock.advance(7.9)
    mounted.append("run/a.dat", b"more")
    status = seen(mounted)
    assert (status.st_uid, status.st_gid) == (mounted.client.uid, 65534)  # who looks, not who wrote
    assert (status.st_ctime, status.st_mtime, status.st_atime) == (created, created + 7, created + 7)
    assert status.st_mtime_ns % 10**9 == 0
    assert status.st_nlink == 1
    assert status.st_ino < 2**32


def test_users_are_those_of_the_computer_and_root_is_the_administrator(mounted: Mounted) -> None:
    mounted.write("run/a.dat")
    with pytest.raises(OSError, match="no such user"):
        mounted.nfsrods.attributes(4242, A)
    hidden = "/tempZone/home/hidden"
    mounted.server.make_collection(hidden)
    with pytest.raises(FileNotFoundError):
        mounted.nfsrods.attributes(1002, hidden)
    assert stat.S_ISDIR(mounted.nfsrods.attributes(0, hidden).mode)


def test_there_are_no_links_and_a_rename_is_one_of_the_catalogue(mounted: Mounted) -> None:
    mounted.write("run/a.dat", b"pixels")
    with pytest.raises(OSError, match=os.strerror(errno.ENOTSUP)):
        mounted.nfsrods.link(WRITER, f"{LANDING}/run/link")
    with connect(mounted.server) as session:
        session.data_objects.chksum(A)
    mounted.nfsrods.rename(WRITER, f"{LANDING}/run", f"{LANDING}/done")
    moved = mounted.server.objects()[f"{LANDING}/done/a.dat"]
    assert (moved.read(), moved.checksum) == (b"pixels", digest(b"pixels"))


def test_a_size_can_be_set_and_the_checksum_is_gone(mounted: Mounted) -> None:
    mounted.write("run/a.dat", b"pixels")
    mounted.nfsrods.truncate(WRITER, A, 2)
    there = mounted.server.objects()[A]
    assert (there.read(), there.size, there.checksum) == (b"pi", 2, "")


def test_an_error_comes_as_often_as_it_was_asked_for(mounted: Mounted) -> None:
    mounted.client.fail("home", errno.ESTALE)
    with pytest.raises(OSError, match=os.strerror(errno.ESTALE)):
        seen(mounted, "home")
    assert stat.S_ISDIR(seen(mounted, "home").st_mode)


def test_an_unmounted_folder_is_an_empty_one(mounted: Mounted, tmp_path: Path) -> None:
    client: Client = mounted.client
    assert client.stat(client.root / README.removeprefix("/tempZone/")).st_size == 33
    client.unmount()
    with client.entries(client.root) as entries:
        assert list(entries) == []
    client.mount(device=99)
    assert client.stat(client.root).st_dev == 99
