"""How many connections each worker has, where all workers see it.

    worker: its count -> memory that the workers share -> the others: has one of us clearly more than another?

Each worker listens on a socket of its own and the kernel spreads new connections at random, which can leave one
worker with most of a few clients. A worker that has more than its share closes a connection after its answer, now
and then; the client comes again and may meet another worker.
"""

import mmap
import time

MOST_WORKERS = 256
ABSENT = -1
PAUSE_SECONDS = 0.05

# Made where gunicorn's master imports this, before the workers are forked, so that they share it.
_counts = memoryview(mmap.mmap(-1, 4 * MOST_WORKERS)).cast("i")
for _slot in range(MOST_WORKERS):
    _counts[_slot] = ABSENT


def forget(slot: int) -> None:
    """Take a worker that ended out of the count."""
    _counts[slot % MOST_WORKERS] = ABSENT


class Balance:
    """The view of the worker in place `slot`."""

    def __init__(self, slot: int = 0) -> None:
        self.slot = slot
        self._next_closing = 0.0

    def count(self, connections: int) -> None:
        """Let the others know how many connections this worker has."""
        _counts[self.slot] = connections

    def should_close(self) -> bool:
        """Tell whether to close a connection now; only now and then, to see first where its client goes."""
        now = time.monotonic()
        if now < self._next_closing:
            return False
        self._next_closing = now + PAUSE_SECONDS
        own = _counts[self.slot]
        least = min((count for count in _counts.tolist() if count != ABSENT), default=own)
        return own - least > max(1, own // 8)
