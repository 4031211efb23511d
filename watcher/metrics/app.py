"""The metrics for whoever scrapes them: an ASGI application, and a file."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from watcher.errors import JournalError, UsageError
from watcher.metrics import Metrics

# The ASGI specification, version 3.0, HTTP connection scope.
_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[_Scope, _Receive, _Send], Coroutine[Any, Any, None]]


def metrics_app(metrics: Metrics) -> App:
    """The ASGI application to be mounted at `/metrics`; who may ask is the business of what it is mounted in."""

    async def app(scope: _Scope, receive: _Receive, send: _Send) -> None:  # noqa: ARG001 - the form of ASGI
        accept = dict(scope["headers"]).get(b"accept", b"text/plain").decode("latin-1")
        try:
            # In a thread, since the journal may keep it waiting.
            (body, content_type), status = await asyncio.to_thread(metrics.render, accept), 200
        except JournalError as error:
            body, content_type, status = str(error).encode(), "text/plain; charset=utf-8", 503
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return app


def write(file: Path, content: bytes) -> None:
    """Put the metrics where node_exporter or windows_exporter looks for them: whole or not at all. Raises UsageError.

    Both read all files named *.prom, perhaps by another account (node_exporter, textfile collector).
    """
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with open(handle, "wb") as temporary:
                temporary.write(content)
            Path(name).chmod(0o644)
            Path(name).replace(file)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise UsageError(
            f"{file}: the metrics cannot be written ({error.strerror or error})", cure="give another --output"
        ) from error
