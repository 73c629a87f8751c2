"""How many connections each worker has, where all workers see it: new ones go to who has few.

worker: its count -> shared memory -> the others: is one of us less busy?

All workers wait at the same door, and the one that is awake takes whoever comes: without this, one of
them may get every client of a quiet start, and one processor stays idle. Connections that came when a
worker was not there yet stay where they are; now and then one is closed after its answer, and comes again.
"""

import mmap
import time

MOST_WORKERS = 512
ABSENT = -1
PARTING_SECONDS = 0.05

# Made where gunicorn's master imports this, before the workers are forked, so that they share it.
_counts = memoryview(mmap.mmap(-1, 4 * MOST_WORKERS)).cast("i")
for _slot in range(MOST_WORKERS):
    _counts[_slot] = ABSENT


class Balance:
    """The view of one worker. slot: its number, 0 ... MOST_WORKERS - 1; workers: how many there are."""

    def __init__(self, slot: int, workers: int) -> None:
        self._slot = slot
        self._workers = min(max(workers, slot + 1), MOST_WORKERS)
        self._next_parting = 0.0

    def tell(self, connections: int) -> None:
        """Let the others know how many connections this worker has."""
        _counts[self._slot] = connections

    def is_ahead(self) -> bool:
        """Tell whether another worker has clearly fewer connections than this one."""
        return self._lead() > _counts[self._slot] // 8

    def should_part(self) -> bool:
        """Tell whether this worker should part with a connection, because it is another's turn to have it.

        Now and then alone: whoever parts has to see first where the client goes.
        """
        now = time.monotonic()
        if now < self._next_parting:
            return False
        self._next_parting = now + PARTING_SECONDS
        return self._lead() > max(1, _counts[self._slot] // 8)

    def _lead(self) -> int:
        """Return how many connections more than the least busy other worker this one has."""
        others = [
            count for slot in range(self._workers) if slot != self._slot and (count := _counts[slot]) >= 0
        ]
        return _counts[self._slot] - min(others) if others else 0


def forget(slot: int) -> None:
    """Take a worker that ended out of the count."""
    _counts[slot] = ABSENT
