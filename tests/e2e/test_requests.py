"""Requests, sessions and persons as people type them, and what they are told when something is not right."""

import re
from pathlib import Path

import pytest

from tests.e2e.conftest import Program
from watcher.errors import Exit

PEOPLE = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, user: jdoe, logins: [jdoe]}
  - {name: "Roe, Richard", logins: [rroe], staff: true}
generic_logins: [zeiss, root]
"""
SECTION = "people: {directory: people.yaml, requests: requests, staffed: true}\n"
FULL = (
    "--title", "Actin", "--scientist", "jdoe", "--project", "P-17", "--sample", "HeLa", "--what", "cells", "--channel",
    "DAPI", "--objective", "63x", "--positions", "12", "--repeats", "3", "--authorship", "acknowledgement", "--agreed",
)  # fmt: skip


@pytest.fixture
def program(archive_program: Program) -> Program:
    """An instrument with persons and requests."""
    (archive_program.home / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    archive_program.write_profile(more=SECTION)
    return archive_program


def new(program: Program, *words: str) -> str:
    """The identifier of a new request."""
    made: str = program.json("request", "new", *words, "--profile", "profile.yaml")["requests"][0]["id"]
    return made


def refused(program: Program, *words: str, code: int = Exit.USAGE) -> str:
    """What is told when a command cannot be done."""
    result = program(*words)
    assert result.returncode == code, (words, result.stdout, result.stderr)
    assert "Traceback" not in result.stderr
    return result.stderr


def acquired(program: Program, name: str) -> None:
    """Something that nobody has said anything of, published."""
    (program.data / f"{name}.dat").write_bytes(name.encode())
    assert program("once", "profile.yaml").returncode == 0


def made_by(program: Program, name: str) -> list[str]:
    """The scientists of a set, by name."""
    attribution = program.json("show", name)["sets"][0]["attribution"]
    return [person["name"] for person in attribution["creators"]]


def test_a_request_goes_from_a_draft_to_its_end(program: Program) -> None:
    made = program("request", "new", "--title", "Actin", "--scientist", "jdoe", "--profile", "profile.yaml")
    assert made.returncode == 0
    (identifier,) = re.findall(r"^(RQ\w{7}) is written to", made.stdout)
    assert "  project is missing\n  sample is missing\n  acquire.what is missing\n" in made.stdout
    checked = program("request", "check", identifier, "-p", "profile.yaml")
    assert (checked.returncode, f"{identifier}: not ready" in checked.stdout) == (Exit.PARTLY, True)
    told = refused(program, "session", "start", identifier, "--operator", "rroe", "-p", "profile.yaml")
    assert "an operator cannot begin: project is missing; sample is missing" in told
    assert "say --anyway" in told
    full = new(program, *FULL)
    assert program("request", "check", full, "-p", "profile.yaml").stdout == f"{full}: ready\n"
    assert program("session", "start", full, "--operator", "rroe", "-p", "profile.yaml").returncode == 0
    assert f"rroe works on {full} since" in program("session", "status").stdout
    acquired(program, "a")
    assert program("session", "stop").returncode == 0
    acquired(program, "b")
    assert (made_by(program, "a"), made_by(program, "b")) == (["Doe, Jane"], [])
    assert program("request", "close", full, "-p", "profile.yaml").returncode == 0
    told = refused(program, "session", "start", full, "--operator", "rroe", "--anyway", "-p", "profile.yaml")
    assert "it was closed on" in told
    listed = program("request", "list", "-p", "profile.yaml").stdout
    assert identifier in listed
    assert full not in listed
    assert full in program("request", "list", "--all", "-p", "profile.yaml").stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--authorship", "maybe"], "authorship.operator: 'maybe' is none of 'author', 'acknowledgement' or 'none'"),
        (["--also", "asmith:Boss"], "also[0].role: 'Boss' is none of 'Creator', "),
        (["--source", "page 12"], "source: this is no address; write one like https://"),
        (["--omero", "Folder:x"], "omero: write where the images are to go, as in Dataset:name:Actin"),
        (["--title", ""], "title: this is empty; write for example `title: "),
    ],
)
def test_a_request_that_cannot_be_is_not_written(program: Program, words: list[str], told: str) -> None:
    assert told in refused(program, "request", "new", *words, "-p", "profile.yaml")
    assert not list((program.home / "requests").glob("*"))


def test_a_session_is_of_a_person_and_not_of_a_login_that_many_share(program: Program) -> None:
    request = new(program, *FULL)
    for words, told in (
        ((request, "--operator", "zeiss"), "zeiss: it is a login that many share"),
        ((request, "--operator", "mallory"), "mallory: it is not in the directory of persons"),
        ((request,), "you are logged in as"),
        ((request, "--operator", "rroe", "--folder", "/etc"), "/etc: it lies in no watched folder"),
        (("RQ111", "--operator", "rroe"), "RQ111: this is no request's identifier; they look like RQ4F7K2MT"),
        ((request[:-1] + ("2" if request[-1] != "2" else "3"), "--operator", "rroe"), "; look for a mistyped"),
    ):
        assert told in refused(program, "session", "start", *words, "-p", "profile.yaml"), words
    program("session", "start", request, "--operator", "rroe", "-p", "profile.yaml")
    assert program("session", "stop").returncode == 0
    assert "no session is open" in refused(program, "session", "stop")


def test_sessions_in_two_folders_are_told_apart(program: Program) -> None:
    anna = PEOPLE.replace("generic", '  - {name: "Smith, Anna", logins: [asmith]}\ngeneric')
    (program.home / "people.yaml").write_text(anna)
    janes, annas = new(program, *FULL), new(program, *FULL[:2], "--scientist", "asmith", *FULL[4:])
    for folder, request in (("left", janes), ("right", annas)):
        (program.data / folder).mkdir()
        words = ("--operator", "rroe", "--folder", folder, "-p", "profile.yaml")
        assert program("session", "start", request, *words).returncode == 0
    (program.data / "left" / "l.dat").write_bytes(b"l")
    (program.data / "right" / "r.dat").write_bytes(b"r")
    acquired(program, "neither")
    assert [made_by(program, name) for name in ("l", "r", "neither")] == [["Doe, Jane"], ["Smith, Anna"], []]
    assert "several sessions are open: " in refused(program, "session", "stop")


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("0097", "0098", "2:32: persons[0].orcid: this is no ORCID: its last digit does not fit the others"),
        (
            "[rroe]",
            "[jdoe]",
            "3:37: logins: this means the person of line 2 already; one word can mean one person only",
        ),
        ("[zeiss, root]", "[zeiss, jdoe]", "2:59: user: this is one of the logins that mean nobody"),
        ("persons:", "persons: [", "people.yaml:"),
    ],
)
def test_a_mistake_in_the_directory_is_told_with_its_line_and_stops_no_image(
    program: Program, before: str, after: str, told: str
) -> None:
    (program.home / "people.yaml").write_text(PEOPLE.replace(before, after), encoding="utf-8")
    checked = program("validate", "profile.yaml")
    assert (checked.returncode, told in checked.stdout) == (Exit.CONFIGURATION, True), checked.stdout
    acquired(program, "a")
    assert len(program.sets("published")) == 1
    assert told in refused(program, "request", "new", *FULL, "-p", "profile.yaml", code=Exit.CONFIGURATION)
    assert not list((program.home / "requests").glob("*")), "one that is told as failed is not there"
    (program.home / "people.yaml").write_text(PEOPLE, encoding="utf-8")
    assert program("attribute", "a", "--scientist", "jdoe", "-p", "profile.yaml").returncode == 0
    assert made_by(program, "a") == ["Doe, Jane"]


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.acquisition.yaml", b"scientist: [", "a.acquisition.yaml:1:"),
        (
            "a.acquisition.yaml",
            b"scientist: mallory\n",
            "the scientist is not credited, because the directory of persons has no such entry",
        ),
        (
            "a.acquisition.yaml",
            b"#" + bytes(50) * 1024 * 1024,
            "52428801 bytes are too many for a sidecar, and it is not read",
        ),
        ("a.acquisition.yaml", None, "a.acquisition.yaml: it leads out of the watched folder and is not read"),
        ("acquisition.yaml", b"scientst: jdoe\n", "there is no such key; did you mean scientist?"),
    ],
)
def test_a_sidecar_that_is_not_right_delays_nothing_and_is_told(
    program: Program, name: str, content: bytes | None, told: str
) -> None:
    sidecar = program.data / name
    if content is None:
        (program.home / "secret.yaml").write_text("scientist: jdoe\n")
        sidecar.symlink_to(program.home / "secret.yaml")
    else:
        sidecar.write_bytes(content)
    acquired(program, "a")
    assert made_by(program, "a") == []
    attribution = program.json("show", "a")["sets"][0]["attribution"]
    assert any(told in problem for problem in attribution["problems"]), attribution["problems"]
    assert told in program("show", "a").stdout
    assert (program.home / "archive" / "Scope-1" / "a" / "a.dat").exists()


def test_sets_are_chosen_by_name_folder_and_time(program: Program) -> None:
    (program.data / "monday").mkdir()
    (program.data / "monday" / "m.dat").write_bytes(b"m")
    acquired(program, "actin1")
    acquired(program, "other")
    for chosen, names in (
        (("--folder", str(Path("data") / "monday")), {"m"}),
        (("--name", "actin*"), {"actin1"}),
        (("--since", "2020-01-01"), {"m", "actin1", "other"}),
        (("--unresolved", "--until", "2100-01-01"), {"m", "actin1", "other"}),
    ):
        shown = program.json("attribute", *chosen, "--scientist", "jdoe", "--dry-run", "-p", "profile.yaml")["sets"]
        assert {one["name"] for one in shown} == names, chosen
    assert made_by(program, "m") == [], "that was only a look"
    for words, told in (
        ((), "say which sets"),
        (("--name", "nothing*"), "no set fits"),
        (("nobody",), "nobody: there is no such set"),
        (("--since", "yesterday"), "--since yesterday: this is no time; write one like 2026-11-27T09:00"),
        (("m", "--scientist", "mallory"), "scientist mallory: it is not in the directory of persons"),
        (("m", "--request", "RQ4F7K2MT"), "there is no such request"),
    ):
        assert told in refused(program, "attribute", *words, "-p", "profile.yaml"), words


def test_a_profile_without_persons_says_what_to_write_into_it(archive_program: Program) -> None:
    for words, told in (
        (("request", "new"), "write for example `people: {requests: requests}` into it"),
        (("attribute", "a", "--scientist", "jdoe"), "write for example `people: {directory: people.yaml}` into it"),
    ):
        assert told in refused(archive_program, *words, "-p", "profile.yaml")
