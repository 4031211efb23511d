"""Whether a store holds a set is asked of it at that moment, member by member."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.pipeline.conftest import Bench, asking
from watcher.model import Avu, ImageSet, Member, State
from watcher.pipeline.copies import evidence, evidence_everywhere
from watcher.profile import MAIN
from watcher.stores.folder import FolderStore


@pytest.fixture
def published(bench: Bench) -> ImageSet:
    bench.configure(sets={"group": "directory"})
    bench.write("run/a.dat", b"first")
    bench.write("run/b.dat", b"second")
    bench.finish()
    return bench.only()


def asked(bench: Bench, one: ImageSet, members: list[Member] | None = None) -> list[str]:
    with FolderStore(bench.archive).session() as session:
        return evidence(one, bench.journal.sets.members(one.id) if members is None else members, session)


def test_nothing_is_wanting_of_a_published_set(bench: Bench, published: ImageSet) -> None:
    assert asked(bench, published) == []
    assert published.replicas == 1


def _change(path: Path, content: bytes) -> None:
    path.write_bytes(content)


def _forget_label(path: Path) -> None:
    metadata = path.parent / "irods-watcher.json"
    metadata.write_text(metadata.read_text().replace("urn:uuid:", "urn:else:"))


DAMAGES: list[tuple[Callable[[Path], object], str]] = [
    (lambda path: _change(path, b"FIRST"), "a.dat: the catalogue has another SHA-256 than was sent"),
    (lambda path: _change(path, b"fir"), "a.dat: the catalogue says 3 bytes, 5 were sent"),
    (lambda path: path.unlink(), "a.dat: the catalogue does not have it"),
    (
        lambda path: _change(path.parent / "manifest-sha256.txt", b""),
        "manifest-sha256.txt: it is not the manifest of these files",
    ),
    (
        lambda path: (path.parent / "manifest-sha256.txt").unlink(),
        "manifest-sha256.txt: it is not the manifest of these files",
    ),
    (_forget_label, "scope/run: it is not labelled as this set's"),
]


@pytest.mark.parametrize(("damage", "wanting"), DAMAGES)
def test_whatever_is_wanting_is_said(
    bench: Bench, published: ImageSet, damage: Callable[[Path], object], wanting: str
) -> None:
    damage(bench.archive / "scope/run/a.dat")
    assert asked(bench, published) == [wanting]


def test_what_is_not_marked_as_published_or_was_published_with_other_files_does_not_count(
    bench: Bench, published: ImageSet
) -> None:
    session = FolderStore(bench.archive).session()
    session.annotate("scope/run", [Avu("acq:state", "uploading")], [Avu("acq:state", "complete")])
    assert asked(bench, published) == ["scope/run: it is not marked as published"]
    members = bench.journal.sets.members(published.id)
    session.annotate("scope/run", [Avu("acq:state", "superseded")])
    assert asked(bench, published) == ["scope/run: it is not marked as published"]
    replaced = replace(published, state=State.SUPERSEDED)
    assert asked(bench, replaced) == []
    fewer = asked(bench, replaced, members[:1])
    assert fewer[0] == "scope/run: it was published with other files"


def test_files_of_which_the_journal_knows_too_little_are_no_evidence(bench: Bench, published: ImageSet) -> None:
    assert asked(bench, published, []) == ["it is not known which files the set has"]
    members = [replace(member, sha256=None) for member in bench.journal.sets.members(published.id)]
    assert asked(bench, published, members)[0] == "a.dat: it is not known what was sent of it"


def test_each_store_is_asked_and_one_that_is_away_wants_that(bench: Bench, published: ImageSet, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    stores = {MAIN: bench.archive, "empty": tmp_path / "empty", "away": tmp_path / "away", "unknown": tmp_path}
    for name in ("empty", "away"):
        assert bench.journal.copies.take(published.id, name, "scope/run")
    sessions = {name: FolderStore(path).session() for name, path in stores.items()}
    members = bench.journal.sets.members(published.id)
    found = evidence_everywhere(published, members, bench.journal, asking(sessions))
    assert found[MAIN] == []
    assert found["empty"] == ["scope/run: it is not labelled as this set's"]
    assert "the folder of the archive is not there" in found["away"][0]
    assert found["unknown"] == ["it was not sent there"]


def test_one_place_with_two_names_is_one_copy(bench: Bench, published: ImageSet, tmp_path: Path) -> None:
    """As two shares that are one, or a folder that leads to the store itself."""
    for name in ("backup", "again"):
        assert bench.journal.copies.take(published.id, name, "scope/run")
    sessions = {MAIN: FolderStore(bench.archive).session(), "backup": FolderStore(bench.archive).session()}
    members = bench.journal.sets.members(published.id)
    found = evidence_everywhere(published, members, bench.journal, asking(sessions))
    assert found == {MAIN: [], "backup": ["scope/run: it is not the copy backup"]}
    sessions["backup"].annotate("scope/run", [Avu("acq:copy_of", "elsewhere", "backup")])
    found = evidence_everywhere(published, members, bench.journal, asking(sessions | {"again": sessions["backup"]}))
    assert found[MAIN] == ["scope/run: it is only a copy"]
    assert found["backup"] == []
    assert found["again"] == ["scope/run: it is not the copy again"]
