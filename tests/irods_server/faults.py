"""What goes wrong on request: rules that a test registers and agents follow."""

import fnmatch
import threading
from dataclasses import dataclass
from typing import Final, Literal

Action = Literal["drop", "stall", "hold", "error", "kill", "corrupt"]

SMASHED_CHECKSUM: Final = "sha2:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class Gate:
    """Where a request waits until a test has done what it wants to do meanwhile."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.opened = threading.Event()
        self.lost = False

    def open(self, *, lost: bool = False) -> None:
        """Let the request go on, or lose its connection there."""
        self.lost = lost
        self.opened.set()


@dataclass(slots=True)
class Rule:
    """One thing that goes wrong, and when: from the `nth` matching request on, `times` times (None: for ever)."""

    action: Action
    api: int | None = None
    path: str | None = None
    nth: int = 1
    times: int | None = 1
    after_bytes: int | None = None
    reply: bool = False
    reset: bool = False
    seconds: float = 0.0
    code: int = 0
    message: str = ""
    gate: Gate | None = None
    seen: int = 0
    used: int = 0

    def strikes(self, api: int, path: str) -> bool:
        """Whether this request is hit; counts the ones that match."""
        if self.api not in (None, api) or (self.path is not None and not fnmatch.fnmatchcase(path, self.path)):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.used >= self.times):
            return False
        self.used += 1
        return True


class Faults:
    """The rules of a server. `path` is a shell pattern on the logical path, of descriptors too; None hits all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.delay = 0.0
        self.resource_is_down = False
        self._free: int | None = None
        self._lies: list[Rule] = []
        #: What has struck so far: action, API and logical path.
        self.struck: list[tuple[Action, int, str]] = []

    def drop(
        self,
        *,
        api: int | None = None,
        path: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        after_bytes: int | None = None,
        reply: bool = False,
        reset: bool = False,
    ) -> None:
        """Lose the connection: before the request is carried out, or with `reply` after it.

        `after_bytes` of the request's byte stream (of the whole reply) still get through; without it all of the
        request and none of the reply. The agent notices, so replicas that it has open become STALE.
        """
        self._add(Rule("drop", api, path, nth, times, after_bytes, reply, reset))

    def stall(
        self,
        seconds: float,
        *,
        api: int | None = None,
        path: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        after_bytes: int | None = None,
        reply: bool = False,
    ) -> None:
        """Stop for a while where `drop` would break, then go on."""
        self._add(Rule("stall", api, path, nth, times, after_bytes, reply, seconds=seconds))

    def hold(
        self,
        *,
        api: int | None = None,
        path: str | None = None,
        nth: int = 1,
        after_bytes: int | None = None,
        reply: bool = False,
    ) -> Gate:
        """Stop one request where `drop` would break, until the gate is opened or the agent is killed."""
        gate = Gate()
        self._add(Rule("hold", api, path, nth, 1, after_bytes, reply, gate=gate))
        return gate

    def slow(self, seconds: float) -> None:
        """Delay every reply from now on."""
        self.delay = seconds

    def error(
        self,
        *,
        api: int | None = None,
        code: int,
        path: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        message: str = "",
    ) -> None:
        """Answer `code`, known to the client or not, without carrying the request out."""
        self._add(Rule("error", api, path, nth, times, code=code, message=message))

    def kill_agent(
        self,
        *,
        api: int | None = None,
        path: str | None = None,
        nth: int = 1,
        times: int | None = 1,
        after_bytes: int | None = None,
    ) -> None:
        """End the agent like `kill -9`: nothing is cleaned up, replicas that it has open stay INTERMEDIATE.

        A put (606) is struck down in its middle: the data object exists and its bytes are written.
        """
        self._add(Rule("kill", api, path, nth, times, after_bytes))

    def corrupt(self, *, api: int | None = None, path: str | None = None, nth: int = 1, times: int | None = 1) -> None:
        """Flip one bit of the byte stream before it is written, behind the back of every checksum."""
        self._add(Rule("corrupt", api, path, nth, times))

    def lie_about_checksums(self, *, path: str | None = None, times: int | None = None) -> None:
        """Compute a wrong checksum whenever the server computes one."""
        with self._lock:
            self._lies.append(Rule("corrupt", None, path, 1, times))

    def resource_full(self, free_bytes: int = 0) -> None:
        """Let `free_bytes` more be written; then writes fail with UNIX_FILE_WRITE_ERR and ENOSPC (-513028)."""
        with self._lock:
            self._free = free_bytes

    def resource_down(self) -> None:
        """Refuse every open and put with HIERARCHY_ERROR, as a resource that is marked down does."""
        self.resource_is_down = True

    def clear(self) -> None:
        """Make everything work again."""
        with self._lock:
            self._rules.clear()
            self._lies.clear()
            self._free = None
            self.delay = 0.0
            self.resource_is_down = False

    def striking(self, api: int, path: str) -> list[Rule]:
        """The rules that hit this request (for agents)."""
        with self._lock:
            found = [rule for rule in self._rules if rule.strikes(api, path)]
            self.struck += [(rule.action, api, path) for rule in found]
            return found

    def lies_about(self, path: str) -> bool:
        """Whether the checksum computed for `path` now is to be wrong (for agents)."""
        with self._lock:
            return any(rule.strikes(0, path) for rule in self._lies)

    def take_space(self, wanted: int) -> int:
        """How many of `wanted` bytes still fit on the resource (for agents)."""
        with self._lock:
            if self._free is None:
                return wanted
            granted = min(wanted, self._free)
            self._free -= granted
            return granted

    def _add(self, rule: Rule) -> None:
        with self._lock:
            self._rules.append(rule)
