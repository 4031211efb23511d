"""How the blocks of a large member follow each other, and what those pay who use no iRODS."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from watcher import osfacts
from watcher.stores.base import Replica
from watcher.stores.irods import transfer
from watcher.stores.irods.catalogue import Found
from watcher.stores.irods.connection import Reply
from watcher.stores.source import BLOCK, Source


class Line:
    """A connection that notes what was sent and which replies were waited for."""

    def __init__(self) -> None:
        self.environment = SimpleNamespace(single=0)
        self.events: list[str] = []

    def call(self, api: int, message: Any, about: str, **_: Any) -> Reply:
        body = SimpleNamespace(get_json_encoded_struct=lambda: {"open_type": 1})
        self.events.append(f"call {api}")
        return Reply(3 if api == transfer.OPEN else 0, body, about)

    def send(self, api: int, message: Any, about: str, *, data: memoryview) -> None:
        self.events.append("send")

    def receive(self, about: str) -> Reply:
        self.events.append("receive")
        return Reply(BLOCK, None, about)


class Shelf:
    """A catalogue in which the member appears between the first question and the second."""

    def __init__(self, replica: Replica) -> None:
        self.answers = [None, Found(replica, busy=False)]

    def lookup(self, path: str) -> Found | None:
        return self.answers.pop(0)


def test_four_blocks_are_under_way_before_a_reply_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "a.czi"
    file.write_bytes(bytes(6 * BLOCK))
    source = Source(file, osfacts.facts_at(file))
    line: Any = Line()
    shelf: Any = Shelf(Replica(6 * BLOCK, source.sha256(), good=True))
    lane = transfer.Transfer(line, shelf, None, lambda step: step(), resume_from=BLOCK)
    assert lane.put(source, "/z/set/a.czi", lambda _: None).size == 6 * BLOCK
    blocks = ["send"] * 4 + ["receive", "send"] * 2 + ["receive"] * 4
    assert line.events == ["call 602", "call 20000", *blocks, "call 673"]


def test_the_client_library_is_loaded_by_the_first_session_only() -> None:
    ask = "import sys, watcher.stores.irods; sys.exit('irods' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == 0
