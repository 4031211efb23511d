"""What pydantic finds wrong, in words that an operator knows."""

from collections.abc import Collection, Mapping
from typing import Any, Final, NamedTuple

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from watcher.profile.handoff import Amqp, Handoff, Webhook
from watcher.profile.limits import Acquiring, Limits
from watcher.profile.models import Complete, Document, FolderStore, Instrument, IrodsStore, Sets, Watch
from watcher.profile.secret import Secret
from watcher.profile.wording import did_you_mean
from watcher.profile.yaml_text import Located, Route

#: What the design names and this version does not do; the words finish "this version does not ...".
LATER: Final = {
    "copies": "make second copies",
    "people": "look up people",
    "access": "give access to others",
    "release": "remove anything from the disk",
    "notify": "send messages",
    "web": "have a status page",
}

_SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "": Document,
    "instrument": Instrument,
    "watch": Watch,
    "sets": Sets,
    "complete": Complete,
    "store": IrodsStore,
    "store.password": Secret,
    "limits": Limits,
    "limits.acquiring": Acquiring,
    "handoff": Handoff,
    "handoff.webhook": Webhook,
    "handoff.webhook.secret": Secret,
    "handoff.amqp": Amqp,
    "handoff.amqp.url": Secret,
}


class Problem(NamedTuple):
    """One thing that is wrong: sorted, problems stand in the order of the file. key is as in `watch[0].settle`."""

    line: int
    column: int
    key: str
    sentence: str


def explained(error: ValidationError, located: Located, doubtful: Collection[Route]) -> list[Problem]:
    """Each thing that pydantic found wrong, except at the routes in `doubtful`, whose values are not known."""
    found = []
    for details in error.errors(include_url=False):
        route = _route(details)
        # Of a list pydantic counts only the good entries; the others are reported themselves.
        if route in doubtful or (details["type"] == "too_short" and details["input"]):
            continue
        places = located.keys if details["type"] == "extra_forbidden" else located.values
        found.append(problem(route, _sentence(details, route, located.data), places))
    return found


def problem(route: Route, sentence: str, places: Mapping[Route, tuple[int, int]]) -> Problem:
    """A problem at the place of the route, or of what should hold it if it is not there."""
    held_by = route
    while held_by not in places and held_by:
        held_by = held_by[:-1]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in route).removeprefix(".")
    return Problem(*places.get(held_by, (1, 1)), key if key.isprintable() else repr(key), sentence)


def _route(details: ErrorDetails) -> Route:
    route = details["loc"]
    if route[:1] == ("store",):  # after it pydantic names the kind of store, which is no key
        route = route[:1] + route[2:]
    if details["type"] == "union_tag_invalid":
        return (*route, "kind")
    return (*route, details["ctx"]["key"]) if details["type"] == "at_key" else route


def _sentence(details: ErrorDetails, route: Route, data: Any) -> str:
    if details["type"] == "extra_forbidden":
        return _unknown_key(str(route[-1]), route, data)
    context, given = details.get("ctx", {}), details["input"]
    example = f"write for example `{_example(route, data)}`"
    match details["type"]:
        case "missing":
            return f"this is missing; {example}"
        case "union_tag_not_found" | "union_tag_invalid" if isinstance(given, Mapping):
            return _kind_of_store(given.get("kind"))
        case _ if given is None:
            return f"there is nothing here; {example}"
        case "value_error":
            return str(context["error"])
        case "at_key":
            return str(context["message"])
        case "literal_error":
            return f"{given!r} is none of {context['expected']}"
        case "int_type":
            return f"{given!r} is not a whole number (no quotes, no zeros before it); {example}"
        case "bool_type":
            return f"{given!r} is neither true nor false; {example}"
        case "greater_than_equal" | "less_than_equal":
            limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
            return f"{given!r} is out of range; it must be {limit}"
        case "string_pattern_mismatch":
            return f"this is not a name of letters, digits and _; {example}"
        case "too_short" | "string_too_short":
            return f"this is empty; {example}"
        case "tuple_type":
            return f"this must be a list; {example}"
        case "string_type" | "path_type":
            return f"this must be text, in quotes if it looks like something else; {example}"
        case _:
            return f"this must be keys with values; {example}"


def _section(route: Route, data: Any) -> type[BaseModel]:
    """The model that knows the key at the end of the route."""
    name = ".".join(part for part in route[:-1] if isinstance(part, str))
    if name == "store" and data["store"].get("kind") == "folder":
        return FolderStore
    return _SECTIONS.get(name, Document)


def _example(route: Route, data: Any) -> str:
    while isinstance(route[-1], int):
        route = route[:-1]
    key = str(route[-1])
    (example, *_) = _section(route, data).model_fields[key].examples or [""]
    text: str = yaml.safe_dump({key: example}, default_flow_style=True, sort_keys=False, width=1000)
    return text.strip()[1:-1]


def _unknown_key(key: str, route: Route, data: Any) -> str:
    if len(route) == 1 and key in LATER:
        return f"this version does not {LATER[key]} yet; take this out of the profile"
    known = _section(route, data).model_fields
    if route[:-1] == ("store",) and key in IrodsStore.model_fields | FolderStore.model_fields:
        return f"there is no such key for `kind: {data['store']['kind']}`; there are {', '.join(known)}"
    if hint := did_you_mean(key, known):
        return f"there is no such key; {hint}"
    homes = [section for section, model in _SECTIONS.items() if section and key in model.model_fields]
    return f"there is no such key here; {f'it belongs under {homes[0]}' if homes else 'there are ' + ', '.join(known)}"


def _kind_of_store(kind: object) -> str:
    if kind == "mount":
        return "this version does not annotate a mounted iRODS in place yet; write `kind: irods` or `kind: folder`"
    if kind is None:
        return "kind is missing; write `kind: irods` or `kind: folder`"
    return f"there is no kind {kind!r}; write `kind: irods` or `kind: folder`"
