"""What a published set says of itself, in which words, and who may read it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from watcher.profile.base import Section, Text
from watcher.profile.pattern import pieces

#: What may stand in braces in `access.who`; a field without a value gives nobody access.
WHO: tuple[str, ...] = ("scientist", "operator", "creators", "group")


def _is_somebody(text: str) -> str:
    fields = [part.name for part in pieces(text) if not isinstance(part, str)]
    known = ", ".join(f"{{{name}}}" for name in WHO)
    if unknown := [name for name in fields if name not in WHO]:
        raise ValueError(f"{{{unknown[0]}}} is not known here; there are {known}")
    if len(fields) > 1:
        raise ValueError(f"this names two; write a rule for each, with one of {known}")
    return text


class Access(Section):
    """Who gets access to a set when it is published."""

    who: Annotated[Text, AfterValidator(_is_somebody)] = Field(
        description="A user or group of the zone, or {scientist}, {operator}, {creators} or {group}, which come from "
        "the attribution.",
        examples=["{scientist}"],
    )
    level: Literal["read", "annotate", "write", "own"] = Field(
        default="read",
        description="read: the files; annotate: also change metadata; write: also add files; own: everything.",
        examples=["read"],
    )
    above: bool = Field(
        default=False,
        strict=True,
        description="Also read the collections that the set lies in, as an in-place import into OMERO needs.",
        examples=[True],
    )


class Metadata(Section):
    """What a published set says of itself."""

    vocabulary: Literal["dcterms", "mango", "npg"] = Field(
        default="dcterms",
        description="dcterms: Dublin Core and PROV, persons told apart by units; mango: a schema for the ManGO portal; "
        "npg: the attribute names of the Sanger Institute, without units.",
        examples=["dcterms"],
    )
    tags: tuple[Text, ...] = Field(
        default=(), description="Words for dcterms:subject on each set.", examples=[["microscopy", "ready for omero"]]
    )
    licence: Text | None = Field(
        default=None,
        description="The licence of the images, if a request does not say it: text or an SPDX address.",
        examples=["https://spdx.org/licenses/CC-BY-4.0"],
    )
    imaging_method: Text | None = Field(
        default=None,
        description="What the instrument does, in the terms of FBbi.",
        examples=["FBbi:00000251 confocal microscopy"],
    )
