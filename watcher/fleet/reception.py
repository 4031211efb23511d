"""Reports that watchers post: only what a known instrument signed just now, and has not said before, is taken.

Standard Webhooks (standard-webhooks/spec, v1.0.0): a time stamp that is five minutes off is not believed.
"""

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import ValidationError

from watcher.errors import WatcherError
from watcher.fleet.document import Fleet
from watcher.fleet.register import Register
from watcher.notify import signature
from watcher.overview.report import LARGEST, Report

#: So many seconds may the clocks of the two computers differ.
TOLERANCE: Final = 300.0


class NotTaken(WatcherError):
    """A report that is not taken; `status` is HTTP's."""

    cure = ""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Reception:
    """Takes what is posted for an instrument. Raises ConfigurationError for keys that cannot be used."""

    def __init__(self, fleet: Fleet, register: Register, now: Callable[[], float]) -> None:
        self._register = register
        self._now = now
        common = signature.key_of(fleet.secret.reveal(), "secret") if fleet.secret else None
        self._keys = {
            one.name: signature.key_of(one.secret.reveal(), f"secret of {one.name}") if one.secret else common
            for one in fleet.instruments
        }

    def take(self, name: str, headers: Mapping[str, str], body: bytes) -> None:
        """Take a report; headers by their names in lower case. Raises NotTaken."""
        key = self._keys.get(name)
        if key is None:
            raise NotTaken(404, "this instrument is not in fleet.yaml, or does not report by itself")
        if len(body) > LARGEST:
            raise NotTaken(413, "no report is so large")
        stamp = self._signed_at(key, headers, body)
        if not abs(self._now() - stamp) <= TOLERANCE:
            raise NotTaken(403, "its time is more than five minutes off ours")
        try:
            report = Report.model_validate_json(body)
        except ValidationError:
            raise NotTaken(422, "this is no report") from None
        if report.instrument != name:
            raise NotTaken(422, "this is the report of another instrument")
        if not self._register.hear(name, report, stamp):
            raise NotTaken(409, "this report, or a later one, was taken already")

    @staticmethod
    def _signed_at(key: bytes, headers: Mapping[str, str], body: bytes) -> int:
        """The time stamp with which it was signed. Raises NotTaken."""
        identifier, stamp, given = (
            headers.get(name, "") for name in (signature.ID, signature.TIMESTAMP, signature.SIGNATURE)
        )
        if not signature.is_signed(key, identifier, stamp, body, given):
            raise NotTaken(401, "it is not signed with the key of this instrument")
        if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
            raise NotTaken(403, "it does not say when it was signed")
        return int(stamp)
