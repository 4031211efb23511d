"""Reading a member: whatever happens to the file before, during or after, bytes of two generations are never mixed."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from watcher import osfacts
from watcher.errors import SourceChanged, SourceError, SourceGone, SourceUnreadable
from watcher.stores.source import Source

CONTENT = bytes(range(256)) * 40
BLOCK = 1000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file on the acquisition disk."""
    path = tmp_path / "image.dat"
    path.write_bytes(CONTENT)
    return path


def frozen(path: Path) -> Source:
    return Source(path, osfacts.facts_at(path))


def read_all(source: Source, between: Callable[[int], object] = lambda _: None) -> bytes:
    read = b""
    for number, view in enumerate(source.blocks(BLOCK)):
        read += view
        between(number)
    return read


def replace(path: Path, content: bytes) -> None:
    """Another file takes the name, with the same time."""
    stat = path.stat()
    other = path.with_name("other")
    other.write_bytes(content)
    os.utime(other, ns=(stat.st_mtime_ns, stat.st_mtime_ns))
    other.replace(path)


def touch(path: Path) -> None:
    os.utime(path, (5, 5))


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "grown": (lambda path: path.write_bytes(CONTENT + b"x"), "10240 bytes then, 10241 now|changed"),
    "truncated": (lambda path: os.truncate(path, 5000), "10240 bytes then, 5000 now|became shorter"),
    "emptied": (lambda path: os.truncate(path, 0), "10240 bytes then, 0 now|became shorter"),
    "touched": (touch, "written to again"),
    "replaced": (lambda path: replace(path, CONTENT[::-1]), "another file has taken its name"),
}


@pytest.mark.parametrize("size", [0, 1, 999, 1000, 1001, 10240])
@pytest.mark.parametrize("block", [1, 1000, 20000])
def test_an_unchanged_file_is_read_as_it_is_whatever_the_size_of_the_blocks(path: Path, size: int, block: int) -> None:
    path.write_bytes(CONTENT[:size])
    source = frozen(path)
    views = [bytes(view) for view in source.blocks(block)]
    assert b"".join(views) == bytes(source.read()) == CONTENT[:size]
    assert all(len(view) <= block for view in views)
    assert source.sha256() == hashlib.sha256(CONTENT[:size]).hexdigest()


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    "how", [lambda s: s.read(), lambda s: s.sha256(), lambda s: list(s.blocks()), lambda s: s.open()]
)
def test_a_file_that_changed_before_it_is_read_is_refused(
    path: Path, change: str, how: Callable[[Source], object]
) -> None:
    act, what = CHANGES[change]
    source = frozen(path)
    act(path)
    with pytest.raises(SourceChanged, match=what) as told:
        how(source)
    assert str(path) in str(told.value)


@pytest.mark.parametrize("at", [0, 1, 5, 9])
@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_while_it_is_read_never_ends_well(path: Path, change: str, at: int) -> None:
    act, what = CHANGES[change]
    source = frozen(path)
    with pytest.raises(SourceChanged, match=what):
        read_all(source, lambda number: act(path) if number == at else None)


def test_the_last_block_is_given_only_after_the_file_was_found_unchanged(path: Path) -> None:
    source = frozen(path)
    given: list[int] = []

    def between(number: int) -> None:
        given.append(number)
        if number == 8:
            touch(path)

    with pytest.raises(SourceChanged):
        read_all(source, between)
    assert given == list(range(10))  # the eleventh, which is the last, was never given


def test_a_change_after_the_last_byte_does_not_matter_any_more(path: Path) -> None:
    source = frozen(path)
    assert read_all(source) == CONTENT
    touch(path)


def test_a_change_of_an_empty_file_is_noticed(path: Path) -> None:
    path.write_bytes(b"")
    source = frozen(path)
    path.write_bytes(b"x")
    for read in (source.sha256, source.read):
        with pytest.raises(SourceChanged, match="0 bytes then, 1 now"):
            read()


def test_a_file_that_is_gone_is_told_as_gone(path: Path) -> None:
    source = frozen(path)
    path.unlink()
    with pytest.raises(SourceGone, match="no longer there"):
        source.read()


def test_a_file_that_is_removed_while_it_is_read_is_told_as_gone(path: Path) -> None:
    source = frozen(path)
    with pytest.raises(SourceGone, match="removed while"):
        read_all(source, lambda _: path.unlink(missing_ok=True))


def test_a_folder_in_the_place_of_the_file_can_not_be_read(path: Path) -> None:
    source = frozen(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(SourceError) as told:
        source.read()
    assert told.value.transient


def test_a_file_that_may_not_be_read_is_told_with_the_reason(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(osfacts, "open_shared", refuse)
    with pytest.raises(SourceUnreadable, match=r"image\.dat: it cannot be read \(Permission denied\)"):
        frozen(path).read()


class Failing:
    """An open file whose disk fails in the middle."""

    def __init__(self, file: object) -> None:
        self._file = file

    def readinto(self, view: memoryview) -> int:
        raise OSError(5, "Input/output error")

    def fileno(self) -> int:
        return int(self._file.fileno())  # type: ignore[attr-defined]

    def close(self) -> None:
        self._file.close()  # type: ignore[attr-defined]

    def __enter__(self) -> "Failing":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def test_a_disk_that_fails_while_reading_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = osfacts.open_shared
    monkeypatch.setattr(osfacts, "open_shared", lambda path: Failing(real(path)))
    with pytest.raises(SourceUnreadable, match=r"reading failed \(Input/output error"):
        frozen(path).sha256()


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux counts open files so")
def test_no_file_stays_open_whatever_happens(path: Path) -> None:
    before = open_files()
    source = frozen(path)
    source.sha256()
    for _ in source.blocks(BLOCK):
        break
    touch(path)
    with pytest.raises(SourceChanged):
        source.open()
    assert open_files() == before
