"""What preprocessing did to a picture, in words.

each step -> trace("ruled lines erased") -> a list, or nothing

Every function of this package that decides something takes a `trace` and calls it with a sentence about
what it has just done.
"""

from collections.abc import Callable

Trace = Callable[[str], object]


class LeftOut(str):
    """A step that left out ink which may be another digit."""


def no_trace(step: str) -> None:
    """Ignore a step: most callers want only the pixels."""


def counted(count: int, thing: str) -> str:
    """Return "1 speck" or "2 specks"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
