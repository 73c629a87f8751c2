"""How many connections each worker has, where all workers see it.

    worker: its count -> memory that the workers share -> has one of us clearly more than another?

All workers accept from one socket. One that has more than its share closes a connection after its answer.
"""

import mmap
import time
from collections.abc import Callable

PLACES, PAUSE_SECONDS = 256, 0.05  # a client needs that time to reconnect
# One more than the count, 0 for no worker; made before the fork, so shared.
_counts = memoryview(mmap.mmap(-1, 4 * PLACES)).cast("i")


def forget(slot: int) -> bool:
    """Take a worker that ended out of the count; return whether it ended without leaving it."""
    was_counted, _counts[slot % PLACES] = _counts[slot % PLACES] > 0, 0
    return was_counted


class Balance:
    """The view of the worker in place `slot`."""

    def __init__(self, slot: int = 0, note: Callable[[int], None] = lambda connections: None) -> None:
        self._place, self._next_closing, self._note = slot % PLACES, 0.0, note

    def count(self, connections: int) -> None:
        """Publish how many connections this worker has; -1 when it is stopping."""
        self._note(connections)
        _counts[self._place] = connections + 1

    def is_first(self) -> bool:
        """Return whether no worker with a lower place runs, other than those that are stopping."""
        return not any(_counts[: self._place])

    def should_close(self) -> bool:
        """Return whether this worker should close a connection now."""
        now, own = time.monotonic(), _counts[self._place]
        if now < self._next_closing:
            return False
        self._next_closing = now + PAUSE_SECONDS
        return own - min(filter(None, _counts), default=own) > max(1, own // 8)
