"""Files for those who import into OMERO, written with each set when it is published."""

import re
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from watcher.profile.base import Section, Text
from watcher.profile.pattern import Field as Named
from watcher.profile.pattern import pieces
from watcher.profile.wording import did_you_mean

#: What may stand in braces in a target.
FIELDS: Final = ("request", "project", "scientist", "set")
#: docs.openmicroscopy.org, Import images, import targets: a class, and an id or a name.
_TARGET: Final = re.compile(r"(Dataset|Screen):(id:[0-9]+|([+\-%@])?name:.+|[0-9]+)", re.DOTALL)


def _is_target(text: str) -> str:
    parts = pieces(text)
    for part in parts:
        if isinstance(part, Named) and part.name not in FIELDS:
            known = ", ".join(f"{{{name}}}" for name in FIELDS)
            hint = did_you_mean(part.name, FIELDS) or f"there are {known}"
            raise ValueError(f"{{{part.name}}} is not known here; {hint}")
    target("".join("x" if isinstance(part, Named) else part for part in parts))
    return text


def target(text: str) -> str:
    """A target as `omero import -T` takes it. Raises ValueError."""
    if not _TARGET.fullmatch(text):
        raise ValueError("write where the images are to go, as in Dataset:name:Actin or Screen:id:51")
    return text


def _from_the_root(path: str) -> str:
    if not path.startswith("/") or "//" in path or {".", ".."} & set(path.split("/")):
        raise ValueError("write the whole path, with / between the names, as OMERO's server sees it")
    return path.rstrip("/") or "/"


class OmeroImport(Section):
    """Files with each set for an in-place import into OMERO; the import itself is somebody else's."""

    mount: Annotated[Text, AfterValidator(_from_the_root)] = Field(
        description="The folder where OMERO's server sees what is in the store.", examples=["/mnt/irods"]
    )
    root: Annotated[Text, AfterValidator(_from_the_root)] = Field(
        default="/",
        description="The collection that is mounted there; sets that are not in it get no such files.",
        examples=["/zone"],
    )
    target: Annotated[Text, AfterValidator(_is_target)] = Field(
        default="Dataset:name:{set}",
        description="Where images go in OMERO if a request does not say it, with the fields {request}, {project}, "
        "{scientist} and {set}; a field without a value makes it the set's name.",
        examples=["Dataset:name:{request}"],
    )
    quay: bool = Field(default=False, strict=True, description="Also a manifest for omero-quay.", examples=[True])
