"""Passwords and keys: a profile says where one is kept and never holds it."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from watcher.errors import ConfigurationError
from watcher.profile.base import LocalPath, Section
from watcher.redact import keep_secret


class Secret(Section):
    """Where a password is kept: in an environment variable or in a file. Showing this object never shows the secret."""

    env: Annotated[
        str | None,
        Field(
            pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
            description="The environment variable that holds it.",
            examples=["IRODS_PASSWORD"],
        ),
    ] = None
    file: Annotated[
        LocalPath | None,
        Field(description="The file that holds it, readable by the watcher alone.", examples=["/etc/irods-watcher/pw"]),
    ] = None

    @property
    def reference(self) -> str:
        """The name of the variable or file that holds it."""
        return self.env or str(self.file)

    def reveal(self) -> str:
        """The secret itself, read now, without the line end of its file.

        Raises ConfigurationError, naming the variable or file, if it is not there, empty, or cannot be read.
        """
        place, value = self._read()
        if not value:
            raise ConfigurationError(f"{place} holds nothing", cure="put the password or key there")
        return keep_secret(value)

    def _read(self) -> tuple[str, str]:
        if self.file is None:
            return f"the environment variable {self.env}", os.environ.get(self.env or "", "")
        try:
            return f"the file {self.file}", Path(self.file).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(f"{self.file}: what it keeps secret cannot be read ({reason})") from None

    @model_validator(mode="before")
    @classmethod
    def _is_a_reference(cls, value: Any) -> Any:
        if isinstance(value, str | int):
            raise ValueError("a secret is never written into the profile; write {env: NAME} or {file: PATH}")  # noqa: TRY004
        return value

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.env is None) == (self.file is None):
            raise ValueError("write either {env: NAME} or {file: PATH}")
        return self
