"""What was asked for, in an RO-Crate: the request, the project that it is for, and who pays."""

from collections.abc import Mapping
from typing import Final

from watcher.provenance.crate.cast import Cast
from watcher.provenance.crate.graph import Graph, Reference, address_or, local

#: What a request says of the acquisition, in words for people; the keys are those of `model.FACTS`.
ASKED: Final[Mapping[str, str]] = {
    "sample": "sample",
    "channels": "channels",
    "objective": "objective",
    "positions": "positions",
    "repeats": "repeats",
    "authorship": "wish for authorship",
}
_NO_LICENCE: Final = "No licence was given, so all rights are reserved: ask the authors before any use."
_OF_A_REQUEST: Final = ("request", "instructions", *ASKED)


def add_request(graph: Graph, facts: Mapping[str, str]) -> Reference | None:
    """The request with all that stands in it, as it was written; None if nothing was asked."""
    if not any(facts.get(key) for key in _OF_A_REQUEST):
        return None
    number = facts.get("request", "")
    return graph.add(
        local(number or "request"),
        "CreativeWork",
        name=facts.get("title") or f"Request {number}".strip(),
        description="What the scientist asked to be acquired.",
        identifier=number,
        text=facts.get("instructions"),
        additionalProperty=[
            graph.add_value(f"#asked-{key}", f"{name}, as requested", facts.get(key)) for key, name in ASKED.items()
        ],
    )


def add_project(graph: Graph, cast: Cast, facts: Mapping[str, str]) -> Mapping[str, object]:
    """What the set says of its project, funding, group and source, by the terms for it.

    A project is an Organization that the set names as a funder (RO-Crate 1.2, Funding and grants).
    """
    funding, source = facts.get("funding"), facts.get("source")
    grant = graph.add("#grant", "Grant", name=funding) if funding else None
    said: dict[str, object] = {"funding": grant}
    if project := facts.get("project"):
        said["funder"] = cast.group(project, "ResearchProject", description="The project.", funding=grant)
    if group := facts.get("group"):
        said["sourceOrganization"] = cast.group(group, "ResearchOrganization")
    if source:
        address = address_or(source, local("source"))
        about = "Where the experiment is written down."
        said["isBasedOn"] = graph.add(address, "CreativeWork", name=source, description=about)
    return said


def add_licence(graph: Graph, licence: str | None) -> Reference:
    """How the images may be used: the licence by its address, or in words."""
    if not licence:
        return graph.add("#licence", "CreativeWork", name="No licence", description=_NO_LICENCE)
    address = address_or(licence, "")
    name = address.rstrip("/").rpartition("/")[2] or licence
    return graph.add(
        address or "#licence", "CreativeWork", name=name, description=f"The licence of the images: {licence}"
    )
