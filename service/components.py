"""Connected components of a mask.

    mask -> runs of each row -> which runs touch -> components with box and mass

Works on runs, not pixels: a drawn digit of 200 x 200 pixels has a few hundred of them, so that the
only loop over single things is short, and all else are array operations.
"""

from typing import NamedTuple

import numpy as np


class Components(NamedTuple):
    """The connected pieces of a mask; all arrays but `labels` are (count,).

    labels: (height, width) int32, 0 outside the mask, 1 ... count inside. mass: sum of the ink in
    the piece. top, bottom, left, right: its box, the ends exclusive.
    """

    labels: np.ndarray
    mass: np.ndarray
    top: np.ndarray
    bottom: np.ndarray
    left: np.ndarray
    right: np.ndarray


def find_components(mask: np.ndarray, ink: np.ndarray) -> Components:
    """Return the pieces of `mask`, (height, width) bool, that touch by a side or a corner.

    ink: (height, width) float32; what is summed to a piece's mass.
    """
    wide = mask.shape[1] + 1
    starts, ends = find_runs(mask)
    numbers, count = _number_pieces(starts.tolist(), ends.tolist(), wide)
    piece = np.array(numbers, np.intp)  # (runs,)
    rows = starts // wide
    left, right = np.full(count, wide), np.zeros(count, np.intp)
    np.minimum.at(left, piece, starts - rows * wide)
    np.maximum.at(right, piece, ends - rows * wide)
    top, bottom = np.empty((2, count), np.intp)
    bottom[piece] = rows + 1  # runs come row by row: the last one written is the lowest
    top[piece[::-1]] = rows[::-1]

    lengths = ends - starts
    of_pixel = np.repeat(piece, lengths)
    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = of_pixel + 1
    mass = np.bincount(of_pixel, ink[mask], minlength=count)
    return Components(labels, mass, top, bottom, left, right)


def find_runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the horizontal runs of `mask` start and end, (runs,) each, ends exclusive.

    The indices count through the rows of a picture one pixel wider: that column of background keeps
    a run from crossing into the next row.
    """
    height, width = mask.shape
    padded = np.zeros(height * (width + 1) + 1, bool)
    padded[1:].reshape(height, width + 1)[:, :width] = mask
    changes = np.flatnonzero(padded[1:] != padded[:-1])
    return changes[::2], changes[1::2]


def _number_pieces(starts: list[int], ends: list[int], wide: int) -> tuple[list[int], int]:
    """Return the number, from 0, of each run's piece, and how many pieces there are.

    starts, ends: flat indices of the runs, ascending, ends exclusive. Runs of neighbouring rows
    touch where the lower one, moved up a row, begins no later than the upper one ends. Sets of
    touching runs are trees that know their first run (Galler and Fischer 1964).
    """
    parents = list(range(len(starts)))

    def first(run: int) -> int:
        while parents[run] != run:
            parents[run] = run = parents[parents[run]]
        return run

    above = 0  # the first run that may still touch one of this row
    for run, (start, end) in enumerate(zip(starts, ends, strict=True)):
        while ends[above] < start - wide:
            above += 1
        upper = above
        while starts[upper] <= end - wide:
            one, other = first(upper), first(run)
            parents[max(one, other)] = min(one, other)
            upper += 1

    numbers: list[int] = []
    count = 0
    for run, parent in enumerate(parents):
        if parent == run:
            numbers.append(count)
            count += 1
        else:
            numbers.append(numbers[parent])  # a parent comes before its children
    return numbers, count
