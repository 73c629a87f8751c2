"""Connected components of a mask.

    mask -> runs of each row -> which runs touch -> components with box and mass

It works on runs instead of pixels: a drawn digit of 200 x 200 pixels has a few hundred, so the only Python
loop is short and the rest are array operations.
"""

from functools import cached_property
from typing import NamedTuple

import numpy as np


class Boxes(NamedTuple):
    """Where each piece lies, (count,) each; bottom and right are exclusive."""

    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray


class Components:
    """The pieces of a mask, (height, width) bool, whose pixels touch by a side or a corner.

    mass: (count,) float64, the sum of `ink`, (height, width) float32, over each piece's pixels where it
    exceeds `above`. Boxes and labels are computed on demand: most pictures hold one piece and need neither.
    """

    def __init__(self, mask: np.ndarray, ink: np.ndarray, above: float = 0.0) -> None:
        self._mask = mask
        self._starts, self._ends = find_runs(mask)
        self._numbers, count = _number_pieces(self._starts.tolist(), self._ends.tolist(), mask.shape[1] + 1)
        counted = ink[mask]
        counted *= counted > above
        if count == 1:  # no need to know which pixel belongs to which piece
            self.mass = counted.sum(dtype=np.float64, keepdims=True)
        else:
            self.mass = np.bincount(self._of_pixel, counted, minlength=count)

    @cached_property
    def _piece(self) -> np.ndarray:
        """The piece of each run, (runs,)."""
        return np.array(self._numbers, np.intp)

    @cached_property
    def _of_pixel(self) -> np.ndarray:
        """The piece of each pixel of the mask."""
        return self._piece.repeat(self._ends - self._starts)

    @cached_property
    def boxes(self) -> Boxes:
        """The box of each piece."""
        wide, count = self._mask.shape[1] + 1, len(self.mass)
        rows = self._starts // wide
        left, right = np.full(count, wide), np.zeros(count, np.intp)
        np.minimum.at(left, self._piece, self._starts - rows * wide)
        np.maximum.at(right, self._piece, self._ends - rows * wide)
        top, bottom = np.empty((2, count), np.intp)
        bottom[self._piece] = rows + 1  # runs come row by row: the last one written is the lowest
        top[self._piece[::-1]] = rows[::-1]
        return Boxes(top, bottom, left, right)

    @cached_property
    def labels(self) -> np.ndarray:
        """(height, width) int32: 0 outside the mask, 1 ... count inside."""
        labels = np.zeros(self._mask.shape, np.int32)
        labels[self._mask] = self._of_pixel + 1
        return labels


def find_runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the horizontal runs of `mask` start and end, (runs,) each, ends exclusive.

    The indices count through the rows of a picture one pixel wider: the extra column of background keeps
    a run from continuing into the next row.
    """
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, bool)
    padded[1:].reshape(height, width + 1)[:, :width] = mask
    (changes,) = (padded[1:] != padded[:-1]).nonzero()
    return changes[::2], changes[1::2]


def _number_pieces(starts: list[int], ends: list[int], wide: int) -> tuple[list[int], int]:
    """Return the number of each run's piece, counted from 0, and the number of pieces.

    starts, ends: flat indices of the runs, ascending, ends exclusive. Runs in neighboring rows touch
    if the lower one, moved up a row, begins no later than the upper one ends. Sets of touching runs
    are trees rooted in their first run (union-find; Galler and Fischer 1964).
    """
    parents: list[int] = []
    count = len(starts)  # pieces so far; each union makes one fewer
    above = 0  # the first run that may still touch one of this row
    for run, (start, end) in enumerate(zip(starts, ends, strict=True)):
        parents.append(run)
        first = run  # the first run that this one is connected to, as far as known
        leftmost, rightmost = start - wide, end - wide
        while ends[above] < leftmost:
            above += 1
        upper = above
        while starts[upper] <= rightmost:
            other = parents[upper]
            while parents[other] != other:
                parents[other] = other = parents[parents[other]]
            if other < first:
                parents[first] = first = other
                count -= 1
            elif other > first:
                parents[other] = first
                count -= 1
            upper += 1
    if count == 1:
        return [0] * len(parents), 1

    numbers: list[int] = []
    count = 0
    for run, parent in enumerate(parents):
        if parent == run:
            numbers.append(count)
            count += 1
        else:
            numbers.append(numbers[parent])  # a parent comes before its children
    return numbers, count
