"""What preprocessing did to a picture, in words, for whoever asks.

each step -> tell("ruled lines erased") -> a list, or nobody

Every function on the road takes a `tell` and calls it with a sentence about what it has just done.
"""

from collections.abc import Callable

Tell = Callable[[str], object]


def nobody(step: str) -> None:
    """Listen to no step: most callers want the pixels alone."""


def counted(count: int, thing: str) -> str:
    """Return "1 speck" or "2 specks"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
