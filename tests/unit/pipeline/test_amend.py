"""What becomes known of published sets later: metadata, crate and audit agree, whenever the program is killed."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.pipeline.conftest import Bench
from watcher.errors import StoreBusy, StoreUnreachable
from watcher.journal.attributions import Order
from watcher.model import Avu, State
from watcher.provenance import crate
from watcher.stores.folder import FolderStore

DIRECTORY = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, logins: [jdoe]}
  - {name: "Smith, Anna", logins: [asmith]}
  - {name: "Roe, Richard", logins: [rroe], staff: true}
generic_logins: [root]
"""


@pytest.fixture
def facility(bench: Bench) -> Bench:
    """A bench with persons."""
    (bench.base / "people.yaml").write_text(DIRECTORY)
    bench.configure(people={"directory": "people.yaml"}, watch={"settle": "0s"}, complete={"quiet": "0s"})
    return bench


def order(bench: Bench, *names: str, who: str = "rroe", **values: str) -> None:
    ids = [one.id for one in bench.sets() if not names or one.name in names]
    bench.journal.attributions.order(ids, Order(bench.clock.now(), who, values))


def avus(bench: Bench, collection: str = "scope/a") -> set[tuple[str, str, str]]:
    return {(one.attribute, one.value, one.unit) for one in FolderStore(bench.archive).session().avus(collection)}


def value(bench: Bench, attribute: str, collection: str = "scope/a") -> list[str]:
    return sorted(v for name, v, _ in avus(bench, collection) if name == attribute)


def described(bench: Bench, collection: str = "scope/a") -> Any:
    text = (bench.archive / collection / "ro-crate-metadata.json").read_text(encoding="utf-8")
    return {entity["@id"]: entity for entity in json.loads(text)["@graph"]}


def changes(bench: Bench) -> list[str]:
    """What the crate says was changed later."""
    text = (bench.archive / "scope/a" / "ro-crate-metadata.json").read_text(encoding="utf-8")
    return [change.what for change in crate.changes_in(text)]


def test_a_set_that_nobody_knew_is_resolved_a_day_later(facility: Bench) -> None:
    facility.write("a.dat")
    facility.finish()
    assert value(facility, "acq:attribution") == ["unresolved"]
    before = avus(facility)
    facility.clock.advance(86400)
    order(facility, scientist="jdoe", operator="rroe", project="P-1")
    facility.daemon.amend()
    assert value(facility, "acq:attribution") == ["resolved"]
    assert value(facility, "dcterms:creator") == ["Doe, Jane"]
    assert value(facility, "dcterms:contributor") == ["Roe, Richard"]
    assert value(facility, "dcterms:isPartOf") == ["P-1"]
    assert before - avus(facility) == {("acq:attribution", "unresolved", "")}, "nothing else was touched"
    entities = described(facility)
    assert entities["./"]["author"] == {"@id": "https://orcid.org/0000-0002-1825-0097"}
    assert entities["#acquisition"]["agent"]["@id"].startswith("#person")
    (change,) = facility.journal.attributions.changes(facility.only().id)
    assert change.who == "rroe"
    assert set(change.before) <= {Avu(*one) for one in before}
    assert {tuple(avu) for avu in change.after} <= avus(facility)
    assert "dcterms:creator 1: nothing -> Doe, Jane" in changes(facility)[0]
    assert entities["#change-1"]["agent"]["@id"].startswith("#person"), "a person of the directory, and no login"
    assert "rroe" not in json.dumps(entities)
    assert facility.sha256sum("scope/a").returncode == 0, "the bytes are as they were"
    assert facility.only().state is State.PUBLISHED


def test_each_change_is_kept_with_what_was_there_before(facility: Bench) -> None:
    facility.write("a.dat")
    facility.finish()
    for scientist in ("jdoe", "asmith", ""):
        order(facility, scientist=scientist)
        facility.daemon.amend()
    found = facility.journal.attributions.changes(facility.only().id)
    creators = [
        tuple([avu.value for avu in side if avu.attribute == "dcterms:creator"] for side in (one.before, one.after))
        for one in found
    ]
    assert creators == [([], ["Doe, Jane"]), (["Doe, Jane"], ["Smith, Anna"]), (["Smith, Anna"], [])]
    assert len(changes(facility)) == 3
    assert value(facility, "acq:attribution") == ["unresolved"], "what was said is taken back"


def test_saying_the_same_again_changes_nothing(facility: Bench) -> None:
    facility.write("a.dat")
    facility.finish()
    order(facility, scientist="jdoe")
    facility.daemon.amend()
    before = avus(facility)
    order(facility, scientist="jdoe")
    facility.daemon.amend()
    assert avus(facility) == before
    assert len(changes(facility)) == 1


def test_a_person_who_comes_into_the_directory_later_is_credited_when_it_is_looked_at_again(facility: Bench) -> None:
    facility.write("acquisition.yaml", b"scientist: wli\n")
    facility.write("a.dat")
    facility.finish()
    assert value(facility, "acq:attribution") == ["unresolved"]
    wei = "persons:\n  - {name: 'Li, Wei', logins: [wli]}\n"
    (facility.base / "people.yaml").write_text(DIRECTORY.replace("persons:\n", wei))
    facility.journal.attributions.look_again([facility.only().id])
    facility.daemon.amend()
    assert value(facility, "dcterms:creator") == ["Li, Wei"]
    assert facility.journal.attributions.changes(facility.only().id)[0].who == ""


def test_a_set_whose_files_are_gone_keeps_what_was_said_beside_them(facility: Bench) -> None:
    facility.write("x/acquisition.yaml", b"scientist: jdoe\nsample: HeLa\n")
    path = facility.write("x/a.dat")
    facility.finish()
    path.unlink()
    (facility.root / "x" / "acquisition.yaml").unlink()
    order(facility, operator="rroe")
    facility.daemon.amend()
    assert value(facility, "dcterms:creator", "scope/x/a") == ["Doe, Jane"]
    assert value(facility, "dcterms:contributor", "scope/x/a") == ["Roe, Richard"]
    assert value(facility, "acq:sample", "scope/x/a") == ["HeLa"]
    assert described(facility, "scope/x/a")["a.dat"]["contentSize"] == "6"


def test_a_set_of_which_the_journal_has_forgotten_the_members_is_described_as_before(facility: Bench) -> None:
    facility.write("a.dat")
    facility.finish()
    entities = described(facility)
    with facility.journal.database.transaction() as sql:
        sql.execute("DELETE FROM member")
    order(facility, scientist="jdoe")
    facility.daemon.amend()
    assert value(facility, "dcterms:creator") == ["Doe, Jane"]
    for name in ("a.dat", "manifest-sha256.txt", "#acquisition"):
        people = {"agent": "", "participant": ""}
        assert {**entities[name], **people} == {**described(facility)[name], **people}


def test_a_set_of_a_lost_journal_keeps_what_its_store_and_its_crate_tell(facility: Bench) -> None:
    facility.write("a.dat")
    facility.finish()
    order(facility, scientist="jdoe", sample="HeLa")
    facility.daemon.amend()
    before = avus(facility)
    facility.lose_journal()
    facility.finish()
    assert avus(facility) == before, "what is published is never changed by finding it again"
    record = facility.journal.attributions.record(facility.only().id)
    assert record is not None
    assert [person.name for person in record.creators] == ["Doe, Jane"], "what is shown is what the store says"
    assert record.facts["sample"] == "HeLa"
    order(facility, operator="rroe", scientist="jdoe")
    facility.daemon.amend()
    order(facility, operator="", scientist="jdoe")
    facility.daemon.amend()
    earlier, operated, *rest = changes(facility)
    assert "dcterms:creator 1: nothing -> Doe, Jane" in earlier, "it stands in the crate alone now"
    assert "dcterms:contributor 1: nothing -> Roe, Richard" in operated
    assert len(rest) == 1


def test_the_files_for_an_import_into_omero_say_what_became_known(facility: Bench) -> None:
    section = {"mount": "/mnt/irods", "target": "Dataset:name:{project}", "quay": True}
    facility.configure(handoff={"omero": section})
    facility.write("a.dat")
    facility.write("b.dat")
    facility.finish()
    table = facility.archive / "scope/a/omero-import.tsv"
    assert table.read_text() == "Dataset:name:a\ta\t/mnt/irods/scope/a/a.dat\n"
    assert yaml.safe_load((table.parent / "omero-import.yml").read_text())["path"] == table.name
    order(facility, "a", project="P-17")
    facility.daemon.amend()
    assert table.read_text() == "Dataset:name:P-17\ta\t/mnt/irods/scope/a/a.dat\n"
    assert (facility.archive / "scope/b/omero-import.tsv").read_text().startswith("Dataset:name:b\t")
    assert facility.sha256sum("scope/a").returncode == 0
    assert "omero" not in (table.parent / "manifest-sha256.txt").read_text(), "they are no part of the set"


def test_a_later_version_is_made_by_whom_a_person_said(facility: Bench) -> None:
    facility.write("a.dat", b"one")
    facility.finish()
    order(facility, scientist="jdoe")
    facility.daemon.amend()
    facility.write("a.dat", b"two!")
    facility.finish()
    assert value(facility, "dcterms:creator", "scope/a.v2") == ["Doe, Jane"]


def test_what_the_store_cannot_do_now_is_done_later_and_keeps_no_other_set(facility: Bench) -> None:
    store = facility.rigged()
    facility.write("a.dat")
    facility.write("b.dat")
    facility.finish()
    order(facility, scientist="jdoe")

    def busy(what: str, where: str) -> None:
        if what == "annotate" and where == "scope/a":
            raise StoreBusy("scope/a: it is locked")

    store.before = busy
    facility.daemon.amend()
    assert value(facility, "dcterms:creator", "scope/b") == ["Doe, Jane"]
    assert value(facility, "dcterms:creator", "scope/a") == []
    assert facility.journal.attributions.problems()[0][1].startswith("scope/a: it is locked")
    store.before = lambda *_: None
    facility.clock.advance(60)
    facility.daemon.amend()
    assert value(facility, "dcterms:creator", "scope/a") == ["Doe, Jane"]
    assert facility.journal.attributions.problems() == []


def test_while_the_store_is_away_everything_waits(facility: Bench) -> None:
    store = facility.rigged()
    facility.write("a.dat")
    facility.finish()
    order(facility, scientist="jdoe")

    def away(what: str, where: str) -> None:
        raise StoreUnreachable("gone")

    store.before = away
    with pytest.raises(StoreUnreachable):
        facility.daemon.amend()
    assert facility.journal.attributions.waiting() == 1
    store.before = lambda *_: None
    facility.daemon.amend()
    assert value(facility, "dcterms:creator") == ["Doe, Jane"]


def test_a_collection_that_is_somebody_else_s_by_now_is_left_alone_and_told(facility: Bench) -> None:
    facility.write("a.dat")
    facility.finish()
    path = facility.archive / "scope" / "a" / "irods-watcher.json"
    path.write_text(path.read_text().replace(facility.only().id, "urn:uuid:somebody-else"))
    before = path.read_bytes()
    order(facility, scientist="jdoe")
    facility.daemon.amend()
    assert path.read_bytes() == before
    assert "is not that of a any more" in facility.journal.attributions.problems()[0][1]
    assert facility.journal.attributions.waiting() == 0


class Killed(BaseException):
    """SIGKILL."""


@pytest.mark.parametrize("moment", ["before annotate", "after annotate", "before rewrite", "after rewrite"])
def test_whenever_it_is_killed_metadata_crate_and_audit_agree_in_the_end(
    facility: Bench, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    facility.write("a.dat")
    facility.finish()
    before = avus(facility)
    order(facility, scientist="jdoe", operator="rroe")
    with monkeypatch.context() as patch:
        _kill_at(patch, *moment.split())
        with pytest.raises(Killed):
            facility.daemon.amend()
    facility.restart()
    facility.clock.advance(5)
    facility.daemon.amend()
    assert value(facility, "dcterms:creator") == ["Doe, Jane"]
    (change,) = facility.journal.attributions.changes(facility.only().id)
    assert {tuple(avu) for avu in change.before} == {one for one in before if one[0] == "acq:attribution"}
    assert {tuple(avu) for avu in change.after} <= avus(facility)
    assert len(changes(facility)) == 1
    assert described(facility)["./"]["author"] == {"@id": "https://orcid.org/0000-0002-1825-0097"}
    assert facility.journal.attributions.waiting() == 0


def _kill_at(patch: pytest.MonkeyPatch, when: str, what: str) -> None:
    from watcher.stores.folder import FolderSession

    real = getattr(FolderSession, what)

    def killed(self: FolderSession, *arguments: Any, **named: Any) -> None:
        if when == "after":
            real(self, *arguments, **named)
        raise Killed

    patch.setattr(FolderSession, what, killed)


def test_the_crate_of_a_folder_s_set_lies_where_the_set_is(facility: Bench) -> None:
    facility.write("x/a.dat")
    facility.finish()
    assert Path(facility.archive, "scope/x/a/ro-crate-metadata.json").is_file()
