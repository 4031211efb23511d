"""What pydantic finds wrong, in words that an operator knows."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from watcher.profile.wording import did_you_mean
from watcher.profile.yaml_text import Located, Route


class Problem(NamedTuple):
    """One thing that is wrong: sorted, problems stand in the order of the file. key is as in `watch[0].settle`."""

    line: int
    column: int
    key: str
    sentence: str


class Wording:
    """What can be said of a kind of file: its sections, derived from the model of the whole.

    Of a section that may be of several kinds, its key `kind` says which.
    """

    def __init__(self, root: type[BaseModel]) -> None:
        self._root = root

    @cached_property
    def sections(self) -> dict[str, tuple[type[BaseModel], ...]]:
        """The models that a section may have, by its name as in `store.password`."""
        found: dict[str, tuple[type[BaseModel], ...]] = {}
        for name, model in _sections(self._root, ""):
            found[name] = (*found.get(name, ()), *(() if model in found.get(name, ()) else (model,)))
        return found

    def kinds(self, route: Route) -> list[str]:
        """What the key `kind` may be in the section at this route."""
        models = self.sections.get(".".join(part for part in route if isinstance(part, str)), ())
        return [kind for model in models for kind in get_args(model.model_fields["kind"].annotation)]

    def section(self, route: Route, data: Any) -> type[BaseModel]:
        """The model that knows the key at the end of the route."""
        name = ".".join(part for part in route[:-1] if isinstance(part, str))
        models = self.sections.get(name, (self._root,))
        if len(models) == 1:
            return models[0]
        kind = _at(route[:-1], data).get("kind")
        return next((model for model in models if kind in get_args(model.model_fields["kind"].annotation)), models[0])


def explained(error: ValidationError, located: Located, doubtful: Collection[Route], wording: Wording) -> list[Problem]:
    """Each thing that pydantic found wrong, except at the routes in `doubtful`, whose values are not known."""
    found = []
    for details in error.errors(include_url=False):
        route = _route(details, wording)
        # Of a list pydantic counts only the good entries; the others are reported themselves.
        if route in doubtful or (details["type"] == "too_short" and details["input"]):
            continue
        places = located.keys if details["type"] == "extra_forbidden" else located.values
        found.append(problem(route, _sentence(details, route, located.data, wording), places))
    return found


def problem(route: Route, sentence: str, places: Mapping[Route, tuple[int, int]]) -> Problem:
    """A problem at the place of the route, or of what should hold it if it is not there."""
    held_by = route
    while held_by not in places and held_by:
        held_by = held_by[:-1]
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in route).removeprefix(".")
    return Problem(*places.get(held_by, (1, 1)), key if key.isprintable() else repr(key), sentence)


def _route(details: ErrorDetails, wording: Wording) -> Route:
    route = details["loc"]
    if len(wording.sections.get(str(route[0]) if route else "", ())) > 1:
        behind = 2 if len(route) > 1 and isinstance(route[1], int) else 1
        route = route[:behind] + route[behind + 1 :]  # there pydantic names the kind, which is no key
    if details["type"] == "union_tag_invalid":
        return (*route, "kind")
    return (*route, details["ctx"]["key"]) if details["type"] == "at_key" else route


def _sentence(details: ErrorDetails, route: Route, data: Any, wording: Wording) -> str:
    if details["type"] == "extra_forbidden":
        return _unknown_key(str(route[-1]), route, data, wording)
    context, given = details.get("ctx", {}), details["input"]
    example = f"write for example `{_example(route, data, wording)}`"
    match details["type"]:
        case "missing":
            return f"this is missing; {example}"
        case "union_tag_not_found" | "union_tag_invalid" if isinstance(given, Mapping):
            return _kind_of_store(given.get("kind"), wording.kinds(tuple(part for part in route if part != "kind")))
        case _ if given is None:
            return f"there is nothing here; {example}"
        case "value_error":
            return str(context["error"])
        case "at_key":
            return str(context["message"])
        case "literal_error" | "enum":
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


def _example(route: Route, data: Any, wording: Wording) -> str:
    while isinstance(route[-1], int):
        route = route[:-1]
    key = str(route[-1])
    (example, *_) = wording.section(route, data).model_fields[key].examples or [""]
    text: str = yaml.safe_dump({key: example}, default_flow_style=True, sort_keys=False, width=1000)
    return text.strip()[1:-1]


def _unknown_key(key: str, route: Route, data: Any, wording: Wording) -> str:
    known = wording.section(route, data).model_fields
    kinds = wording.sections.get(".".join(part for part in route[:-1] if isinstance(part, str)), ())
    if len(kinds) > 1 and any(key in model.model_fields for model in kinds):
        return f"there is no such key for `kind: {_at(route[:-1], data)['kind']}`; there are {', '.join(known)}"
    homes = [name for name, models in wording.sections.items() if name and key in models[0].model_fields]
    if len(homes) != 1 and (hint := did_you_mean(key, known)):
        return f"there is no such key; {hint}"
    return f"there is no such key here; {f'it belongs under {homes[0]}' if homes else 'there are ' + ', '.join(known)}"


def _kind_of_store(kind: object, kinds: Sequence[str]) -> str:
    *others, last = (f"`kind: {one}`" for one in kinds)
    hint = f"write {', '.join(others)} or {last}"
    return f"kind is missing; {hint}" if kind is None else f"there is no kind {kind!r}; {hint}"


def _sections(model: type[BaseModel], name: str) -> Iterator[tuple[str, type[BaseModel]]]:
    yield name, model
    for key, field in model.model_fields.items():
        for below in _models_in(field.annotation):
            yield from _sections(below, f"{name}.{key}".removeprefix("."))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _at(route: Route, data: Any) -> Any:
    for part in route:
        data = data[part]
    return data
