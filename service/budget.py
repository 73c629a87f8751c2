"""A limit on the memory that decoding takes at once; large pictures wait for their share.

bytes needed -> hold -> decode -> release; NoMemoryError after a long wait
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

from service.preprocessing import ImageError, TooManyPixelsError

MEBIBYTE = 1024 * 1024
LONGEST_WAIT_SECONDS = 5.0


class NoMemoryError(ImageError):
    """Too many large images are being decoded."""


class MemoryBudget:
    """A number of bytes that tasks hold and release, first come, first served."""

    def __init__(self, capacity: int, on_change: Callable[[int], None] = lambda held: None) -> None:
        """Start with `capacity` bytes; on_change is called with the number of bytes that are held."""
        self._capacity = capacity
        self._on_change = on_change
        self._free = capacity
        self._first_in_line = asyncio.Lock()
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes within the block.

        Raises TooManyPixelsError if that is more than the capacity, NoMemoryError after a long wait.
        """
        if size > self._capacity:
            raise TooManyPixelsError(
                f"Decoding this image takes up to {size // MEBIBYTE} MiB of memory; at most "
                f"{self._capacity // MEBIBYTE} MiB are allowed. Send a smaller picture, or another format."
            )
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS), self._first_in_line:
                while self._free < size:
                    self._freed.clear()
                    await self._freed.wait()
                self._free -= size
        except TimeoutError:
            raise NoMemoryError(
                "Many large pictures arrived at once. Send this one again a little later."
            ) from None
        self._on_change(self._capacity - self._free)
        try:
            yield
        finally:
            self._free += size
            self._on_change(self._capacity - self._free)
            self._freed.set()
