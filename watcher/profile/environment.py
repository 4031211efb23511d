"""References to environment variables in a profile: `${NAME}`, `${NAME:-default}`, and `$${` for a plain `${`."""

import re
from collections.abc import Mapping
from typing import Any, Final

from watcher.profile.yaml_text import Route

_REFERENCE: Final = re.compile(r"\$\$\{|\$\{(?:(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<default>[^}]*))?\})?")


def expand(data: Any, environment: Mapping[str, str], problems: dict[Route, str], route: Route = ()) -> Any:
    """The data with every reference in its texts replaced; what is wrong goes into `problems` by the route of its text.

    As in a shell the default stands in for a variable that is not set or empty.
    """
    if isinstance(data, dict):
        return {key: expand(value, environment, problems, (*route, key)) for key, value in data.items()}
    if isinstance(data, list):
        return [expand(value, environment, problems, (*route, number)) for number, value in enumerate(data)]
    if not isinstance(data, str):
        return data
    try:
        return _REFERENCE.sub(lambda found: _replacement(found, environment), data)
    except LookupError as error:
        problems[route] = error.args[0]
        return data


def _replacement(found: re.Match[str], environment: Mapping[str, str]) -> str:
    name, default = found["name"], found["default"]
    if found[0] == "$${":
        return "${"
    if name is None:
        raise LookupError("after ${ stands a name and }, as in ${NAME} or ${NAME:-default}; write $${ for a plain ${")
    value = environment.get(name)
    if default is not None:
        return value or default
    if value is None:
        raise LookupError(f"the environment variable {name} is not set; set it, or write ${{{name}:-default}}")
    return value
