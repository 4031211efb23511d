"""A file beside images that says who made them: `acquisition.yaml` in a folder, `scan.acquisition.yaml` for a scan."""

import re
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field

from watcher.errors import RequestError
from watcher.profile import document
from watcher.profile.base import Section, Text
from watcher.profile.import_files import target
from watcher.profile.people import Url
from watcher.profile.problems import Wording
from watcher.provenance.request import Credited

#: What says it for a folder and all below it, and the end of the name of one for the set of the same stem.
NAMES: Final = ("acquisition.yaml", "acquisition.yml")
ENDINGS: Final = (".acquisition.yaml", ".acquisition.yml")
#: A larger file is something else.
MAX_BYTES: Final = 64 * 1024


class Sidecar(Section):
    """Who made the images beside it, and for what."""

    request: Text | None = Field(default=None, description="The request that they are for.", examples=["RQ4F7K2MT"])
    scientist: Text | None = Field(default=None, description="Whose images they are.", examples=["jdoe"])
    operator: Text | None = Field(default=None, description="Who operated the instrument.", examples=["rroe"])
    also: tuple[Credited, ...] = Field(
        default=(), description="Who else is to be credited.", examples=[[{"who": "asmith"}]]
    )
    title: Text | None = Field(default=None, description="What they are about.", examples=["Actin in HeLa"])
    project: Text | None = Field(default=None, description="The project.", examples=["ERC-StG-4711"])
    group: Text | None = Field(default=None, description="The group that they belong to.", examples=["ag-doe"])
    funding: Text | None = Field(default=None, description="Who pays.", examples=["ERC 804411"])
    sample: Text | None = Field(default=None, description="The sample.", examples=["HeLa, fixed, phalloidin"])
    source: Url | None = Field(
        default=None, description="The entry in the laboratory notebook.", examples=["https://eln.example.org/exp/4711"]
    )
    licence: Text | None = Field(
        default=None, description="Their licence.", examples=["https://spdx.org/licenses/CC-BY-4.0"]
    )
    retention: Text | None = Field(default=None, description="How long they must be kept.", examples=["10 years"])
    omero: Annotated[Text, AfterValidator(target)] | None = Field(
        default=None, description="Where OMERO is to import them to.", examples=["Dataset:name:Actin"]
    )


class Told(NamedTuple):
    """What a sidecar says that can be used, and what is wrong in it. problems name lines and keys, no values."""

    values: dict[str, str]
    also: tuple[Credited, ...] = ()
    problems: tuple[str, ...] = ()


_KIND: Final = document.Kind("sidecar", "keys like request or scientist", "look at its name", RequestError, MAX_BYTES)
_WORDING: Final = Wording(Sidecar)


def is_sidecar(name: str) -> bool:
    """Whether a file of this name is one."""
    return name.lower() in NAMES or name.lower().endswith(ENDINGS)


def understood(name: str, content: bytes) -> Told:
    """What can be used of a sidecar; whatever is wrong in one key costs that key only."""
    try:
        located = document.read(Path(name), _KIND, content).located
    except RequestError as error:
        return Told({}, problems=error.problems)
    found, problems = document.validated(located, Sidecar, Path(), _WORDING)
    if found is None:
        wrong = {re.split(r"[.\[]", problem.key)[0] for problem in problems}
        located.data = {key: value for key, value in located.data.items() if key in Sidecar.model_fields.keys() - wrong}
        found, _ = document.validated(located, Sidecar, Path(), _WORDING)
    values = {key: value for key, value in found or () if key != "also" and value}
    return Told(values, found.also if found else (), tuple(document.in_lines(Path(name), problems)))
