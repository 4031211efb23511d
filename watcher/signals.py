"""The signals that ask this program to end: Ctrl-C, and SIGTERM from whoever runs it as a service."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ended_by_signals(end: Callable[[], object]) -> Iterator[set[int]]:
    """Meanwhile they call `end` instead of breaking off; which of them came.

    In another thread than the main one, where Python cannot catch them, nothing changes.
    """
    came: set[int] = set()

    def hear(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the form of a signal handler
        came.add(number)
        end()

    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
