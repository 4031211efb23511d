"""What tests say to a server through python-irodsclient's connections: single requests, as a watcher sends them."""

import base64
import hashlib
import io
import socket
import tarfile
from typing import Any

from irods.exception import iRODSException
from irods.message import (
    FileOpenRequest,
    Message,
    OpenedDataObjRequest,
    StringProperty,
    StringStringMap,
    SubmessageProperty,
    iRODSMessage,
)
from irods.session import iRODSSession

from .server import IrodsServer


def connect(server: IrodsServer, user: str = "rods", password: str | None = None, zone: str = "", **more: Any) -> Any:
    """A session of `user`, whose password is the name unless given, and whose zone is the server's."""
    who = {"user": user, "zone": zone or server.zone, "password": user if password is None else password}
    return iRODSSession(host=server.host, port=server.port, **who, **more)


def reads(server: IrodsServer, user: str, path: str) -> bool:
    """Whether this user gets the bytes of a data object."""
    with connect(server, user) as session:
        try:
            with session.data_objects.open(path, "r") as file:
                return bool(file.read())
        except iRODSException:
            return False


def digest(data: bytes) -> str:
    """The SHA-256 of `data` as iRODS writes it."""
    return "sha2:" + base64.b64encode(hashlib.sha256(data).digest()).decode()


def ask(connection: Any, api: int, message: Any, data: bytes = b"") -> Any:
    """One request and its reply."""
    connection.send(iRODSMessage("RODS_API_REQ", msg=message, bs=data, int_info=api))
    return connection.recv()


def put_message(path: str, data: bytes, /, **conditions: str) -> Any:
    """The message of a put in one request (606)."""
    return FileOpenRequest(
        objPath=path,
        createMode=0o644,
        openFlags=0,
        offset=0,
        dataSize=len(data),
        numThreads=0,
        oprType=1,
        KeyValPair_PI=StringStringMap({"dataIncluded": "", "dataSize": str(len(data)), **conditions}),
    )


def put(session: Any, path: str, data: bytes, /, **conditions: str) -> None:
    """A put in one request (606)."""
    with session.pool.get_connection() as connection:
        ask(connection, 606, put_message(path, data, **conditions), data)


def open_message(path: str, flags: int, /, **conditions: str) -> Any:
    """The message of an open (602)."""
    return FileOpenRequest(
        objPath=path,
        createMode=0o644,
        openFlags=flags,
        offset=0,
        dataSize=-1,
        numThreads=0,
        oprType=0,
        KeyValPair_PI=StringStringMap(conditions),
    )


def descriptor_message(number: int, **fields: int) -> Any:
    """The message of what is done to an open descriptor (673 to 676)."""
    values = {"len": 0, "whence": 0, "oprType": 0, "offset": 0, "bytesWritten": 0} | fields
    return OpenedDataObjRequest(l1descInx=number, **values, KeyValPair_PI=StringStringMap())


def write(connection: Any, number: int, data: bytes) -> int:
    """One write (676)."""
    return int(ask(connection, 676, descriptor_message(number, len=len(data)), data).int_info)


def lose(connection: Any) -> None:
    """Destroy the socket, the only safe way to abort."""
    connection.socket.shutdown(socket.SHUT_RDWR)
    connection.socket.close()
    connection.socket = None
    connection._disconnected = True


def bundle(files: dict[str, bytes]) -> bytes:
    """A tar of these files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


class ExtractRequest(Message):  # type: ignore[misc]
    """The message of extract-and-register (665), which python-irodsclient lacks."""

    _name = "StructFileExtAndRegInp_PI"
    objPath = StringProperty()  # noqa: N815
    collection = StringProperty()
    oprType = StringProperty()  # noqa: N815
    flags = StringProperty()
    KeyValPair_PI = SubmessageProperty(StringStringMap)

    def __init__(self, path: str, collection: str, **conditions: str) -> None:
        super().__init__()
        self.objPath, self.collection, self.oprType, self.flags = path, collection, "0", "0"
        self.KeyValPair_PI = StringStringMap({"dataType": "tar file", "bulkOpr": "", **conditions})
