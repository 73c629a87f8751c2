"""A bound on the memory that decoding takes at once; large pictures wait for their share.

price in bytes -> hold -> decode -> release; NoMemoryError after a long wait
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
    """Bytes to hold and release, first come, first served."""

    def __init__(self, capacity: int, on_change: Callable[[int], None] = lambda held: None) -> None:
        """Start with `capacity` bytes; on_change is called with the number of bytes that are held."""
        self._capacity = capacity
        self._on_change = on_change
        self._free = capacity
        self._line = asyncio.Lock()
        self._freed = asyncio.Event()

    @contextlib.asynccontextmanager
    async def hold(self, price: int) -> AsyncIterator[None]:
        """Hold `price` bytes within the block; raises TooManyPixelsError or NoMemoryError."""
        if price > self._capacity:
            raise TooManyPixelsError(
                f"Decoding this image takes up to {price // MEBIBYTE} MiB of memory; at most "
                f"{self._capacity // MEBIBYTE} MiB are allowed. Send a smaller picture, or another format."
            )
        try:
            async with asyncio.timeout(LONGEST_WAIT_SECONDS), self._line:
                while self._free < price:
                    self._freed.clear()
                    await self._freed.wait()
                self._free -= price
        except TimeoutError:
            raise NoMemoryError(
                "Many large pictures arrived at once. Send this one again a little later."
            ) from None
        self._on_change(self._capacity - self._free)
        try:
            yield
        finally:
            self._free += price
            self._on_change(self._capacity - self._free)
            self._freed.set()
