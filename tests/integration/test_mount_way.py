"""Sets that are written through NFSRODS, from the first byte to the marker, where they lie.

A modelled mount (tests/nfsrods), the catalogue of the test server, and the daemon.
"""

import json
from pathlib import Path

import pytest
import yaml

from tests.crate_validator import CrateValidator
from tests.integration.mounted import (
    EXTRACT,
    FACILITY,
    LANDING,
    METADATA,
    OPEN,
    PUBLISHED,
    PUT,
    REMOVE_COLLECTION,
    RENAME,
    RUN,
    SCOPE,
    UNLINK,
    WATCH,
    WRITER,
    Mounted,
    by_the_watcher,
)
from tests.irods_server.dialogue import connect, reads
from watcher.daemon import Daemon
from watcher.errors import Conflict, StoreUnreachable
from watcher.journal import Journal
from watcher.model import State
from watcher.pipeline.early import Early
from watcher.profile import load
from watcher.stores.mount.session import MountSession

UPLOADED = f"{FACILITY}/uploaded"
PEOPLE = """
persons:
  - {name: "Doe, Jane", logins: [jdoe], user: jdoe}
  - {name: "Watcher, The", logins: [watch]}
"""


def test_a_set_is_published_where_it_was_written_and_nothing_of_it_is_touched(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"pixels")
    mounted.write("run1/sub/b.dat", b"more")
    before = {path: (one.read(), one.location, one.size) for path, one in mounted.server.objects(f"{RUN}/").items()}
    mounted.rest()
    assert mounted.states() == PUBLISHED
    assert mounted.said(RUN)["acq:state"] == "complete"
    after = {path: (one.read(), one.location, one.size) for path, one in mounted.server.objects(f"{RUN}/").items()}
    assert {path: after[path] for path in before} == before
    sidecars = {f"{RUN}/manifest-sha256.txt", f"{RUN}/ro-crate-metadata.json"}
    assert after.keys() - before.keys() == sidecars
    changed = by_the_watcher(mounted, OPEN, PUT, UNLINK, REMOVE_COLLECTION, EXTRACT, RENAME)
    assert {path for _, path in changed if path.startswith(LANDING)} == sidecars
    # The next sweeps take what the watcher wrote for no new file.
    mounted.rest()
    assert mounted.states() == PUBLISHED


def test_metadata_and_sidecars_are_as_for_an_upload(mounted: Mounted, tmp_path: Path) -> None:
    mounted.configure(metadata={"tags": ["ready for omero"]}, handoff={"agent": "omero"})
    mounted.write("run1/a.dat", b"pixels")
    mounted.write("run1/sub/b.dat", b"more")
    mounted.rest()

    # The same files, uploaded by a watcher of the folder that the mount shows.
    settings = mounted.settings | {
        "store": {
            "kind": "irods",
            "collection": f"{UPLOADED}/{{set}}",
            "environment": mounted.settings["store"]["environment"],
            "password": mounted.settings["store"]["password"],
        },
        "complete": {"quiet": "0s"},
    }
    settings["watch"] = [mounted.settings["watch"][0] | {"settle": "0s", "exclude": ["**/*.txt", "**/*.json"]}]
    mounted.server.make_collection(UPLOADED, owner=WATCH)
    (tmp_path / "upload.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with Journal(tmp_path / "other-state", owned=True) as journal:
        Daemon(load(tmp_path / "upload.yaml"), journal, mounted.told, clock=mounted.clock).once()
    uploaded, in_place = (mounted.server.avus(place) for place in (f"{UPLOADED}/run1", RUN))
    differ = {"acq:fixity", "acq:completion_rule", "acq:profile", "acq:profile.sha256", "dcterms:identifier"}
    differ |= {"prov:startedAtTime", "prov:endedAtTime", "dcterms:created"}
    same = [{avu for avu in avus if avu[0] not in differ} for avus in (uploaded, in_place)]
    assert same[0] == same[1]
    assert ("acq:handoff", "requested", "") in same[0]
    assert {name for name, *_ in uploaded} == {name for name, *_ in in_place}
    texts = [mounted.server.objects()[f"{place}/manifest-sha256.txt"].read() for place in (f"{UPLOADED}/run1", RUN)]
    assert texts[0] == texts[1]


def test_the_manifest_and_the_crate_are_what_they_say(
    mounted: Mounted, tmp_path: Path, crate_validator: CrateValidator
) -> None:
    mounted.write("run1/a.dat", b"pixels")
    mounted.rest()
    folder = tmp_path / "run1"
    folder.mkdir()
    for path, one in mounted.server.objects(f"{RUN}/").items():
        (folder / path.rpartition("/")[2]).write_bytes(one.read())
    assert crate_validator.issues(folder) == []
    crate = json.loads((folder / "ro-crate-metadata.json").read_text("utf-8"))
    assert "a.dat" in {one["@id"] for one in crate["@graph"]}


def test_access_is_given_and_nobody_loses_any(mounted: Mounted) -> None:
    mounted.server.add_user("omero_svc", "omero_svc")
    mounted.configure(access=[{"who": "omero_svc", "level": "read"}, {"who": SCOPE, "level": "read"}])
    path = mounted.write("run1/a.dat")
    assert not reads(mounted.server, "omero_svc", path)
    mounted.rest()
    assert mounted.states() == PUBLISHED
    assert reads(mounted.server, "omero_svc", path)
    assert mounted.server.access(RUN)[SCOPE] == mounted.server.access(path)[SCOPE] == "own"
    mounted.nfsrods.write(WRITER, path, b"the instrument writes there as before", 0)


def test_what_other_programs_are_told_names_the_place(mounted: Mounted) -> None:
    mounted.configure(handoff={"agent": "omero"})
    mounted.write("run1/a.dat")
    mounted.rest()
    said = mounted.said(RUN)
    assert (said["acq:handoff"], said["acq:handoff.agent"]) == ("requested", "omero")
    requests = [one for one in mounted.server.requests if one.user == WATCH and one.api == METADATA]
    assert {one.path for one in requests} == {RUN}


# Owners.


def test_the_owner_is_who_wrote_by_the_catalogue_and_never_who_looks(mounted: Mounted) -> None:
    (mounted.base / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    mounted.configure(people={"directory": str(mounted.base / "people.yaml")})
    with mounted.server.catalogue.lock:
        catalogue = mounted.server.catalogue
        catalogue.set_access(catalogue.collections[LANDING], catalogue.user("jdoe"), 1200)
    mounted.nfsrods.mkdir(1003, RUN)
    mounted.nfsrods.create(1003, f"{RUN}/a.dat")
    mounted.nfsrods.write(1003, f"{RUN}/a.dat", b"pixels", 0)
    mounted.write("run2/a.dat")
    mounted.rest()
    # The mount shows the watcher's own user as the owner of all; its files here are even root's.
    assert mounted.client.stat(mounted.client.root / "home/facility/landing/run1/a.dat").st_uid == 1002
    assert mounted.said(RUN)["dcterms:creator"] == "Doe, Jane"
    assert "dcterms:creator" not in mounted.said(f"{LANDING}/run2")
    assert mounted.said(f"{LANDING}/run2")["acq:attribution"] == "unresolved"


def test_a_growing_set_is_left_alone_since_nothing_of_it_is_to_be_sent(mounted: Mounted) -> None:
    mounted.configure(complete={"quiet": "10m"})
    mounted.write("run1/a.dat")
    for _ in range(5):
        mounted.sweep()
    daemon = mounted.daemon
    with daemon._crews() as crews:
        sending = daemon._way(crews.main, crews.sharing).sending
        early = Early(daemon.profile, daemon.journal, daemon.store, sending, mounted.clock)
        assert early.next_set(()) is None
    assert mounted.states() == {"run1": State.GROWING}
    assert mounted.said(RUN) == {}


# Where a set lies.


def test_files_beside_each_other_have_no_collection_of_their_own_and_wait_for_a_person(mounted: Mounted) -> None:
    mounted.configure(sets={"group": "auto"})
    mounted.write("a.dat")
    mounted.write("b.dat")
    mounted.rest()
    assert {one.state for one in mounted.sets()} == {State.HELD}
    assert "only a folder that is all of a set can be labelled" in mounted.sets()[0].reason
    assert mounted.said(LANDING) == {}


@pytest.mark.parametrize("name", ["manifest-sha256.txt", "ro-crate-metadata.json"])
def test_a_file_of_the_instrument_with_one_of_our_names_is_never_replaced(mounted: Mounted, name: str) -> None:
    mounted.write("run1/a.dat")
    path = mounted.write(f"run1/{name}", b"the instrument's own")
    mounted.rest()
    assert mounted.only().state is State.HELD
    assert mounted.server.objects()[path].read() == b"the instrument's own"
    assert mounted.said(RUN) == {}


def test_a_collection_with_another_label_is_left_alone(mounted: Mounted) -> None:
    mounted.write("run1/a.dat")
    with connect(mounted.server) as session:
        session.collections.get(RUN).metadata.add("dcterms:identifier", "urn:uuid:another")
    mounted.rest()
    assert mounted.only().state is State.HELD
    assert mounted.said(RUN) == {"dcterms:identifier": "urn:uuid:another"}


def test_a_set_whose_files_are_changed_is_superseded_where_it_lies(mounted: Mounted) -> None:
    mounted.configure(handoff={"agent": "omero"})
    mounted.write("run1/a.dat", b"pixels")
    mounted.rest()
    (first,) = mounted.sets()
    mounted.append("run1/a.dat", b" and more")
    mounted.rest(600)
    assert mounted.states() == {"run1": State.SUPERSEDED, "run1.v2": State.PUBLISHED}
    said = mounted.said(RUN)
    (second,) = (one for one in mounted.sets() if one.version == 2)
    assert (said["dcterms:identifier"], said["dcterms:replaces"]) == (second.id, first.id)
    assert [one for one in mounted.server.avus(RUN) if one[0] == "acq:state"] == [("acq:state", "complete", "")]
    assert said["dcat:byteSize"] == "15"
    mounted.rest()
    assert mounted.states() == {"run1": State.SUPERSEDED, "run1.v2": State.PUBLISHED}


def test_what_was_said_of_the_version_before_is_never_taken_for_files_of_the_instrument(
    mounted: Mounted, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounted.write("run1/a.dat", b"pixels")
    mounted.rest()
    mounted.append("run1/a.dat", b" and more")

    def away(*_: object) -> None:
        raise StoreUnreachable("as if the program had been killed when the label of the version before was gone")

    with monkeypatch.context() as patch:
        patch.setattr(MountSession, "claim", away)
        mounted.rest()
    assert "acq:state" not in mounted.said(RUN)
    mounted.restart()
    mounted.sweep(600)
    (second,) = (one for one in mounted.sets() if one.version == 2)
    assert [file.path for file in mounted.journal.files.of_set(second.id)] == ["run1/a.dat"]
    mounted.rest()
    assert mounted.states() == {"run1": State.SUPERSEDED, "run1.v2": State.PUBLISHED}


def test_a_lost_journal_finds_what_is_published_and_writes_nothing(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"pixels")
    mounted.rest()
    before, (first,) = mounted.server.avus(RUN), mounted.sets()
    mounted.lose_journal()
    mounted.rest()
    assert mounted.states() == PUBLISHED
    assert mounted.only().id == first.id
    assert mounted.server.avus(RUN) == before


def test_a_lost_journal_finds_a_later_version(mounted: Mounted) -> None:
    mounted.write("run1/a.dat", b"pixels")
    mounted.rest()
    mounted.append("run1/a.dat", b" and more")
    mounted.rest(600)
    before = mounted.server.avus(RUN)
    mounted.lose_journal()
    mounted.rest()
    mounted.rest()
    assert mounted.states()["run1.v2"] is State.PUBLISHED
    assert mounted.server.avus(RUN) == before


def test_a_set_whose_files_were_removed_before_it_was_published_is_for_a_person(mounted: Mounted) -> None:
    mounted.write("run1/a.dat")
    mounted.server.faults.drop(api=METADATA, path=RUN, nth=2, times=None)
    mounted.rest()
    mounted.server.faults.clear()
    assert mounted.said(RUN)["acq:state"] == "uploading"
    mounted.nfsrods.remove(WRITER, f"{RUN}/a.dat")
    mounted.rest()
    assert mounted.only().state is State.HELD
    assert "all its files disappeared" in mounted.only().reason
    assert mounted.said(RUN)["acq:state"] == "uploading"


def test_a_mount_that_goes_away_on_the_way_delays_and_harms_nothing(mounted: Mounted) -> None:
    mounted.configure(store={"compare": True})
    mounted.write("run1/a.dat")
    for _ in range(4):
        mounted.sweep()
    assert mounted.only().state is State.COMPLETE
    mounted.client.unmount()
    result = mounted.daemon.once()
    assert result.store_trouble or result.folder_trouble
    assert mounted.only().state in {State.COMPLETE, State.VALID}
    mounted.client.mount()
    mounted.rest()
    assert mounted.states() == PUBLISHED


def test_a_place_that_lies_in_another_set_is_a_conflict(mounted: Mounted) -> None:
    mounted.write("run1/a.dat")
    with connect(mounted.server) as session:
        session.collections.get(LANDING).metadata.add("dcterms:identifier", "urn:uuid:above")
    mounted.rest()
    assert isinstance(mounted.told.failures[-1], Conflict)
    assert mounted.said(RUN) == {}
