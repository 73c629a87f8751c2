"""How many connections each worker has, in memory that all workers see.

    worker: its count -> memory that the workers share -> does this one have clearly more than another?

All workers accept from one socket. A worker with more than its share closes a connection after an answer.
"""

import mmap
import time
from collections.abc import Callable

PLACES, PAUSE_SECONDS = 256, 0.05  # the time that a client needs to reconnect
# Each entry is a worker's count plus one, or 0 for no worker. Made before the fork, so that all share it.
_counts = memoryview(mmap.mmap(-1, 4 * PLACES)).cast("i")


def forget(slot: int) -> bool:
    """Clear the count of a worker that ended; return whether it died before clearing it itself."""
    was_counted, _counts[slot % PLACES] = _counts[slot % PLACES] > 0, 0
    return was_counted


class Balance:
    """One worker's access to the counts of all workers; slot: its place among them.

    note: called with each new count.
    """

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
