"""Access for those whom a site names: to a set's collection with all below it, and to the way there.

What a reader needs (general_query.cpp, genqAppendAccessCheck; its policy STRICT is the default): a query shows a
collection to those who have `read_object` on it, themselves or through a group, and a data object to those who have it
on the object and on the collection that holds it. Opening an object asks the same (dataObjOpr.cpp, getDataObjInfo) and
nothing of what lies further up. But whoever walks down, as a mount does, looks at each collection on the way
(rsObjStat.cpp), and needs `read_object` on each from the zone's own, which is such a mount's root; beside the way they
still see only what they may read. A new zone gives it to its administrator alone and not to `public`
(icatSetupValues.sql.template; 12-permission-denied, where bob cannot see /tempZone).

Of changing it (db_plugin.cpp, db_mod_access_control_op): it needs `own` on the collection. A recursive change is one
transaction and replaces what the holder had on all below, also if that was more. Somebody unknown, by name or by zone,
is -827000. The atomic request 20005 changes one collection or object and nothing below it, and knows neither zones nor
`modify_metadata` (atomic_apply_acl_operations.cpp): it saves nothing here.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

from watcher.errors import NotAllowed, StoreError
from watcher.stores.base import Grant
from watcher.stores.irods.access import (
    CHANGE_ACCESS,
    GROUP_ID,
    NOBODY,
    OWN,
    READ,
    USER_ID,
    USER_NAME,
    USER_ZONE,
    Holder,
    Rights,
    change_of,
    rights_in,
)
from watcher.stores.irods.catalogue import Catalogue, above, among
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.failures import UNKNOWN_USER

#: Number and name of each level, in the words that all servers understand.
_LEVELS: Final = {
    "read": (READ, "read"),
    "annotate": (1080, "modify_metadata"),
    "write": (1120, "write"),
    "own": (OWN, "own"),
}
#: What can be a name in iRODS (user_validation_utilities.cpp); nobody else needs to be asked for.
_NAME: Final = re.compile(r"[\w.@-]{1,63}", re.ASCII)
_UNKNOWN: Final = "unknown to the zone"


class _Want(NamedTuple):
    """What one holder is to have: number and name of the level, and whether the way there."""

    number: int
    level: str
    above: bool


class _Change(NamedTuple):
    """One request."""

    holder: Holder
    level: str
    path: str
    recursive: bool = True


class Grants:
    """What this account gives and takes for those whom a site names; each can be repeated. Raises as `Session` does."""

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._me = Holder(connection.environment.user, connection.environment.zone)
        # Seen for earlier sets. An id never gets another name.
        self._ids: dict[Holder, str] = {}
        self._readable: set[tuple[Holder, str]] = set()

    def grant(self, collection: str, grants: Sequence[Grant]) -> dict[str, str]:
        """See `watcher.stores.base.Session.grant`."""
        wanted = self._wanted(grants)
        self._identify([*wanted, self._me] if wanted else [], collection)
        refused = {holder: [_UNKNOWN] for holder in wanted if holder not in self._ids}
        known = {holder: want for holder, want in wanted.items() if holder in self._ids}
        if known:
            refused |= self._open_set(collection, known)
            travellers = [holder for holder, want in known.items() if want.above and holder not in refused]
            refused |= self._open_way(collection, travellers)
        holders = {grant.who: self._holder(grant.who) for grant in grants}
        return {who: "; ".join(refused[holder]) for who, holder in holders.items() if holder in refused}

    def revoke(self, collection: str, who: Iterable[str]) -> None:
        """See `watcher.stores.base.Session.revoke`."""
        holders = dict.fromkeys(holder for one in who if _NAME.fullmatch((holder := self._holder(one)).name))
        changes = [_Change(holder, "null", collection) for holder in holders if holder != self._me]
        if any(reason not in ("", _UNKNOWN) for reason in self._apply(changes)):
            cure = f"let the account own it (`ichmod -r own {self._me.name} {shlex.quote(collection)}`)"
            raise NotAllowed(f"{collection}: this account may not take access to it away", cure=cure)

    def _open_set(self, collection: str, wanted: Mapping[Holder, _Want]) -> dict[Holder, list[str]]:
        """What is refused, and why."""
        found = rights_in(self._catalogue, [collection], collection).get(collection, Rights())
        changes = [
            _Change(holder, want.level, collection)
            for holder, want in wanted.items()
            if found.highest({self._ids[holder]}) <= want.number
        ]
        if not found.inherits:
            changes.append(_Change(NOBODY, "inherit", collection))
        refused: dict[Holder, list[str]] = {}
        for change, reason in zip(changes, self._apply(changes), strict=True):
            for holder in wanted if change.holder == NOBODY else [change.holder]:
                if reason:
                    refused.setdefault(holder, []).append(reason)
        return refused

    def _open_way(self, collection: str, holders: Iterable[Holder]) -> dict[Holder, list[str]]:
        """What is refused, and why. Nothing is asked about what earlier sets have shown to be readable."""
        way = [(holder, path) for holder in holders for path in above(collection)]
        way = [place for place in way if place not in self._readable]
        if not way:
            return {}
        found = rights_in(self._catalogue, dict.fromkeys(path for _, path in way), collection)
        identities = self._identities({self._me, *(holder for holder, _ in way)}, collection)
        changes: list[_Change] = []
        refused: dict[Holder, list[str]] = {}
        for holder, path in way:
            change = _Change(holder, "read", path, recursive=False)
            rights = found.get(path, Rights())
            if rights.highest(identities[holder]) >= READ:
                self._readable.add((holder, path))
            elif rights.highest(identities[self._me]) >= OWN:
                changes.append(change)
            else:
                refused.setdefault(holder, []).append(self._closed(change, hidden=path not in found))
        for change, reason in zip(changes, self._apply(changes), strict=True):
            if reason:
                refused.setdefault(change.holder, []).append(reason)
            else:
                self._readable.add((change.holder, change.path))
        return refused

    def _wanted(self, grants: Iterable[Grant]) -> dict[Holder, _Want]:
        """By holder, who may be named twice: the most of what was asked for."""
        wanted: dict[Holder, _Want] = {}
        for who, name, up in grants:
            holder = self._holder(who)
            before = wanted.get(holder, _Want(0, "", False))
            number, level = max(before[:2], _LEVELS[name])
            wanted[holder] = _Want(number, level, up or before.above)
        return wanted

    def _holder(self, who: str) -> Holder:
        name, _, zone = who.partition("#")
        return Holder(name, zone or self._me.zone)

    def _identify(self, holders: Iterable[Holder], about: str) -> None:
        """Note the ids of those who are new here."""
        names = {holder.name for holder in holders if holder not in self._ids and _NAME.fullmatch(holder.name)}
        for condition in among(names):
            rows = self._catalogue.query((USER_ID, USER_NAME, USER_ZONE), {USER_NAME: condition}, about)
            self._ids.update({Holder(name, zone): number for number, name, zone in rows})

    def _identities(self, holders: Iterable[Holder], about: str) -> dict[Holder, set[str]]:
        """The ids of these and of the groups that they are in; asked anew each time, since groups change."""
        found = {holder: {self._ids.get(holder, "")} for holder in holders}
        for condition in among({holder.name for holder in holders}):
            rows = self._catalogue.query((USER_NAME, USER_ZONE, GROUP_ID), {USER_NAME: condition}, about)
            for name, zone, group in rows:
                if (holder := Holder(name, zone)) in found:
                    found[holder].add(group)
        return found

    def _apply(self, changes: Sequence[_Change]) -> list[str]:
        """Make the changes, all on their way at once: why each was refused, empty if it was not."""
        try:
            for change in changes:
                message = change_of(change.path, change.level, change.holder, recursive=change.recursive)
                self._connection.send(CHANGE_ACCESS, message, change.path)
            return [self._answer(change) for change in changes]
        except BaseException:
            # What was not read would be taken for the replies to the next requests.
            self._connection.abort()
            raise

    def _answer(self, change: _Change) -> str:
        try:
            code = self._connection.receive(change.path, known={UNKNOWN_USER}).code
        except NotAllowed:
            return self._closed(change)
        except StoreError as error:
            if error.transient:
                raise
            return error.what
        if code == UNKNOWN_USER:
            self._ids.pop(change.holder, None)
        return _UNKNOWN if code == UNKNOWN_USER else ""

    def _closed(self, change: _Change, *, hidden: bool = False) -> str:
        """Why, and what an administrator has to type; this account must see it itself to know that it was done."""
        typed = self._typed(change)
        if hidden:
            typed += f" and {self._typed(change._replace(holder=self._me))}"
        return f"this account may not give access to {change.path}: an administrator has to type {typed}"

    def _typed(self, change: _Change) -> str:
        name, zone = change.holder
        who = name if zone in ("", self._me.zone) else f"{name}#{zone}"
        words = ["ichmod", "-r" if change.recursive else "", change.level, who, shlex.quote(change.path)]
        return f"`{' '.join(word for word in words if word)}`"
