"""`ro-crate-metadata.json`: what an image set is, who made it with what and for whom, how it was checked and sent.

RO-Crate 1.2 (w3id.org/ro/crate/1.2) with its provenance terms: the acquisition is a CreateAction with the microscope as
its instrument, the transfer one with this program, and each later change an UpdateAction. The terms are those of
Process Run Crate 0.5 as well, but that profile is not declared: it wants the instrument of every such action to be
software (Requirements, CreateAction), which a microscope is not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from watcher import __version__
from watcher.model import Attribution, Contributor, ImageSet, Person
from watcher.profile import Profile
from watcher.provenance import micro_meta
from watcher.provenance.crate.cast import Cast
from watcher.provenance.crate.contents import (
    ACQUISITION,
    INSTRUMENT,
    Contents,
    add_files,
    described_by,
    entities_in,
    ours,
)
from watcher.provenance.crate.graph import ROOT, Graph, Reference, address_or
from watcher.provenance.crate.rembi import add_rembi
from watcher.provenance.crate.request import add_licence, add_project, add_request
from watcher.provenance.vocabulary import embedded, iso

#: This program, for those who read the crate; it has no page of its own on the web.
_PROGRAM: Final = "urn:irods-watcher"
_TRANSFER: Final = "#transfer"


@dataclass(frozen=True, slots=True)
class Change:
    """Who changed what a published set says of itself, and when (seconds since 1970); a text agent is no login."""

    at: float
    agent: Person | str
    what: str


def text(
    image_set: ImageSet,
    profile: Profile,
    attribution: Attribution,
    contents: Contents,
    published: float,
    zone: tzinfo | None,
    changes: Sequence[Change] = (),
) -> str:
    """The crate of an image set that was published at a time (seconds since 1970); the same input gives the same text.

    `zone` is the instrument's time zone, None for this computer's own. `changes` are all that were ever made.
    """
    return _Writing(image_set, profile, attribution, contents, published, zone).text(changes)


def changes_in(crate: str) -> tuple[Change, ...]:
    """The changes that a crate tells, in their order. Raises ValueError if this program did not write it."""
    with ours():
        entities = entities_in(crate)
        deeds = [one for name, one in entities.items() if name.startswith("#change-")]
        return tuple(
            Change(datetime.fromisoformat(one["endTime"]).timestamp(), _agent(one, entities), one["description"])
            for one in deeds
        )


class _Writing:
    """One crate while it is written."""

    def __init__(
        self,
        image_set: ImageSet,
        profile: Profile,
        attribution: Attribution,
        contents: Contents,
        published: float,
        zone: tzinfo | None,
    ) -> None:
        self._set = image_set
        self._profile = profile
        self._attribution = attribution
        self._contents = contents
        self._published = published
        self._zone = zone
        self._embedded = dict(embedded(image_set, zone))
        self._graph = Graph()
        self._cast = Cast(self._graph)

    def text(self, changes: Sequence[Change]) -> str:
        facts, graph, cast = self._attribution.facts, self._graph, self._cast
        numbers = add_files(graph, self._contents, self._zone)
        creators = [cast.named(person) for person in self._attribution.creators]
        facility = cast.named(self._attribution.facility) if self._attribution.facility else None
        project = add_project(graph, cast, facts)
        request = add_request(graph, facts)
        acquisition = self._acquisition(creators, request)
        transfer = self._transfer(facility)
        told = [self._change(number, change) for number, change in enumerate(changes, start=1)]
        rembi = add_rembi(graph, self._set, self._profile, self._attribution, self._contents, self._embedded)
        contributors = self._contributors()
        graph.describe(
            name=self._set.name,
            description=self._summary(),
            datePublished=self._iso(self._published),
            license=add_licence(graph, facts.get("licence") or self._profile.metadata.licence),
            identifier=graph.add_value("#identifier", "identifier", self._set.id, propertyID="urn:uuid"),
            version=str(self._set.version),
            keywords=tuple(dict.fromkeys(("microscopy", *self._profile.metadata.tags))),
            author=creators,
            contributor=list({who["@id"]: who for who in (cast.named(one.who) for one in contributors)}.values()),
            publisher=facility,
            measurementTechnique=self._profile.metadata.imaging_method,
            **project,
            additionalProperty=[*numbers, *self._further(), *self._told_by_files()],
            mentions=[acquisition, transfer, *told, request, *(cast.role(one) for one in contributors), *rembi],
        )
        return graph.text()

    def _acquisition(self, creators: list[Reference], request: Reference | None) -> Reference:
        operator = self._attribution.operator
        agent = self._cast.named(operator) if operator else None
        others = [one for one in creators if one != agent]
        if agent and creators and agent not in creators:
            self._graph.delegate(agent, creators[0])
        return self._graph.add(
            ACQUISITION,
            "CreateAction",
            name="Acquisition of the images",
            description="The images were acquired; the times are those at which the first and the last file changed.",
            agent=agent,
            participant=others,
            instrument=self._instrument(),
            object=[request, *described_by(self._contents, micro_meta.SETTINGS)],
            result=ROOT,
            startTime=self._iso(self._contents.first),
            endTime=self._iso(self._contents.last),
        )

    def _instrument(self) -> Reference:
        instrument = self._profile.instrument
        maker = instrument.manufacturer
        return self._graph.add(
            address_or(instrument.pid, INSTRUMENT),
            "IndividualProduct",
            name=instrument.name,
            manufacturer=self._cast.group(maker) if maker else None,
            model=instrument.model,
            serialNumber=instrument.serial,
            identifier=instrument.pid,
            url=address_or(instrument.pid, ""),
            subjectOf=list(described_by(self._contents, micro_meta.INSTRUMENT)),
        )

    def _transfer(self, facility: Reference | None) -> Reference:
        found, graph = self._set, self._graph
        seen, complete = found.first_seen, found.completed_at
        program = graph.add(
            _PROGRAM,
            "SoftwareApplication",
            name="irods-watcher",
            description="Gets finished microscope image sets out of the facility and into an archive.",
            url=_PROGRAM,
            version=__version__,
        )
        values: tuple[tuple[str, str, object], ...] = (
            ("completion-rule", "how it was known to be finished", found.completed_by),
            ("complete", "complete", "yes" if found.whole else "no"),
            ("validated-by", "what was checked", found.validated_by),
            ("validation", "validation", {True: "sound", False: "unsound", None: "unchecked"}[found.sound]),
            ("problems", "problems", found.problems),
            ("remarks", "remarks", found.remarks),
            ("found-complete", "found complete at", self._iso(complete) if complete else None),
            ("profile", "profile", self._profile.source.stem),
            ("profile-sha256", "SHA-256 of the profile", self._profile.digest),
        )
        return graph.add(
            _TRANSFER,
            "CreateAction",
            name="Transfer into the archive",
            description="The files were watched until they were finished, checked, read once, sent, and compared with "
            "what the archive's own catalogue says of them; the manifest tells the result.",
            agent=facility,
            instrument=program,
            object=ROOT,
            result={"@id": "manifest-sha256.txt"},
            startTime=self._iso(seen) if seen else None,
            endTime=self._iso(self._published),
            additionalProperty=[graph.add_value(f"#{key}", name, value) for key, name, value in values],
        )

    def _change(self, number: int, change: Change) -> Reference:
        agent = change.agent
        return self._graph.add(
            f"#change-{number}",
            "UpdateAction",
            name="Change of what the set says of itself",
            description=change.what,
            agent=self._cast.named(agent) if isinstance(agent, Person) else agent,
            instrument={"@id": _PROGRAM},
            object=ROOT,
            result=ROOT,
            endTime=self._iso(change.at),
        )

    def _contributors(self) -> tuple[Contributor, ...]:
        """Who is no author; the operator too, even if the attribution does not list them so."""
        found, operator = self._attribution.contributors, self._attribution.operator
        if operator is None or operator in self._attribution.creators or operator in {one.who for one in found}:
            return found
        return (Contributor(operator, "DataCollector", "Investigation"), *found)

    def _further(self) -> list[Reference | None]:
        known = self._attribution
        values: Mapping[str, tuple[str, object]] = {
            "replaces": ("earlier version that this one replaces", self._set.supersedes),
            "retention": ("how long the images are to be kept", known.facts.get("retention")),
            "attribution": ("how much is known of who made the images", str(known.state)),
            "attribution-sources": (
                "how that is known",
                tuple(f"{key}: {known.sources[key]}" for key in known.sources),
            ),
            "attribution-conflicts": ("what is contradictory about it", known.conflicts),
            "attribution-problems": ("what could not be used for it", known.problems),
        }
        return [self._graph.add_value(f"#{key}", name, value) for key, (name, value) in values.items()]

    def _told_by_files(self) -> list[Reference | None]:
        return [
            self._graph.add_value(f"#embedded-{key}", f"{key}, as the files say", value, propertyID=key)
            for key, value in self._embedded.items()
        ]

    def _summary(self) -> str:
        instrument, contents = self._profile.instrument, self._contents
        made = " ".join(filter(None, (instrument.manufacturer, instrument.model)))
        how_many = "1 file" if contents.count == 1 else f"{contents.count} files"
        sentences = [
            f"Microscope images from {instrument.name}{f' ({made})' if made else ''}, acquired until "
            f"{self._iso(contents.last)}: {how_many}, {contents.size} bytes"
            f"{f', format {self._set.format}' if self._set.format else ''}.",
            f"For the project {self._attribution.facts['project']}." if self._attribution.facts.get("project") else "",
            "" if self._set.whole else "The set is not known to be complete.",
            "The manifest lists all files." if len(contents.files) < contents.count else "",
        ]
        return " ".join(filter(None, sentences))

    def _iso(self, seconds: float) -> str:
        return iso(seconds, self._zone)


def _agent(deed: Mapping[str, Any], entities: Mapping[str, Mapping[str, Any]]) -> Person | str:
    agent = deed["agent"]
    if isinstance(agent, str):
        return agent
    person = entities[agent["@id"]]
    family, given = person.get("familyName"), person.get("givenName")
    return Person(f"{family}, {given}" if family and given else person["name"], orcid=person.get("identifier", ""))
