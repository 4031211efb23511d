"""What all sections of a profile share: strictness, and paths that are absolute once the profile is read."""

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationInfo


class Section(BaseModel):
    """A part of a profile: frozen, and without room for a key that it does not know.

    Numbers are taken as text where text is wanted, because `model: 980` can mean nothing else.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", coerce_numbers_to_str=True, validate_default=True)


def written(text: str, *, description: str, examples: list[str]) -> Any:
    """A field whose default stands here as a person would write it, so that the schema shows it so."""
    return Field(default=text, description=description, examples=examples)


def _usable(value: object) -> object:
    if value == "":
        raise ValueError("it is empty; write a path")
    if isinstance(value, str) and re.search(r"[\x00-\x1f]", value):
        raise ValueError(r'"\t" and "\n" in double quotes are a tab and a line end; write / instead of \ in paths')
    return value


def _absolute(path: Path, info: ValidationInfo) -> Path:
    try:
        home_known = path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path}: the home folder is not known here; write the whole path") from None
    return Path((info.context or {}).get("folder", ""), home_known).absolute()


def _slashes(pattern: str) -> str:
    if "\\" in pattern:
        raise ValueError(f"{pattern}: in patterns folders are parted with / on Windows too; write / instead of \\")
    return pattern


#: A path on this machine: `~` is the home folder, and a relative one is relative to the profile's file.
LocalPath = Annotated[Path, BeforeValidator(_usable), AfterValidator(_absolute)]

#: Text that says something.
Text = Annotated[str, StringConstraints(min_length=1)]

#: A pattern for names or relative paths, as in `**/*.czi`.
Glob = Annotated[Text, AfterValidator(_slashes)]
