"""The description of /api/v1 (OpenAPI 3.1): which answer has which shape. Tests hold it against the real answers."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from watcher import __version__
from watcher.journal import Backlog
from watcher.model import Answer, Attribution, State
from watcher.overview.attention import Attention
from watcher.overview.picture import Hour
from watcher.overview.space import Disk
from watcher.provenance.request import Request
from watcher.web.guard import TOKEN_HEADER
from watcher.web.listing import GROUPS

Schema = dict[str, Any]
_TEXT: Final[Schema] = {"type": "string"}
_NUMBER: Final[Schema] = {"type": "integer"}
_TRUTH: Final[Schema] = {"type": "boolean"}
_TIME: Final[Schema] = {"type": "number", "description": "seconds since 1970"}
_NO_TEXT: Final[Schema] = {"type": ["string", "null"]}
_NO_TIME: Final[Schema] = {"type": ["number", "null"], "description": "seconds since 1970"}
_UNKNOWN: Final[Schema] = {"type": ["boolean", "null"], "description": "null: not known"}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT}


def description(instrument: str) -> dict[str, Any]:
    """The whole description, for the page of one instrument."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"irods-watcher at {instrument}",
            "version": __version__,
            "description": "The records of `--json`. Reading needs nothing at this computer; from elsewhere, and to "
            "order anything where the profile names a password, it is the bearer token. Where it names none, an order "
            f"carries the header {TOKEN_HEADER} with the token that stands in each form of the page.",
        },
        "paths": _paths(),
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "password": {"type": "http", "scheme": "bearer"},
                "token": {"type": "apiKey", "in": "header", "name": TOKEN_HEADER},
            },
        },
        "security": [{}, {"password": []}],
    }


def _paths() -> dict[str, Any]:
    one, request = _in_path("number", "The set's identifier, a UUID."), _in_path("request", "As in RQ4F7K2MT.")
    states = ", ".join((*GROUPS, *State))
    filters = [
        _in_query("state", f"One of these, or several parted by commas: {states}"),
        _in_query("text", "A part of the name, of the collection, or of the identifier."),
        _in_query("person", "A part of a name, ORCID or user in iRODS; only where names are shown."),
        _in_query("since", "Only sets that changed since, as in 2026-11-27."),
        _in_query("below", "Only what comes after this place in the list; see `older`."),
        _in_query("above", "Only what comes before this place in the list; see `newer`."),
    ]
    orders = _in_path("order", "What is to happen.", ["retry", "skip", "hold", "attribute"])
    said = {"reason": _TEXT, "request": _TEXT, "scientist": _TEXT, "operator": _TEXT, "project": _TEXT, "by": _TEXT}
    stated = {
        **dict.fromkeys(("title", "scientist", "project", "group", "sample", "omero", "source", "licence"), _TEXT),
        **dict.fromkeys(("retention", "what", "objective", "positions", "repeats"), _TEXT),
        "channels": {"type": "string", "description": "parted by commas"},
        "authorship": {"enum": ["author", "acknowledgement", "none"]},
        "agreed": _TRUTH,
    }
    begun = {"request": _TEXT, "operator": _TEXT, "folder": _TEXT, "anyway": _TRUTH}
    return {
        "/api/v1/status": {"get": _get("The instrument at a glance.", "Status")},
        "/api/v1/sets": {"get": _get("Fifty sets, the last changed first, without their members.", "Sets", filters)},
        "/api/v1/sets/{number}": {
            "get": _get(
                "One set, with a thousand of its members.", "OneSet", [one, _in_query("skip", "Members before these.")]
            )
        },
        "/api/v1/sets/{number}/{order}": {"post": _post("An order for a set.", "Sets", said, [one, orders])},
        "/api/v1/pause": {"post": _post("Send nothing until `resume`.", "Paused", {})},
        "/api/v1/resume": {"post": _post("Send again.", "Paused", {})},
        "/api/v1/requests": {
            "get": _get("What scientists want acquired.", "Requests", [_in_query("all", "`yes`: also closed ones.")]),
            "post": _post("A new request.", "Requests", stated, status="201"),
        },
        "/api/v1/requests/{request}": {"get": _get("One request.", "Requests", [request])},
        "/api/v1/requests/{request}/close": {"post": _post("A request is done.", "Requests", {}, [request])},
        "/api/v1/sessions": {
            "get": _get("Who works at the instrument, the last sessions first.", "Sessions"),
            "post": _post("A session begins.", "Sessions", begun, status="201"),
        },
        "/api/v1/sessions/{session}/stop": {
            "post": _post("A session ends.", "Sessions", {}, [_in_path("session", "Its number.")])
        },
        "/api/v1/events": {
            "get": {
                "summary": "What changed, as server-sent events: each event `change` has a Change as its data.",
                "responses": {
                    "200": {
                        "description": "the stream",
                        "content": {"text/event-stream": {"schema": _TEXT, "x-event-data": _reference("Change")}},
                    },
                    **_ERRORS,
                },
            }
        },
        "/api/v1/openapi.json": {"get": _get("This description.", "Description")},
    }


def _schemas() -> dict[str, Schema]:
    sets = {"type": "array", "items": _reference("Set")}
    found = {
        "Status": _record(_status()),
        "Sets": _record({"sets": sets}, newer=_NO_TEXT, older=_NO_TEXT),
        "OneSet": _record({"sets": {"type": "array", "items": _reference("SetInFull")}}),
        "Set": _object(_set()),
        "SetInFull": _object({**_set(), **_more_of_a_set()}),
        "Requests": _record({"requests": {"type": "array", "items": _reference("Request")}}),
        "Request": _request(),
        "Sessions": _record({"sessions": {"type": "array", "items": _reference("Session")}}),
        "Session": _object({
            "id": _NUMBER, "request": _TEXT, "operator": _TEXT, "folder": _TEXT, "started": _TIME, "until": _TIME,
            "open": _TRUTH, "ended_by": _TEXT,
        }),
        "Change": _record({
            "changed": _TEXTS, "sets": {"type": "array", "items": _object({"id": _TEXT, "state": {"enum": [*State]}})},
        }),
        "Paused": _record({"paused": _TRUTH}),
        "Error": _record({"error": _object({"what": _TEXT, "cure": _TEXT})}),
        "Description": {"type": "object"},
    }  # fmt: skip
    for name, what in (("Attribution", Attribution), ("Attention", Attention), ("Disk", Disk), ("Hour", Hour),
                       ("Answer", Answer), ("Backlog", Backlog)):  # fmt: skip
        schema = TypeAdapter(what).json_schema(ref_template="#/components/schemas/{model}", mode="serialization")
        found |= schema.pop("$defs", {})
        found[name] = schema
    return found


def _status() -> dict[str, Schema]:
    return {
        "instrument": _TEXT, "version": _TEXT, "sentence": _TEXT,
        "mood": {"enum": ["safe", "busy", "paused", "attention"]},
        "watcher": _NO_TEXT, "page": _NO_TEXT, "heartbeat": _NO_TIME, "paused": _TRUTH, "store_problem": _TEXT,
        "counts": _object({str(state): _NUMBER for state in State}), "on_hold": _NUMBER,
        "attention": {"type": "array", "items": _reference("Attention")},
        "held": {"type": "array", "items": _reference("Set")},
        "sending": {"type": "array", "items": _object({"id": _TEXT, "name": _TEXT, "bytes": _NUMBER, "of": _NUMBER})},
        "rate": {"type": "number", "description": "bytes a second"}, "seconds_left": {"type": ["number", "null"]},
        "pace": {"type": ["object", "null"]}, "disks": {"type": "array", "items": _reference("Disk")},
        "last_safe": _NO_TIME, "oldest_open": _NO_TIME, "hours": {"type": "array", "items": _reference("Hour")},
        "copies": {"type": "array", "items": _object({"name": _TEXT, "waiting": _NUMBER, "problem": _TEXT})},
        "abandoned": {"type": "array", "items": _object({"collection": _TEXT, "why": _TEXT})},
        "sessions": {"type": "array", "items": {"type": "object"}}, "unattributed": _NUMBER,
        "shut_out": {"type": "array", "items": _object({"id": _TEXT, "who": _TEXT, "why": _TEXT})},
        "untold": {"type": "array", "items": _object({"id": _TEXT, "why": _TEXT})},
        "handoff": _object({
            "sinks": {"type": "array", "items": _reference("Backlog")},
            "agents": {"type": "array", "items": {"type": "object"}},
            "failed": {"type": "array", "items": {"type": "object"}},
        }),
    }  # fmt: skip


def _set() -> dict[str, Schema]:
    member = _object({"path": _TEXT, "bytes": _NUMBER, "sha256": _NO_TEXT})
    return {
        "id": _TEXT, "name": _TEXT, "root": _TEXT, "format": _TEXT, "state": {"enum": [*State]}, "version": _NUMBER,
        "complete": _UNKNOWN, "sound": _UNKNOWN, "problems": _TEXTS, "remarks": _TEXTS, "files": _NUMBER,
        "bytes": _NUMBER, "members": {"type": "array", "items": member},
        "metadata": {"type": "object", "additionalProperties": _TEXT},
        "attribution": {"anyOf": [_reference("Attribution"), {"type": "null"}]}, "collection": _NO_TEXT,
        "replicas": _NUMBER,
        "copies": {
            "type": "array",
            "items": _object({"name": _TEXT, "place": _TEXT, "verified_at": _NO_TIME, "problem": _TEXT}),
        },
        "waits_for": _TEXTS, "reason": _TEXT, "on_hold": _TEXT, "published_at": _NO_TIME,
        "handoff": {"anyOf": [_reference("Answer"), {"type": "null"}]},
    }  # fmt: skip


def _more_of_a_set() -> dict[str, Schema]:
    avus = {"type": "array", "items": {"type": "array", "items": _TEXT}}
    return {
        "access": {"type": "array", "items": _object({"who": _TEXT, "level": _TEXT, "problem": _TEXT})},
        "changes": {"type": "array", "items": _object({"at": _TIME, "who": _TEXT, "before": avus, "after": avus})},
        "history": {"type": "array", "items": _object({"at": _TIME, "state": {"enum": [*State]}, "note": _TEXT})},
    }


def _request() -> Schema:
    schema: Schema = Request.model_json_schema(mode="serialization")
    defined = schema.pop("$defs", {})
    properties = {key: _inlined(value, defined) for key, value in schema["properties"].items()}
    return _object({**properties, "ready": _TRUTH, "lacks": _TEXTS})


def _inlined(schema: Any, defined: Mapping[str, Any]) -> Any:
    """The schema with what it refers to in its place."""
    if isinstance(schema, list):
        return [_inlined(one, defined) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(defined[schema["$ref"].rpartition("/")[2]], defined)
    return {key: _inlined(value, defined) for key, value in schema.items()}


def _object(properties: Mapping[str, Schema]) -> Schema:
    """An object that has all these and no others."""
    return {
        "type": "object", "properties": dict(properties), "required": [*properties], "additionalProperties": False,
    }  # fmt: skip


def _record(properties: Mapping[str, Schema], **optional: Schema) -> Schema:
    """A whole answer."""
    found = _object({"schema_version": {"const": 1}, **properties})
    found["properties"] |= optional
    return found


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


_ERRORS: Final = {
    "default": {
        "description": "what is wrong, and the cure",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
}


def _get(summary: str, name: str, parameters: list[Schema] | None = None) -> Schema:
    content = {"application/json": {"schema": _reference(name)}}
    responses = {"200": {"description": summary, "content": content}, **_ERRORS}
    return {"summary": summary, "parameters": parameters or [], "responses": responses}


def _post(
    summary: str,
    name: str,
    said: Mapping[str, Schema],
    parameters: list[Schema] | None = None,
    status: str = "200",
) -> Schema:
    body = {"type": "object", "properties": dict(said), "additionalProperties": False}
    kinds = ("application/json", "application/x-www-form-urlencoded")
    return {
        "summary": summary,
        "parameters": parameters or [],
        "requestBody": {"required": False, "content": {kind: {"schema": body} for kind in kinds}},
        "security": [{"password": []}, {"token": []}],
        "responses": {
            status: {"description": summary, "content": {"application/json": {"schema": _reference(name)}}},
            **_ERRORS,
        },
    }


def _in_path(name: str, what: str, values: list[str] | None = None) -> Schema:
    schema: Schema = {"type": "string", **({"enum": values} if values else {})}
    return {"name": name, "in": "path", "required": True, "description": what, "schema": schema}


def _in_query(name: str, what: str) -> Schema:
    return {"name": name, "in": "query", "description": what, "schema": _TEXT}
