"""What a profile may say: one YAML file for one instrument. Descriptions and examples here become the JSON Schema."""

import os.path
import zoneinfo
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from watcher import names
from watcher.errors import NameRefused
from watcher.profile.audit import Audit
from watcher.profile.base import Glob, LocalPath, Section, Text, written
from watcher.profile.capture import Capture
from watcher.profile.fleet import Fleet
from watcher.profile.handoff import Handoff
from watcher.profile.limits import Limits
from watcher.profile.metadata import Access, Metadata
from watcher.profile.mount import CACHES, MountStore
from watcher.profile.notify import Notify
from watcher.profile.people import People
from watcher.profile.release import Release
from watcher.profile.secret import Secret
from watcher.profile.target import FIELDS, Template, components
from watcher.profile.units import Duration
from watcher.profile.web import Web
from watcher.profile.wording import did_you_mean


def _one_name(name: str) -> str:
    try:
        names.check(name)
    except NameRefused as error:
        raise ValueError(f"{error.what}; it becomes part of a path, so write it without /") from None
    return name


def _known_zone(name: str) -> str:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
        hint = did_you_mean(name, sorted(zoneinfo.available_timezones())) or "write one like Europe/Amsterdam"
        raise ValueError(f"{name!r} is not a time zone; {hint}") from None
    return name


def _can_match(text: str) -> str:
    Capture(text)
    return text


def _can_be_filled(text: str) -> str:
    components(text)
    return text


def _can_be_filled_or_absent(text: str) -> str:
    return _can_be_filled(text) if text else text


#: What an instrument is called.
InstrumentName = Annotated[Text, AfterValidator(_one_name)]


class Instrument(Section):
    """The instrument that this profile is for."""

    name: InstrumentName = Field(
        description="A short name without /; {instrument} in a collection.", examples=["LSM980-2"]
    )
    manufacturer: Text | None = Field(default=None, description="Who made the instrument.", examples=["Zeiss"])
    model: Text | None = Field(default=None, description="What the maker calls it.", examples=["LSM 980"])
    serial: Text | None = Field(default=None, description="Its serial number, in quotes.", examples=["3951000123"])
    pid: Text | None = Field(
        default=None, description="Its persistent identifier.", examples=["https://hdl.handle.net/21.T11998/0000"]
    )
    timezone: Annotated[Text, AfterValidator(_known_zone)] | None = Field(
        default=None, description="Its time zone; absent: that of this computer.", examples=["Europe/Amsterdam"]
    )


class Watch(Section):
    """One folder that the instrument writes to."""

    path: LocalPath = Field(
        description="The folder; ~ is the home folder, a relative path is relative to the profile.",
        examples=["D:/Data"],
    )
    include: tuple[Glob, ...] = Field(
        default=("**",), min_length=1, description="Only files that match one of these.", examples=[["**/*.czi"]]
    )
    exclude: tuple[Glob, ...] = Field(
        default=(), description="Not files that match one of these.", examples=[["**/Calibration/**"]]
    )
    capture: Annotated[str, AfterValidator(_can_match)] = Field(
        default="",
        description="What the first folders below this one mean; each name can be used in store.collection.",
        examples=["{group}/{user}/"],
    )
    settle: Duration = written(
        "20s", description="A file that has not changed for so long is no longer being written.", examples=["20s"]
    )
    sweep: Duration = written("60s", description="How often the whole folder is looked through.", examples=["60s"])
    priority: int = Field(
        default=0,
        strict=True,
        ge=-100,
        le=100,
        description="Sets of the folder with the higher number go first.",
        examples=[10],
    )


class Sets(Section):
    """Which files together are one image set."""

    formats: tuple[Text, ...] | None = Field(
        default=None, min_length=1, description="Only these formats; absent: all.", examples=[["ome-tiff"]]
    )
    group: Literal["auto", "file", "directory", "stem"] = Field(
        default="auto",
        description="auto: as the format says; file: each file is a set; directory: all files of a folder; "
        "stem: files whose names differ only in the ending.",
        examples=["auto"],
    )


class Complete(Section):
    """When a set is finished."""

    quiet: Duration = written("2m", description="Nothing of the set has changed for so long.", examples=["2m"])
    marker: Glob | None = Field(
        default=None, description="A file that appears beside the set when it is finished.", examples=["*.done"]
    )
    name: Glob | None = Field(default=None, description="The name that only finished sets have.", examples=["*_final*"])
    deadline: Duration = written(
        "24h", description="A set that is still not whole so long after its last change is given up.", examples=["24h"]
    )
    incomplete: Literal["hold", "deliver"] = Field(
        default="hold",
        description="What happens to a set that is given up: hold: it waits for a person; deliver: it is sent, "
        "labelled incomplete.",
        examples=["hold"],
    )
    early: bool = Field(
        default=True,
        strict=True,
        description="Members that have come to rest are sent while the acquisition goes on.",
        examples=[True],
    )


class IrodsStore(Section):
    """Sets go into iRODS."""

    kind: Literal["irods"] = Field(description="Sets go into iRODS.", examples=["irods"])
    environment: LocalPath = written(
        "~/.irods/irods_environment.json",
        description="The file that `iinit` and the iCommands use.",
        examples=["~/.irods/irods_environment.json"],
    )
    password: Secret | None = Field(
        default=None,
        description="Where the password is kept; absent: as `iinit` left it.",
        examples=[{"env": "IRODS_PASSWORD"}],
    )
    collection: Annotated[str, AfterValidator(_can_be_filled)] = Field(
        description="Where each set goes, from the zone on: names and fields like {year}, {month}, {day}, {date}, "
        "{instrument}, {host}, {folder}, those of watch.capture, and {set} in the last part.",
        examples=["/zone/home/facility/{year}/{instrument}/{set}"],
    )
    resource: Text | None = Field(
        default=None, description="The resource to write to; absent: the server decides.", examples=["imagesResc"]
    )
    connections: int = Field(
        default=4, strict=True, ge=1, le=16, description="Connections at the same time.", examples=[4]
    )

    @field_validator("collection")
    @classmethod
    def _in_a_zone(cls, collection: str) -> str:
        root, zone, *_ = (*components(collection), ())
        if root or any(not isinstance(part, str) for part in zone):
            raise ValueError("it must begin with the zone, as in /zone/home/facility/{instrument}/{set}")
        return collection


class FolderStore(Section):
    """Sets go into a folder: a second disk or a share."""

    kind: Literal["folder"] = Field(description="Sets go into a folder.", examples=["folder"])
    path: LocalPath = Field(description="The folder.", examples=["E:/archive"])
    collection: Annotated[str, AfterValidator(_can_be_filled)] = Field(
        default="{instrument}/{folder}/{set}",
        description="Where below that folder each set goes, with the same fields as in iRODS.",
        examples=["{year}/{instrument}/{set}"],
    )

    @field_validator("collection")
    @classmethod
    def _below_the_path(cls, collection: str) -> str:
        if collection.startswith("/"):
            raise ValueError("it is a place below store.path; write it without / at the beginning")
        return collection


class IrodsCopy(IrodsStore):
    """Sets are copied into another zone, or into another collection of the same."""

    name: Annotated[Text, AfterValidator(_one_name)] | None = Field(
        default=None, description="What this copy is called; absent: the name of its zone.", examples=["other-zone"]
    )

    @property
    def called(self) -> str:
        """What this copy is called in the journal and to people."""
        return self.name or self.collection.split("/")[1]


class FolderCopy(FolderStore):
    """Sets are copied into a folder."""

    name: Annotated[Text, AfterValidator(_one_name)] | None = Field(
        default=None, description="What this copy is called; absent: the name of its folder.", examples=["backup"]
    )
    collection: Annotated[str, AfterValidator(_can_be_filled_or_absent)] = Field(
        default="",
        description="Where below that folder each set goes; absent: at the place that it has in the store, without the "
        "zone and its `home`.",
        examples=["{year}/{instrument}/{set}"],
    )

    @property
    def called(self) -> str:
        """What this copy is called in the journal and to people."""
        return self.name or self.path.name or str(self.path)


#: What the store itself is called where copies have names.
MAIN: Final = "store"


class Document(Section):
    """The profile of one instrument for irods-watcher."""

    instrument: Instrument = Field(description="The instrument.", examples=[{"name": "LSM980-2"}])
    watch: tuple[Watch, ...] = Field(
        min_length=1, description="The folders that the instrument writes to.", examples=[[{"path": "D:/Data"}]]
    )
    sets: Sets = Field(
        default_factory=Sets, description="Which files together are one image set.", examples=[{"group": "auto"}]
    )
    complete: Complete = Field(
        default_factory=Complete, description="When a set is finished.", examples=[{"quiet": "2m"}]
    )
    store: IrodsStore | FolderStore | MountStore = Field(
        discriminator="kind",
        description="Where sets go.",
        examples=[{"kind": "irods", "collection": "/zone/home/facility/{instrument}/{set}"}],
    )
    people: People = Field(
        default_factory=People,
        description="Who made the images, and where that is written down; absent: nobody is credited.",
        examples=[{"directory": "people.yaml"}],
    )
    access: tuple[Access, ...] = Field(
        default=(),
        description="Who gets access to a set when it is published, beside those whom the collection that it lies in "
        "lets in.",
        examples=[[{"who": "{scientist}", "level": "read"}]],
    )
    metadata: Metadata = Field(
        default_factory=Metadata,
        description="What a published set says of itself.",
        examples=[{"licence": "https://spdx.org/licenses/CC-BY-4.0"}],
    )
    limits: Limits = Field(
        default_factory=Limits,
        description="What the watcher may take of the network, and when; absent: no limits.",
        examples=[{"rate": "80MB/s"}],
    )
    handoff: Handoff = Field(
        default_factory=Handoff,
        description="Which other programs are told of published sets; absent: none.",
        examples=[{"agent": "omero"}],
    )
    notify: Notify = Field(
        default_factory=Notify,
        description="Which people are told what needs them; absent: nobody.",
        examples=[{"apprise": [{"env": "NOTIFY_FACILITY"}]}],
    )
    fleet: Fleet | None = Field(
        default=None,
        description="The facility view that this watcher reports to; absent: none.",
        examples=[{"url": "https://fleet.example.org/", "secret": {"env": "FLEET_SECRET"}}],
    )
    web: Web = Field(
        default_factory=Web,
        description="The page that shows all this; absent: on this computer alone.",
        examples=[{"port": 8765}],
    )

    copies: tuple[Annotated[IrodsCopy | FolderCopy, Field(discriminator="kind")], ...] = Field(
        default=(),
        max_length=8,
        description="Further places that each published set is copied to; the limits hold for each by itself.",
        examples=[[{"kind": "folder", "path": "//backup/facility"}]],
    )
    release: Release | None = Field(
        default=None,
        description="When local copies are removed; absent: never.",
        examples=[{"after": "7d", "copies": 2}],
    )

    audit: Audit | None = Field(
        default=None,
        description="How often published sets are compared with their stores again; absent: when a person asks for it.",
        examples=[{"every": "7d"}],
    )

    @field_validator("store")
    @classmethod
    def _fits_the_watches(
        cls, store: IrodsStore | FolderStore | MountStore, info: ValidationInfo
    ) -> IrodsStore | FolderStore | MountStore:
        if isinstance(store, MountStore):
            _check_mount(store, info.data)
        _check_place(store, info.data.get("watch", ()))
        return store

    @field_validator("copies")
    @classmethod
    def _are_elsewhere(
        cls, copies: tuple[IrodsCopy | FolderCopy, ...], info: ValidationInfo
    ) -> tuple[IrodsCopy | FolderCopy, ...]:
        main = info.data.get("store")
        if copies and isinstance(main, MountStore):
            raise ValueError("sets are copied while they are sent, and nothing is sent to a mount; take this out")
        for number, copy in enumerate(copies):
            _check_place(copy, info.data.get("watch", ()))
            if isinstance(main, FolderStore) and isinstance(copy, FolderStore) and _is_below(copy.path, main.path):
                raise ValueError(f"{copy.path} lies in the store itself, which makes it no second copy")
            if any(_same_place(copy, other) for other in (main, *copies[:number])):
                raise ValueError(f"{copy.called}: sets go to this place already, which makes it no further copy")
        twice = [name for name, count in Counter([MAIN, *(copy.called for copy in copies)]).items() if count > 1]
        if twice:
            raise ValueError(f"{twice[0]} is what two of the places are called; give each a `name` of its own")
        return copies

    @field_validator("release")
    @classmethod
    def _can_be_demanded(cls, release: Release | None, info: ValidationInfo) -> Release | None:
        if release and isinstance(info.data.get("store"), MountStore):
            raise ValueError("what lies on a mount is the set itself and no copy of it; take this out")
        there = 1 + len(info.data.get("copies", ()))
        if release and release.copies > there:
            raise _at("copies", f"{release.copies} copies are demanded, and this profile names {there}")
        return release

    @field_validator("access")
    @classmethod
    def _has_users(cls, access: tuple[Access, ...], info: ValidationInfo) -> tuple[Access, ...]:
        if access and isinstance(info.data.get("store"), FolderStore):
            raise ValueError("a folder has no users of a zone; take this out, or write `kind: irods` under store")
        return access

    @model_validator(mode="after")
    def _mounts_are_slow(self) -> "Document":
        """On a mount a file is at rest only when what its caches show is true."""
        if isinstance(self.store, MountStore):
            watch = tuple(
                one if "settle" in one.model_fields_set else one.model_copy(update={"settle": CACHES})
                for one in self.watch
            )
            object.__setattr__(self, "watch", watch)
        return self


class Profile(Document):
    """A profile as it was read: `source` is its file, `digest` the SHA-256 (hex) of the file's bytes."""

    source: Path
    digest: str


def _at(key: str, message: str) -> PydanticCustomError:
    return PydanticCustomError("at_key", "{message}", {"message": message, "key": key})


def _check_place(store: IrodsStore | FolderStore | MountStore, watches: Collection[Watch]) -> None:
    """Whether sets of all the watched folders can go there. Raises PydanticCustomError."""
    for number, watch in enumerate(watches):
        if isinstance(store, FolderStore) and _is_below(store.path, watch.path):
            raise _at("path", f"{store.path} lies in watch[{number}].path, so that what is stored would be found again")
        try:
            if store.collection:
                Template(store.collection, (*FIELDS, *Capture(watch.capture).names))
        except ValueError as error:
            raise _at("collection", f"{error} (for watch[{number}])") from None


def _same_place(one: IrodsStore | FolderStore, other: IrodsStore | FolderStore | None) -> bool:
    if isinstance(one, FolderStore) and isinstance(other, FolderStore):
        return os.path.normpath(one.path) == os.path.normpath(other.path)
    if isinstance(one, IrodsStore) and isinstance(other, IrodsStore):
        return one.collection == other.collection  # which begins with the zone
    return False


def _check_mount(store: MountStore, others: Mapping[str, Any]) -> None:
    """What the rest of the profile must be for sets that lie on a mount. Raises PydanticCustomError or ValueError."""
    for number, watch in enumerate(others.get("watch", ())):
        if not _is_below(watch.path, store.mount_root):
            raise _at("mount_root", f"watch[{number}].path does not lie in {store.mount_root}")
        if "settle" in watch.model_fields_set and watch.settle < CACHES:
            raise ValueError(f"what a mount shows may be old: write watch[{number}].settle as at least {CACHES:g}s")
        if store.collection is not None and _is_below(Path(store.collection), Path(store.logical(watch.path))):
            raise _at("collection", f"it lies in watch[{number}].path, so that what is moved would be found again")
    if "complete" in others and others["complete"].quiet < CACHES:
        raise ValueError(f"what a mount shows may be old: write complete.quiet as at least {CACHES:g}s")
    if "sets" in others and others["sets"].group in {"file", "stem"}:
        raise ValueError("a set needs a collection of its own: write sets.group as directory (or auto)")
    if store.collection is not None and store.collection.split("/")[1] != store.zone:
        raise _at("collection", f"sets cannot be moved out of their zone; it must begin with /{store.zone}/")


def _is_below(path: Path, folder: Path) -> bool:
    return Path(os.path.normpath(path)).is_relative_to(os.path.normpath(folder))
