"""Reading a profile: from the bytes of a file to a Profile, or to the list of everything that is wrong in it."""

import hashlib
import os
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from watcher.errors import ProfileError
from watcher.profile.environment import expand
from watcher.profile.models import Document, Profile
from watcher.profile.problems import explained, problem
from watcher.profile.yaml_text import MAX_BYTES, Route, YamlError, parse


def load(path: Path) -> Profile:
    """The profile in a YAML file, with all paths absolute and `${NAME}` replaced from the environment.

    Raises ProfileError with one line for each thing that is wrong, in the order of the file.
    """
    content = _read(path)
    try:
        located = parse(content)
    except YamlError as error:
        line, column = error.place
        raise ProfileError([f"{path}:{line}:{column}: {error}"]) from None
    if not isinstance(located.data, dict):
        raise ProfileError([f"{path}:1:1: this is no profile: it needs the keys instrument, watch and store"])
    unset: dict[Route, str] = {}
    located.data = expand(located.data, os.environ, unset)
    problems = [problem(route, sentence, located.values) for route, sentence in unset.items()]
    try:
        document = Document.model_validate(located.data, context={"folder": path.absolute().parent})
    except ValidationError as error:
        problems += explained(error, located, unset)
    if problems:
        raise ProfileError([f"{path}:{line}:{column}: {key}: {what}" for line, column, key, what in sorted(problems)])
    sections: dict[str, Any] = dict(document)
    return Profile(**sections, source=path.absolute(), digest=hashlib.sha256(content).hexdigest())


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise ProfileError([f"{path}: there is no such file; `irods-watcher init` writes a profile"]) from None
    except (IsADirectoryError, PermissionError) as error:
        if path.is_dir():
            raise ProfileError([f"{path}: this is a folder; name the profile's file"]) from None
        reason = error.strerror
        raise ProfileError([f"{path}: this account may not read it ({reason}); change its permissions"]) from None
    except OSError as error:
        raise ProfileError([f"{path}: it cannot be read ({error.strerror})"]) from None
