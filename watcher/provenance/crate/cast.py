"""The persons and institutions of an RO-Crate, each once: by ORCID or ROR identifier where they have one.

Never their e-mail address, and not their user in iRODS either: it is a login, means nothing outside of its zone, and no
term of RO-Crate is for it. It stands in the metadata on the collection.
"""

from typing import Final

from watcher import identifiers
from watcher.model import Contributor, Organisation, Person
from watcher.provenance.crate.graph import Graph, Reference, address_or, local

#: Where the fourteen roles of CRediT are explained, by their name with hyphens (credit.niso.org).
_CREDIT: Final = "https://credit.niso.org/contributor-roles/"


class Cast:
    """Adds persons and institutions to a crate when they are first named."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._known: dict[tuple[str, str], Reference] = {}

    def named(self, who: Person | Organisation) -> Reference:
        """The entity of a person or institution; of the same name without an identifier they are the same one."""
        if isinstance(who, Person):
            key = ("person", who.orcid or who.natural)
            if key not in self._known:
                self._known[key] = self._person(who)
        else:
            key = ("organisation", who.ror or who.name)
            if key not in self._known:
                self._known[key] = self._organisation(who)
        return self._known[key]

    def group(self, name: str, kind: str = "", **said: object) -> Reference:
        """The entity of what is only known by its name: a research group, a project, a maker of instruments."""
        key = (kind, name)
        if key not in self._known:
            kinds = ["Organization", kind] if kind else "Organization"
            self._known[key] = self._graph.add(f"#organisation-{len(self._known) + 1}", kinds, name=name, **said)
        return self._known[key]

    def role(self, contributor: Contributor) -> Reference:
        """What somebody contributed, in the words of DataCite and CRediT."""
        who = self.named(contributor.who)
        name = contributor.who.natural if isinstance(contributor.who, Person) else contributor.who.name
        credit = contributor.credit.strip().casefold()
        slug = "-".join("".join(letter if letter.isalnum() else " " for letter in credit).split())
        return self._graph.add(
            local("role", who["@id"].lstrip("#"), contributor.role, slug),
            "Role",
            name=f"{name}: {contributor.role}",
            roleName=(contributor.role, contributor.credit),
            url=f"{_CREDIT}{slug}/" if slug else None,
            contributor=who,
        )

    def _person(self, person: Person) -> Reference:
        return self._graph.add(
            address_or(person.orcid, f"#person-{len(self._known) + 1}", identifiers.orcid),
            "Person",
            name=person.natural or person.name,
            familyName=person.family if person.given else None,
            givenName=person.given,
            identifier=address_or(person.orcid, "", identifiers.orcid),
            affiliation=self.named(person.affiliation) if person.affiliation else None,
        )

    def _organisation(self, organisation: Organisation) -> Reference:
        return self._graph.add(
            address_or(organisation.ror, f"#organisation-{len(self._known) + 1}", identifiers.ror),
            "Organization",
            name=organisation.name,
            identifier=address_or(organisation.ror, "", identifiers.ror),
            url=address_or(organisation.ror, "", identifiers.ror),
        )
