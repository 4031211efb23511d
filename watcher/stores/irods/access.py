"""Who may read a set: nobody but this account before publication, and then whom its parent lets in by inheritance.

Facts of the protocol: irods-wire/11-access.jsonl. Of the server (db_plugin.cpp, chlRegColl, chlModAccessControl): what
is made where inheritance is on gets the access of its parent and nothing else, not even its maker's own; changing
access needs `own` on the collection itself, and a recursive change is one transaction.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from irods.message import ModAclRequest

from watcher.errors import NotAllowed
from watcher.stores.irods.catalogue import COLL_NAME, Catalogue, among
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.failures import UNKNOWN_USER

CHANGE_ACCESS = 707

# Columns of GenQuery (irods/models.py). Joined with the names of users it would list a group's members for the group.
COLL_INHERITANCE, LEVEL, LEVEL_NAME, HOLDER = 506, 710, 711, 713
USER_ID, USER_NAME, USER_ZONE, GROUP_ID = 201, 202, 204, 900

#: From the token table of iRODS: what seeing something needs, making something in a collection, changing its access.
READ, _MODIFY, OWN = 1050, 1120, 1200
#: What some servers understand only in short.
_SHORT: Final = {"read_object": "read", "modify_object": "write"}


class Holder(NamedTuple):
    """A user or group."""

    name: str
    zone: str


#: Inheritance is no one's.
NOBODY: Final = Holder("", "")


@dataclass(slots=True)
class Rights:
    """Who may do what in one collection: number and name of the level by the id of the user or group."""

    inherits: bool = False
    levels: dict[str, tuple[int, str]] = field(default_factory=dict)

    def highest(self, ids: Collection[str]) -> int:
        """The highest level that one of these holds; 0 for none."""
        return max((level for holder, (level, _) in self.levels.items() if holder in ids), default=0)


def rights_in(catalogue: Catalogue, collections: Collection[str], about: str) -> dict[str, Rights]:
    """The rights in each of these collections; what is missing is not there, or this account cannot see it."""
    found: dict[str, Rights] = {}
    for condition in among(collections):
        columns = (COLL_NAME, COLL_INHERITANCE, HOLDER, LEVEL, LEVEL_NAME)
        for path, inheritance, holder, level, name in catalogue.query(columns, {COLL_NAME: condition}, about):
            rights = found.setdefault(path, Rights())
            rights.inherits = inheritance == "1"
            rights.levels[holder] = (int(level), name.replace(" ", "_"))
    return found


def change_of(path: str, level: str, holder: Holder = NOBODY, *, recursive: bool = True) -> ModAclRequest:
    """The message that gives a level or takes it (`null`), or turns inheritance on or off."""
    return ModAclRequest(
        recursiveFlag=int(recursive), accessLevel=level, userName=holder.name, zone=holder.zone, path=path
    )


class Access:
    """The access that this account gives and takes; every method can be repeated. Raises as `Session` does."""

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._me = Holder(connection.environment.user, connection.environment.zone)

    def close(self, collection: str, *, new: bool) -> None:
        """Leave nobody but this account, on the collection and on what will be made in it.

        One request if it is `new` and its parent hands nothing down. Raises NotAllowed if this account does not own it.
        """
        found = self._rights(collection)
        if new and not found.inherits and len(found.levels) == 1:
            # Its maker's.
            return
        holders = self._holders(found, collection)
        try:
            if self._me not in holders or holders[self._me][0] < OWN:
                # First, because it may be a group of this account that owns it.
                self._change(collection, "own", self._me)
            for holder in holders:
                if holder != self._me:
                    self._change(collection, "null", holder)
            if found.inherits:
                self._change(collection, "noinherit")
        except NotAllowed as error:
            raise NotAllowed(
                f"{collection}: others may read it, and this account may not change that before it is published",
                cure=f"let the account own the collections that sets are made in (`ichmod own {self._me.name}`), or "
                "turn inheritance off there, then `irods-watcher retry`",
            ) from error

    def open(self, collection: str) -> None:
        """Give what the parent would give to something made in it now: nothing unless it has inheritance on.

        One request if not, else two more and one for each user or group.
        """
        above = self._rights(collection.rpartition("/")[0])
        if not above.inherits:
            return
        for holder, (_, level) in self._holders(above, collection).items():
            if holder != self._me:
                self._change(collection, _SHORT.get(level, level), holder)
        self._change(collection, "inherit")

    def shortfall(self, collection: str) -> str:
        """What this account lacks to deliver into collections made here, in words; empty if nothing, or if unknown."""
        myself = {USER_NAME: f"= '{self._me.name}'", USER_ZONE: f"= '{self._me.zone}'"}
        mine = {holder for row in self._catalogue.query((USER_ID, GROUP_ID), myself, collection) for holder in row}
        found = self._rights(collection)
        if not mine or not found.levels:
            return ""
        highest = found.highest(mine)
        if highest < _MODIFY:
            return "may not write there"
        if found.inherits and highest < OWN:
            return "must own it, because it hands its access down, and nobody may read a set before it is published"
        return ""

    def _rights(self, collection: str) -> Rights:
        return rights_in(self._catalogue, [collection], collection).get(collection, Rights())

    def _holders(self, rights: Rights, about: str) -> dict[Holder, tuple[int, str]]:
        """The levels by name; ids of users who were removed have none, and no access (irods#6921)."""
        if not rights.levels:
            return {}
        (condition,) = among(rights.levels)
        rows = self._catalogue.query((USER_ID, USER_NAME, USER_ZONE), {USER_ID: condition}, about)
        return {Holder(name, zone): rights.levels[number] for number, name, zone in rows}

    def _change(self, collection: str, level: str, holder: Holder = NOBODY) -> None:
        # Somebody who was removed meanwhile needs no access.
        known = {UNKNOWN_USER}
        self._connection.call(CHANGE_ACCESS, change_of(collection, level, holder), collection, known=known)
