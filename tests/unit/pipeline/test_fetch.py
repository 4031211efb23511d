"""A set back as it was: every byte, every name, whatever comes between, and nothing overwritten."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench
from watcher.errors import FixityError, UsageError, WatcherError
from watcher.model import ImageSet, Member
from watcher.pipeline.fetch import Fetched, fetch
from watcher.stores.base import Session
from watcher.stores.folder import FolderSession, FolderStore

FILES = {"a.tif": b"a" * 3_000_000, "pos 1/b%25.tif": b"", "pos 1/c.tif": b"c" * 10, "manifest-sha256.txt": b"theirs"}


class Killed(BaseException):
    """The process ends here, at once."""


class Session1(FolderSession):
    """The folder's session, which reads in small blocks and can break off after so many."""

    blocks_left: int | None = None
    read_bytes: int = 0

    def read(self, collection: str, name: str, offset: int = 0) -> Iterator[bytes]:
        """As in the folder."""
        for block in super().read(collection, name, offset):
            for start in range(0, len(block), 1_000_000):
                if self.blocks_left is not None:
                    if not self.blocks_left:
                        raise Killed
                    self.blocks_left -= 1
                piece = block[start : start + 1_000_000]
                self.read_bytes += len(piece)
                yield piece


@pytest.fixture
def published(bench: Bench) -> ImageSet:
    bench.configure(sets={"group": "directory"})
    for number, (name, content) in enumerate(FILES.items(), 1):
        os.utime(bench.write(f"run/{name}", content), ns=(number, number * 10**9 + 5))
    bench.finish()
    return bench.only()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def session_of(bench: Bench) -> Session1:
    return Session1(FolderStore(bench.archive))


def fetched(bench: Bench, out: Path, session: Session | None = None, known: list[Member] | None = None) -> Fetched:
    one = bench.only()
    members = bench.journal.sets.members(one.id) if known is None else known
    return fetch(one, one.collection or "", members, session or session_of(bench), out, lambda *_: None)


def tree(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_a_set_comes_back_with_its_names_times_and_folder(bench: Bench, published: ImageSet, out: Path) -> None:
    seen: list[tuple[int, int]] = []
    members = bench.journal.sets.members(published.id)
    done = fetch(published, "scope/run", members, session_of(bench), out, lambda *now: seen.append(now))
    assert tree(out) == {f"run/{name}": content for name, content in FILES.items()}
    assert [(out / "run" / name).stat().st_mtime_ns for name in FILES] == [n * 10**9 + 5 for n in range(1, 5)]
    total = sum(map(len, FILES.values()))
    assert done == Fetched(out / "run", 4, total, 0)
    assert seen == sorted(seen)
    assert seen[-1] == (total, total)
    assert len({done for done, _ in seen} - {0, total}) > 2


def test_a_single_file_comes_back_without_a_folder_around_it(bench: Bench, out: Path) -> None:
    bench.write("x/scan.dat", b"pixels")
    bench.finish()
    fetched(bench, out)
    assert tree(out) == {"scan.dat": b"pixels"}


def test_what_the_journal_forgot_is_read_from_the_crate(bench: Bench, published: ImageSet, out: Path) -> None:
    fetched(bench, out, known=[])
    assert tree(out) == {f"run/{name}": content for name, content in FILES.items()}
    assert [(out / "run" / name).stat().st_mtime for name in FILES] == [1, 2, 3, 4]


@pytest.mark.parametrize("blocks", range(11))
def test_after_a_kill_at_any_block_the_same_command_goes_on(
    bench: Bench, published: ImageSet, out: Path, blocks: int
) -> None:
    session = session_of(bench)
    session.blocks_left = blocks
    with contextlib.suppress(Killed):
        fetched(bench, out, session)
    before = session.read_bytes
    again = session_of(bench)
    fetched(bench, out, again)
    assert tree(out) == {f"run/{name}": content for name, content in FILES.items()}
    small = 10_000  # the manifest and small files may be read again, and nothing else
    assert again.read_bytes + before <= sum(map(len, FILES.values())) + small


def test_what_is_there_and_right_is_kept(bench: Bench, published: ImageSet, out: Path) -> None:
    shutil.copytree(bench.root / "run", out / "run")
    session = session_of(bench)
    done = fetched(bench, out, session)
    assert (done.files, done.kept) == (4, 4)
    assert session.read_bytes < 10_000


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_something_else_is_never_overwritten_and_nothing_is_begun(
    bench: Bench, published: ImageSet, out: Path, what: str
) -> None:
    path = out / "run/pos 1/c.tif"
    path.parent.mkdir(parents=True)
    if what == "folder":
        path.mkdir()
    elif what == "link":
        path.symlink_to(bench.root / "run/pos 1/c.tif")
    else:
        path.write_bytes(b"mine")
    before = sorted(out.rglob("*"))
    with pytest.raises(UsageError, match=r"pos 1/c\.tif: something else is there; move it away"):
        fetched(bench, out)
    assert sorted(out.rglob("*")) == before


def test_a_part_that_is_of_something_else_is_begun_anew(bench: Bench, published: ImageSet, out: Path) -> None:
    session = session_of(bench)
    session.blocks_left = 2
    with contextlib.suppress(Killed):
        fetched(bench, out, session)
    (part,) = out.rglob("*.part")
    part.write_bytes(b"x" * 5_000_000)
    fetched(bench, out)
    assert tree(out) == {f"run/{name}": content for name, content in FILES.items()}


def test_other_bytes_in_the_store_are_refused_and_leave_nothing(bench: Bench, published: ImageSet, out: Path) -> None:
    (bench.archive / "scope/run/pos 1/c.tif").write_bytes(b"C" * 10)
    with pytest.raises(FixityError, match=r"pos 1/c\.tif: the store gives other bytes"):
        fetched(bench, out)
    assert "run/pos 1/c.tif" not in tree(out)
    assert not list(out.rglob("*.part"))


def test_a_manifest_that_was_changed_brings_nothing(bench: Bench, published: ImageSet, out: Path) -> None:
    (bench.archive / "scope/run/manifest-sha256.txt").write_bytes(b"")
    with pytest.raises(FixityError, match="not the manifest that was published"):
        fetched(bench, out)
    assert tree(out) == {}


def test_too_little_room_is_told_before_anything_is_written(
    bench: Bench, published: ImageSet, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(out)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UsageError, match="100 are free"):
        fetched(bench, out)
    assert tree(out) == {}


def test_a_disk_that_refuses_is_told_in_words(bench: Bench, published: ImageSet, out: Path) -> None:
    (out / "run").write_bytes(b"a file where the folder would be")
    with pytest.raises(WatcherError, match="it cannot be written"):
        fetched(bench, out)


def test_a_name_that_is_no_text_comes_back_as_it_was(bench: Bench, out: Path) -> None:
    bench.configure(sets={"group": "directory"})
    try:
        bench.write(b"run/caf\xe9.tif", b"pixels")
    except OSError:
        pytest.skip("this disk holds no such name")
    bench.write("run/irods-watcher.json", b"theirs")
    bench.finish()
    fetched(bench, out)
    assert sorted(os.listdir(os.fsencode(out / "run"))) == [b"caf\xe9.tif", b"irods-watcher.json"]


def test_a_copy_gives_the_same(bench: Bench, out: Path) -> None:
    bench.configure(sets={"group": "directory"})
    (store,) = bench.copy_to("backup")
    bench.write("run/a.dat", b"first")
    bench.finish()
    shutil.rmtree(bench.archive)
    one = replace(bench.only())
    copy = bench.journal.copies.one(one.id, "backup")
    done = fetch(one, copy.collection or "", [], store.session(), out, lambda *_: None)
    assert (tree(out), done.kept) == ({"run/a.dat": b"first"}, 0)
