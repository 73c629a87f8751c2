"""Levels of a picture, read from its values in ascending order: medians, their spread, Otsu's threshold.

values -> sorted once -> median, median distance, threshold between two classes
"""

import numpy as np

# Where the bins of a histogram from 0 to 256 meet.
_EDGES = np.arange(1, 256, dtype=np.float32)


def ascending(values: np.ndarray) -> np.ndarray:
    """Return the values of an array of any shape in one ascending row.

    All of a picture's levels can be read from the sorted row. NumPy sorts float32 with vector instructions,
    so this is faster than finding even one median with np.partition.
    """
    ordered = values.flatten()
    ordered.sort()
    return ordered


def median(ordered: np.ndarray) -> float:
    """Return the median of at least one value, in ascending order."""
    middle = ordered.size // 2
    if ordered.size % 2:
        return float(ordered[middle])
    return (float(ordered[middle - 1]) + float(ordered[middle])) / 2


def median_distance(ordered: np.ndarray, level: float) -> float:
    """Return the median of abs(ordered - level).

    ordered: at least one value, ascending. level: their median. No second sort is needed, because the
    distances fall up to the middle and then rise. Pair each value of the lower half with the one that lies
    half the length further up. The nearer one of each pair is among the nearer half of all values (Batcher
    1968, "Sorting networks and their applications": a bitonic sequence splits in two). The median distance
    is at the first pair whose lower value is the nearer one.
    """
    half = ordered.size // 2
    quarter = (ordered.size - 1) // 4
    if not half or ordered[quarter] == ordered[-1 - quarter]:  # even paper: more than half lie at the level
        return 0.0
    left, right = level - ordered[:half], ordered[-half:] - level
    change = np.count_nonzero(left > right)
    beside = slice(max(change - 1, 0), change + 1)
    around = sorted(left[beside].tolist() + right[beside].tolist())  # two, or four
    middle = len(around) // 2
    if ordered.size % 2:  # the middle value is the nearest of all, and was left out
        return abs(around[middle - 1])
    return abs(around[middle - 1] + around[middle]) / 2  # abs: -0.0 would show in messages


def otsu_threshold(ordered: np.ndarray) -> float:
    """Return the level that splits values, in ascending order, into the two classes furthest apart.

    Otsu 1979, "A threshold selection method from gray-level histograms", on 256 bins.
    """
    lowest, highest = float(ordered[0]), float(ordered[-1])
    if highest <= lowest:
        return lowest
    bins = (ordered - ordered[0]) * (255.99 / (highest - lowest))
    below = bins.searchsorted(_EDGES).astype(np.float64)  # (255,) values before each edge
    # The bin numbers of the values below an edge add up to edge * below - missed. `missed` counts, for each
    # of these values, the edges up to this one that it does not reach.
    missed = np.add.accumulate(below)
    mean = 255 - missed[-1] / ordered.size
    # Otsu's sigma_B^2, his equation 18, up to a factor; neither side is ever empty.
    spread = below * (mean - _EDGES)
    spread += missed
    spread *= spread
    spread /= below * (ordered.size - below)
    # If several edges are best, there is an empty gap: take its middle. (argmax takes half the time of max.)
    (best,) = (spread >= spread.item(spread.argmax()) * (1 - 1e-9)).nonzero()
    return lowest + float(best[0] + best[-1] + 2) / 2 * (highest - lowest) / 256
