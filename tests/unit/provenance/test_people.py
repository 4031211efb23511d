"""The directory of persons: whom a word means, and every mistake with both of its places."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.errors import PeopleError
from watcher.model import Organisation, Person
from watcher.profile.people import PeopleColumns
from watcher.provenance.people import GENERIC, Miss, People, Wish, read_people

JANE = Person("Doe, Jane", "https://orcid.org/0000-0002-1825-0097", "jane@x.org", Organisation("Cells"), "jdoe#home")
RICHARD = Person("Roe, Richard", "https://orcid.org/0000-0001-5109-3700", staff=True)
YAML = """\
persons:
  - {name: "Doe, Jane", orcid: 0000-0002-1825-0097, email: jane@x.org, affiliation: Cells, user: "jdoe#home",
     logins: [jdoe, 'LAB\\j.doe'], paths: [Jane]}
  - {name: "Roe, Richard", orcid: "https://orcid.org/0000-0001-5109-3700", staff: true, logins: [rroe]}
generic_logins: [zeiss]
"""
CSV = """\
name;orcid;email;affiliation;user;logins;paths;staff;phone
Doe, Jane;0000-0002-1825-0097;jane@x.org;Cells;jdoe#home;jdoe LAB\\j.doe;Jane;;1
;;;;;;;;
Roe, Richard;0000-0001-5109-3700;;;;rroe;;yes;2
"""


def read(
    folder: Path, text: str | bytes, file_name: str = "people.yaml", columns: PeopleColumns | None = None
) -> People:
    file = folder / file_name
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_people(file, columns or PeopleColumns(), ["LabUser"])


def refused(folder: Path, text: str | bytes, name: str = "people.yaml") -> list[str]:
    with pytest.raises(PeopleError) as caught:
        read(folder, text, name)
    return [problem.removeprefix(f"{folder / name}:") for problem in caught.value.problems]


@pytest.mark.parametrize(("text", "name"), [(YAML, "people.yaml"), (CSV, "people.csv")])
def test_both_forms_of_the_directory_say_the_same(tmp_path: Path, text: str, name: str) -> None:
    people = read(tmp_path, text, name)
    assert people.persons == [JANE, RICHARD]
    words = ("jdoe", "JDOE", " jdoe ", "LAB\\jdoe", "lab\\J.DOE", "jdoe#home", "jane@x.org", "0000-0002-1825-0097")
    for word in (*words, "https://orcid.org/0000-0002-1825-0097", "Doe, Jane", "Jane Doe", "jane  doe"):
        assert people.find(word) == JANE, word
    assert people.find("rroe") == RICHARD


def test_a_folder_s_name_means_somebody_only_as_a_folder(tmp_path: Path) -> None:
    people = read(tmp_path, YAML)
    assert people.find("jane", folder=True) == JANE
    assert people.find("jane") is Miss.UNKNOWN
    assert people.find("jdoe", folder=True) == JANE


@pytest.mark.parametrize("word", ["admin", "ADMINISTRATOR", "zeiss", "Zeiss", "labuser", "MIC-PC\\zeiss", "root"])
def test_a_login_that_many_share_means_nobody(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, YAML).find(word) is Miss.NOBODY


@pytest.mark.parametrize("word", ["", "nobody", "doe", "jane", "Doe,", "\\", "a\\"])
def test_nobody_is_guessed(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, YAML).find(word) is Miss.UNKNOWN


def test_two_persons_may_have_one_name_and_then_it_means_neither(tmp_path: Path) -> None:
    people = read(tmp_path, "persons:\n  - {name: 'Li, Wei', logins: [wli]}\n  - {name: 'Li, Wei', logins: [wli2]}\n")
    assert people.find("Li, Wei") is people.find("Wei Li") is Miss.SEVERAL
    assert isinstance(people.find("wli"), Person)


def test_a_word_for_two_persons_is_an_error_with_both_places_and_without_the_word(tmp_path: Path) -> None:
    text = (
        "persons:\n  - {name: A, logins: [x]}\n  - name: B\n    logins: [y, X]\n  - {name: C, email: a@b, paths: [a@b]}"
    )
    assert refused(tmp_path, text) == [
        "4:17: logins: this means the person of line 2 already; one word can mean one person only"
    ]
    table = "name,logins,user\nA,x,\nB,y,X\n"
    assert refused(tmp_path, table, "people.csv") == [
        "3:3: user: this means the person of line 2 already; one word can mean one person only"
    ]


def test_a_login_of_a_person_cannot_be_one_that_means_nobody(tmp_path: Path) -> None:
    text = "persons:\n  - {name: A, logins: [Zeiss]}\ngeneric_logins: [zeiss]\n"
    assert refused(tmp_path, text) == ["2:24: logins: this is one of the logins that mean nobody"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("persons: [{name: A, orcid: 0000-0002-1825-0098}]",
         "1:28: persons[0].orcid: this is no ORCID: its last digit does not fit the others; look for a mistyped one"),
        ("persons: [{name: A, ror: https://ror.org/03yrm5c27}]",
         "1:26: persons[0].ror: this is no ROR identifier: its last two digits do not fit; look for a mistyped letter"),
        ("persons: [{nam: A}]", "1:11: persons[0].name: this is missing; write for example `name: 'Doe, Jane'`"),
        ("persons: [{name: A, email: a}]",
         "1:28: persons[0].email: this is no e-mail address; write one like jane.doe@example.org"),
        ("persons: [{name: A, user: a b}]",
         "1:27: persons[0].user: this is no user of iRODS; write one like jdoe, or jdoe#otherZone"),
        ("persons: [{name: A, logins: jdoe}]",
         "1:29: persons[0].logins: this must be a list; write for example `logins: [jdoe]`"),
        ("people: []", "1:1: persons: this is missing; write for example `persons: [{name: 'Doe, Jane'}]`"),
        ("- a", "1:1: this is no directory of persons: it needs the key persons"),
        ("persons: [", "1:11: the file ends within brackets that are never closed"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_directory_is_told_with_its_place(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in refused(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"nam,user\nA,a\n", "1:1: there is no column `name`; there are nam, user"),
        (b"", "1:1: there is no column `name`; there are none at all"),
        (b"name,staff\nA,maybe\n", "2:2: staff: this is neither yes nor no"),
        (b"name,user\n,a\n", "2:1: name: this is missing"),
        (b"name,orcid\nA,1\n", "2:2: orcid: this is no ORCID; write one like 0000-0002-1825-0097"),
        (b"name\nJos\xe9\n", "2:1: this row is not UTF-8; export or save the file as UTF-8"),
        (b'name,user\n"A,a\n', "2:1: this is no row of a table (unexpected end of data)"),
    ],
)
def test_what_is_wrong_in_a_table_is_told_with_its_row_and_field(tmp_path: Path, text: bytes, problem: str) -> None:
    assert refused(tmp_path, text, "people.csv") == [problem]


def test_the_columns_of_a_table_may_have_other_names(tmp_path: Path) -> None:
    columns = PeopleColumns(name="Full name", logins="Login")
    people = read(tmp_path, "\ufeffFull name\tLogin\nDoe, Jane\tjdoe\n", "p.csv", columns)
    assert people.find("jdoe") == Person("Doe, Jane")


def test_a_file_that_is_not_there_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(PeopleError, match=r"nobody\.yaml: there is no such file"):
        read_people(tmp_path / "nobody.yaml", PeopleColumns())


@given(st.text())
def test_any_word_means_one_person_or_nobody(word: str) -> None:
    found = People().find(word)
    assert found in {Miss.UNKNOWN, Miss.NOBODY}
    assert (found is Miss.NOBODY) == any(
        " ".join(part.split()).casefold() in GENERIC for part in (word, word.rpartition("\\")[2])
    )


def test_what_a_person_wants_to_be_told_is_theirs_to_say(tmp_path: Path) -> None:
    text = YAML.replace("email: jane@x.org,", "email: jane@x.org, messages: [safe, problems],")
    table = "name;email;messages\nDoe, Jane;jane@x.org;Problems; \nRoe, Richard;;\nSmith, Anna;a@x.org;safe, problems\n"
    people = read(tmp_path, text)
    assert set(people.wishes(JANE)) == {Wish.SAFE, Wish.PROBLEMS}
    assert not people.wishes(RICHARD)
    people = read(tmp_path, table.replace("safe, problems", '"safe, problems"'), "people.csv")
    assert [set(people.wishes(person)) for person in people.persons] == [
        {Wish.PROBLEMS}, set(), {Wish.SAFE, Wish.PROBLEMS},
    ]  # fmt: skip


def test_nobody_is_told_anything_without_an_address_or_a_word_that_is_known(tmp_path: Path) -> None:
    assert refused(tmp_path, "persons: [{name: A, messages: [safe]}]") == [
        "1:31: persons[0].messages: nothing can be told without the key email; add it, or take this out"
    ]
    assert refused(tmp_path, "name,email,messages\nA,a@x.org,all\n", "people.csv") == [
        "2:3: messages: this is none of 'problems' or 'safe'"
    ]
    (problem,) = refused(tmp_path, "persons: [{name: A, email: a@x.org, messages: [all]}]")
    assert problem == "1:48: persons[0].messages[0]: 'all' is none of 'problems' or 'safe'"


def test_a_person_who_was_written_down_long_ago_is_known_again(tmp_path: Path) -> None:
    people = read(tmp_path, YAML)
    assert people.as_now(Person("Smith, Jane", JANE.orcid, "jane@old.org")) == JANE
    assert people.as_now(Person("Doe, Jane")) == JANE
    assert people.as_now(Person("Doe, John", email="john@x.org")) is None
