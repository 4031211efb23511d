"""Text with named fields in braces, `{date}_{user}`: the one grammar of collections and captures."""

import re
from typing import Final, NamedTuple

_TOKEN: Final = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<name>[^{}]*)\}|(?P<plain>[^{}]+)|(?P<lost>[{}])")


class Field(NamedTuple):
    """A place for a value."""

    name: str


def pieces(text: str) -> tuple[str | Field, ...]:
    """The plain text and the fields in the order in which they stand; `{{` and `}}` are braces.

    Raises ValueError, saying what to write, for anything but a plain name in braces: Python's formats and attributes
    would let a profile reach into the program.
    """
    return tuple(map(_piece, _TOKEN.finditer(text)))


def _piece(found: re.Match[str]) -> str | Field:
    if found["lost"]:
        raise ValueError("a brace is open or left over; write fields like {user}, and {{ or }} for a brace")
    name: str | None = found["name"]
    if name is None:
        return found["plain"] or found["brace"][0]
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise ValueError(f"{{{name}}} is not a field; in braces stands a name of small letters, as in {{user}}")
    return Field(name)
