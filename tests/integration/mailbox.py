"""A real mail server on loopback that takes letters, or refuses them as a test wants."""

import asyncio
import contextlib
import email
import email.policy
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword


@dataclass
class Letter:
    """One letter as it came."""

    to: list[str]
    message: EmailMessage

    @property
    def title(self) -> str:
        return str(self.message["Subject"])

    @property
    def text(self) -> str:
        return str(self.message.get_content()).replace("\r\n", "\n")


@dataclass
class Mailbox:
    """What came. Recipients whose address begins with `bad` are refused, all while `greylisting`."""

    port: int = 0
    letters: list[Letter] = field(default_factory=list)
    greylisting: bool = False

    @property
    def address(self) -> str:
        """Of the server, for Apprise."""
        return f"mailto://scope:secret@127.0.0.1:{self.port}?from=scope@x.org"

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        """Take or refuse a recipient."""
        if self.greylisting:
            return "451 4.7.1 come again later"
        if address.startswith("bad"):
            return f"550 5.1.1 {address}: there is nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a letter."""
        parsed = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.letters.append(Letter(envelope.rcpt_tos, parsed))
        return "250 OK"


def _login(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"scope", b"secret")
    return AuthResult(success=good, handled=good)


@contextlib.contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server for as long as the block lasts."""
    box, loop, ready = Mailbox(), asyncio.new_event_loop(), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    box.port = listening.getsockname()[1]

    def serve() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(
            loop.create_server(
                lambda: SMTP(box, authenticator=_login, auth_require_tls=False, loop=loop), sock=listening
            )
        )
        loop.call_soon(ready.set)
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(server.wait_closed())
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()

    thread = threading.Thread(target=serve, name="mailbox")
    thread.start()
    ready.wait(10)
    try:
        yield box
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
