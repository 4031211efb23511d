"""RabbitMQ as a process of its own: loopback only, its own directories, node name, ports and cookie; no service."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import pika

#: The script beside the one in the path, which would change to the account of the service.
SERVER = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
EXCHANGE = "image-sets"


def missing() -> str:
    """What is not installed here, in words; "" if a broker can be started."""
    if not SERVER.exists():
        return f"{SERVER} is not here (Debian: apt-get install rabbitmq-server)"
    return "" if shutil.which("epmd") else "epmd is not here (Debian: erlang-base)"


class Broker:
    """One broker below a folder; what it holds outlives `stop` and `kill`."""

    def __init__(self, folder: Path, *, tls: tuple[Path, Path] | None = None) -> None:
        self._folder = folder
        self.certificate = tls[0] if tls else None
        self._port, self._tls_port, self._dist_port, self._epmd_port = _free_ports(4)
        self._node = f"irods-watcher-{uuid.uuid4().hex[:12]}@localhost"
        self._processes: list[subprocess.Popen[bytes]] = []
        config = [f"listeners.tcp.1 = 127.0.0.1:{self._port}"]
        if tls:
            config += [f"listeners.ssl.1 = 127.0.0.1:{self._tls_port}", f"ssl_options.cacertfile = {tls[0]}"]
            config += [f"ssl_options.certfile = {tls[0]}", f"ssl_options.keyfile = {tls[1]}"]
        (folder / "rabbitmq.conf").write_text("\n".join(config) + "\n")
        (folder / "none.conf").touch()

    @property
    def url(self) -> str:
        """Where it listens, with the login that it has for this computer."""
        return f"amqp://guest:guest@127.0.0.1:{self._port}/%2f"

    @property
    def tls_url(self) -> str:
        """Where it listens encrypted."""
        return f"amqps://guest:guest@localhost:{self._tls_port}/%2f"

    def start(self) -> None:
        """Start it and wait until it takes logins."""
        environment = {**os.environ, **self._environment()}
        epmd = ["epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"]
        self._spawn(epmd, environment)
        self._spawn([str(SERVER)], environment)
        end = time.monotonic() + 50
        while time.monotonic() < end:
            with contextlib.suppress(Exception):
                # The library fills the log with a refusal that is as it should be.
                socket.create_connection(("127.0.0.1", self._port), 1).close()
                with self.connection():
                    return
            time.sleep(0.1)
        self.kill()
        raise RuntimeError((self._folder / "log").read_text(errors="replace")[-2000:])

    def stop(self) -> None:
        """Shut it down as a service manager does."""
        self._processes[-1].terminate()
        self._processes[-1].wait(30)
        self.kill()

    def kill(self) -> None:
        """End it at once."""
        for process in self._processes:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It holds its connections and does nothing."""
        os.killpg(self._processes[-1].pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self._processes[-1].pid, signal.SIGCONT)

    @contextlib.contextmanager
    def connection(self) -> Iterator[Any]:
        """A channel for a receiver or an administrator."""
        connection = pika.BlockingConnection(pika.URLParameters(self.url))
        try:
            yield connection.channel()
        finally:
            if connection.is_open:
                connection.close()

    def bind(self, queue: str, key: str = "#", **arguments: Any) -> None:
        """What a receiver does once: a durable exchange, and a durable queue that takes what has such a routing key."""
        with self.connection() as channel:
            channel.exchange_declare(EXCHANGE, "topic", durable=True)
            channel.queue_declare(queue, durable=True, arguments=arguments)
            channel.queue_bind(queue, EXCHANGE, key)

    def take(self, queue: str) -> list[tuple[Any, bytes]]:
        """All messages of a queue in their order, with their properties; they are gone from it then."""
        taken = []
        with self.connection() as channel:
            while (got := channel.basic_get(queue, auto_ack=True))[0] is not None:
                taken.append((got[1], got[2]))
        return taken

    def clear(self) -> None:
        """Remove the exchange; queues of other names are the next test's."""
        with self.connection() as channel:
            channel.exchange_delete(EXCHANGE)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def _spawn(self, command: list[str], environment: dict[str, str]) -> None:
        with (self._folder / "log").open("ab") as log:
            process = subprocess.Popen(
                command, env=environment, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        arguments = "-kernel inet_dist_use_interface {127,0,0,1} -setcookie " + self._node.partition("@")[0]
        return {
            "HOME": str(folder),
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # Let the script become the server instead of waiting beside it.
            "RUNNING_UNDER_SYSTEMD": "true",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "logs"),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "none.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": arguments,
        }


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
