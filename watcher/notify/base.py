"""The Sink protocol: another program that is told of published sets."""

from typing import Protocol

from watcher.model import Event


class Sink(Protocol):
    """One way to another program, used by one thread; only `close` may come from another one.

    `name` is what the journal calls it, `place` where it is, without anything secret.
    """

    @property
    def name(self) -> str: ...

    @property
    def place(self) -> str: ...

    def tell(self, event: Event) -> None:
        """Hand an event over; it is accepted when this returns. Raises SinkAway or SinkRefused.

        It takes a limited time, whatever the other side does. An event whose telling was cut off may have arrived.
        """
        ...

    def rest(self) -> None:
        """Nothing more is to be told for now: let go of what costs the other side something."""
        ...

    def close(self) -> None:
        """Tell nothing more, and give up what is being told if that can be done."""
        ...
