"""fleet.yaml: which instruments there are, in their order on the page, and how their reports are known to be theirs."""

from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from watcher.errors import FleetError
from watcher.profile import document
from watcher.profile.base import Section, Text, written
from watcher.profile.fleet import Reached
from watcher.profile.models import InstrumentName
from watcher.profile.people import Url
from watcher.profile.problems import Wording
from watcher.profile.secret import Secret
from watcher.profile.units import Duration
from watcher.profile.web import Web


def _in_bounds(seconds: float) -> float:
    if not 30 <= seconds <= 7 * 86400:
        raise ValueError("it must be at least 30s and at most 7d")
    return seconds


#: After how long without a report an instrument counts as silent.
Patience = Annotated[Duration, AfterValidator(_in_bounds)]


class Asked(Reached):
    """The page of an instrument that is asked how it is, for watchers that cannot reach the facility view."""

    password: Secret | None = Field(
        default=None, description="Where the password of its page is kept.", examples=[{"env": "LSM980_PAGE"}]
    )


class Instrument(Section):
    """One instrument."""

    name: InstrumentName = Field(description="What its profile calls it (instrument.name).", examples=["LSM980-2"])
    page: Url | None = Field(
        default=None, description="The address of its own page.", examples=["https://lsm980.example.org:8765/"]
    )
    secret: Secret | None = Field(
        default=None,
        description="Where its key is kept (fleet.secret of its profile); absent: the one for all.",
        examples=[{"env": "LSM980_SECRET"}],
    )
    silent: Patience | None = Field(
        default=None, description="Without a report for so long it counts as silent; absent: as all.", examples=["1h"]
    )
    ask: Asked | None = Field(
        default=None,
        description="It is asked how it is; absent: it reports by itself.",
        examples=[{"url": "https://lsm980.example.org:8765/", "password": {"env": "LSM980_PAGE"}}],
    )


class Fleet(Section):
    """The instruments of a facility."""

    name: Text = Field(
        default="All instruments", description="What stands on top of the page.", examples=["BioImaging Facility"]
    )
    silent: Patience = written(
        "5m",
        description="Without a report for so long an instrument counts as silent; one that reports rarely, after three "
        "times as long as it takes between two.",
        examples=["5m"],
    )
    secret: Secret | None = Field(
        default=None,
        description="Where the key is kept that all instruments sign with that have none of their own: 24 to 64 bytes "
        "in base64, as `openssl rand -base64 32` makes one.",
        examples=[{"env": "FLEET_SECRET"}],
    )
    instruments: tuple[Instrument, ...] = Field(
        min_length=1, description="The instruments, in the order of the page.", examples=[[{"name": "LSM980-2"}]]
    )
    web: Web = Field(default_factory=Web, description="Where the page is.", examples=[{"port": 8765}])

    @field_validator("instruments")
    @classmethod
    def _can_be_told_apart(cls, instruments: tuple[Instrument, ...], info: ValidationInfo) -> tuple[Instrument, ...]:
        # What is kept of each is a file, on disks that are blind for case, too.
        names = [one.name.casefold() for one in instruments]
        for number, one in enumerate(instruments):
            if names[number] in names[:number]:
                raise ValueError(f"{one.name} is there twice; each name stands for one instrument")
        without = [one.name for one in instruments if not (one.secret or one.ask or info.data.get("secret", ...))]
        if without:
            raise ValueError(
                f"{', '.join(without)}: there is no key that its reports are signed with; write "
                "`secret: {env: FLEET_SECRET}` there, or beside instruments for all"
            )
        return instruments

    @field_validator("web")
    @classmethod
    def _is_there(cls, web: Web) -> Web:
        # Of a page that is not there nobody asks who may reach it.
        if not web.enabled:
            raise ValueError("the page is all that this program has; take `enabled: false` out")
        return web

    def patience(self, instrument: Instrument) -> float:
        """After how many seconds without a report an instrument counts as silent."""
        return self.silent if instrument.silent is None else instrument.silent


_KIND: Final = document.Kind(
    "list of instruments", "the key instruments", "see the README on `irods-watcher fleet serve`", FleetError
)
_WORDING: Final = Wording(Fleet)


def load(path: Path) -> Fleet:
    """The instruments in a file. Raises FleetError with one line for each thing that is wrong."""
    found, _ = document.load(path, Fleet, _KIND, _WORDING, variables=True)
    return found
