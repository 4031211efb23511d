"""The folder of the requests: one YAML file for each, which people may also write and change by hand."""

import contextlib
import random
import re
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from watcher import identifiers
from watcher.errors import RequestError, UsageError
from watcher.profile.sample import quoted
from watcher.provenance.request import Request, read_request, stated, text


class Requests:
    """The requests of a facility. Files are read again when they change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[tuple[int, int], Request | RequestError]] = {}

    def get(self, identifier: str) -> Request:
        """The request of this identifier. Raises UsageError if it is none or not there, RequestError if it is wrong."""
        try:
            code = identifiers.request(identifier)
        except ValueError as error:
            raise UsageError(f"{identifier}: {error}", cure="`irods-watcher request list` shows them") from None
        path = self._path(code)
        if not path.exists():
            raise UsageError(f"{code}: there is no such request in {self.folder}", cure="look at the identifier again")
        return self._one(path)

    def all(self) -> tuple[dict[str, Request], list[str]]:
        """All requests by identifier, and what is wrong in other files. Raises RequestError if there is no folder."""
        found: dict[str, Request] = {}
        problems: list[str] = []
        try:
            paths = sorted(path for path in self.folder.iterdir() if path.suffix == ".yaml" and path.name[0] != ".")
        except OSError as error:
            raise RequestError([f"{self.folder}: the folder of requests cannot be read ({error.strerror})"]) from None
        for path in paths:
            try:
                request = self._one(path)
            except RequestError as error:
                problems += error.problems
            else:
                found[request.id] = request
        self._read = {path: self._read[path] for path in paths if path in self._read}
        return found, problems

    def make(self, chance: random.Random, today: date, **said: Any) -> Request:
        """A new request with what is said of it, written to its file. Raises UsageError."""
        with self._writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        while True:
            request = stated({"id": identifiers.new_request(chance), "made": today.isoformat(), **said})
            with contextlib.suppress(FileExistsError), self._writing(self.folder):
                # Never over another one that was made at this moment.
                with self._path(request.id).open("x", encoding="utf-8") as file:
                    file.write(text(request))
                return request

    def close(self, identifier: str, today: date) -> Request:
        """Note in its file that a request is done, and leave everything else in it as it is. Raises UsageError."""
        path = self._path(self.get(identifier).id)
        line = f"closed: {quoted(today.isoformat())}"
        self._change(path, lambda old: _with_line(old, "closed", line))
        return self._one(path)

    def _one(self, path: Path) -> Request:
        try:
            status = path.stat()
        except OSError as error:
            raise RequestError([f"{path}: it cannot be read ({error.strerror})"]) from None
        stamp = (status.st_mtime_ns, status.st_size)
        before = self._read.get(path)
        if before is None or before[0] != stamp:
            try:
                before = (stamp, read_request(path))
            except RequestError as error:
                before = (stamp, error)
            self._read[path] = before
        if isinstance(before[1], RequestError):
            raise before[1]
        return before[1]

    def _path(self, code: str) -> Path:
        return self.folder / f"{code}.yaml"

    def _change(self, path: Path, change: Callable[[str], str]) -> None:
        """Write a file anew, whole or not at all."""
        part = path.with_name(f".{path.name}.part")
        with self._writing(path):
            part.write_text(change(path.read_text(encoding="utf-8-sig")), encoding="utf-8")
            part.replace(path)

    @contextlib.contextmanager
    def _writing(self, path: Path) -> Iterator[None]:
        try:
            yield
        except FileExistsError:
            raise
        except OSError as error:
            raise UsageError(
                f"{path}: it cannot be written ({error.strerror})", cure="let this account write there"
            ) from error


def _with_line(old: str, key: str, line: str) -> str:
    """The text with one key of the first level set, on one line."""
    changed, times = re.subn(rf"^{key}:.*$", lambda _: line, old, count=1, flags=re.MULTILINE)
    return changed if times else f"{old.rstrip()}\n{line}\n"


def ready(request: Request, unknown: Callable[[str], str]) -> list[str]:
    """What keeps an operator from beginning, in words; `unknown` says of a word why it means no person, "" if it does.

    Nothing: the request is ready.
    """
    lacks = [f"{key} is missing" for key in request.missing()]
    people = [("scientist", request.scientist), *((f"also[{n}].who", one.who) for n, one in enumerate(request.also))]
    lacks += [f"{key}: {why}" for key, word in people if word and (why := unknown(word))]
    if request.closed:
        lacks.append(f"it was closed on {request.closed}")
    return lacks
