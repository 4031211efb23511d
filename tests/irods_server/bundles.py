"""`STRUCT_FILE_EXT_AND_REG` (665): a tar that is a data object becomes the data objects that are its members."""

import shutil
import tarfile

from .catalogue import split
from .codes import Code, RefusedError
from .entities import GOOD, INTERMEDIATE, DataObject
from .exchange import Context, Reply, Request
from .permissions import WRITE
from .zone import DEFAULT_RESOURCE


def extract(context: Context, request: Request) -> Reply:
    """Members are GOOD and have no checksum (13-struct-file-extract).

    Where something is there already it stays, the other members are registered, and the answer is a refusal
    (rsStructFileExtAndReg.cpp, which goes on after each).
    """
    catalogue, conditions = context.zone.catalogue, request.body.conditions()
    collection = request.body.get("collection").rstrip("/")
    resource = conditions.get("destRescName") or DEFAULT_RESOURCE
    with catalogue.lock:
        bundle = catalogue.object(request.body.get("objPath"), Code.OBJ_PATH_DOES_NOT_EXIST)
        catalogue.require_read(context.user, bundle)
        if bundle.status == INTERMEDIATE:
            raise RefusedError(Code.LOCKED_DATA_OBJECT_ACCESS)
        if resource not in catalogue.resources:
            raise RefusedError(Code.SYS_RESC_DOES_NOT_EXIST)
    try:
        with tarfile.open(bundle.location) as tar:
            with catalogue.lock:
                items, taken = _register(context, tar, collection, resource, force="forceFlag" in conditions)
            for member, item in items:
                _fill(tar, member, item)
    except tarfile.TarError as error:
        raise RefusedError(Code.SYS_TAR_OPEN_ERR) from error
    with catalogue.lock:
        for member, item in items:
            item.status, item.size, item.checksum, item.token = GOOD, member.size, "", None
    if taken:
        raise RefusedError(Code.SYS_COPY_ALREADY_IN_RESC)
    return Reply()


Members = list[tuple[tarfile.TarInfo, DataObject]]


def _register(context: Context, tar: tarfile.TarFile, top: str, resource: str, *, force: bool) -> tuple[Members, bool]:
    catalogue, user = context.zone.catalogue, context.user
    members = [member for member in tar.getmembers() if member.isfile() or member.isdir()]
    paths = {f"{top}/{member.name.removeprefix('./').strip('/')}": member for member in members}
    files = {path: member for path, member in paths.items() if member.isfile()}
    taken = {path for path in files if catalogue.find_object(path)} if not force else set()
    for path in {top, *(split(path)[0] for path in files), *(path for path in paths if path not in files)}:
        catalogue.make_collection(user, path, recursive=True)
    items: Members = []
    for path in files.keys() - taken:
        member = files[path]
        item = catalogue.find_object(path)
        if item is None:
            item = catalogue.create_object(user, path, resource, "generic")
        else:
            catalogue.require(user, item, WRITE)
            item.status = INTERMEDIATE
        items.append((member, item))
    return items, bool(taken)


def _fill(tar: tarfile.TarFile, member: tarfile.TarInfo, item: DataObject) -> None:
    source = tar.extractfile(member)
    if source is None:
        raise RefusedError(Code.SYS_TAR_OPEN_ERR)
    with source, item.location.open("wb") as body:
        shutil.copyfileobj(source, body)
