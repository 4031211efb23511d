"""Where a set goes: the template `/zone/home/facility/{year}/{instrument}/{set}` and how it is filled safely."""

from collections.abc import Collection, Mapping
from typing import Final

from watcher import names
from watcher.errors import NameRefused
from watcher.profile.pattern import Field, pieces
from watcher.profile.wording import did_you_mean

#: The fields that every set has; those of the profile's `watch.capture` come on top.
FIELDS: Final = ("year", "month", "day", "date", "instrument", "host", "set", "folder")

_SET: Final = Field("set")
_FOLDER: Final = Field("folder")


class Template:
    """The path of a set's collection, with named fields.

    `names` are its fields, `base` is the fixed part before the first component with a field ("" if there is none).
    Raises ValueError, saying what to write, for a template that cannot work or has a field that is not in `fields`.
    """

    def __init__(self, text: str, fields: Collection[str]) -> None:
        self._components = components(text)
        self.names = frozenset(part.name for name in self._components for part in name if isinstance(part, Field))
        for name in sorted(self.names.difference(fields)):
            hint = did_you_mean(name, fields) or f"there are {', '.join(f'{{{field}}}' for field in fields)}"
            raise ValueError(f"{{{name}}} is not known here; {hint}")
        fixed = next(i for i, name in enumerate(self._components) if any(isinstance(part, Field) for part in name))
        self.base = "/".join("".join(map(str, name)) for name in self._components[:fixed])

    def fill(self, values: Mapping[str, str]) -> str:
        """The path with a value for every field, each of them one name; `folder` may be several or none ("" or ".").

        Names that come from the disk must go through `names.legal` first (`names.legal_path` for `folder`): nothing
        is changed here. Raises NameRefused for a value that could leave its place or that no store can hold.
        """
        filled = (_fill(component, values) for component in self._components)
        return "/".join(name for name in filled if name is not None)


def components(text: str) -> tuple[tuple[str | Field, ...], ...]:
    """The names of a template's path, each as plain text and fields; an absolute path begins with an empty name.

    Raises ValueError, saying what to write, for a template that cannot work.
    """
    path = text.removeprefix("/").split("/")
    try:
        for name in path:
            names.check(name)
    except NameRefused:
        raise ValueError("it must be names with one / between them and none at the end, without . and ..") from None
    split = tuple(pieces(name) for name in path)
    if _SET not in split[-1]:
        raise ValueError("its last part must hold {set}, so that each set has a collection of its own")
    if any(_FOLDER in name and len(name) > 1 for name in split):
        raise ValueError("{folder} may be several folders and must stand alone, as in {instrument}/{folder}/{set}")
    return ((), *split) if text.startswith("/") else split


def _fill(component: tuple[str | Field, ...], values: Mapping[str, str]) -> str | None:
    if component == (_FOLDER,):
        folder = values["folder"]
        return None if folder in {"", "."} else "/".join(map(_checked, folder.split("/")))
    return "".join(_checked(values[part.name]) if isinstance(part, Field) else part for part in component)


def _checked(value: str) -> str:
    names.check(value)
    return value
