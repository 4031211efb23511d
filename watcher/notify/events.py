"""What other programs are told, as CloudEvents 1.0 in JSON (cloudevents/spec, v1.0.2, spec.md and json-format.md).

`watcher/HANDOFF.md` describes each field for those who receive them. A field is only ever added.
"""

import json
import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote

from watcher import osfacts
from watcher.model import Event, ImageSet

PUBLISHED: Final = "org.irods-watcher.set.published"
SUPERSEDED: Final = "org.irods-watcher.set.superseded"
ATTRIBUTED: Final = "org.irods-watcher.set.attributed"

#: Names every event for good, so that one that is told twice is known by its id, even if the journal is lost between.
_NAMESPACE: Final = uuid.UUID("0a6f7c1e-7c55-4b39-9f4e-4e2f1f0d8a53")
_ADDRESS: Final = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")


def published(
    image_set: ImageSet,
    instrument: str,
    *,
    files: int,
    size: int,
    manifest: tuple[str, str],
    attribution: Mapping[str, Any] | None = None,
) -> Event:
    """A set is published: `manifest` is its name below the collection and its SHA-256, size is in bytes.

    Whatever is or holds an e-mail address is left out of the attribution.
    """
    data = {
        "complete": bool(image_set.whole),
        "validation": {True: "sound", False: "unsound", None: "unchecked"}[image_set.sound],
        "files": files,
        "bytes": size,
        "manifest": {"name": manifest[0], "sha256": manifest[1]},
        "completed_at": _time(image_set.completed_at),
        "published_at": _time(image_set.published_at),
        "supersedes": image_set.supersedes,
        "attribution": _without_addresses(attribution or {}),
    }
    return make(PUBLISHED, image_set, instrument, image_set.published_at or 0.0, data)


def superseded(image_set: ImageSet, by: ImageSet, instrument: str, now: float) -> Event:
    """A later version of a published set is published."""
    newer = {"id": by.id, "version": by.version, "collection": by.collection}
    return make(SUPERSEDED, image_set, instrument, now, {"superseded_by": newer})


def attributed(image_set: ImageSet, instrument: str, now: float, change: int, attribution: Mapping[str, Any]) -> Event:
    """It became known who made a published set, or otherwise than before; `change` counts the changes of the set."""
    data = {"attribution": _without_addresses(attribution)}
    return make(ATTRIBUTED, image_set, instrument, now, data, what=str(change))


def make(type: str, image_set: ImageSet, instrument: str, at: float, data: Mapping[str, Any], what: str = "") -> Event:
    """An event about a set; `what` tells it from others of its type, if a set has several."""
    identifier = str(uuid.uuid5(_NAMESPACE, "\0".join((image_set.id, type, what))))
    collection, host = image_set.collection or "", osfacts.host_name()
    body = {
        "specversion": "1.0",
        "id": identifier,
        "source": f"urn:irods-watcher:{quote(host, safe='')}:{quote(instrument, safe='')}",
        "type": type,
        "subject": collection,
        "time": _time(at),
        "datacontenttype": "application/json",
        "data": {
            "id": image_set.id,
            "version": image_set.version,
            "name": image_set.name,
            "format": image_set.format or None,
            "collection": collection,
            "zone": collection.split("/")[1] if collection.startswith("/") else None,
            "instrument": instrument,
            "host": host,
            **data,
        },
    }
    return Event(identifier, image_set.id, type, json.dumps(body, ensure_ascii=True))


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _without_addresses(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_addresses(inner) for key, inner in value.items() if not _is_address(inner)}
    if isinstance(value, list | tuple):
        return [_without_addresses(inner) for inner in value if not _is_address(inner)]
    return value


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and _ADDRESS.search(value) is not None
