"""What a published set says of itself: the attributes on its collection (requirements-and-metadata.md, section 10).

`acq:member_name`, once for each member that could not keep its name (`watcher/names.py`), is the name in the store, a
colon and a space, and the true name as `$'...'`, which bash and zsh read: `caf%E9.tif: $'caf\\xe9.tif'`. There are at
most 50 of them; `acq:member_names` says how many such members there are.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from typing import Final

from watcher import __version__, names, osfacts
from watcher.model import IDENTIFIER, PERSONAL, REPLACES, STATE, Attribution, Avu, ImageSet, Member
from watcher.profile import FolderStore, Profile
from watcher.provenance import handoff, manifest
from watcher.provenance.credits import Circumstances, credits

#: The description of the set that travels with it; see `crate.py`.
CRATE: Final = "ro-crate-metadata.json"
CREATED: Final = "dcterms:created"
COMPLETE: Final = Avu(STATE, "complete")
SUPERSEDED: Final = Avu(STATE, "superseded")
#: On a collection that an unpublished attempt could not leave clean: what the iRODS administrator has to look at.
STUCK: Final = "acq:stuck"
MANIFEST_DIGEST: Final = "acq:manifest.sha256"
#: How many good replicas of each member the catalogue had at least when it was last asked.
COPIES: Final = "acq:copies"
#: Where else the set is, verified there by that store's own catalogue: its place, and what it is called as the unit.
COPY: Final = "acq:copy"
#: On a copy, and nowhere else: where the main one is, and what the copy is called as the unit.
COPY_OF: Final = "acq:copy_of"
#: The bytes of all members together.
SIZE: Final = "dcat:byteSize"
#: A value in the catalogue has at most 2700 bytes (iRODS icatSysTables.sql); a longer one is cut, and says so.
_LIMIT: Final = 2700
_REST: Final = f"... [the whole text is in {CRATE}]"
#: The most members whose true name is told: of the others it can be told from the name that they have.
_MOST_NAMES: Final = 50


def describe(
    image_set: ImageSet,
    members: Sequence[Member],
    profile: Profile,
    zone: tzinfo | None,
    attribution: Attribution,
) -> list[Avu]:
    """Everything but the state, in one list for one atomic request; values that are not known are left out.

    `zone` is the instrument's time zone, None for this computer's own.
    """
    about = circumstances(image_set, profile, iso(acquired_at(members), zone))
    return [*_of_the_set(image_set, members, profile, zone), *fitting(credits(attribution, profile, about))]


def circumstances(image_set: ImageSet, profile: Profile, created: str, modified: str = "") -> Circumstances:
    """What the credits say besides persons; times as the catalogue has them."""
    zone = "" if isinstance(profile.store, FolderStore) else (image_set.collection or "").split("/")[1]
    return Circumstances(image_set.name, created, zone, modified)


def fitting(avus: Iterable[Avu]) -> list[Avu]:
    """The same with values that a catalogue can hold."""
    return [avu._replace(value=_fit(avu.value)) for avu in avus]


def _of_the_set(image_set: ImageSet, members: Sequence[Member], profile: Profile, zone: tzinfo | None) -> list[Avu]:
    instrument = profile.instrument
    started = min((member.facts.mtime_ns for member in members), default=0) / 1e9
    ended = acquired_at(members)
    pairs: list[tuple[str, object]] = [
        (IDENTIFIER, image_set.id),
        ("dcterms:title", image_set.name),
        ("dcterms:type", "microscopy"),
        ("dcterms:format", image_set.format),
        (CREATED, iso(ended, zone)),
        ("prov:startedAtTime", iso(started, zone)),
        ("prov:endedAtTime", iso(ended, zone)),
        ("acq:instrument", instrument.name),
        ("acq:instrument.manufacturer", instrument.manufacturer),
        ("acq:instrument.model", instrument.model),
        ("acq:instrument.serial", instrument.serial),
        ("acq:instrument.pid", instrument.pid),
        ("acq:host", osfacts.host_name()),
        ("acq:source_path", _source_path(image_set)),
        ("acq:num_files", len(members)),
        (SIZE, sum(member.facts.size for member in members)),
        ("acq:manifest", manifest.NAME),
        (MANIFEST_DIGEST, manifest.digest(members)),
        ("acq:fixity", image_set.fixity or "end-to-end"),
        (COPIES, image_set.replicas or None),
        ("acq:completion_rule", image_set.completed_by),
        ("acq:complete", "yes" if image_set.whole else "no"),
        ("acq:validated_by", image_set.validated_by),
        ("acq:validation", {True: "sound", False: "unsound", None: "unchecked"}[image_set.sound]),
        ("acq:problems", "; ".join(image_set.problems)),
        ("acq:remarks", "; ".join(image_set.remarks)),
        *_true_names(members),
        *((f"acq:embedded.{key}", value) for key, value in embedded(image_set, zone)),
        *(("dcterms:subject", tag) for tag in profile.metadata.tags),
        ("acq:imaging_method", profile.metadata.imaging_method),
        ("acq:software", f"irods-watcher/{__version__}"),
        ("acq:profile", profile.source.stem),
        ("acq:profile.sha256", profile.digest),
        ("acq:schema_version", 1),
        (REPLACES, image_set.supersedes),
        *handoff.request(profile),
    ]
    return fitting(Avu(name, str(value)) for name, value in pairs if value not in (None, ""))


def _true_names(members: Sequence[Member]) -> Iterator[tuple[str, str]]:
    renamed = {m.target: name for m in members if (name := names.original_path(m.target)) != m.target}
    if renamed:
        yield "acq:member_names", str(len(renamed))
    for target in sorted(renamed)[:_MOST_NAMES]:
        yield "acq:member_name", f"{target}: {names.in_shell(renamed[target])}"


def embedded(image_set: ImageSet, zone: tzinfo | None) -> Iterator[tuple[str, str]]:
    """What the files say of themselves, without persons; a time has an offset only if they or the profile say it."""
    for key, value in image_set.embedded.items():
        if key not in PERSONAL:
            placed = _placed(value, zone) if key == "acquired" and zone else value
            yield key, placed


def _placed(time: str, zone: tzinfo) -> str:
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return time
    return time if moment.tzinfo else moment.replace(tzinfo=zone).isoformat()


def acquired_at(members: Sequence[Member]) -> float:
    """When the acquisition ended, as far as the disk knows: the latest modification, in seconds since 1970."""
    return max((member.facts.mtime_ns for member in members), default=0) / 1e9


def _source_path(image_set: ImageSet) -> str:
    return str(image_set.root / image_set.folder).encode("utf-8", "backslashreplace").decode("utf-8")


def iso(seconds: float, zone: tzinfo | None) -> str:
    """A time since 1970 as ISO 8601 in a zone (None: this computer's), with its offset and to the second."""
    return datetime.fromtimestamp(seconds, zone).astimezone(zone).isoformat(timespec="seconds")


def _fit(value: str) -> str:
    # A control character, which a file may hold, would break the listings of iRODS (irods#8626).
    printable = "".join(" " if character < " " or character == "\x7f" else character for character in value)
    data = printable.encode("utf-8", "backslashreplace")
    if len(data) <= _LIMIT:
        return data.decode("utf-8")
    return data[: _LIMIT - len(_REST)].decode("utf-8", "ignore") + _REST
