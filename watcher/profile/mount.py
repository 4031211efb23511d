"""Sets that are in iRODS already, because the instrument writes through an NFSRODS mount: they are labelled there.

How NFSRODS behaves, and why: requirements-and-metadata.md, section 6.
"""

import os.path
from pathlib import Path, PurePosixPath
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, field_validator

from watcher.profile.base import LocalPath, Section, Text, written
from watcher.profile.secret import Secret
from watcher.profile.target import components

#: For so many seconds at most a mount may show what is no longer true: lists in NFSRODS 30, its status 1, the client's
#: attributes 60 (section 6.3), and some for the way.
CACHES: Final = 120.0


def _is_collection(path: str) -> str:
    if not path.startswith("/") or "//" in path or path == "/" or {".", ".."} & set(path.split("/")):
        raise ValueError("write the whole path from the zone on, as in /zone or /zone/home/facility")
    return path.rstrip("/")


def _is_below(path: str) -> str:
    if path.startswith("/") or "//" in path or {".", "..", ""} & set(path.split("/")):
        raise ValueError("write the path of a file below both roots, without / at the beginning")
    return path


class MountStore(Section):
    """Sets are in iRODS already: the instrument writes through an NFSRODS mount."""

    kind: Literal["mount"] = Field(
        description="The instrument writes through an NFSRODS mount: sets are in iRODS already.", examples=["mount"]
    )
    mount_root: LocalPath = Field(
        description="The folder where NFSRODS is mounted; what is watched lies in it.", examples=["/mnt/irods"]
    )
    logical_root: Annotated[Text, AfterValidator(_is_collection)] = Field(
        description="The collection that this folder shows, in most cases the zone.", examples=["/zone"]
    )
    known: Annotated[Text, AfterValidator(_is_below)] = Field(
        description="A small file below both that is always there: seen both ways, it proves that they are the same.",
        examples=["home/facility/README.txt"],
    )
    collection: Text | None = Field(
        default=None,
        description="Where each set is moved when it is published, as for `kind: irods` and in the same zone; absent: "
        "sets stay where they were written.",
        examples=["/zone/home/facility/{year}/{instrument}/{set}"],
    )
    move_up_to: int = Field(
        default=10_000,
        strict=True,
        ge=1,
        description="A set with more files than this is not moved: iRODS moves each of them on its disk.",
        examples=[10_000],
    )
    compare: bool = Field(
        default=False,
        strict=True,
        description="Whether each file is also read through the mount and compared with the server's checksum.",
        examples=[True],
    )
    environment: LocalPath = written(
        "~/.irods/irods_environment.json",
        description="The file that `iinit` and the iCommands use.",
        examples=["~/.irods/irods_environment.json"],
    )
    password: Secret | None = Field(
        default=None,
        description="Where the password is kept; absent: as `iinit` left it.",
        examples=[{"env": "IRODS_PASSWORD"}],
    )
    connections: int = Field(
        default=4, strict=True, ge=1, le=16, description="Connections at the same time.", examples=[4]
    )

    @field_validator("collection")
    @classmethod
    def _can_be_filled(cls, collection: str | None) -> str | None:
        if collection is not None:
            components(collection)
            if not collection.startswith("/"):
                raise ValueError("it must begin with the zone, as in /zone/home/facility/{instrument}/{set}")
        return collection

    @property
    def zone(self) -> str:
        """The zone that is mounted."""
        return self.logical_root.split("/")[1]

    def logical(self, path: Path) -> str:
        """What iRODS calls a place in the mount. Raises ValueError for a place that is not in it."""
        below = PurePosixPath(os.path.normpath(path)).relative_to(os.path.normpath(self.mount_root))
        return self.logical_root if below == PurePosixPath() else f"{self.logical_root}/{below}"
