"""What a handler of one API gets and gives."""

from collections.abc import Callable
from dataclasses import dataclass

from .entities import User
from .framing import Wire
from .genquery import Queries
from .packing import Node
from .transfer import Transfers
from .zone import Zone


@dataclass(frozen=True)
class Request:
    """One API request."""

    api: int
    body: Node
    stream: memoryview
    dying: bool = False


@dataclass(frozen=True)
class Reply:
    """What is answered: status, XML body, byte stream."""

    int_info: int = 0
    body: bytes = b""
    stream: bytes = b""


@dataclass
class Context:
    """What an agent lets its handlers use; `user` is set once the client has logged in."""

    zone: Zone
    wire: Wire
    user: User
    transfers: Transfers
    queries: Queries


Handler = Callable[[Context, Request], Reply]


class AgentKilledError(Exception):
    """The agent is to die now, without cleaning up."""
