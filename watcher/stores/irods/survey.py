"""What the catalogue says of many sets together, and what the server finds when it reads stored bytes again.

Facts of the server: a list in a condition is copied into a buffer of some thousand bytes on old servers, and each value
is a bind variable (general_query.cpp, addInClauseToWhereForIn). 629 with `verifyChksum` compares what is stored with
what is registered and changes nothing; with `ChksumAll` it does so for every good replica (dataObjChksum.h).
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from watcher.model import Avu
from watcher.stores.base import Replica, Surveyed
from watcher.stores.irods.access import OWN, USER_ID, USER_NAME, USER_ZONE, Rights, rights_in
from watcher.stores.irods.catalogue import (
    AVU_NAME,
    AVU_UNIT,
    AVU_VALUE,
    CHECKSUM,
    CHECKSUM_OF,
    COLL_NAME,
    DATA_NAME,
    REPLICA_NUMBER,
    SIZE,
    SLOWEST_CHECKSUM,
    STATUS,
    Catalogue,
    among,
    combine,
    object_at,
)
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.failures import CHECKSUM_MISMATCH, LOCKED, NOT_THERE, NOT_VERIFIED, UNKNOWN_COLLECTION

#: So many values, and bytes of values, go into one condition.
_MOST_VALUES: Final = 50
_MOST_BYTES: Final = 3000
#: A set with members in more collections than this is asked about alone, by what its path begins with.
_MOST_PLACES: Final = 20
#: The least of each level (iRODS token table), the highest first.
_LEVELS: Final = ((OWN, "own"), (1120, "write"), (1080, "annotate"))


class Surveys:
    """The questions about many sets. All raise as `watcher.stores.base.Session` says."""

    def __init__(self, connection: Connection, catalogue: Catalogue) -> None:
        self._connection = connection
        self._catalogue = catalogue
        self._me = ""

    def survey(self, wanted: Mapping[str, Collection[str]], attributes: Collection[str]) -> dict[str, Surveyed]:
        """See `watcher.stores.base.Session.survey`."""
        avus, replicas, access = self._avus(wanted, attributes), self._replicas(wanted), self._access(wanted)
        return {
            one: Surveyed(frozenset(avus.get(one, ())), replicas.get(one, {}), access.get(one, {})) for one in wanted
        }

    def reread(self, path: str, replica: Replica) -> str:
        """See `watcher.stores.base.Session.reread`."""
        message = object_at(path, 0, verifyChksum="", ChksumAll="")
        known = {NOT_VERIFIED, CHECKSUM_MISMATCH, UNKNOWN_COLLECTION} | NOT_THERE | LOCKED
        patience = max(1, replica.copies) * replica.size / SLOWEST_CHECKSUM
        code = self._connection.call(CHECKSUM_OF, message, path, known=known, patience=patience).code
        if code == 0:
            return ""
        if code in {NOT_VERIFIED, CHECKSUM_MISMATCH}:
            return "the stored bytes are not those of its checksum"
        return "it is not there" if code in NOT_THERE | {UNKNOWN_COLLECTION} else "it is locked or none of it is good"

    def _avus(self, wanted: Collection[str], attributes: Collection[str]) -> dict[str, list[Avu]]:
        found: dict[str, list[Avu]] = {}
        names = "in (" + ",".join(f"'{name}'" for name in attributes) + ")"
        columns = (COLL_NAME, AVU_NAME, AVU_VALUE, AVU_UNIT)
        for condition, about in _conditions(wanted):
            for collection, *avu in self._catalogue.query(columns, {COLL_NAME: condition, AVU_NAME: names}, about):
                found.setdefault(collection, []).append(Avu(*avu))
        return found

    def _replicas(self, wanted: Mapping[str, Collection[str]]) -> dict[str, Mapping[str, Replica]]:
        owners: dict[str, str] = {}
        found: dict[str, Mapping[str, Replica]] = {}
        for collection, targets in wanted.items():
            folders = {target.rpartition("/")[0] for target in targets if "/" in target}
            if len(folders) > _MOST_PLACES:
                found[collection] = self._catalogue.replicas(collection)
            else:
                owners |= {collection: collection, **{f"{collection}/{folder}": collection for folder in folders}}
        rows: dict[str, dict[str, list[tuple[str, ...]]]] = {}
        columns = (COLL_NAME, DATA_NAME, REPLICA_NUMBER, SIZE, CHECKSUM, STATUS)
        for condition, about in _conditions(owners):
            for place, name, _, *replica in self._catalogue.query(columns, {COLL_NAME: condition}, about):
                if collection := owners.get(place, ""):
                    target = f"{place}/{name}"[len(collection) + 1 :]
                    rows.setdefault(collection, {}).setdefault(target, []).append(tuple(replica))
        for collection, by_target in rows.items():
            found[collection] = {target: combine(some).replica for target, some in by_target.items()}
        return found

    def _access(self, wanted: Collection[str]) -> dict[str, dict[str, str]]:
        """Who has more than what the collection above hands down now."""
        above = {collection: collection.rpartition("/")[0] for collection in wanted}
        rights: dict[str, Rights] = {}
        for some in _portions([*wanted, *above.values()]):
            rights |= rights_in(self._catalogue, some, some[0])
        more: dict[str, dict[str, int]] = {}
        for collection, parent in above.items():
            handed = rights.get(parent, Rights())
            for holder, (level, _) in rights.get(collection, Rights()).levels.items():
                if holder != self._my_id(collection) and level > (handed.highest({holder}) if handed.inherits else 0):
                    more.setdefault(collection, {})[holder] = level
        names = self._names({holder for levels in more.values() for holder in levels})
        return {
            collection: {names[holder]: _word(level) for holder, level in levels.items() if holder in names}
            for collection, levels in more.items()
        }

    def _my_id(self, about: str) -> str:
        if not self._me:
            me = self._connection.environment
            conditions = {USER_NAME: f"= '{me.user}'", USER_ZONE: f"= '{me.zone}'"}
            self._me = next((number for (number,) in self._catalogue.query((USER_ID,), conditions, about)), "?")
        return self._me

    def _names(self, holders: Collection[str]) -> dict[str, str]:
        """As `name#zone` by id; ids of users who were removed have none, and no access (irods#6921)."""
        found = {}
        for some in _portions(sorted(holders)):
            for condition in among(some):
                rows = self._catalogue.query((USER_ID, USER_NAME, USER_ZONE), {USER_ID: condition}, "users")
                found.update({number: f"{name}#{zone}" for number, name, zone in rows})
        return found


def _word(level: int) -> str:
    return next((word for least, word in _LEVELS if level >= least), "read")


def _portions(values: Iterable[str]) -> Iterator[list[str]]:
    """The values, each once, in lists that a condition can hold."""
    some: list[str] = []
    size = 0
    for value in dict.fromkeys(values):
        if some and (len(some) == _MOST_VALUES or size + len(value.encode()) > _MOST_BYTES):
            yield some
            some, size = [], 0
        some.append(value)
        size += len(value.encode()) + 3
    if some:
        yield some


def _conditions(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The conditions that together say "one of these", and what each is about."""
    for some in _portions(values):
        yield from ((condition, some[0]) for condition in among(some))
