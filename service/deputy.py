"""A stand-in for a loop that also works: while one piece of work takes long, another thread goes on.

    owner:  lend -> work -> take_back        nearly always at once
    deputy: the loop is lent for too long -> run it, turn by turn, until the owner is back

The loop belongs to whoever holds the lock. To lend it and take it back costs less than a microsecond,
to hand every piece of work to another thread costs some hundred.
"""

import threading
import time
from collections.abc import Callable

PATIENCE_SECONDS = 0.02


class Deputy:
    """Stands in for the thread that makes it, which owns the loop from then on.

    turn: one turn of the loop. wake: has a turn that waits for something end at once. patience_seconds:
    how long the loop may stand still.
    """

    def __init__(
        self,
        turn: Callable[[], object],
        wake: Callable[[], object],
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self._patience_seconds = patience_seconds
        self._turn = turn
        self._wake = wake
        self._lock = threading.Lock()
        self._lock.acquire()
        self._lent_at = 0.0  # 0: not lent
        threading.Thread(target=self._watch, name="deputy", daemon=True).start()

    def lend(self) -> None:
        """Allow the deputy to run the loop; the owner must not touch it until it has taken it back."""
        self._lent_at = time.monotonic()
        self._lock.release()

    def take_back(self) -> None:
        """Own the loop again, once the deputy's turn is over."""
        self._lent_at = 0.0
        if not self._lock.acquire(blocking=False):
            self._wake()
            self._lock.acquire()

    def _watch(self) -> None:
        while True:
            time.sleep(self._patience_seconds)
            lent_at = self._lent_at
            if lent_at and time.monotonic() - lent_at >= self._patience_seconds:
                with self._lock:
                    while self._lent_at == lent_at:  # still the same piece of work
                        self._turn()
