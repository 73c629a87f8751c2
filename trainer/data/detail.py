"""Pictures are enlarged while they are distorted.

    (n, side, side) -> enlarge -> (n, side * parts, side * parts) -> distortion -> reduce -> (n, side, side)

The pixels of an 8x8 digit are means over squares of ink. Enlarging estimates that ink, and reducing averages
it again, so an undistorted picture comes back unchanged.
"""

from functools import lru_cache

import numpy as np

CORRECTIONS = 4  # passes that restore the means after clipping


def enlarge(pictures: np.ndarray, parts: int) -> np.ndarray:
    """Return pictures with parts x parts pixels in place of each, (n, side * parts, side * parts) float32.

    pictures: (n, side, side) ink in [0, 1]. The mean over each square is the old pixel, except for a small
    error where the exact mean would take ink below 0 or above 1.
    """
    if parts == 1:
        return pictures
    matrix = _enlarging(pictures.shape[1], parts)
    large = np.clip(matrix @ pictures @ matrix.T, 0, 1)
    for _ in range(CORRECTIONS):
        missing = pictures - reduce(large, parts)
        large += np.kron(missing, np.ones((1, parts, parts), np.float32))
        np.clip(large, 0, 1, out=large)
    return large


def reduce(pictures: np.ndarray, parts: int) -> np.ndarray:
    """Return the means over squares of parts x parts pixels, (n, side, side) float32.

    pictures: (n, side * parts, side * parts).
    """
    if parts == 1:
        return pictures
    matrix = _averaging(pictures.shape[1] // parts, parts)
    return matrix @ pictures @ matrix.T


@lru_cache(maxsize=8)
def _averaging(side: int, parts: int) -> np.ndarray:
    """Return the (side, side * parts) matrix of means."""
    return np.kron(np.eye(side), np.full((1, parts), 1 / parts)).astype(np.float32)


@lru_cache(maxsize=8)
def _enlarging(side: int, parts: int) -> np.ndarray:
    """Return the (side * parts, side) matrix of a linear interpolation that keeps the mean of each pixel.

    The interpolation passes through values at the middle of the pixels, background outside. Those values
    are chosen so that the means are right.
    """
    place = (np.arange(side * parts) + 0.5) / parts - 0.5
    linear = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(side)))
    means = linear.reshape(side, parts, side).mean(axis=1)
    return (linear @ np.linalg.inv(means)).astype(np.float32)
