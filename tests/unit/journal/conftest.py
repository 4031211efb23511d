"""A journal of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from watcher.journal import Journal


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The directory that a journal is in."""
    return tmp_path / "state"


@pytest.fixture
def journal(state: Path) -> Iterator[Journal]:
    """An open, empty journal."""
    with Journal(state, owned=True) as opened:
        yield opened
