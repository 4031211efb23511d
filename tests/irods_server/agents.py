"""One agent per connection: reads requests, has them carried out, answers, and dies as told."""

import ssl
import threading
from dataclasses import replace

from . import namespace, objects, streams
from .authentication import Authentication
from .codes import Code, RefusedError
from .entities import User
from .exchange import AgentKilledError, Context, Handler, Reply, Request
from .faults import Rule
from .framing import ConnectionLostError, Header, Wire, frame
from .genquery import Queries
from .negotiation import start_up
from .packing import Node, pack_error, pack_json, parse, unpack_json
from .transfer import Transfers
from .zone import LoggedRequest, Zone

AUTHENTICATION = 110000
PUT = 606
_BY_DESCRIPTOR = {673, 674, 675, 676}
_JSON_DESCRIPTOR = {20000, 20004}
_HANDLERS: dict[int, Handler] = {**streams.HANDLERS, **objects.HANDLERS, **namespace.HANDLERS}
_NOBODY = User(0, "", "rodsgroup")


class Agent:
    """The server's side of one connection. It ends with the client, with a fault, or with `kill`."""

    def __init__(self, number: int, wire: Wire, zone: Zone, tls: ssl.SSLContext | None) -> None:
        self.number = number
        self._wire = wire
        self._zone = zone
        self._tls = tls
        self._killed = threading.Event()
        self._login = Authentication(zone.catalogue)
        self._context = Context(zone, wire, _NOBODY, Transfers(zone), Queries(zone))
        self._buffer = bytearray()
        self._encrypted = False
        self._reset = False

    def run(self) -> None:
        """Serve until the end. A lost client leaves STALE what it was writing, a killed agent INTERMEDIATE."""
        try:
            self._encrypted = start_up(self._wire, self._zone, self._tls)
            while not self._killed.is_set():
                header = self._wire.read_header()
                if header.type == "RODS_DISCONNECT":
                    self._wire.say_goodbye()
                    break
                self._serve(header)
        except ConnectionLostError:
            pass
        except AgentKilledError:
            self._killed.set()
        finally:
            if self._killed.is_set():
                self._context.transfers.abandon()
            else:
                self._context.transfers.abort()
            self._wire.close(reset=self._reset)

    def kill(self) -> None:
        """Make the agent die from another thread."""
        self._killed.set()
        self._wire.shutdown()

    def hang_up(self) -> None:
        """Lose the client from another thread."""
        self._wire.shutdown()

    def _serve(self, header: Header) -> None:
        body = parse(self._wire.read(header.message_length))
        self._wire.read(header.error_length)
        api, path = header.int_info, self._path(header.int_info, body)
        self._zone.requests.append(LoggedRequest(self.number, api, path, header.stream_length, self._context.user.name))
        rules = self._zone.faults.striking(api, path)
        dying = api == PUT and any(rule.action == "kill" and rule.after_bytes is None for rule in rules)
        early = [rule for rule in rules if not (rule.reply or (dying and rule.action == "kill"))]
        stream = self._read_stream(header.stream_length, early)
        refusal = next((rule for rule in rules if rule.action == "error"), None)
        if refusal is None:
            answer = self._answer(Request(api, body, stream, dying))
        else:
            answer = frame("RODS_API_REPLY", refusal.code, error=_explain(refusal.code, refusal.message))
        if dying:
            raise AgentKilledError
        self._pause(self._zone.faults.delay)
        self._send(answer, [rule for rule in rules if rule.reply])

    def _read_stream(self, length: int, rules: list[Rule]) -> memoryview:
        """The byte stream, in a buffer that is used again, with what goes wrong in its middle."""
        if len(self._buffer) < length:
            self._buffer = bytearray(length)
        view = memoryview(self._buffer)[:length]
        position = 0
        for rule in sorted(rules, key=lambda rule: length if rule.after_bytes is None else rule.after_bytes):
            reach = length if rule.after_bytes is None else min(rule.after_bytes, length)
            self._wire.read_into(view[position:reach])
            position = reach
            if rule.action == "stall":
                self._pause(rule.seconds)
            elif rule.action == "hold":
                self._wait_at(rule)
            elif rule.action == "drop":
                self._drop(rule)
            elif rule.action == "kill":
                raise AgentKilledError
        self._wire.read_into(view[position:])
        if length and any(rule.action == "corrupt" for rule in rules):
            view[length // 2] ^= 1
        return view

    def _wait_at(self, rule: Rule) -> None:
        gate = rule.gate
        if gate is None:
            return
        gate.reached.set()
        while not gate.opened.wait(0.02):
            if self._killed.is_set():
                raise AgentKilledError
        if gate.lost:
            self._drop(rule)

    def _drop(self, rule: Rule) -> None:
        self._reset = rule.reset
        raise ConnectionLostError("dropped on request")

    def _answer(self, request: Request) -> bytes:
        try:
            reply = self._carry_out(request)
        except RefusedError as refusal:
            error = _explain(refusal.status, refusal.message)
            return frame("RODS_API_REPLY", refusal.code, refusal.body, error)
        return frame("RODS_API_REPLY", reply.int_info, reply.body, stream=reply.stream)

    def _carry_out(self, request: Request) -> Reply:
        if request.api == AUTHENTICATION:
            answer = self._login.step(unpack_json(request.body), encrypted=self._encrypted)
            if self._login.user is not None:
                self._context = replace(self._context, user=self._login.user)
            return Reply(0, pack_json(answer))
        handler = _HANDLERS.get(request.api)
        if handler is None:
            raise RefusedError(Code.SYS_UNMATCHED_API_NUM)
        if self._context.user is _NOBODY:
            raise RefusedError(Code.SYS_NO_API_PRIV)
        return handler(self._context, request)

    def _send(self, answer: bytes, rules: list[Rule]) -> None:
        position = 0
        for rule in rules:
            reach = min(rule.after_bytes or 0, len(answer))
            self._wire.send(answer[position:reach])
            position = max(position, reach)
            if rule.action == "stall":
                self._pause(rule.seconds)
            elif rule.action == "hold":
                self._wait_at(rule)
            elif rule.action == "drop":
                self._drop(rule)
        self._wire.send(answer[position:] if position else answer)

    def _pause(self, seconds: float) -> None:
        if seconds > 0 and self._killed.wait(seconds):
            raise AgentKilledError

    def _path(self, api: int, body: Node) -> str:
        """What a request is about, for the log and for faults."""
        if api in _BY_DESCRIPTOR:
            return self._context.transfers.path_of(body.number("l1descInx"))
        if body.name == "BinBytesBuf_PI":
            request = unpack_json(body)
            if api in _JSON_DESCRIPTOR:
                return self._context.transfers.path_of(int(request.get("fd", -1)))
            return str(request.get("entity_name") or request.get("logical_path") or "")
        if body.name == "DataObjCopyInp_PI":
            body = body.child("DataObjInp_PI")
        return next((text for name in ("objPath", "collName", "path", "arg2") if (text := body.get(name))), "")


def _explain(status: int, message: str) -> bytes:
    return pack_error(status, message) if message else b""
