"""Who made the images: where the facility keeps its people, requests and bookings, and what holds if nobody says."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from watcher import identifiers
from watcher.profile.base import LocalPath, Section, Text, written
from watcher.profile.units import Duration

#: An ORCID, a ROR identifier and any other address, as URL.
Orcid = Annotated[Text, AfterValidator(identifiers.orcid)]
Ror = Annotated[Text, AfterValidator(identifiers.ror)]
Url = Annotated[Text, AfterValidator(identifiers.url)]


class Organisation(Section):
    """An institution."""

    name: Text = Field(description="Its name.", examples=["BioImaging Facility"])
    ror: Ror | None = Field(default=None, description="Its ROR identifier.", examples=["https://ror.org/03yrm5c26"])


def _column(default: str, description: str) -> str:
    field: str = Field(default=default, min_length=1, description=description, examples=[default])
    return field


class PeopleColumns(Section):
    """Which column of a CSV file of persons holds what; only the name's must be there."""

    name: str = _column("name", "The name, as in `Doe, Jane`.")
    orcid: str = _column("orcid", "The ORCID.")
    affiliation: str = _column("affiliation", "The name of the institution.")
    ror: str = _column("ror", "The institution's ROR identifier.")
    user: str = _column("user", "The user in iRODS, with #zone if it is another zone.")
    email: str = _column("email", "The e-mail address.")
    logins: str = _column("logins", "Logins, parted by spaces or semicolons.")
    paths: str = _column("paths", "Names of folders that mean this person, parted by semicolons.")
    staff: str = _column("staff", "yes, if the person operates instruments for others.")
    messages: str = _column("messages", "What the person is told by e-mail: problems, safe, or both.")


class BookingColumns(Section):
    """Which column of a CSV file of bookings holds what."""

    start: str = _column("start", "When the booking begins.")
    end: str = _column("end", "When it ends.")
    person: str = _column("person", "Who booked: a login, name, e-mail address or ORCID.")
    instrument: str = _column("instrument", "The instrument.")
    project: str = _column("project", "The project that pays.")
    request: str = _column("request", "The request that the booking is for.")


class Bookings(Section):
    """The bookings of the instrument, as the booking system exports them."""

    file: LocalPath = Field(description="A CSV file; it is read again when it changes.", examples=["bookings.csv"])
    instrument: Text | None = Field(
        default=None,
        description="What the instrument is called there; absent: as in instrument.name.",
        examples=["LSM 980"],
    )
    time_format: Text | None = Field(
        default=None,
        description="How times are written, in the letters of strptime; absent: ISO 8601.",
        examples=["%d.%m.%Y %H:%M"],
    )
    columns: BookingColumns = Field(
        default_factory=BookingColumns, description="The names of its columns.", examples=[{"person": "User"}]
    )


class Default(Section):
    """What holds if no other source says it."""

    scientist: Text | None = Field(
        default=None, description="Whose images they are: a person of the directory.", examples=["jdoe"]
    )
    operator: Text | None = Field(
        default=None, description="Who operates the instrument: a person of the directory.", examples=["rroe"]
    )
    project: Text | None = Field(default=None, description="The project.", examples=["ERC-StG-4711"])


class Sessions(Section):
    """How sessions end that nobody stops."""

    longest: Duration = written("12h", description="A session ends by itself after so long.", examples=["12h"])

    @field_validator("longest")
    @classmethod
    def _lasts(cls, longest: float) -> float:
        if longest < 60:
            raise ValueError("this is too short for any work; write at least 1m")
        return longest


class People(Section):
    """Who made the images, and where that is written down."""

    directory: LocalPath | None = Field(
        default=None,
        description="The facility's directory of persons: YAML, or CSV as a booking system exports it; it is read "
        "again when it changes.",
        examples=["people.yaml"],
    )
    columns: PeopleColumns = Field(
        default_factory=PeopleColumns,
        description="The names of the columns, if the directory is a CSV file.",
        examples=[{"name": "Full name"}],
    )
    generic_logins: tuple[Text, ...] = Field(
        default=(), description="Logins and names that mean nobody.", examples=[["zeiss", "labuser"]]
    )
    requests: LocalPath | None = Field(
        default=None, description="The folder of the requests, one YAML file for each.", examples=["requests"]
    )
    bookings: Bookings | None = Field(
        default=None, description="The bookings of the instrument.", examples=[{"file": "bookings.csv"}]
    )
    sessions: Sessions = Field(
        default_factory=Sessions, description="How forgotten sessions end.", examples=[{"longest": "12h"}]
    )
    default: Default = Field(
        default_factory=Default, description="What holds if no other source says it.", examples=[{"scientist": "jdoe"}]
    )
    facility: Organisation | None = Field(
        default=None,
        description="The institution that runs the instrument.",
        examples=[{"name": "BioImaging Facility"}],
    )
    staffed: bool = Field(
        default=False,
        strict=True,
        description="Staff operates the instrument: a set without a known operator is only partly attributed.",
        examples=[True],
    )
    operator: Literal["contributor", "creator"] = Field(
        default="contributor",
        description="creator: who operated is an author like the scientist; contributor: only if the request says so.",
        examples=["contributor"],
    )
