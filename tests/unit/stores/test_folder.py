"""The folder store: whole files under their names or none, nothing of others touched, failures in plain words."""

import os
from pathlib import Path

import pytest

from watcher import osfacts
from watcher.errors import (
    FixityError,
    NameRefused,
    NotAllowed,
    SourceChanged,
    StoreError,
    StoreFull,
    StoreUnreachable,
    TargetMissing,
    Unforeseen,
    WatcherError,
)  # fmt: skip
from watcher.model import Avu
from watcher.stores import folder
from watcher.stores.base import Grant, Receipt, Session
from watcher.stores.folder import METADATA, FolderStore
from watcher.stores.source import Source

HERE = "scope/cells"
ME = "urn:uuid:me"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """The folder of the archive."""
    path = tmp_path / "archive"
    path.mkdir()
    return path


@pytest.fixture
def session(archive: Path) -> Session:
    """A session in it."""
    return FolderStore(archive).session()


def source(tmp_path: Path, content: bytes = b"pixels", name: str = "original") -> Source:
    path = tmp_path / name
    path.write_bytes(content)
    return Source(path, osfacts.facts_at(path))


def put(session: Session, source: Source, target: str = "a.dat") -> Receipt:
    assert session.claim(HERE, ME)
    return session.put(source, HERE, target, lambda _: None)


def names_in(folder: Path) -> set[str]:
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    own = {".irods-watcher-archive", METADATA, f"{HERE}/{METADATA}"}
    return found - own


def test_a_member_arrives_under_its_name_with_its_time(tmp_path: Path, archive: Path, session: Session) -> None:
    session.claim(HERE, ME)
    content = os.urandom(9_000_000)
    original = source(tmp_path, content)
    told: list[int] = []
    receipt = session.put(original, HERE, "deep/er/a.dat", told.append)
    arrived = archive / HERE / "deep/er/a.dat"
    assert arrived.read_bytes() == content
    assert arrived.stat().st_mtime_ns == original.facts.mtime_ns
    assert (receipt.size, sum(told)) == (9_000_000, 9_000_000)
    assert session.replicas(HERE)["deep/er/a.dat"].sha256 == receipt.sha256
    assert names_in(archive / HERE) == {"deep/er/a.dat"}


def test_nothing_has_its_name_before_it_is_whole(tmp_path: Path, archive: Path, session: Session) -> None:
    seen: list[set[str]] = []
    session.claim(HERE, ME)
    session.put(source(tmp_path), HERE, "a.dat", lambda _: seen.append(names_in(archive / HERE)))
    ((name,),) = seen
    assert name.endswith(".part")
    assert session.replicas(HERE).keys() == {"a.dat"}


def crash(_: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize("under_its_name", [True, False])
def test_what_a_crash_left_is_replaced(tmp_path: Path, archive: Path, session: Session, under_its_name: bool) -> None:
    session.claim(HERE, ME)
    if under_its_name:
        (archive / HERE / "a.dat").write_bytes(b"half of something much longer than the member")
    else:
        longer = source(tmp_path, b"half of something much longer than the member", "longer")
        with pytest.raises(KeyboardInterrupt):
            session.put(longer, HERE, "a.dat", crash)
        assert len(names_in(archive / HERE)) == 1
    put(session, source(tmp_path))
    assert (archive / HERE / "a.dat").read_bytes() == b"pixels"
    assert names_in(archive / HERE) == {"a.dat"}


def test_a_half_written_file_is_no_replica(archive: Path, session: Session) -> None:
    session.claim(HERE, ME)
    (archive / HERE / "a.dat.part").write_bytes(b"x")
    assert session.replicas(HERE) == {}


def test_replicas_are_what_is_on_the_disk_now(tmp_path: Path, archive: Path, session: Session) -> None:
    put(session, source(tmp_path))
    before = session.replicas(HERE)["a.dat"]
    (archive / HERE / "a.dat").write_bytes(b"pixelt")
    after = session.replicas(HERE)["a.dat"]
    assert (before.size, after.size) == (6, 6)
    assert before.sha256 != after.sha256


def test_there_is_nothing_in_a_collection_that_is_not_there(session: Session) -> None:
    assert session.replicas("nowhere") == {}
    assert session.avus("nowhere") == frozenset()
    session.remove("nowhere", "a.dat")


def test_a_disk_that_gives_back_other_bytes_is_found_out(
    tmp_path: Path, archive: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder, "_sha256", lambda _: "0" * 64)
    with pytest.raises(FixityError, match="other bytes than were written"):
        put(session, source(tmp_path))
    assert names_in(archive / HERE) == set()


def test_a_source_that_changes_gets_no_name_in_the_archive(tmp_path: Path, archive: Path, session: Session) -> None:
    original = source(tmp_path)
    original.path.write_bytes(b"changed")
    with pytest.raises(SourceChanged):
        put(session, original)
    assert "a.dat" not in names_in(archive / HERE)


def test_a_claimed_collection_is_ours_again_and_nobody_elses(archive: Path, session: Session) -> None:
    assert session.claim(HERE, ME)
    assert session.claim(HERE, ME)
    assert FolderStore(archive).session().claim(HERE, ME)
    before = session.avus(HERE)
    assert not session.claim(HERE, "urn:uuid:other")
    assert session.avus(HERE) == before == {Avu("dcterms:identifier", ME), Avu("acq:state", "uploading")}
    assert (archive / HERE).stat().st_mode & 0o777 == 0o700


def test_an_empty_folder_may_be_claimed(archive: Path, session: Session) -> None:
    (archive / HERE).mkdir(parents=True)
    assert session.claim(HERE, ME)


@pytest.mark.parametrize("there", ["file.txt", "sub/file.txt", "manifest-sha256.txt"])
def test_a_folder_with_something_of_others_is_not_claimed_and_not_changed(
    archive: Path, session: Session, there: str
) -> None:
    foreign = archive / HERE / there
    foreign.parent.mkdir(parents=True)
    foreign.write_text("theirs")
    assert not session.claim(HERE, ME)
    assert names_in(archive) == {f"{HERE}/{there}"}


def test_a_file_of_that_name_belongs_to_something_else(archive: Path, session: Session) -> None:
    (archive / "scope").mkdir()
    (archive / HERE).write_text("theirs")
    assert not session.claim(HERE, ME)


def test_a_claim_that_was_cut_off_while_labelling_is_ours_again(
    archive: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(self: Path, target: Path) -> Path:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", cut)
        with pytest.raises(KeyboardInterrupt):
            session.claim(HERE, ME)
    assert session.claim(HERE, ME)
    assert Avu("dcterms:identifier", ME) in session.avus(HERE)


def test_metadata_is_changed_all_at_once_or_not_at_all(
    archive: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.claim(HERE, ME)
    before = session.avus(HERE)

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreFull):
            session.annotate(HERE, [Avu("a", "b")], before)
    assert session.avus(HERE) == before
    session.annotate(HERE, [Avu("a", "b", "unit"), Avu("a", "c"), Avu("µ", '\u2603 "quoted"\n')], before)
    assert session.avus(HERE) == {Avu("a", "b", "unit"), Avu("a", "c"), Avu("µ", '\u2603 "quoted"\n')}


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"metadata": [[1]]}', '{"metadata": 5}', "\x00\xff"])
def test_a_metadata_file_that_somebody_changed_is_told_and_not_taken_for_empty(
    archive: Path, session: Session, text: str
) -> None:
    session.claim(HERE, ME)
    (archive / HERE / METADATA).write_bytes(text.encode("latin-1"))
    with pytest.raises(StoreError, match="not as it was written"):
        session.avus(HERE)
    with pytest.raises(StoreError, match="not as it was written"):
        session.claim(HERE, ME)


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (28, StoreFull),
        (122, StoreFull),
        (5, StoreUnreachable),
        (116, StoreUnreachable),
        (13, NotAllowed),
        (27, StoreError),
    ],
)
def test_what_the_system_says_is_told_in_our_words(
    tmp_path: Path, session: Session, monkeypatch: pytest.MonkeyPatch, number: int, error: type[WatcherError]
) -> None:
    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    session.claim(HERE, ME)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(error, match=r"cells/a\.dat") as told:
        put(session, source(tmp_path))
    assert type(told.value) is error


def test_a_full_disk_leaves_no_file_under_its_name_and_passes(
    tmp_path: Path, archive: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(StoreFull) as told:
            put(session, source(tmp_path))
    assert told.value.transient
    assert session.replicas(HERE) == {}
    put(session, source(tmp_path))
    assert names_in(archive / HERE) == {"a.dat"}


def test_an_archive_that_went_away_is_not_made_again(archive: Path, session: Session) -> None:
    archive.rmdir()
    with pytest.raises(TargetMissing, match="archive is not there"):
        session.claim(HERE, ME)
    with pytest.raises(TargetMissing, match="archive is not there"):
        FolderStore(archive).check("")
    assert not archive.exists()


def test_a_member_is_not_written_to_where_the_archive_was(tmp_path: Path, archive: Path, session: Session) -> None:
    session.claim(HERE, ME)
    archive.rename(archive.with_name("unmounted"))
    with pytest.raises((StoreUnreachable, TargetMissing)):
        put(session, source(tmp_path))


@pytest.mark.parametrize(
    "name",
    [
        "a" * 251 + ".dat",
        "x" * 247 + ".ome.tif",
        "é" * 125 + ".dat",
    ],
    ids=["255 bytes", "255 bytes with a double ending", "254 bytes in 129 letters"],
)
def test_the_longest_names_that_a_disk_holds_can_be_stored(
    tmp_path: Path, archive: Path, session: Session, name: str
) -> None:
    assert len(name.encode()) <= 255
    put(session, source(tmp_path), name)
    assert names_in(archive / HERE) == {name}


def test_two_long_names_that_begin_alike_do_not_share_a_temporary_file(
    tmp_path: Path, archive: Path, session: Session
) -> None:
    session.claim(HERE, ME)
    one, other = "x" * 210 + "1.dat", "x" * 210 + "2.dat"
    second = source(tmp_path, b"second", "second")

    def meanwhile(_: int) -> None:
        FolderStore(archive).session().put(second, HERE, other, lambda _: None)

    session.put(source(tmp_path, b"first"), HERE, one, meanwhile)
    assert (archive / HERE / one).read_bytes() == b"first"
    assert (archive / HERE / other).read_bytes() == b"second"


def test_different_paths_never_get_the_same_name(archive: Path) -> None:
    paths = [
        "a", "A", "a/b", "a%2Fb", "b\udcff", "b%FF", "b%25FF", "manifest-sha256.txt", "%6Danifest-sha256.txt",
        "x/manifest-sha256.txt", "irods-watcher.json", "IRODS-WATCHER.JSON", "a\n", "a%0A", "\ud800", "%uD800",
    ]  # fmt: skip
    targets = [FolderStore(archive).target_name(path) for path in paths]
    assert len(set(targets)) == len(paths)
    for target in targets:
        target.encode()


def test_readers_may_do_with_a_set_what_they_may_do_with_the_archive(archive: Path, session: Session) -> None:
    archive.chmod(0o751)
    session.claim(HERE, ME)
    session.open_to_readers(HERE)
    assert (archive / HERE).stat().st_mode & 0o777 == 0o751


def test_a_withdrawn_set_leaves_no_trace(tmp_path: Path, archive: Path, session: Session) -> None:
    put(session, source(tmp_path), "a.dat")
    put(session, source(tmp_path), "deep/er/b.dat")
    session.withdraw("scope/another", ME)
    session.withdraw(HERE, "urn:uuid:somebody else")
    assert names_in(archive) == {f"{HERE}/a.dat", f"{HERE}/deep/er/b.dat"}
    for _ in range(2):
        session.withdraw(HERE, ME)
        assert not (archive / HERE).exists()
    assert (archive / HERE).parent.is_dir()
    assert session.claim(HERE, "urn:uuid:somebody else")


def test_what_is_published_is_not_withdrawn(tmp_path: Path, archive: Path, session: Session) -> None:
    put(session, source(tmp_path))
    session.annotate(HERE, [Avu("acq:state", "complete")], [Avu("acq:state", "uploading")])
    session.withdraw(HERE, ME)
    assert names_in(archive) == {f"{HERE}/a.dat"}


def test_a_withdrawal_that_was_cut_off_is_finished_later(
    tmp_path: Path, archive: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(session, source(tmp_path), "deep/a.dat")
    put(session, source(tmp_path), "b.dat")
    unlink = Path.unlink

    def interrupt(path: Path, missing_ok: bool = False) -> None:
        if path.name == METADATA:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", interrupt)
        with pytest.raises(KeyboardInterrupt):
            session.withdraw(HERE, ME)
    assert names_in(archive) == set()
    assert session.claim(HERE, ME)
    session.withdraw(HERE, ME)
    assert not (archive / HERE).exists()


def test_members_are_copied_one_by_one(tmp_path: Path, session: Session, archive: Path) -> None:
    assert FolderStore(archive).lanes().copy
    assert session.claim(HERE, ME)
    assert session.put_bundle({"a.dat": source(tmp_path)}, HERE, lambda *_: None) == {}
    assert names_in(archive) == set()


BLIND = osfacts.Blindness(case=True, form=True)


@pytest.mark.parametrize(
    ("one", "other"), [("A.tif", "a.tif"), ("Run/1.tif", "run/1.tif"), ("\u00e9.tif", "e\u0301.tif"), ("a%0A", "a%0a")]
)
def test_two_names_that_the_disk_makes_one_are_refused_by_name(archive: Path, one: str, other: str) -> None:
    store = FolderStore(archive, probe=lambda _: BLIND)
    store.check_names([one, "b.tif", "c/" + other])
    with pytest.raises(NameRefused) as refused:
        store.check_names(["b.tif", one, other])
    assert str(refused.value) == (
        f"{one} and {other}: the archive's disk takes these two names for the same; "
        "rename one of the two, then `irods-watcher retry`"
    )


def test_a_disk_that_tells_names_apart_refuses_none_and_is_asked_once(archive: Path) -> None:
    asked: list[Path] = []

    def probe(folder: Path) -> osfacts.Blindness:
        asked.append(folder)
        return osfacts.Blindness(case=False, form=False)

    store = FolderStore(archive, probe=probe)
    for _ in range(3):
        store.check_names(["A", "a", "\u00e9", "e\u0301"])
    assert asked == [archive]


def test_an_archive_that_is_away_is_asked_when_it_is_back(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(TargetMissing):
        FolderStore(tmp_path / "away").check_names(["a"])
    store = FolderStore(
        archive, probe=lambda folder: BLIND if (folder / "disk").exists() else BLIND._replace(case=False)
    )
    store.check("", used=False)
    with pytest.raises(StoreUnreachable):
        store.check("", used=True)
    with pytest.raises(StoreUnreachable):  # the mount point is there, the disk is not
        store.check_names(["A", "a"])
    for name in ("disk", ".irods-watcher-archive"):
        (archive / name).touch()
    with pytest.raises(NameRefused):
        store.check_names(["A", "a"])


def test_two_sets_whose_folders_the_disk_makes_one_stay_apart(archive: Path, session: Session) -> None:
    assert session.claim("scope/Cells", ME)
    # As a disk that is blind to case has it: another name for the same folder.
    (archive / "scope/cells").symlink_to("Cells")
    assert not session.claim("scope/cells", "urn:uuid:other")
    assert not session.claim("scope/cells/inside", "urn:uuid:other")
    assert session.claim("scope/cells~01234567", "urn:uuid:other")


MANIFEST = "manifest-sha256.txt"


def test_a_folder_knows_nobody(tmp_path: Path, archive: Path, session: Session) -> None:
    put(session, source(tmp_path))
    session.rewrite(HERE, MANIFEST, b"old")
    places = [archive, *archive.rglob("*")]
    before = [(path, path.stat().st_mode) for path in places]
    answer = session.grant(HERE, [Grant("alice", "read"), Grant("omero#zone", "own", above=True)])
    session.revoke(HERE, ["alice", "nobody"])
    assert answer == dict.fromkeys(["alice", "omero#zone"], "an archive that is a folder knows no users of a zone")
    assert [(path, path.stat().st_mode) for path in places] == before


def test_a_sidecar_is_said_anew_and_keeps_its_mode(archive: Path, session: Session) -> None:
    session.claim(HERE, ME)
    path = archive / HERE / MANIFEST
    for content in (b"old", b"new and longer", b""):
        session.rewrite(HERE, MANIFEST, content)
        assert path.read_bytes() == b"".join(session.read(HERE, MANIFEST)) == content
        path.chmod(0o604)
    session.rewrite(HERE, MANIFEST, b"last")
    assert path.stat().st_mode & 0o777 == 0o604
    assert names_in(archive / HERE) == {MANIFEST}


@pytest.mark.parametrize("name", ["a.dat", "deep/manifest-sha256.txt", "MANIFEST-SHA256.TXT", ""])
def test_only_a_sidecar_is_ever_overwritten(tmp_path: Path, archive: Path, session: Session, name: str) -> None:
    put(session, source(tmp_path))
    with pytest.raises(Unforeseen):
        session.rewrite(HERE, name, b"other")
    assert names_in(archive / HERE) == {"a.dat"}
    assert (archive / HERE / "a.dat").read_bytes() == b"pixels"


@pytest.mark.parametrize(
    "at", ["os.fsync", "shutil.copymode", "pathlib.Path.replace", "watcher.osfacts.sync_directory"]
)
def test_a_sidecar_is_the_old_or_the_new(
    archive: Path, session: Session, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    session.claim(HERE, ME)
    session.rewrite(HERE, MANIFEST, b"old")
    with monkeypatch.context() as patched:
        patched.setattr(at, killed)
        with pytest.raises(KeyboardInterrupt):
            session.rewrite(HERE, MANIFEST, b"new")
    found = (archive / HERE / MANIFEST).read_bytes()
    assert found == (b"new" if at.endswith("sync_directory") else b"old")
    assert session.replicas(HERE).keys() == {MANIFEST}
    session.rewrite(HERE, MANIFEST, b"new")
    assert (archive / HERE / MANIFEST).read_bytes() == b"new"
    assert names_in(archive / HERE) == {MANIFEST}


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def test_a_disk_that_lies_about_a_sidecar_leaves_the_old_one(
    archive: Path, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.claim(HERE, ME)
    session.rewrite(HERE, MANIFEST, b"old")
    monkeypatch.setattr(folder, "_sha256", lambda *_, **__: "0" * 64)
    with pytest.raises(FixityError, match=MANIFEST):
        session.rewrite(HERE, MANIFEST, b"new")
    assert (archive / HERE / MANIFEST).read_bytes() == b"old"


@pytest.mark.parametrize("size", [0, 5, 4 * 1024 * 1024, 9_000_000])
def test_what_is_read_is_what_was_put(tmp_path: Path, session: Session, size: int) -> None:
    content = os.urandom(size)
    put(session, source(tmp_path, content), "deep/a.dat")
    blocks = list(session.read(HERE, "deep/a.dat"))
    assert b"".join(blocks) == content
    assert all(0 < len(block) <= 4 * 1024 * 1024 for block in blocks)


def test_what_is_not_there_cannot_be_read(tmp_path: Path, archive: Path, session: Session) -> None:
    put(session, source(tmp_path), "deep/a.dat")
    for name in ("b.dat", "deep"):
        with pytest.raises(NotAllowed, match="not there"):
            next(session.read(HERE, name))
    archive.rename(tmp_path / "elsewhere")
    with pytest.raises(TargetMissing):
        next(session.read(HERE, "deep/a.dat"))
