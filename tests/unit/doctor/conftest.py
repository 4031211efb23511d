"""An instrument with a folder as its archive, and a doctor that looks at it."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from watcher.doctor.check import Result, Subject, examine
from watcher.doctor.checks import CHECKS
from watcher.errors import Exit

#: What a fact needs to be told by: how it ended, what was found, and the cure.
Told = list[tuple[str, str, str]]


class Patient:
    """The installation, and what the doctor says of it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.data, self.archive, self.state = home / "data", home / "archive", home / "state"
        self.profile = home / "profile.yaml"
        self.results: list[Result] = []
        self.data.mkdir()
        self.archive.mkdir()
        self.write()

    def write(self, more: str = "", *, instrument: str = "{name: Scope-1}", watch: str = "[{path: data}]") -> None:
        """A profile."""
        text = f"instrument: {instrument}\nwatch: {watch}\nstore: {{kind: folder, path: archive}}\n{more}"
        self.profile.write_text(text, encoding="utf-8")
        self.profile.chmod(0o644)

    def told(self, name: str, *others: str, **how: Any) -> Told:
        """What one check says, after those that it needs and these were made."""
        needs = {name, *others}
        for check in reversed(CHECKS):
            needs |= set(check.needs) if check.name in needs else set()
        subject = Subject(self.profile, lambda _: self.state, **how)
        self.results = list(examine(subject, [check for check in CHECKS if check.name in needs]))
        (found,) = [one for one in self.results if one.name == name]
        return [(str(fact.verdict), fact.what, fact.cure) for fact in found.facts]

    def codes(self) -> set[Exit]:
        """The exit codes that the last results ask for."""
        return {fact.exit_code for one in self.results for fact in one.facts} - {Exit.OK}


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    return Patient(tmp_path)


@pytest.fixture
def as_nobody(tmp_path: Path) -> Iterator[Callable[[], Any]]:
    """Within this block permissions count, which they do not for root."""
    if os.name != "posix" or os.geteuid() != 0:

        @contextmanager
        def unchanged() -> Iterator[None]:
            yield

        yield unchanged
        return
    reached = [place for place in (tmp_path, *tmp_path.parents) if place.stat().st_mode & 0o055 != 0o055]

    @contextmanager
    def lowered() -> Iterator[None]:
        modes = {place: place.stat().st_mode for place in reached}
        for place, mode in modes.items():
            place.chmod(mode | 0o055)
        os.seteuid(65534)
        try:
            yield
        finally:
            os.seteuid(0)
            for place, mode in modes.items():
                place.chmod(mode)

    yield lowered
