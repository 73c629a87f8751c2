"""How much memory decoding may take at once: pictures that need much of it take turns.

    cost in bytes -> Gate.hold -> decode -> give back, or a GateClosedError after too long in the queue

Four pictures of the largest size, decoded side by side, would need more than a small container has.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

MEBIBYTE = 1024 * 1024


class GateClosedError(Exception):
    """There is no room, and too many wait for it already or the wait took too long."""


class Gate:
    """Lets those pass whose costs together stay within `capacity` bytes; a larger one passes alone.

    most_waiting: those beyond are turned away at once; each that waits holds a thread that could
    answer small pictures.
    """

    def __init__(self, capacity: int, most_waiting: int, longest_wait_seconds: float) -> None:
        self._capacity = capacity
        self._most_waiting = most_waiting
        self._longest_wait_seconds = longest_wait_seconds
        self._free = capacity
        self._waiting = 0
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, cost: int) -> Iterator[None]:
        """Hold `cost` bytes within the block; raises GateClosedError."""
        cost = min(cost, self._capacity)
        self._take(cost)
        try:
            yield
        finally:
            with self._changed:
                self._free += cost
                self._changed.notify_all()

    def _take(self, cost: int) -> None:
        with self._changed:
            # Small ones pass those that wait for much room; they need none of it for long.
            if self._free < cost:
                self._wait(cost)
            self._free -= cost

    def _wait(self, cost: int) -> None:
        if self._waiting >= self._most_waiting:
            raise GateClosedError
        self._waiting += 1
        stop = time.monotonic() + self._longest_wait_seconds
        try:
            while self._free < cost:
                if not self._changed.wait(stop - time.monotonic()):
                    raise GateClosedError
        finally:
            self._waiting -= 1
