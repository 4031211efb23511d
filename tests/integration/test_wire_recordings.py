"""The test server against recordings of a real iRODS 5.0.2: the same requests get the same replies.

Every recorded client message is sent again, in the recorded order, and every reply is compared: type, status,
texts, element names and values. Where a difference is legitimate it is taken out by one of these, and by no other:

* `Substitutions.identifier`: ids are counters; a recorded id must stand for one of ours throughout, and vice versa.
* `TIMES`: moments differ; ours must have the recorded form of eleven digits.
* `Substitutions.digests`: the recorded bodies are not at hand, so content of the same length stands in for them and
  its SHA-256 for theirs, in requests and replies. A wrong digest stays as recorded, and is wrong for ours too.
* `_authentication`: the challenge is random, so the client's answer to it is computed anew.
* `TOKEN`, `VAULTS`: the replica token is a random UUID; the recorded vault prefix was rewritten in XML, not in JSON.
* rows of a query are compared without their order: the recorded queries ask for none.
* replies are read right after their request: how two recorded connections overlapped is chance.
"""

import base64
import hashlib
import io
import json
import random
import re
import socket
import struct
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.irods_server import IrodsServer

RECORDINGS = Path(__file__).parent / "recordings"
NAMES = sorted(path.stem for path in RECORDINGS.glob("*.jsonl"))
# What had happened in the zone before: these recordings are replayed first.
BEFORE = {
    "06-list-genquery": ["05-put606"],
    "08-open-verify-mismatch": ["07-open-write-close-regchksum"],
    "09-parallel-put": ["07-open-write-close-regchksum"],
    "10-metadata": ["05-put606"],
    "11-access": ["05-put606"],
    "12-permission-denied": ["05-put606", "07-open-write-close-regchksum"],
    "14-abort-mid-write": ["07-open-write-close-regchksum"],
    "15-size-mismatch-at-close": ["07-open-write-close-regchksum"],
    "16-rename-and-unlink": ["05-put606"],
}
PASSWORDS = {"rods": "rods", "alice": "a", "bob": "b", "omero_svc": "o"}
MISTYPED = {"02-bad-password": "not the password"}

IDENTIFIERS = {201, 401, 402, 423, 500, 603, 613, 703, 704, 713, 714}
IDENTIFIER_KEYS = {"collection_id", "data_id", "resource_id"}
TIMES = {208, 209, 419, 420, 424, 508, 509}
TIME_KEYS = {"data_create", "data_modify"}
TIME = re.compile(r"\d{11}")
TOKEN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
VAULTS = ("/opt/irods-lab/vault", "/var/lib/irods/Vault")
TAR_DIGEST = "6b375b1b"
MEMBER_DIGEST = "da03bf58"

Record = dict[str, Any]


def recording(name: str) -> list[Record]:
    """The messages of a recording."""
    return [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text("utf-8").splitlines()]


def _all_streams() -> dict[str, int]:
    streams = {}
    for name in NAMES:
        for record in recording(name):
            if record.get("bs_sha256"):
                streams[record["bs_sha256"]] = record["bs_len"]
    return streams


def stand_in(digest: str, length: int) -> bytes:
    """Content for a recorded byte stream: always the same for the same digest; a tar where it was a tar."""
    if not digest.startswith(TAR_DIGEST):
        return random.Random(digest).randbytes(length)
    member = stand_in(next(each for each in STREAMS if each.startswith(MEMBER_DIGEST)), 1088)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for number in range(3):
            entry = tarfile.TarInfo(f"sub/f{number}.tif")
            entry.size = len(member)
            tar.addfile(entry, io.BytesIO(member))
    assert len(buffer.getvalue()) == length
    return buffer.getvalue()


STREAMS = _all_streams()


def _irods_digest(sha256: bytes) -> str:
    return "sha2:" + base64.b64encode(sha256).decode()


@dataclass
class Substitutions:
    """What stands for what on this server."""

    ours: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(
        default_factory=lambda: {
            _irods_digest(bytes.fromhex(digest)): _irods_digest(hashlib.sha256(stand_in(digest, length)).digest())
            for digest, length in STREAMS.items()
        }
    )

    def identifier(self, recorded: str, ours: str) -> None:
        """The two must always go together."""
        assert recorded.isdecimal()
        assert ours.isdecimal()
        assert self.ours.setdefault(recorded, ours) == ours
        assert self.recorded.setdefault(ours, recorded) == recorded

    def text(self, recorded: str) -> str:
        """A recorded text with our digests and tokens."""
        for theirs, ours in (self.digests | self.tokens).items():
            recorded = recorded.replace(theirs, ours)
        return recorded

    def request(self, recorded: str) -> str:
        """The same for a request, with our ids in its conditions."""
        return re.sub(r"'(\d+)'", lambda match: f"'{self.ours.get(match[1], match[1])}'", self.text(recorded))


@dataclass
class Client:
    """One recorded connection, opened again."""

    connection: socket.socket
    password: str
    challenge: str = ""

    def send(self, record: Record, message: str) -> None:
        """A recorded message with this text, and content of the recorded length."""
        body = message.encode()
        stream = stand_in(record["bs_sha256"], record["bs_len"]) if record["bs_len"] else b""
        header = (
            f"<MsgHeader_PI><type>{record['type']}</type><msgLen>{len(body)}</msgLen><errorLen>0</errorLen>"
            f"<bsLen>{len(stream)}</bsLen><intInfo>{record['int_info']}</intInfo></MsgHeader_PI>"
        ).encode()
        self.connection.sendall(struct.pack(">i", len(header)) + header + body + stream)

    def receive(self) -> Record:
        """The next message of the server, in the form of a record."""
        header = self._exactly(struct.unpack(">i", self._exactly(4))[0]).decode()
        found = dict(re.findall(r"<(\w+)>([^<\n]*)</", header))
        assert list(found) == ["type", "msgLen", "errorLen", "bsLen", "intInfo"]
        message, error = self._exactly(int(found["msgLen"])), self._exactly(int(found["errorLen"]))
        self._exactly(int(found["bsLen"]))
        return {
            "type": found["type"],
            "int_info": int(found["intInfo"]),
            "msg": message.decode(),
            "error": error.decode(),
            "bs_len": int(found["bsLen"]),
        }

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            piece = self.connection.recv(length - len(data))
            assert piece, "the server closed the connection"
            data += piece
        return data

    def finish(self) -> None:
        """Close our half; the server must then close its own, after it has tidied up."""
        self.connection.shutdown(socket.SHUT_WR)
        assert self.connection.recv(1) == b""
        self.connection.close()


def replay(server: IrodsServer, name: str, records: list[Record], substitutions: Substitutions) -> None:
    """Send what the client sent and compare what the server says."""
    clients: dict[int, Client] = {}
    replies = {number: _replies(records, number) for number in {record["conn"] for record in records}}
    password = MISTYPED.get(name, "")
    try:
        for record in records:
            if record["dir"] == "server":
                continue
            number = record["conn"]
            if record["type"] == "<closed>":
                clients.pop(number).finish()
                assert next(replies[number])["type"] == "<closed>"
                continue
            if record["type"] == "RODS_CONNECT":
                connection = socket.create_connection((server.host, server.port), timeout=10)
                user = re.findall("<clientUser>(.*?)<", record["msg"])[0]
                clients[number] = Client(connection, password or PASSWORDS.get(user, ""))
            client = clients[number]
            if record["int_info"] == 110000:
                client.send(record, _authentication(client, record["msg"]))
            else:
                client.send(record, substitutions.request(record["msg"]))
            if record["type"] != "RODS_DISCONNECT":
                compare(client, next(replies[number]), client.receive(), substitutions)
        assert all(next(left, None) is None for left in replies.values())
    finally:
        for client in clients.values():
            client.connection.close()


def _replies(records: list[Record], number: int) -> Iterator[Record]:
    return iter([record for record in records if record["conn"] == number and record["dir"] == "server"])


def _json(message: str) -> dict[str, Any]:
    length, text = re.findall(r"<buflen>(\d+)</buflen>\s*<buf>(.*?)</buf>", message)[0]
    data = base64.b64decode(text)
    assert int(length) == len(data)
    value: dict[str, Any] = json.loads(data.rstrip(b"\0"))
    return value


def _authentication(client: Client, message: str) -> str:
    request = _json(message)
    if "digest" in request:
        padded = client.password.encode().ljust(50, b"\0")
        digest = hashlib.md5(client.challenge.encode() + padded, usedforsecurity=False).digest()
        request["digest"] = base64.b64encode(digest.replace(b"\0", b"\1")).decode()
        request["request_result"] = client.challenge
    data = json.dumps(request).encode()
    return f"<BinBytesBuf_PI><buflen>{len(data)}</buflen><buf>{base64.b64encode(data).decode()}</buf></BinBytesBuf_PI>"


def compare(client: Client, recorded: Record, ours: Record, substitutions: Substitutions) -> None:
    """One reply with the recorded one."""
    for key in ("type", "int_info", "error", "bs_len"):
        assert ours[key] == recorded[key]
    if recorded["msg"].startswith("<BinBytesBuf_PI>"):
        assert re.sub(r">[^<\n]+<", "><", ours["msg"]) == re.sub(r">[^<\n]+<", "><", recorded["msg"])
        _compare_json(client, _json(recorded["msg"]), _json(ours["msg"]), substitutions)
    elif recorded["msg"].startswith("<GenQueryOut_PI>"):
        _compare_query(substitutions.text(recorded["msg"]), ours["msg"], substitutions)
    else:
        assert ours["msg"] == substitutions.text(recorded["msg"])


def _compare_json(client: Client, recorded: Any, ours: Any, substitutions: Substitutions, key: str = "") -> None:
    assert type(ours) is type(recorded), key
    if isinstance(recorded, dict):
        assert list(ours) == list(recorded)
        for name in recorded:
            _compare_json(client, recorded[name], ours[name], substitutions, name)
    elif isinstance(recorded, list):
        assert len(ours) == len(recorded)
        for left, right in zip(recorded, ours, strict=True):
            _compare_json(client, left, right, substitutions, key)
    elif key in IDENTIFIER_KEYS:
        substitutions.identifier(str(recorded), str(ours))
    elif key in TIME_KEYS:
        assert TIME.fullmatch(recorded)
        assert TIME.fullmatch(ours)
    elif key == "request_result":
        assert re.fullmatch("[0-9a-f]{64}", recorded)
        assert re.fullmatch("[0-9a-f]{64}", ours)
        assert client.challenge in ("", ours)
        client.challenge = ours
    elif key == "digest":
        assert len(ours) == len(recorded)
    elif key == "replica_token":
        assert TOKEN.fullmatch(recorded)
        assert TOKEN.fullmatch(ours)
        substitutions.tokens[recorded] = ours
    else:
        assert ours == (recorded.replace(*VAULTS) if isinstance(recorded, str) else recorded), key


def _compare_query(recorded: str, ours: str, substitutions: Substitutions) -> None:
    value = re.compile(r"<value>(.*?)</value>\n", re.DOTALL)
    # All but the values: counts, column numbers, lengths, the empty columns, every line break.
    assert value.sub("", ours) == value.sub("", recorded)
    columns = [int(number) for number in re.findall(r"<attriInx>([1-9]\d*)<", recorded)]
    theirs, mine = _rows(recorded, value), _rows(ours, value)
    assert len(mine) == len(theirs)
    for left, right in zip(_sorted(theirs, columns), _sorted(mine, columns), strict=True):
        for column, expected, got in zip(columns, left, right, strict=True):
            if column in IDENTIFIERS:
                substitutions.identifier(expected, got)
            elif column in TIMES:
                assert TIME.fullmatch(expected)
                assert TIME.fullmatch(got)
            else:
                assert got == expected, f"column {column}"


def _rows(message: str, value: re.Pattern[str]) -> list[tuple[str, ...]]:
    blocks = [value.findall(block) for block in re.findall(r"<SqlResult_PI>\n(.*?)</SqlResult_PI>", message, re.DOTALL)]
    count = int(re.findall(r"<rowCnt>(\d+)<", message)[0])
    assert all(len(block) in (0, count) for block in blocks)
    return list(zip(*(block for block in blocks if block), strict=True))


def _sorted(rows: list[tuple[str, ...]], columns: list[int]) -> list[tuple[str, ...]]:
    steady = [i for i, column in enumerate(columns) if column not in IDENTIFIERS | TIMES]
    return sorted(rows, key=lambda row: [row[i] for i in steady])


def _zone() -> IrodsServer:
    server = IrodsServer(users=PASSWORDS)
    server.make_collection("/tempZone/home/rods/wire", owner="rods")
    return server


def test_all_recordings_are_here() -> None:
    assert len(NAMES) == 16
    assert set(BEFORE) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_server_answers_as_recorded(name: str) -> None:
    substitutions = Substitutions()
    with _zone() as server:
        for earlier in [*BEFORE.get(name, []), name]:
            replay(server, earlier, recording(earlier), substitutions)


@pytest.mark.parametrize(
    ("name", "real", "wrong"),
    [
        ("01-connect-native", "<apiVersion>d<", "<apiVersion>e<"),
        ("04-collections", "<value>tempZone<", "<value>otherZone<"),
        ("04-collections", "is unknown", "is known"),
        ("06-list-genquery", "<value>empty.tif<", "<value>full.tif<"),
        ("06-list-genquery", "<reslen>50<", "<reslen>51<"),
        ("13-struct-file-extract", "sha2:2gO/WL07+53l7vmNehixsRIJ9vyCkPOc/LbajZgxwSY=", "sha2:wrong"),
        ("16-rename-and-unlink", "", ""),
    ],
)
def test_the_comparison_notices_a_difference(name: str, real: str, wrong: str) -> None:
    """Without this a comparison that compares nothing would pass."""
    records = recording(name)
    for record in records:
        if record["dir"] == "server" and record["type"] != "<closed>":
            record["msg"], record["error"] = record["msg"].replace(real, wrong), record["error"].replace(real, wrong)
            if not real and record["int_info"] == -808000:
                record["int_info"] = 0
    substitutions = Substitutions()
    with _zone() as server:
        for earlier in BEFORE.get(name, []):
            replay(server, earlier, recording(earlier), substitutions)
        with pytest.raises(AssertionError):
            replay(server, name, records, substitutions)
