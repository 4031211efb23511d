"""What all parts of the page share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from starlette.types import ASGIApp

from watcher.journal import Journal
from watcher.overview import language
from watcher.profile import Profile
from watcher.provenance.registers import Registers
from watcher.web.events import Changes
from watcher.web.glance import Glance
from watcher.web.guard import Guard


@dataclass(frozen=True, slots=True)
class Beside:
    """What others bring along: the picture of a set, if there is one, and answers for programs by their address."""

    thumbnail: Callable[[Path, str], Path | None] = lambda state, set_id: None  # noqa: ARG005
    programs: Mapping[str, ASGIApp] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class Site:
    """One page of one instrument. `registers` are what the watcher last read of the facility's files."""

    profile: Profile
    journal: Journal
    registers: Registers
    guard: Guard
    glance: Glance
    changes: Changes
    now: Callable[[], float]
    trouble: Callable[[str, str], None]
    beside: Beside = field(default_factory=Beside)
    translations: Path = language.FOLDER

    def thumbnail(self, set_id: str) -> Path | None:
        """The picture of a set of the journal, if somebody has made one."""
        return self.beside.thumbnail(self.journal.state, set_id)
