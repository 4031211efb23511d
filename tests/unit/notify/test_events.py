"""What other programs are told: CloudEvents that another library reads, the same ones again after a lost journal."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from hypothesis import strategies as st

from watcher.model import Event, ImageSet, State
from watcher.notify import events

SET = ImageSet(
    "urn:uuid:6f1c", Path("/data"), PurePosixPath("x"), "cells", "tiff", "stem", State.PUBLISHED,
    collection="/zone/a/cells", whole=True, sound=True, completed_at=1_700_000_000.0, published_at=1_700_000_060.0,
)  # fmt: skip
MANIFEST = ("manifest-sha256.txt", "0" * 64)


def published(image_set: ImageSet = SET, instrument: str = "LSM980-2", **more: Any) -> Event:
    return events.published(image_set, instrument, files=3, size=12, manifest=MANIFEST, **more)


def read(event: Event) -> CloudEvent:
    """The event as the judge reads it: it raises for whatever the specification does not allow."""
    found = JSONFormat().read(CloudEvent, event.body)
    assert isinstance(found, CloudEvent)
    return found


def data(event: Event) -> dict[str, Any]:
    found = read(event).get_data()
    assert isinstance(found, dict)
    return found


def test_a_published_set_is_told_with_all_that_is_known() -> None:
    event = read(published())
    assert event.get_type() == "org.irods-watcher.set.published"
    assert event.get_subject() == "/zone/a/cells"
    assert event.get_id() == published().id
    assert str(event.get_time()) == "2023-11-14 22:14:20+00:00"
    assert event.get_datacontenttype() == "application/json"
    told = data(published())
    told.pop("host")
    assert told == {
        "id": "urn:uuid:6f1c", "version": 1, "name": "cells", "format": "tiff", "collection": "/zone/a/cells",
        "zone": "zone", "instrument": "LSM980-2", "complete": True, "validation": "sound", "files": 3, "bytes": 12,
        "manifest": {"name": "manifest-sha256.txt", "sha256": "0" * 64}, "completed_at": "2023-11-14T22:13:20+00:00",
        "published_at": "2023-11-14T22:14:20+00:00", "supersedes": None, "attribution": {},
    }  # fmt: skip


def test_a_superseded_set_is_told_with_the_one_that_replaces_it() -> None:
    newer = replace(SET, id="urn:uuid:7", version=2, collection="/zone/a/cells.v2")
    event = events.superseded(SET, newer, "LSM980-2", 1_700_000_070.0)
    assert read(event).get_type() == "org.irods-watcher.set.superseded"
    assert (event.set_id, read(event).get_subject()) == (SET.id, "/zone/a/cells")
    assert data(event)["superseded_by"] == {"id": "urn:uuid:7", "version": 2, "collection": "/zone/a/cells.v2"}


def test_the_same_thing_has_the_same_identifier_whenever_it_is_told_and_another_thing_another() -> None:
    again = published(replace(SET, published_at=1_800_000_000.0, revision=7))
    assert published().id == again.id
    others = {
        published().id,
        events.superseded(SET, SET, "LSM980-2", 0.0).id,
        published(replace(SET, id="urn:uuid:8")).id,
        events.make("org.irods-watcher.set.attributed", SET, "LSM980-2", 0.0, {}, "first").id,
        events.make("org.irods-watcher.set.attributed", SET, "LSM980-2", 0.0, {}, "second").id,
    }
    assert len(others) == 5


def test_a_set_in_a_folder_has_no_zone() -> None:
    assert data(published(replace(SET, collection="scope/cells")))["zone"] is None


def test_what_is_unknown_or_unsound_is_said_so() -> None:
    told = data(published(replace(SET, format="", whole=False, sound=None)))
    assert (told["format"], told["complete"], told["validation"]) == (None, False, "unchecked")


def test_an_attribution_is_told_without_addresses() -> None:
    attribution = {
        "creators": [{"name": "Doe, Jane", "email": "j.doe@uni.example", "user": "jdoe#z"}],
        "contact": "mailto:j.doe@uni.example",
        "others": ["a@b.example", "nobody"],
    }
    assert data(published(attribution=attribution))["attribution"] == {
        "creators": [{"name": "Doe, Jane", "user": "jdoe#z"}],
        "others": ["nobody"],
    }


_TEXT = st.text().map(lambda text: text.encode("utf-8", "backslashreplace").decode())


@given(_TEXT, _TEXT, _TEXT.filter(bool))
def test_whatever_a_set_is_called_the_event_is_one(name: str, collection: str, instrument: str) -> None:
    event = published(replace(SET, name=name, collection=f"/{collection}"), instrument)
    assert event.body.isascii()
    assert (data(event)["name"], data(event)["instrument"]) == (name, instrument)
    assert json.loads(event.body)["source"].isascii()
    assert " " not in json.loads(event.body)["source"]


@pytest.mark.parametrize("instrument", ["LSM 980/2", "a:b", "Ω"])
def test_the_source_tells_instruments_apart(instrument: str) -> None:
    assert json.loads(published(instrument=instrument).body)["source"].count(":") == 3
