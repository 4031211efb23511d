"""What is shown to those who may see no names of persons: the same records without them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, Final

from watcher.model import PERSONAL, Attribution
from watcher.overview.attention import Attention, Kind
from watcher.overview.language import say

#: What an attribution may know that names nobody.
_FACTS: Final = ("request", "project", "title")
#: The keys of a request that name somebody.
_NAMING: Final[Mapping[str, Any]] = {"scientist": None, "also": [], "authorship": None, "readers": []}


def attribution(what: Attribution) -> Attribution:
    """How well it is known who made a set, and for which request."""
    facts = {key: what.facts[key] for key in _FACTS if key in what.facts}
    return replace(what, creators=(), operator=None, contributors=(), facts=facts)


def attention(one: Attention) -> Attention:
    """What needs a person, without saying who could not be let in."""
    if one.kind is not Kind.ACCESS or one.set_id:
        return one
    return replace(one, key="access", what=say("Somebody who may read sets has no access to them yet."))


def without_addresses(record: Any) -> Any:
    """A record without e-mail addresses, which nobody needs here."""
    if isinstance(record, list):
        return [without_addresses(one) for one in record]
    if not isinstance(record, dict):
        return record
    return {key: "" if key == "email" else without_addresses(value) for key, value in record.items()}


def of_set(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a set."""
    found = {**record, "metadata": {key: value for key, value in record["metadata"].items() if key not in PERSONAL}}
    if known := record["attribution"]:
        facts = {key: known["facts"][key] for key in _FACTS if key in known["facts"]}
        found["attribution"] = {**known, "creators": [], "operator": None, "contributors": [], "facts": facts}
    return {**found, **{key: [] for key in ("access", "changes") if key in record}}


def of_overview(record: Mapping[str, Any], found: tuple[Attention, ...]) -> dict[str, Any]:
    """The record of the picture with these attentions."""
    return {
        **record,
        "attention": [asdict(one) for one in {one.key: one for one in map(attention, found)}.values()],
        "held": [of_set(one) for one in record["held"]],
        "sessions": [{**one, "operator": ""} for one in record["sessions"]],
        "shut_out": [],
    }


def of_request(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a request."""
    return {**record, **_NAMING}


def of_session(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a session."""
    return {**record, "operator": ""}
