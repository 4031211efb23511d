"""The shape of `--json`: one object with `schema_version`, lists under their plural."""

import json
import posixpath
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from pydantic import TypeAdapter

from watcher.journal import Journal
from watcher.journal.sessions import WorkSession
from watcher.model import Answer, Attribution, ImageSet, Member, State
from watcher.overview import handoffs
from watcher.overview.attention import MOST_SETS
from watcher.overview.picture import Overview, sentence
from watcher.pipeline.inspect import Inspection
from watcher.provenance.request import Request

SCHEMA_VERSION = 1
_ATTRIBUTION = TypeAdapter(Attribution)
_UNFINISHED = {State.GROWING, State.HELD}


def emit(**content: Any) -> None:
    """Print one JSON object on stdout, in ASCII so that no name on a disk can break it."""
    json.dump({"schema_version": SCHEMA_VERSION, **content}, sys.stdout, indent=1, ensure_ascii=True)
    sys.stdout.write("\n")


def of_set(
    image_set: ImageSet,
    members: Sequence[Member],
    made_by: Attribution | None = None,
    handoff: Answer | None = None,
) -> dict[str, Any]:
    """A set of the journal."""
    whole = image_set.whole if image_set.whole is not None else False if image_set.state in _UNFINISHED else None
    return {
        "id": image_set.id,
        "name": image_set.name,
        "root": str(image_set.root / image_set.folder),
        "format": image_set.format,
        "state": str(image_set.state),
        "version": image_set.version,
        "complete": whole,
        "sound": image_set.sound,
        "problems": list(image_set.problems),
        "remarks": list(image_set.remarks),
        "files": image_set.files,
        "bytes": image_set.bytes,
        "members": [{"path": m.target, "bytes": m.facts.size, "sha256": m.sha256} for m in members],
        "metadata": dict(image_set.embedded),
        **of_attribution(made_by),
        "collection": image_set.collection,
        "waits_for": list(image_set.waits_for),
        "reason": image_set.reason,
        "on_hold": image_set.on_hold,
        "published_at": image_set.published_at,
        "handoff": asdict(handoff) if handoff else None,
    }


def in_brief(one: ImageSet, members: Sequence[Member], journal: Journal) -> dict[str, Any]:
    """A set of the journal with who made it and how far its agent is."""
    return of_set(one, members, journal.attributions.record(one.id), journal.handoffs.of(one))


def in_full(one: ImageSet, members: Sequence[Member], journal: Journal) -> dict[str, Any]:
    """The same with who may read it, what was changed later, and what happened to it."""
    granted = sorted(journal.attributions.granted(one.id).items())
    return {
        **in_brief(one, members, journal),
        "access": [{"who": who, "level": level, "problem": problem} for who, (level, problem) in granted],
        "changes": [asdict(change) for change in journal.attributions.changes(one.id)],
        "history": [{"at": at, "state": str(to), "note": note} for at, to, note in journal.sets.history(one.id)],
    }


def of_overview(now: Overview, journal: Journal) -> dict[str, Any]:
    """The picture of an instrument."""
    held = journal.sets.in_states(State.HELD, limit=MOST_SETS)
    return {
        "instrument": now.instrument,
        "version": now.version,
        "sentence": sentence(now),
        "mood": now.mood,
        "watcher": now.watcher,
        "page": now.page,
        "heartbeat": now.heartbeat,
        "paused": now.paused,
        "store_problem": now.store_problem,
        "counts": {str(one): now.counts.get(one, 0) for one in State},
        "on_hold": now.on_hold,
        "attention": [asdict(one) for one in now.attention],
        "held": [of_set(one, ()) for one in held],
        "sending": [
            {"id": one.image_set.id, "name": one.image_set.name, "bytes": one.done, "of": one.total}
            for one in now.sending
        ],
        "rate": now.rate,
        "seconds_left": now.seconds_left,
        "pace": now.pace,
        "disks": [asdict(one) for one in now.disks],
        "last_safe": now.last_safe,
        "oldest_open": now.oldest_open,
        "hours": [asdict(one) for one in now.hours],
        "abandoned": [{"collection": collection, "why": why} for collection, why in journal.collections.abandoned()],
        "sessions": [asdict(one) for one in now.sessions],
        "unattributed": now.unattributed,
        "shut_out": [{"id": set_id, "who": who, "why": why} for set_id, who, why in journal.attributions.shut_out()],
        "untold": [{"id": set_id, "why": why} for set_id, why in journal.attributions.problems()],
        "handoff": handoffs.record(journal),
    }


def of_attribution(found: Attribution | None) -> dict[str, Any]:
    """Who made a set and whence that is known; null where the journal does not know."""
    if found is None:
        return {"attribution": None}
    return {"attribution": _ATTRIBUTION.dump_python(found, mode="json")}


def of_request(request: Request, lacks: Sequence[str]) -> dict[str, Any]:
    """A request, and what keeps an operator from beginning with it."""
    return {**request.model_dump(mode="json"), "ready": not lacks, "lacks": list(lacks)}


def of_session(one: WorkSession, now: float) -> dict[str, Any]:
    """A session of work at the instrument."""
    return {
        "id": one.id, "request": one.request, "operator": one.operator, "folder": one.folder, "started": one.started,
        "until": one.until, "open": one.is_open(now), "ended_by": one.ended_by,
    }  # fmt: skip


def of_inspection(found: Inspection) -> dict[str, Any]:
    """A set that was only looked at: it has no identifier and no place to go."""
    folder = found.group.folder
    return {
        "id": None,
        "name": found.group.name,
        "root": str(found.root / folder),
        "format": found.group.format,
        "state": None,
        "complete": found.complete,
        "sound": found.validation.sound,
        "problems": list(found.validation.problems),
        "members": [
            {"path": posixpath.relpath(file.path, folder), "bytes": file.facts.size, "sha256": None}
            for file in found.group.files
        ],
        "metadata": found.validation.embedded,
        "sources": found.validation.sources,
        "remarks": list(found.validation.remarks),
        "collection": None,
        "waits_for": [f"the missing file {name}" for name in found.group.missing],
        "grouped_by": found.group.grouped_by,
        "validated_by": found.validation.checked,
    }
