"""Connected components of a mask, in NumPy alone.

    mask -> runs of each row -> which runs touch -> components with box and mass

Works on runs, not pixels: a picture of 500 x 500 has some thousand of them, and all steps are
array operations.
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
    height, width = mask.shape
    wide = width + 1
    starts, ends = find_runs(mask)
    roots = _connect(starts, ends, wide)
    _, piece = np.unique(roots, return_inverse=True)
    count = int(piece.max(initial=-1)) + 1

    labels = np.zeros(mask.shape, np.int32)
    labels[mask] = np.repeat(piece + 1, ends - starts)
    mass = np.bincount(labels.reshape(-1), ink.reshape(-1), minlength=count + 1)[1:]
    rows = starts // wide

    def extreme(values: np.ndarray, ufunc: np.ufunc, initial: int) -> np.ndarray:
        result = np.full(count, initial)
        ufunc.at(result, piece, values)
        return result

    return Components(
        labels=labels,
        mass=mass,
        top=extreme(rows, np.minimum, height),
        bottom=extreme(rows + 1, np.maximum, 0),
        left=extreme(starts - rows * wide, np.minimum, width),
        right=extreme(ends - rows * wide, np.maximum, 0),
    )


def find_runs(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the horizontal runs of `mask` start and end, (runs,) each, ends exclusive.

    The indices count through the rows of a picture one pixel wider: that column of background keeps
    a run from crossing into the next row.
    """
    height, width = mask.shape
    padded = np.zeros((height, width + 1), np.int8)
    padded[:, :width] = mask
    steps = np.diff(padded.reshape(-1), prepend=np.int8(0))
    return np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)


def _connect(starts: np.ndarray, ends: np.ndarray, wide: int) -> np.ndarray:
    """Return, for each run, the smallest index of a run it hangs together with.

    starts, ends: flat indices of the runs, ascending, ends exclusive. Runs of neighbouring rows
    touch where the lower one, moved up a row, begins no later than the upper one ends.
    """
    first = np.searchsorted(ends, starts + wide, "left")
    last = np.searchsorted(starts, ends + wide, "right")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(len(starts)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    lower = np.repeat(first, counts) + offsets

    roots = np.arange(len(starts))
    while True:
        smallest = np.minimum(roots[upper], roots[lower])
        hooked = roots.copy()
        np.minimum.at(hooked, roots[upper], smallest)
        np.minimum.at(hooked, roots[lower], smallest)
        hooked = hooked[hooked]
        if np.array_equal(hooked, roots):
            return roots
        roots = hooked
