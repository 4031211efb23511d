"""The catalogue of the zone: every agent reads and changes it under its one lock."""

import itertools
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from .codes import Code, RefusedError
from .entities import Avu, Collection, DataObject, Entity, Resource, Triple, User, now
from .permissions import DELETE, NAMES, OWN, READ, WRITE, may

MAX_VALUE = 2700
MAX_UNITS = 250


def split(path: str) -> tuple[str, str]:
    """The parent collection and the last name of a logical path."""
    parent, _, name = path.rstrip("/").rpartition("/")
    return parent or "/", name


class Catalogue:
    """Users, collections, data objects and AVUs with the rules of the real one; bodies lie in `vault`."""

    def __init__(self, zone: str, vault: Path) -> None:
        self.lock = threading.RLock()
        self.zone = zone
        self.vault = vault
        self._ids = itertools.count(10001)
        self.users: dict[str, User] = {}
        self.resources: dict[str, Resource] = {}
        self.collections: dict[str, Collection] = {}
        self.objects_by_id: dict[int, DataObject] = {}
        self.avus: dict[Triple, Avu] = {}
        #: Told of each AVU at the moment it is attached, with the lock held.
        self.witness: Callable[[Entity, Triple], None] | None = None
        self.add_user("public", None, kind="rodsgroup")

    def next_id(self) -> int:
        """A new id; one sequence serves all tables, as in iRODS."""
        return next(self._ids)

    # users, groups, resources

    def add_user(self, name: str, password: str | None, kind: str = "rodsuser", zone: str = "") -> User:
        """Create a user or group, with the home and trash collections of a user."""
        key = self._key(name, zone)
        user = User(self.next_id(), name, kind, password, zone or self.zone, key)
        self.users[key] = user
        if kind != "rodsgroup":
            user.groups.add("public")
            for home in (f"/{self.zone}/home/{key}", f"/{self.zone}/trash/home/{key}"):
                self.ensure_collection(home, key)
        return user

    def _key(self, name: str, zone: str) -> str:
        return name if zone in ("", self.zone) else f"{name}#{zone}"

    def add_resource(self, name: str) -> Resource:
        """Create a storage resource."""
        resource = self.resources[name] = Resource(self.next_id(), name, now())
        return resource

    def user(self, name: str, zone: str | None = None) -> User:
        """A user or group by name and zone, empty for this one; without a zone the name may carry it (`#zone`)."""
        if zone is None:
            name, _, zone = name.partition("#")
        found = self.users.get(self._key(name, zone))
        if found is None or "#" in name:
            raise RefusedError(Code.CAT_INVALID_USER)
        return found

    def allowed(self, user: User, entity: Entity, level: int) -> bool:
        """Whether `user` holds `level` on `entity`."""
        return may(user, {self.users[group].id for group in user.groups}, entity, level)

    def visible(self, user: User, entity: Entity) -> bool:
        """Whether queries show `entity` to `user` (general_query.cpp, genqAppendAccessCheck, policy STRICT)."""
        return user.type == "rodsadmin" or self.allowed(user, entity, READ)

    def to_be_found(self, user: User, entity: Entity) -> bool:
        """Whether a query by its path shows it: with a data object, its collection must be visible too (same place)."""
        inside = isinstance(entity, DataObject) and not self.visible(user, entity.collection)
        return self.visible(user, entity) and not inside

    # lookup

    def find_object(self, path: str) -> DataObject | None:
        """The data object at `path`."""
        parent, name = split(path)
        collection = self.collections.get(parent)
        return collection.objects.get(name) if collection else None

    def object(self, path: str, missing: Code = Code.CAT_NO_ROWS_FOUND) -> DataObject:
        """The data object at `path`, or a refusal."""
        found = self.find_object(path)
        if found is None:
            raise RefusedError(missing)
        return found

    def entity(self, path: str) -> Entity | None:
        """The collection or data object at `path`."""
        return self.collections.get(path) or self.find_object(path)

    def walk(self, top: Collection) -> Iterator[Collection]:
        """`top` and every collection below it, parents first."""
        yield top
        for child in top.children.values():
            yield from self.walk(child)

    def objects_below(self, top: Collection) -> list[DataObject]:
        """Every data object in `top` and below."""
        return [item for collection in self.walk(top) for item in collection.objects.values()]

    # collections

    def ensure_collection(self, path: str, owner: str) -> Collection:
        """The collection at `path`, made with its parents if need be, without asking for permission."""
        found = self.collections.get(path)
        if found:
            return found
        if path == "/":
            return self._attach(Collection(self.next_id(), "/", owner), None, owner)
        parent, _ = split(path)
        above = "rods" if parent.rstrip("/").count("/") <= 2 else owner
        return self._attach(Collection(self.next_id(), path, owner), self.ensure_collection(parent, above), owner)

    def _attach(self, item: Collection, parent: Collection | None, owner: str) -> Collection:
        if parent is not None:
            parent.children[split(item.path)[1]] = item
            item.inherit = parent.inherit
        self._first_access(item, parent, self.users.get(owner))
        self.collections[item.path] = item
        return item

    @staticmethod
    def _first_access(item: Entity, parent: Collection | None, maker: User | None) -> None:
        """Its maker's, or where the parent hands access down only what that gives (db_plugin.cpp, chlRegColl)."""
        if parent is not None and parent.inherit:
            item.access.update(parent.access)
        elif maker is not None:
            item.access[maker.id] = OWN

    def writable_parent(self, user: User, path: str) -> Collection:
        """The collection above `path`, where `user` may create (texts: 05-put606, 12-permission-denied)."""
        parent = self.collections.get(split(path)[0])
        if parent is None:
            raise RefusedError(Code.CAT_UNKNOWN_COLLECTION, f"collection '{split(path)[0]}' is unknown")
        if not self.allowed(user, parent, WRITE):
            raise RefusedError(Code.CAT_NO_ACCESS_PERMISSION, f"no permission to update collection '{parent.path}'")
        return parent

    def make_collection(self, user: User, path: str, *, recursive: bool) -> None:
        """`COLL_CREATE`: with `recursive` all that `user` cannot see is made, from the top (rsCollCreate.cpp)."""
        missing = [path]
        if recursive:
            missing = []
            while path != "/" and not ((found := self.collections.get(path)) and self.visible(user, found)):
                missing.insert(0, path)
                path = split(path)[0]
        for step in missing:
            if split(step)[0] == "/":
                reason = f"a valid zone name does not appear at the root of the object path [{step}]"
                raise RefusedError(
                    Code.SYS_INVALID_INPUT_PARAM,
                    f"SYS_INVALID_INPUT_PARAM]  errno [] -- message [{reason}]\n",
                    Code.SYS_INVALID_INPUT_PARAM,
                )
            parent = self.writable_parent(user, step)
            self.refuse_existing(step)
            self._attach(Collection(self.next_id(), step, user.key), parent, user.key)
            parent.modified = now()

    def refuse_existing(self, path: str) -> None:
        """Refuse a name that is taken in this collection."""
        if path in self.collections:
            raise RefusedError(Code.CATALOG_ALREADY_HAS_ITEM_BY_THAT_NAME)
        if self.find_object(path):
            raise RefusedError(Code.CAT_NAME_EXISTS_AS_DATAOBJ)

    def forget_collection(self, item: Collection) -> None:
        """Take a collection and those below it, which hold no data objects any more, out of the catalogue."""
        for collection in list(self.walk(item)):
            del self.collections[collection.path]
        parent, name = split(item.path)
        self.collections[parent].children.pop(name)

    # data objects

    def create_object(self, user: User, path: str, resource: str, kind: str) -> DataObject:
        """Register a new data object with an INTERMEDIATE replica; its body is for the caller to make."""
        parent = self.writable_parent(user, path)
        if path in self.collections:
            raise RefusedError(Code.CAT_NAME_EXISTS_AS_COLLECTION)
        number = self.next_id()
        item = DataObject(
            number, split(path)[1], parent, user.name, resource, self.vault / str(number), type=kind or "generic"
        )
        item.token = str(uuid.uuid4())
        self._first_access(item, parent, user)
        parent.objects[item.name] = item
        parent.modified = now()
        self.objects_by_id[item.id] = item
        return item

    def forget_object(self, item: DataObject) -> None:
        """Take a data object out of the catalogue and delete its body."""
        item.collection.objects.pop(item.name)
        del self.objects_by_id[item.id]
        for replica in item.replicas:
            replica.location.unlink(missing_ok=True)

    def replicate(self, item: DataObject, resource: str) -> DataObject:
        """Make one more replica of a data object, with its bytes and what is known of it now (`irepl`)."""
        number = len(item.replicas)
        location = item.location.with_name(f"{item.id}-{number}")
        shutil.copyfile(item.location, location)
        made = replace(item, resource=resource, location=location, number=number, further=[])
        item.further.append(made)
        return made

    def require(self, user: User, entity: Entity, level: int) -> None:
        """Refuse unless `user` holds `level`."""
        if not self.allowed(user, entity, level):
            raise RefusedError(Code.CAT_NO_ACCESS_PERMISSION)

    def require_read(self, user: User, entity: Entity) -> None:
        """Refuse unless `user` may read."""
        self.require(user, entity, READ)

    # moving

    def rename(self, user: User, source: Entity, destination: str) -> None:
        """Give `source` another path; a locked data object is no obstacle on 5.0.2 (reference/irods-client.md 1.9)."""
        parent = self.writable_parent(user, destination)
        self.refuse_existing(destination)
        self.require(user, source, DELETE)
        self.move(source, parent, split(destination)[1])

    def move(self, source: Entity, parent: Collection, name: str) -> None:
        """Put `source` under `parent` as `name`, without asking for permission."""
        if isinstance(source, DataObject):
            source.collection.objects.pop(source.name)
            source.collection, source.name = parent, name
            parent.objects[name] = source
            return
        if source in self.walk_up(parent):
            raise RefusedError(Code.CAT_INVALID_ARGUMENT)
        old_parent, old_name = split(source.path)
        self.collections[old_parent].children.pop(old_name)
        old, new = source.path, f"{parent.path.rstrip('/')}/{name}"
        for collection in list(self.walk(source)):
            del self.collections[collection.path]
            collection.path = new + collection.path[len(old) :]
            self.collections[collection.path] = collection
        parent.children[name] = source

    def walk_up(self, item: Collection) -> Iterator[Collection]:
        """`item` and every collection above it."""
        while True:
            yield item
            if item.path == "/":
                return
            item = self.collections[split(item.path)[0]]

    def trash(self, user: User, item: Entity) -> None:
        """Move `item` to the trash of `user`, under the path it had (iRODS rsDataObjUnlink without forceFlag)."""
        home = f"/{self.zone}/home/{user.key}"
        below = item.path[len(home) :] if item.path.startswith(home + "/") else item.path[len(self.zone) + 1 :]
        parent, name = split(f"/{self.zone}/trash/home/{user.key}{below}")
        target = self.ensure_collection(parent, user.key)
        if name in target.objects or name in target.children:
            name = f"{name}.{uuid.uuid4().int % 10**10}"
        self.move(item, target, name)

    # AVUs and access

    def attach_avu(self, entity: Entity, triple: Triple) -> bool:
        """Attach an AVU; False if it was there. The length is counted in bytes, as measured (irods-wire/README.md)."""
        if any(len(part.encode("utf-8", "surrogateescape")) > MAX_VALUE for part in triple[:2]) or (
            len(triple[2]) > MAX_UNITS
        ):
            raise RefusedError(Code.CAT_SQL_ERR)
        if triple in entity.avus:
            return False
        if triple not in self.avus:
            self.avus[triple] = Avu(self.next_id(), *triple, now())
        entity.avus[triple] = self.avus[triple]
        if self.witness:
            self.witness(entity, triple)
        return True

    def set_access(self, entity: Entity, user: User, level: int) -> None:
        """Grant `level` to `user`, or take all away with the level of `null`."""
        if NAMES[level] == "null":
            entity.access.pop(user.id, None)
        else:
            entity.access[user.id] = level
