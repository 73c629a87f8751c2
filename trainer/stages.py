"""What a command is doing while it prints nothing: one line on a terminal, which goes when the work is done.

    with stage("report"): ...                       report: 00:07
    with stage("rejector", 240_000) as advance: ... rejector: 38%|███   | 00:21 left

The line appears after DELAY_SECONDS and is drawn anew each second, also while no step ends: a long one does
not look like a command that hangs. Elsewhere than on a terminal, and below `silent`, nothing is shown.
"""

import contextlib
import sys
import threading
from collections.abc import Callable, Collection, Iterator
from contextvars import ContextVar
from typing import TypeVar

from tqdm import tqdm

DELAY_SECONDS = 1.0
REDRAWN_SECONDS = 1.0
STEPS = "{desc}: {percentage:3.0f}%|{bar}| {remaining} left"
CLOCK = "{desc}: {elapsed}"

T = TypeVar("T")
_is_silent: ContextVar[bool] = ContextVar("is_silent", default=False)


@contextlib.contextmanager
def silent(hidden: bool = True) -> Iterator[None]:
    """Show no stage within this block if `hidden`."""
    token = _is_silent.set(hidden)
    try:
        yield
    finally:
        _is_silent.reset(token)


@contextlib.contextmanager
def stage(name: str, total: int | None = None) -> Iterator[Callable[[int], object]]:
    """Show the name of the work in this block, and yield a function that counts steps done.

    total: how many steps there are; None where only the time can be shown.
    """
    if _is_silent.get() or not sys.stderr.isatty():
        yield lambda steps: None
        return
    done = threading.Event()
    with tqdm(
        total=total,
        desc=name,
        bar_format=STEPS if total else CLOCK,
        delay=DELAY_SECONDS,
        leave=False,
        dynamic_ncols=True,
    ) as bar:

        def redraw() -> None:
            seconds = DELAY_SECONDS
            while not done.wait(seconds):
                bar.refresh()
                seconds = REDRAWN_SECONDS

        clock = threading.Thread(target=redraw, daemon=True)
        clock.start()
        try:
            yield bar.update
        finally:
            done.set()
            clock.join()
            bar.clear()  # close() does not know what refresh() has drawn


def staged(name: str, items: Collection[T] | Iterator[T], total: int | None = None) -> Iterator[T]:
    """Yield the items as the steps of a stage; total: how many an iterator has."""
    with stage(name, total if isinstance(items, Iterator) else len(items)) as advance:
        for item in items:
            yield item
            advance(1)
