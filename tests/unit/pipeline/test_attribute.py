"""From what is on the disk, in the journal and in the facility's files to the name on a published set."""

import os
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import tifffile

from tests.unit.pipeline.conftest import START, Bench
from watcher import osfacts
from watcher.journal.attributions import Order
from watcher.model import Attribution, State
from watcher.provenance.registers import PATIENCE, Register, Registers
from watcher.provenance.request import Request, text

DIRECTORY = """\
persons:
  - {name: "Doe, Jane", logins: [jdoe], paths: [Jane], user: jdoe}
  - {name: "Smith, Anna", logins: [asmith]}
  - {name: "Roe, Richard", logins: [rroe], staff: true}
generic_logins: [zeiss]
"""
ONE, OTHER = "RQ4F7K2MT", "RQMPXGWES"


@pytest.fixture
def facility(bench: Bench) -> Bench:
    """A bench with persons and two requests."""
    (bench.base / "people.yaml").write_text(DIRECTORY)
    (bench.base / "requests").mkdir()
    for code, scientist in ((ONE, "jdoe"), (OTHER, "asmith")):
        request = Request(id=code, title=f"about {code}", scientist=scientist, project="P-1")
        (bench.base / "requests" / f"{code}.yaml").write_text(text(request))
    bench.configure(people={"directory": "people.yaml", "requests": "requests"}, watch={"settle": "0s"})
    bench.configure(complete={"quiet": "0s"})
    return bench


def session(
    bench: Bench, request: str, operator: str = "rroe", folder: Path | None = None, longest: float = 3600
) -> int:
    place = str(folder) if folder else ""
    return bench.journal.sessions.start(request, operator, place, bench.clock.now(), longest).id


def write(bench: Bench, path: str, content: bytes = b"pixels", *, at: float | None = None) -> None:
    """A file that was written now by the bench's clock, or at another time."""
    moment = bench.clock.now() if at is None else at
    os.utime(bench.write(path, content), (moment, moment))


def published(bench: Bench) -> dict[str, Attribution]:
    """Deliver what is there; who made each set."""
    bench.finish()
    sets = {one.name: one for one in bench.sets()}
    assert {one.state for one in sets.values()} == {State.PUBLISHED}, [
        (o.name, o.state, o.reason) for o in sets.values()
    ]
    found = {name: bench.journal.attributions.record(one.id) for name, one in sets.items()}
    assert None not in found.values()
    return {name: record for name, record in found.items() if record}


def only(bench: Bench) -> Attribution:
    (found,) = published(bench).values()
    return found


def names(found: Attribution) -> list[str]:
    return [person.family for person in found.creators]


def test_what_is_written_during_a_session_belongs_to_its_request(facility: Bench) -> None:
    session(facility, ONE)
    facility.clock.advance(60)
    write(facility, "a.dat")
    facility.observe()
    facility.clock.advance(60)
    found = only(facility)
    assert (found.state, names(found), found.operator and found.operator.family) == ("resolved", ["Doe"], "Roe")
    said = facility.avus("scope/a")
    assert (said["dcterms:creator"], said["dcterms:contributor"], said["acq:request"]) == (
        "Doe, Jane",
        "Roe, Richard",
        ONE,
    )


def test_a_set_that_began_in_one_session_and_ended_in_the_next_belongs_to_the_first(facility: Bench) -> None:
    facility.configure(complete={"quiet": "2m"})
    session(facility, ONE)
    write(facility, "a.dat", b"1")
    facility.observe(after=1)
    facility.clock.advance(30)
    session(facility, OTHER)
    write(facility, "a.dat", b"12")
    facility.observe(after=1)
    assert only(facility).facts["request"] == ONE


def test_sessions_in_different_folders_run_side_by_side(facility: Bench) -> None:
    for folder in ("x", "y"):
        (facility.root / folder).mkdir()
    session(facility, ONE, folder=facility.root / "x")
    session(facility, OTHER, folder=facility.root / "y")
    facility.clock.advance(10)
    for path in ("x/a.dat", "x/deep/b.dat", "y/c.dat", "d.dat"):
        write(facility, path)
    found = published(facility)
    assert {name: names(one) for name, one in found.items()} == {"a": ["Doe"], "b": ["Doe"], "c": ["Smith"], "d": []}


def test_sessions_that_cannot_be_told_apart_credit_nobody(facility: Bench) -> None:
    session(facility, ONE)
    session(facility, OTHER, folder=facility.root)
    facility.clock.advance(10)
    write(facility, "a.dat")
    write(facility, f"{OTHER}_b.dat")
    found = published(facility)
    assert (found["a"].state, names(found["a"])) == ("unresolved", [])
    assert found["a"].conflicts == ("request: session says several",)
    assert names(found[f"{OTHER}_b"]) == ["Smith"], "the name says it"


def test_what_was_written_while_the_watcher_was_down_belongs_to_the_session_of_that_time(facility: Bench) -> None:
    begin = facility.clock.now()
    session(facility, ONE, longest=600)
    write(facility, "a.dat", at=begin + 300)
    facility.clock.advance(10_000)
    facility.restart()
    session(facility, OTHER)
    facility.clock.advance(10)
    assert only(facility).facts["request"] == ONE


def test_what_was_brought_from_elsewhere_belongs_to_the_session_in_which_it_came_if_only_that_can_be(
    facility: Bench,
) -> None:
    facility.observe()
    facility.clock.advance(60)
    session(facility, ONE)
    facility.clock.advance(60)
    write(facility, "a.dat", at=START - 1_000_000)
    assert only(facility).facts["request"] == ONE


def test_if_the_times_of_files_say_one_session_and_their_coming_another_nobody_is_credited(facility: Bench) -> None:
    session(facility, ONE)
    facility.clock.advance(600)
    session(facility, OTHER)
    facility.observe(after=60)
    # The clock of the share is ten minutes behind, or somebody moved here what was made in the first session.
    write(facility, "a.dat", at=facility.clock.now() - 600)
    found = only(facility)
    assert (found.state, names(found), found.conflicts) == ("unresolved", [], ("request: session says several",))


def test_a_forgotten_session_claims_nothing_after_its_end(facility: Bench) -> None:
    session(facility, ONE, longest=3600)
    facility.clock.advance(3601)
    write(facility, "a.dat")
    assert only(facility).state == "unresolved"


def test_a_request_s_identifier_in_the_name_of_a_folder_is_enough(facility: Bench) -> None:
    write(facility, f"2026/{ONE.lower()} actin/a.dat")
    found = only(facility)
    assert (names(found), found.sources["request"]) == (["Doe"], "path, names")


def test_folders_that_mean_persons_and_groups_are_understood(facility: Bench) -> None:
    facility.configure(watch={"capture": "{group}/{user}/"})
    for path in ("ag-doe/Jane/a.dat", "ag-doe/Calibration/b.dat", "c.dat"):
        write(facility, path)
    found = published(facility)
    assert (names(found["a"]), found["a"].facts["group"]) == (["Doe"], "ag-doe")
    assert found["b"].problems == (
        "path, folders: who is named is not credited, because the directory of persons has no such entry",
    )
    assert found["c"].problems == ()


def test_the_nearest_sidecar_above_counts_and_one_in_the_set_more(facility: Bench) -> None:
    write(facility, "acquisition.yaml", b"scientist: asmith\n")
    write(facility, "x/acquisition.yaml", b"scientist: jdoe\nsample: HeLa\n")
    for path in ("a.dat", "x/b.dat", "x/deep/c.dat", "x/d.dat"):
        write(facility, path)
    write(facility, "x/d.acquisition.yaml", b"scientist: asmith\n")
    found = published(facility)
    assert {n: names(one) for n, one in found.items()} == {"a": ["Smith"], "b": ["Doe"], "c": ["Doe"], "d": ["Smith"]}
    assert found["c"].sources["sample"] == "folder sidecar, acquisition.yaml"
    assert found["d"].facts == {"sample": "HeLa"}
    assert (facility.archive / "scope" / "x" / "d" / "d.acquisition.yaml").read_bytes() == b"scientist: asmith\n"


def test_the_experimenter_in_the_file_is_who_operated(facility: Bench) -> None:
    for name, who in (("mine", "jdoe"), ("staff", "rroe"), ("shared", "zeiss"), ("unknown", "Mister X")):
        xml = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        xml += f'<Experimenter ID="Experimenter:0" UserName="{who}"/>'
        xml += (
            '<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint8" SizeX="4" SizeY="4" '
            'SizeZ="1" SizeC="1" SizeT="1"><TiffData/></Pixels></Image></OME>'
        )
        tifffile.imwrite(
            facility.root / f"{name}.ome.tif", [[0] * 4] * 4, dtype="uint8", description=xml, metadata=None
        )
    found = published(facility)
    who_operated = {name: one.operator and one.operator.family for name, one in found.items()}
    assert who_operated == {"mine": "Doe", "staff": "Roe", "shared": None, "unknown": None}
    assert {name: names(one) for name, one in found.items()} == {
        "mine": ["Doe"],
        "staff": [],
        "shared": [],
        "unknown": [],
    }
    assert "Mister X" not in str(facility.avus("scope/unknown"))


def test_the_owner_of_the_files_counts_last(facility: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(osfacts, "owner_of", lambda _: "LAB\\jdoe")
    write(facility, "a.dat")
    assert names(only(facility)) == ["Doe"]


def test_a_booking_says_whose_time_it_was(facility: Bench) -> None:
    at = facility.clock.now()
    rows = [
        (at - 10, at + 600, "jdoe", "scope"),
        (at - 10, at + 600, "asmith", "other"),
        (at + 600, at + 900, "asmith", ""),
    ]
    lines = [f"{datetime.fromtimestamp(b)},{datetime.fromtimestamp(e)},{who},{on}" for b, e, who, on in rows]
    (facility.base / "bookings.csv").write_text("start,end,person,instrument\n" + "\n".join(lines))
    facility.configure(people={"bookings": {"file": "bookings.csv"}})
    write(facility, "a.dat", at=at + 5)
    found = only(facility)
    assert (names(found), found.sources["scientist"]) == (["Doe"], "booking, row 2")


def test_the_profile_says_what_holds_if_nobody_says_anything(facility: Bench) -> None:
    facility.configure(people={"default": {"scientist": "asmith", "project": "P-9"}})
    write(facility, "a.dat")
    found = only(facility)
    assert (names(found), found.facts) == (["Smith"], {"project": "P-9"})


def test_what_a_person_said_before_publication_counts(facility: Bench) -> None:
    facility.configure(complete={"quiet": "2m"})
    session(facility, ONE)
    write(facility, "a.dat")
    facility.observe(after=1)
    order = Order(START, "rroe", {"request": OTHER})
    facility.journal.attributions.order([facility.only().id], order)
    found = only(facility)
    assert (found.state, found.facts["request"], names(found)) == ("resolved", OTHER, ["Smith"])


# what is wrong never keeps a set from being published


def _link_out(bench: Bench) -> None:
    secret = bench.base / "secret.yaml"
    secret.write_text("scientist: asmith\n")
    (bench.root / "acquisition.yaml").symlink_to(secret)


def _huge(bench: Bench) -> None:
    with (bench.root / "acquisition.yaml").open("wb") as file:
        file.truncate(50_000_000)


def _pipe(bench: Bench) -> None:
    os.mkfifo(bench.root / "acquisition.yaml")


def _link_to_nowhere(bench: Bench) -> None:
    (bench.root / "acquisition.yaml").symlink_to(bench.root / "nowhere")


def _folder(bench: Bench) -> None:
    (bench.root / "acquisition.yaml").mkdir()


def _no_yaml(bench: Bench) -> None:
    bench.write("acquisition.yaml", b"scientist: [jdoe\n")


def _unknown_person(bench: Bench) -> None:
    bench.write("acquisition.yaml", b"scientist: Mister X\noperator: nobody knows\n")


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (_link_out, "acquisition.yaml: it leads out of the watched folder and is not read"),
        (_huge, "acquisition.yaml: 50000000 bytes are too many for a sidecar, and it is not read"),
        (_pipe, "acquisition.yaml: it is no plain file for a sidecar, and it is not read"),
        (_link_to_nowhere, "acquisition.yaml: it cannot be read (No such file or directory)"),
        (_folder, "acquisition.yaml: it is no plain file for a sidecar, and it is not read"),
        (_no_yaml, "folder sidecar: acquisition.yaml:1:12: the quote or bracket that begins here is never closed"),
        (_unknown_person, "folder sidecar, acquisition.yaml: the scientist is not credited, because the directory of "
         "persons has no such entry"),
    ],
)  # fmt: skip
def test_a_sidecar_that_cannot_be_used_is_told_and_the_set_is_published(
    facility: Bench, prepare: Any, words: str
) -> None:
    prepare(facility)
    write(facility, "a.dat")
    found = published(facility)["a"]
    assert found.creators == ()
    assert words in found.problems
    assert words in [avu.value for avu in _avus(facility) if avu.attribute == "acq:attribution.problem"]
    assert "Mister X" not in str(found)


def test_a_directory_of_persons_that_is_wrong_is_told_and_the_set_is_published(facility: Bench) -> None:
    (facility.base / "people.yaml").write_text("persons: [{name: A, logins: [x]}, {name: B, logins: [x]}]")
    session(facility, ONE)
    write(facility, "a.dat")
    found = only(facility)
    assert (found.state, found.facts["request"]) == ("partial", ONE)
    assert any("this means the person of line 1 already" in trouble for trouble in facility.told.troubles)


def test_a_mistake_of_the_program_in_attribution_is_told_and_the_set_is_published(
    facility: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path) -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(osfacts, "owner_of", broken)
    write(facility, "a.dat")
    found = only(facility)
    assert found.problems == ("a mistake of the program kept it from finding out who made this",)
    assert any("ZeroDivisionError" in trouble for trouble in facility.told.troubles)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a set was ready to wait for the facility's files, each time that it did."""
    found, ask = list[float](), Registers.ask

    def counted(registers: Registers, patience: float = PATIENCE) -> Register:
        found.append(patience)
        return ask(registers, patience)

    monkeypatch.setattr(Registers, "ask", counted)
    return found


def test_without_any_directory_a_set_is_published_as_quickly_and_unresolved(bench: Bench, asked: list[float]) -> None:
    bench.write("a.dat")
    found = only(bench)
    assert asked == [], "nobody is waited for"
    assert (found.state, found.problems) == ("unresolved", ())


def test_a_request_that_nobody_has_is_waited_for_shortly_and_told(facility: Bench, asked: list[float]) -> None:
    write(facility, "RQKQSYQXF/a.dat")
    found = only(facility)
    assert asked == [PATIENCE]
    assert found.problems == ("path, names: the request RQKQSYQXF is not known here",)


def _avus(bench: Bench) -> Any:
    from watcher.stores.folder import FolderStore

    return FolderStore(bench.archive).session().avus("scope/a")
