"""The profiles that people start from, and the schema that helps them in the editor."""

import re
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from watcher.profile import (
    Amqp,
    Complete,
    FolderCopy,
    FolderStore,
    Handoff,
    Instrument,
    IrodsCopy,
    IrodsStore,
    MountStore,
    Secret,
    Sets,
    Watch,
    Web,
    Webhook,
    load,
    schema,
)
from watcher.profile.audit import Audit
from watcher.profile.environment import expand
from watcher.profile.fleet import Fleet
from watcher.profile.import_files import OmeroImport
from watcher.profile.limits import Acquiring, Limits
from watcher.profile.metadata import Access, Metadata
from watcher.profile.models import Document
from watcher.profile.notify import Notify, Ping
from watcher.profile.people import (
    BookingColumns,
    Bookings,
    Default,
    Organisation,
    People,
    PeopleColumns,
    Sessions,
)
from watcher.profile.release import Release
from watcher.profile.sample import sample
from watcher.profile.web import Proxy
from watcher.profile.yaml_text import Route, parse

PROFILES = Path(__file__).parents[3] / "profiles"


@pytest.mark.parametrize("file", sorted(PROFILES.glob("*.yaml")), ids=lambda file: file.name)
def test_each_profile_in_the_repository_loads_and_names_its_schema(file: Path) -> None:
    load(file)
    first = file.read_text(encoding="utf-8").splitlines()[0]
    found = re.fullmatch(r"# yaml-language-server: \$schema=(.+)", first)
    assert found is not None
    assert (file.parent / found[1]).resolve() == schema.FILE.resolve()


def test_each_profile_is_listed_in_the_readme() -> None:
    listed = set(re.findall(r"^\| `(.+?\.yaml)`", (PROFILES / "README.md").read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == {file.name for file in PROFILES.glob("*.yaml")}


def test_the_schema_file_is_current() -> None:
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run python -m watcher.profile.schema"


@pytest.mark.parametrize(
    "section",
    [
        Document,
        Instrument,
        Watch,
        Sets,
        Complete,
        IrodsStore,
        FolderStore,
        IrodsCopy,
        FolderCopy,
        MountStore,
        Secret,
        Limits,
        Acquiring,
        People,
        PeopleColumns,
        Bookings,
        BookingColumns,
        Default,
        Sessions,
        Organisation,
        Access,
        Metadata,
        Handoff,
        Webhook,
        Amqp,
        OmeroImport,
        Notify,
        Ping,
        Fleet,
        Release,
        Audit,
        Web,
        Proxy,
    ],
)
def test_every_key_is_described_with_an_example(section: type[BaseModel]) -> None:
    for name, field in section.model_fields.items():
        assert field.description, name
        assert field.examples, name


Kind = Literal["irods", "folder", "mount"]
KINDS: tuple[tuple[Kind, str], ...] = (
    ("irods", "/zone/home/facility/{instrument}/{set}"),
    ("folder", "/archive"),
    ("mount", "/zone"),
)
STORES: dict[str, type[BaseModel]] = {"irods": IrodsStore, "folder": FolderStore, "mount": MountStore}


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_the_sample_that_init_writes_loads(tmp_path: Path, kind: Kind, target: str) -> None:
    file = tmp_path / "lab.yaml"
    file.write_text(sample("it's LSM: 2", "/data/#1", kind, target, "/data"), encoding="utf-8")
    profile = load(file)
    assert profile.instrument.name == "it's LSM: 2"
    assert profile.watch[0].path == Path("/data/#1").absolute()
    assert profile.store.kind == kind


@pytest.mark.parametrize(("kind", "target"), KINDS)
def test_the_sample_tells_the_defaults_as_they_are(tmp_path: Path, kind: Kind, target: str) -> None:
    text = sample("LSM", "/data/lsm", kind, target, "/data")
    file = tmp_path / "lab.yaml"
    file.write_text(text, encoding="utf-8")
    short = load(file)
    optional = re.compile(
        r"^( *)# (?=(?:  )?(?:- )?\w+:(?: |$))(?!manufacturer|model|serial|timezone|password|resource)"
    )
    file.write_text("\n".join(optional.sub(r"\1", line) for line in text.splitlines()), encoding="utf-8")
    full = load(file)
    assert full.model_copy(update={"digest": short.digest}) == short
    told = set(re.findall(r"^[ #-]*(\w+):", text, re.MULTILINE))
    sections: list[type[BaseModel]] = [
        Instrument,
        Watch,
        Sets,
        Complete,
        Limits,
        People,
        Metadata,
        Handoff,
        Notify,
        Web,
        STORES[kind],
    ]
    assert {name for section in sections for name in section.model_fields} - told == {"pid", "columns", "default"}


@settings(deadline=None)
@given(st.text(), st.text())
def test_the_sample_holds_exactly_what_it_was_given(instrument: str, path: str) -> None:
    unset: dict[Route, str] = {}
    data = expand(parse(sample(instrument, path, "folder", "/archive").encode()).data, {}, unset)
    assert data["instrument"]["name"] == instrument
    assert data["watch"][0]["path"] == path
    assert not unset
    assert yaml.safe_load(sample("a", "b", "folder", "c"))["store"] == {"kind": "folder", "path": "c"}
