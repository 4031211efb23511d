"""Reading any YAML file that people write for this program: from bytes to a model, or to all that is wrong in it."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from watcher.errors import DocumentError
from watcher.profile.environment import expand
from watcher.profile.problems import Problem, Wording, explained, problem
from watcher.profile.yaml_text import MAX_BYTES, Located, Route, YamlError, parse

M = TypeVar("M", bound=BaseModel)


class Kind(NamedTuple):
    """What sort of file it is, in words for messages: what it is called, what it needs, and who writes one."""

    title: str
    needs: str
    written_by: str
    error: type[DocumentError]
    most: int = MAX_BYTES


class Written(NamedTuple):
    """The bytes of a file, and its data with places."""

    content: bytes
    located: Located


def read(path: Path, kind: Kind, opened: bytes | None = None) -> Written:
    """The data of a YAML file that holds keys with values. Raises the kind's error."""
    data = content(path, kind.title, kind.most, kind.error, kind.written_by) if opened is None else opened
    try:
        located = parse(data, kind.most, kind.title)
    except YamlError as error:
        line, column = error.place
        raise kind.error([f"{path}:{line}:{column}: {error}"]) from None
    if not isinstance(located.data, dict):
        raise kind.error([f"{path}:1:1: this is no {kind.title}: it needs {kind.needs}"])
    return Written(data, located)


def load(path: Path, model: type[M], kind: Kind, wording: Wording, *, variables: bool = False) -> tuple[M, Written]:
    """The model in a YAML file, with paths relative to the file's folder.

    With `variables` each `${NAME}` is replaced from the environment. Raises the kind's error, with one line for each
    thing that is wrong, in the order of the file.
    """
    written = read(path, kind)
    unset: dict[Route, str] = {}
    if variables:
        written.located.data = expand(written.located.data, os.environ, unset)
    found, problems = validated(written.located, model, path.absolute().parent, wording, unset)
    if found is None or problems:
        raise kind.error(in_lines(path, problems))
    return found, written


def validated(
    located: Located, model: type[M], folder: Path, wording: Wording, doubtful: dict[Route, str] | None = None
) -> tuple[M | None, list[Problem]]:
    """The model, if the data fits it, and what is wrong; `doubtful` are the values that are not known, and why."""
    doubtful = doubtful or {}
    problems = [problem(route, sentence, located.values) for route, sentence in doubtful.items()]
    try:
        return model.model_validate(located.data, context={"folder": folder}), problems
    except ValidationError as error:
        return None, problems + explained(error, located, doubtful, wording)


def in_lines(path: Path, problems: Sequence[Problem]) -> list[str]:
    """Each problem as a line with its place, in the order of the file."""
    return [f"{path}:{line}:{column}: {key}: {what}" for line, column, key, what in sorted(problems)]


def content(
    path: Path, title: str, most: int, error: type[DocumentError], written_by: str = "look at its name"
) -> bytes:
    """The bytes of a file, and one more than `most` if it is larger. Raises the given error."""
    try:
        with path.open("rb") as file:
            return file.read(most + 1)
    except FileNotFoundError:
        raise error([f"{path}: there is no such file; {written_by}"]) from None
    except (IsADirectoryError, PermissionError) as problem:
        if path.is_dir():
            raise error([f"{path}: this is a folder; name the {title}'s file"]) from None
        raise error([f"{path}: this account may not read it ({problem.strerror}); change its permissions"]) from None
    except OSError as problem:
        raise error([f"{path}: it cannot be read ({problem.strerror})"]) from None
