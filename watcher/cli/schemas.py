"""The verb `schema`: what may stand in the files that people write, for editors and other programs."""

import sys
from enum import StrEnum
from typing import Annotated, Final

import typer
from pydantic import BaseModel

from watcher.profile import schema as profiles
from watcher.profile.models import Document
from watcher.provenance.people import Directory
from watcher.provenance.request import Request
from watcher.provenance.sidecar import Sidecar


class Kind(StrEnum):
    """The files that people write."""

    PROFILE = "profile"
    PEOPLE = "people"
    REQUEST = "request"
    SIDECAR = "sidecar"


_MODELS: Final[dict[Kind, type[BaseModel]]] = {
    Kind.PROFILE: Document,
    Kind.PEOPLE: Directory,
    Kind.REQUEST: Request,
    Kind.SIDECAR: Sidecar,
}


def schema(
    kind: Annotated[Kind, typer.Argument(help="The kind of file.")] = Kind.PROFILE,
) -> None:
    """Print the JSON Schema of a profile, or of another file that people write.

    Editors explain keys and mark mistakes with it: its place goes into the first line of the file, as
    `# yaml-language-server: $schema=people.schema.json`.

    Example: irods-watcher schema people
    """
    sys.stdout.write(profiles.text(kind, _MODELS[kind]))
