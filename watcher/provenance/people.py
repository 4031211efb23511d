"""The facility's directory of persons: which login, folder or name means whom, and which means nobody.

It is one YAML file, or a CSV file as booking systems export it. Whatever could mean two persons is an error that names
both places; only names may be shared, and then they mean nobody by themselves.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field, ValidationError, ValidationInfo, field_validator

from watcher.errors import PeopleError
from watcher.model import Organisation, Person
from watcher.profile import document
from watcher.profile.base import Section, Text
from watcher.profile.people import Orcid, PeopleColumns, Ror
from watcher.profile.problems import Problem, Wording
from watcher.provenance.table import Place, read_table
from watcher.redact import keep_private

#: Logins that mean nobody anywhere, in any case of letters.
GENERIC: Final = frozenset({"admin", "administrator", "guest", "localadmin", "root", "system", "user"})

#: The words that no log shows; e-mail addresses and ORCIDs are known by their form.
_PRIVATE: Final = frozenset({"user", "logins", "paths"})
_YES: Final = {"yes": True, "true": True, "1": True, "x": True, "no": False, "false": False, "0": False, "": False}


class Wish(StrEnum):
    """What a person may want to be told of by e-mail."""

    PROBLEMS = "problems"
    SAFE = "safe"


class Miss(StrEnum):
    """Why a word means no person."""

    NOBODY = "it is a login that many share"
    UNKNOWN = "it is not in the directory of persons"
    SEVERAL = "several persons have this name"


def _is_address(text: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", text):
        raise ValueError("this is no e-mail address; write one like jane.doe@example.org")
    return text


def _is_user(text: str) -> str:
    if not re.fullmatch(r"[^#/\s]+(#[^#/\s]+)?", text):
        raise ValueError("this is no user of iRODS; write one like jdoe, or jdoe#otherZone")
    return text


class Listed(Section):
    """One person in the directory."""

    name: Text = Field(description="The name, as in `Doe, Jane`.", examples=["Doe, Jane"])
    orcid: Orcid | None = Field(default=None, description="The ORCID.", examples=["0000-0002-1825-0097"])
    affiliation: Text | None = Field(default=None, description="The institution.", examples=["Institute of Cells"])
    ror: Ror | None = Field(
        default=None, description="The institution's ROR identifier.", examples=["https://ror.org/03yrm5c26"]
    )
    user: Annotated[Text, AfterValidator(_is_user)] | None = Field(
        default=None, description="The user in iRODS, with #zone if it is another zone.", examples=["jdoe"]
    )
    email: Annotated[Text, AfterValidator(_is_address)] | None = Field(
        default=None, description="The e-mail address; it goes into no metadata.", examples=["jane.doe@example.org"]
    )
    logins: tuple[Text, ...] = Field(
        default=(), description="Logins and names in acquisition programs that mean this person.", examples=[["jdoe"]]
    )
    paths: tuple[Text, ...] = Field(
        default=(), description="Names of folders that mean this person.", examples=[["Jane", "AG-Doe-jane"]]
    )
    staff: bool = Field(
        default=False, strict=True, description="Whether the person operates instruments for others.", examples=[True]
    )
    messages: tuple[Wish, ...] = Field(
        default=(),
        description="What the person is told by e-mail: problems of sets that they made or operate for, and that their "
        "images are safe; absent: nothing.",
        examples=[["problems", "safe"]],
    )

    @field_validator("messages")
    @classmethod
    def _can_be_told(cls, messages: tuple[Wish, ...], info: ValidationInfo) -> tuple[Wish, ...]:
        if messages and not info.data.get("email"):
            raise ValueError("nothing can be told without the key email; add it, or take this out")
        return messages


class Directory(Section):
    """The persons of a facility."""

    persons: tuple[Listed, ...] = Field(description="The persons.", examples=[[{"name": "Doe, Jane"}]])
    generic_logins: tuple[Text, ...] = Field(
        default=(), description="Logins and names that mean nobody.", examples=[["zeiss", "labuser"]]
    )


class _Token(NamedTuple):
    """One word that means a person, and where it stands."""

    key: str
    word: str
    place: Place


class _Entry(NamedTuple):
    person: Person
    tokens: tuple[_Token, ...]
    paths: tuple[_Token, ...]
    wishes: frozenset[Wish] = frozenset()


class People:
    """Who is meant by a word. Frozen: a directory that changed is read anew."""

    def __init__(self, entries: Iterable[_Entry] = (), generic: Iterable[str] = ()) -> None:
        self._generic = GENERIC | {_plain(word) for word in generic}
        self._by_word: dict[str, Person] = {}
        self._by_path: dict[str, Person] = {}
        self._by_name: dict[str, Person | None] = {}
        self._wishes: dict[Person, frozenset[Wish]] = {}
        self.persons: list[Person] = []
        for entry in entries:
            self.persons.append(entry.person)
            self._wishes[entry.person] = entry.wishes
            self._by_word |= {_plain(token.word): entry.person for token in entry.tokens}
            self._by_path |= {_plain(token.word): entry.person for token in entry.paths}
            for name in {_plain(entry.person.name), _plain(entry.person.natural)}:
                self._by_name[name] = None if name in self._by_name else entry.person

    def find(self, word: str, *, folder: bool = False) -> Person | Miss:
        """The person whom a login, ORCID, e-mail address, user of iRODS or name means; with `folder` a folder's name.

        Letters of either case are the same, and so is a login with and without its domain (`LAB\\jdoe`).
        """
        for plain in dict.fromkeys((_plain(word), _plain(word.rpartition("\\")[2]))):
            if plain in self._generic:
                return Miss.NOBODY
            found = (self._by_path.get(plain) if folder else None) or self._by_word.get(plain)
            if found:
                return found
            if plain in self._by_name:
                return self._by_name[plain] or Miss.SEVERAL
        return Miss.UNKNOWN

    def wishes(self, person: Person) -> frozenset[Wish]:
        """What a person of the directory wants to be told."""
        return self._wishes.get(person, frozenset())

    def as_now(self, person: Person) -> Person | None:
        """A person as the directory has them now, who may have been written down long ago; None if they are gone."""
        for word in filter(None, (person.orcid, person.email, person.user, person.name)):
            if isinstance(found := self.find(word), Person):
                return found
        return None


def read_people(path: Path, columns: PeopleColumns, generic: Iterable[str] = ()) -> People:
    """The directory in a file, with more logins that mean nobody. Raises PeopleError with all that is wrong in it."""
    if path.suffix.lower() == ".csv":
        entries, more = _from_csv(path, columns), set(generic)
    else:
        entries, more = _from_yaml(path)
        more |= set(generic)
    if problems := list(_doubles(entries, GENERIC | {_plain(word) for word in more})):
        raise PeopleError(document.in_lines(path, problems))
    words = [token for entry in entries for token in (*entry.tokens, *entry.paths) if token.key in _PRIVATE]
    keep_private([entry.person.name for entry in entries], [token.word for token in words])
    return People(entries, more)


_KIND: Final = document.Kind(
    "directory of persons", "the key persons", "see people.directory in the profile", PeopleError
)
_WORDING: Final = Wording(Directory)


def _from_yaml(path: Path) -> tuple[list[_Entry], set[str]]:
    found, written = document.load(path, Directory, _KIND, _WORDING)
    places = {route: Place(*place) for route, place in written.located.values.items()}
    entries = []
    for number, listed in enumerate(found.persons):

        def at(*route: str | int, number: int = number) -> Place:
            return places[("persons", number, *route)]

        entries.append(_entry(listed, at))
    return entries, set(found.generic_logins)


def _entry(listed: Listed, at: Callable[..., Place]) -> _Entry:
    single = [(key, word) for key in ("orcid", "user", "email") if (word := getattr(listed, key))]
    tokens = [_Token(key, word, at(key)) for key, word in single]
    tokens += [_Token("logins", word, at("logins", n)) for n, word in enumerate(listed.logins)]
    if listed.orcid:
        tokens.append(_Token("orcid", listed.orcid.rpartition("/")[2], at("orcid")))
    paths = [_Token("paths", word, at("paths", n)) for n, word in enumerate(listed.paths)]
    affiliation = Organisation(listed.affiliation, listed.ror or "") if listed.affiliation else None
    person = Person(listed.name, listed.orcid or "", listed.email or "", affiliation, listed.user or "", listed.staff)
    return _Entry(person, tuple(tokens), tuple(paths), frozenset(listed.messages))


def _doubles(entries: Iterable[_Entry], generic: frozenset[str]) -> Iterator[Problem]:
    """Each word that means somebody else already, or nobody. The words themselves are not repeated in the message."""
    known: dict[str, tuple[int, Place]] = {}
    for number, entry in enumerate(entries):
        for token in (*entry.tokens, *entry.paths):
            plain = _plain(token.word)
            before, place = known.setdefault(plain, (number, token.place))
            if before != number:
                what = f"this means the person of line {place.line} already; one word can mean one person only"
                yield Problem(*token.place, token.key, what)
            elif plain in generic:
                yield Problem(*token.place, token.key, "this is one of the logins that mean nobody")


# CSV


def _from_csv(path: Path, columns: PeopleColumns) -> list[_Entry]:
    entries, problems = [], []
    for row in read_table(path, dict(columns), needed=("name",), error=PeopleError):
        lists = {
            "logins": re.split(r"[;\s]+", row["logins"]),
            "paths": [part.strip() for part in row["paths"].split(";")],
            "messages": re.split(r"[;,\s]+", row["messages"].lower()),
        }
        single = {key: row[key] for key in ("name", "orcid", "affiliation", "ror", "user", "email") if row[key]}
        staff = _YES.get(row["staff"].lower())
        if staff is None:
            problems.append(Problem(*row.at("staff"), columns.staff, "this is neither yes nor no"))
        words = {key: tuple(filter(None, found)) for key, found in lists.items()}
        try:
            listed = Listed.model_validate({**single, **words, "staff": bool(staff)})
        except ValidationError as error:
            for details in error.errors(include_url=False):
                key = str(details["loc"][0])
                context = details.get("ctx", {})
                expected = f"this is none of {context['expected']}" if "expected" in context else "this is missing"
                what = str(context.get("error", expected))
                problems.append(Problem(*row.at(key), str(getattr(columns, key)), what))
        else:
            entries.append(_entry(listed, lambda key, *_, row=row: row.at(key)))
    if problems:
        raise PeopleError(document.in_lines(path, problems))
    return entries


def _plain(word: str) -> str:
    return " ".join(word.split()).casefold()
