"""The memory for decoding is never exceeded, is given first come, first served, and is all released."""

import asyncio
import contextlib
import time

import pytest

from service import budget as module
from service.api.problems import STATUSES
from service.budget import MEBIBYTE, MemoryBudget, NoMemoryError
from service.preprocessing import TooManyPixelsError
from tests.serving import run_alone

CAPACITY = 10 * MEBIBYTE


class Holders:
    """Tasks that hold memory until they are told to let go."""

    def __init__(self) -> None:
        self.budget = MemoryBudget(CAPACITY)
        self.order: list[str] = []
        self.held = 0
        self.most = 0

    def start(self, name: str, mebibytes: int, until: asyncio.Event | None = None) -> asyncio.Task:
        return asyncio.create_task(self._hold(name, mebibytes * MEBIBYTE, until))

    async def _hold(self, name: str, size: int, until: asyncio.Event | None) -> None:
        async with self.budget.hold(size):
            self.order.append(name)
            self.held += size
            self.most = max(self.most, self.held)
            try:
                await (until.wait() if until else asyncio.sleep(0.001))
            finally:
                self.held -= size


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_never_more_than_the_capacity_is_held():
    async def scenario() -> None:
        holders = Holders()
        await asyncio.gather(*(holders.start(str(k), 1 + k % 10) for k in range(40)))
        assert len(holders.order) == 40
        assert CAPACITY / 2 < holders.most <= CAPACITY
        await holders.start("all", 10)

    run_alone(scenario())


def test_memory_goes_to_those_that_came_first():
    async def scenario() -> None:
        holders, done = Holders(), asyncio.Event()
        first = holders.start("first", 6, done)
        await turns()
        large = holders.start("large", 8)
        await turns()
        small = holders.start("small", 1)  # there is room for it, and the large one would starve
        await turns()
        assert holders.order == ["first"]
        done.set()
        await asyncio.gather(first, large, small)
        assert holders.order == ["first", "large", "small"]

    run_alone(scenario())


def test_a_price_above_the_capacity_is_refused_with_413():
    async def scenario() -> None:
        holders, done = Holders(), asyncio.Event()
        holding = holders.start("first", 10, done)
        await turns()
        with pytest.raises(TooManyPixelsError, match="11 MiB of memory; at most 10 MiB"):
            await holders.start("large", 11)
        done.set()
        await holding

    run_alone(scenario())
    assert STATUSES[TooManyPixelsError] == 413


def test_a_long_wait_for_memory_ends_with_503(monkeypatch):
    monkeypatch.setattr(module, "LONGEST_WAIT_SECONDS", 0.1)

    async def scenario() -> None:
        holders, done = Holders(), asyncio.Event()
        holding = holders.start("first", 10, done)
        await turns()
        started = time.monotonic()
        waiting = [holders.start(str(k), 5) for k in range(3)]
        errors = await asyncio.gather(*waiting, return_exceptions=True)
        assert [type(error) for error in errors] == [NoMemoryError] * 3
        assert 0.1 <= time.monotonic() - started < 5
        done.set()
        await holding
        await holders.start("all", 10)

    run_alone(scenario())
    assert STATUSES[NoMemoryError] == 503


def test_memory_comes_back_after_errors_and_cancellation():
    async def scenario() -> None:
        holders = Holders()
        with contextlib.suppress(ZeroDivisionError):
            async with holders.budget.hold(CAPACITY):
                raise ZeroDivisionError
        holding = holders.start("holding", 10, asyncio.Event())
        await turns()
        waiting = [holders.start(f"waiting {k}", 10) for k in range(3)]
        await turns()
        waiting[0].cancel()  # it is at the head of the line
        waiting[2].cancel()
        await turns()
        holding.cancel()
        await waiting[1]
        assert holders.order == ["holding", "waiting 1"]
        await holders.start("all", 10)

    run_alone(asyncio.wait_for(scenario(), 10))
