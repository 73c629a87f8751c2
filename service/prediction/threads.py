"""Threads for slow work, and the memory that they share.

work, size in bytes -> wait for the memory -> a thread -> result
"""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from service.budget import MemoryBudget
from service.config import Settings
from service.metrics import Metrics

Result = TypeVar("Result")


class Threads:
    """A few threads of one process. They serve one event loop at a time."""

    def __init__(self, settings: Settings, metrics: Metrics) -> None:
        self._metrics = metrics
        self._pool = ThreadPoolExecutor(settings.threads, "decoding")
        self._memory = MemoryBudget(
            settings.max_decoding_bytes // settings.workers, metrics.process.decoding.set
        )
        self._tasks: set[asyncio.Task] = set()

    async def run(self, work: Callable[[], Result], size: int = 0) -> Result:
        """Return what `work` returns, called by a thread while it holds `size` bytes of the memory.

        Raises TooManyPixelsError, NoMemoryError, or what `work` raises.
        """
        loop = asyncio.get_running_loop()
        if not size:
            return await loop.run_in_executor(self._pool, work)
        async with self._memory.hold(size):
            return await loop.run_in_executor(self._pool, work)

    async def run_counted(self, work: Callable[[], Result], size: int) -> Result:
        """Return what `work` returns, as `run` does, and count it as waiting until it begins.

        If the caller is canceled, the thread keeps its memory until it ends.
        """
        is_waiting = True

        def begin() -> Result:
            nonlocal is_waiting
            is_waiting = False
            self._metrics.requests_waiting.dec()
            return work()

        async def hold_and_begin() -> Result:
            try:
                return await self.run(begin, size)
            finally:
                if is_waiting:  # it never began
                    self._metrics.requests_waiting.dec()

        self._metrics.requests_waiting.inc()
        return await asyncio.shield(self.keep(hold_and_begin()))

    def keep(self, coroutine: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Start a coroutine as a task that is not garbage-collected before it ends."""
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # marks the error as retrieved, even if no task waits for it any more
