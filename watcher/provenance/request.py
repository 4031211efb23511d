"""What a scientist asks the operator to acquire: one YAML file for each request, and when it says enough to begin."""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import yaml
from pydantic import AfterValidator, Field, field_validator
from pydantic.fields import FieldInfo

from watcher import identifiers
from watcher.errors import RequestError, UsageError
from watcher.profile import document
from watcher.profile.base import Section, Text
from watcher.profile.import_files import target
from watcher.profile.people import Url
from watcher.profile.problems import Wording
from watcher.profile.sample import quoted
from watcher.profile.yaml_text import Located

#: Authors beside the scientist have this role, everybody else one of DataCite's.
CREATOR: Final = "Creator"
Role = Literal[
    "Creator", "ContactPerson", "DataCollector", "DataCurator", "DataManager", "Distributor", "Editor",
    "HostingInstitution", "Other", "Producer", "ProjectLeader", "ProjectManager", "ProjectMember",
    "RegistrationAgency", "RegistrationAuthority", "RelatedPerson", "ResearchGroup", "Researcher", "RightsHolder",
    "Sponsor", "Supervisor", "Translator", "WorkPackageLeader",
]  # fmt: skip
"""`contributorType` of DataCite kernel 4.7 (datacite-contributorType-v4.xsd), and our own word for an author."""
Credit = Literal[
    "conceptualization", "data-curation", "formal-analysis", "funding-acquisition", "investigation", "methodology",
    "project-administration", "resources", "software", "supervision", "validation", "visualization",
    "writing-original-draft", "writing-review-editing",
]  # fmt: skip
"""The last part of the address of a CRediT role (credit.niso.org/contributor-roles)."""


class Credited(Section):
    """Somebody else who is to be credited."""

    who: Text = Field(
        description="A person of the directory: login, ORCID, e-mail address or name.", examples=["asmith"]
    )
    role: Role = Field(default="Researcher", description="Creator, or a role of DataCite.", examples=["ProjectLeader"])
    credit: Credit | None = Field(default=None, description="A role of CRediT.", examples=["funding-acquisition"])


class Acquire(Section):
    """What to acquire. Where it does not matter, write any; where it does not apply, none."""

    what: Text | None = Field(
        default=None, description="In the scientist's words.", examples=["mitotic cells, whole volume"]
    )
    channels: tuple[Text, ...] = Field(default=(), description="The channels.", examples=[["DAPI", "GFP"]])
    objective: Text | None = Field(default=None, description="The objective.", examples=["63x/1.4 oil"])
    positions: Text | None = Field(default=None, description="How many positions, and which.", examples=["12"])
    repeats: Text | None = Field(default=None, description="How many repeats or time points.", examples=["3"])


class Authorship(Section):
    """What the operator gets for the work, as the two have agreed."""

    operator: Literal["author", "acknowledgement", "none"] = Field(
        description="author: like the scientist; acknowledgement; none: not wished.", examples=["acknowledgement"]
    )
    agreed: bool = Field(
        default=False, strict=True, description="Whether scientist and operator have agreed on it.", examples=[True]
    )

    @property
    def words(self) -> str:
        """Both in one sentence."""
        return (
            self.operator if self.operator == "none" else f"{self.operator}, {'' if self.agreed else 'not yet '}agreed"
        )


def _a_day(value: object) -> object:
    try:
        date.fromisoformat(str(value))
    except ValueError:
        raise ValueError(f"{value!r} is no day; write one like 2026-11-27") from None
    return value


class Request(Section):
    """A request of a scientist to the operators of the facility."""

    id: Annotated[Text, AfterValidator(identifiers.request)] = Field(
        description="Its identifier, which is also the name of the file.", examples=["RQ4F7K2MT"]
    )
    made: Annotated[Text, AfterValidator(_a_day)] | None = Field(
        default=None, description="The day on which it was made.", examples=["2026-11-27"]
    )
    title: Text | None = Field(
        default=None, description="What it is about, in a few words.", examples=["Actin in HeLa"]
    )
    scientist: Text | None = Field(
        default=None,
        description="Who asks: a person of the directory (login, ORCID, e-mail address or name).",
        examples=["jdoe"],
    )
    also: tuple[Credited, ...] = Field(
        default=(), description="Who else is to be credited, in this order.", examples=[[{"who": "asmith"}]]
    )
    project: Text | None = Field(default=None, description="The project that it is for.", examples=["ERC-StG-4711"])
    group: Text | None = Field(default=None, description="The group that the images belong to.", examples=["ag-doe"])
    funding: tuple[Text, ...] = Field(default=(), description="Who pays.", examples=[["ERC 804411"]])
    sample: Text | None = Field(
        default=None, description="The sample, in the scientist's words.", examples=["HeLa, fixed, phalloidin"]
    )
    acquire: Acquire = Field(
        default_factory=Acquire, description="What to acquire.", examples=[{"channels": ["DAPI"], "objective": "63x"}]
    )
    authorship: Authorship | None = Field(
        default=None,
        description="What the operator gets for the work.",
        examples=[{"operator": "acknowledgement", "agreed": True}],
    )
    readers: tuple[Text, ...] = Field(
        default=(), description="Users and groups of the zone who may read the images too.", examples=[["ag-doe"]]
    )
    omero: Annotated[Text, AfterValidator(target)] | None = Field(
        default=None, description="Where OMERO is to import them to.", examples=["Dataset:name:Actin"]
    )
    source: Url | None = Field(
        default=None, description="The entry in the laboratory notebook.", examples=["https://eln.example.org/exp/4711"]
    )
    licence: Text | None = Field(
        default=None, description="The licence of the images.", examples=["https://spdx.org/licenses/CC-BY-4.0"]
    )
    retention: Text | None = Field(default=None, description="How long they must be kept.", examples=["10 years"])
    closed: Annotated[Text, AfterValidator(_a_day)] | None = Field(
        default=None, description="The day on which it was closed.", examples=["2026-12-24"]
    )

    @field_validator("made", "closed", mode="before")
    @classmethod
    def _is_text(cls, value: object) -> object:
        return str(value) if isinstance(value, date) else value

    def missing(self) -> list[str]:
        """The keys without which an operator cannot begin, in the order of the file."""
        needed = {
            "title": self.title, "scientist": self.scientist, "project": self.project, "sample": self.sample,
            "acquire.what": self.acquire.what, "acquire.channels": self.acquire.channels,
            "acquire.objective": self.acquire.objective, "acquire.positions": self.acquire.positions,
            "acquire.repeats": self.acquire.repeats, "authorship": self.authorship,
        }  # fmt: skip
        return [key for key, value in needed.items() if not value]

    def facts(self) -> dict[str, str]:
        """What it says besides persons, by the names of `model.FACTS`."""
        known = {
            "request": self.id, "title": self.title, "project": self.project, "group": self.group,
            "funding": "; ".join(self.funding), "sample": self.sample, "instructions": self.acquire.what,
            "channels": ", ".join(self.acquire.channels), "objective": self.acquire.objective,
            "positions": self.acquire.positions, "repeats": self.acquire.repeats, "source": self.source,
            "licence": self.licence, "retention": self.retention, "omero": self.omero,
            "authorship": self.authorship.words if self.authorship else "", "readers": "; ".join(self.readers),
        }  # fmt: skip
        return {key: value for key, value in known.items() if value}


KIND: Final = document.Kind("request", "the key id", "`irods-watcher request new` makes one", RequestError)
WORDING: Final = Wording(Request)


def read_request(path: Path) -> Request:
    """The request in a file. Raises RequestError with all that is wrong in it."""
    found, written = document.load(path, Request, KIND, WORDING)
    if path.stem.upper() != found.id:
        line, column = written.located.values[("id",)]
        raise RequestError([f"{path}:{line}:{column}: id: this is not the name of the file; make both the same"])
    return found


def stated(said: Mapping[str, Any]) -> Request:
    """The request that somebody states elsewhere than in a file. Raises UsageError with all that is wrong."""
    found, problems = document.validated(Located(dict(said)), Request, Path(), WORDING)
    if found is None:
        raise UsageError("; ".join(f"{problem.key}: {problem.sentence}" for problem in problems), cure="")
    return found


def text(request: Request) -> str:
    """The file of a request, with a line for each thing that can be said, and what it means."""
    return "\n".join(_lines(request)) + "\n"


def _lines(request: Request) -> Iterator[str]:
    yield "# A request to acquire images. What is not needed may stay empty;"
    yield f"# `irods-watcher request check {request.id}` says what is missing before an operator can begin."
    for key, field in Request.model_fields.items():
        value = getattr(request, key)
        if isinstance(value, Acquire):
            yield f"acquire:  # {field.description}"
            for name, one in Acquire.model_fields.items():
                yield f"  {_line(name, getattr(value, name), one)}"
        else:
            yield _line(key, value, field)


def _line(key: str, value: object, field: FieldInfo) -> str:
    if value not in (None, ()):
        return f"{key}: {_inline(value)}"
    example = yaml.safe_dump((field.examples or [""])[0], default_flow_style=True, width=1000).splitlines()[0]
    return f"{key}:{' []' if value == () else ''}  # {field.description} As in: {example}"


def _inline(value: object) -> str:
    if isinstance(value, Section):
        return "{" + ", ".join(f"{key}: {_inline(one)}" for key, one in value if one not in (None, ())) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_inline, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return quoted(str(value), variables=False)
