"""The protocols: a Sink is another program that is told of published sets, a Channel a way to people."""

from dataclasses import dataclass
from typing import Literal, Protocol

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


#: What a message is about; some services show it as a colour.
Tone = Literal["failure", "warning", "success", "info"]


@dataclass(frozen=True, slots=True)
class Message:
    """What people are told, as plain text."""

    title: str
    text: str
    kind: Tone = "info"


class Channel(Protocol):
    """One way to people, used by one thread; only `close` may come from another one.

    `name` is what the journal calls it, without anything secret.
    """

    @property
    def name(self) -> str: ...

    def send(self, message: Message, to: str = "") -> None:
        """Send a message; `to` is an e-mail address, if the channel goes to persons. Raises NotifierAway.

        It takes a limited time. A message whose sending failed may have arrived.
        """
        ...

    def close(self) -> None:
        """Give up what is being sent, if that can be done."""
        ...
