"""The bytes of a data object back from the server, several blocks under way."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from watcher.errors import FixityError
from watcher.stores.irods.catalogue import object_at
from watcher.stores.irods.connection import Connection
from watcher.stores.irods.transfer import CLOSE, IN_FLIGHT, OPEN, opened, seek
from watcher.stores.source import BLOCK

READ: Final = 675


def read(
    connection: Connection, path: str, again: Callable[[Callable[[], Any]], Any], offset: int = 0
) -> Iterator[bytes]:
    """The object's blocks in order, from the byte at `offset` on.

    `again` repeats the opening if the connection broke or a lock was in the way. Raises Dropped if it breaks later, and
    NotAllowed if there is no such object. A reply without bytes is the end, not a short one, which a resource may give
    in the middle (rsDataObjRead.cpp passes on what its driver read).
    """
    descriptor: int = again(lambda: connection.call(OPEN, object_at(path, -1), path).code)
    under_way, ahead = 0, 1
    try:
        if offset:
            seek(connection, descriptor, path, offset)
        while True:
            for _ in range(under_way, ahead):
                connection.send(READ, opened(descriptor, BLOCK), path)
            block = _block(connection, path)
            under_way = max(under_way, ahead) - 1
            if not block:
                break
            yield block
            # A small object is whole with its first block.
            ahead = IN_FLIGHT if len(block) == BLOCK else 1
        for _ in range(under_way):
            _block(connection, path)
        connection.call(CLOSE, opened(descriptor), path)
    except BaseException:
        # Nothing is lost by it, and replies that were not read would be taken for the next requests'.
        connection.abort()
        raise


def _block(connection: Connection, path: str) -> bytes:
    reply = connection.receive(path)
    block = bytes(reply.message.bs or b"")
    if len(block) != reply.code:
        raise FixityError(f"{path}: {reply.code} bytes were announced, and {len(block)} of them came")
    return block
