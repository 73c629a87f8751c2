"""Soft edges for a drawing in black and white.

    ink of one level -> 3 x 3 binomial filter -> ink whose edges are partly covered

A pixel at the edge of a stroke is partly covered by ink, and gray in any picture that was scanned, scaled or
drawn with smooth lines. A threshold removes that gray, and on a small picture the steps it leaves are as
large as the turns by which digits differ.
"""

import numpy as np

from service.preprocessing.normalization import box_of

# A digit whose longer side has fewer pixels would lose its holes. A picture with more is averaged down so far
# that its edges become soft anyway.
SHORTEST, LONGEST = 14, 64
# Ink at least this strong counts as full: levels are computed with rounding errors.
FULL = 0.999


def has_hard_edges(ink: np.ndarray) -> bool:
    """Return whether ink, (height, width) float32 in [0, 1], is either full or absent in each pixel.

    False if the digit is too small to be softened, or the picture so large that it does not matter.
    """
    if max(ink.shape) > LONGEST or np.count_nonzero(ink) != np.count_nonzero(ink > FULL):
        return False
    _, _, height, width = box_of(ink > 0)
    return max(height, width) >= SHORTEST


def soften(ink: np.ndarray) -> np.ndarray:
    """Return ink, (height + 2, width + 2) float32 in [0, 1], with soft edges.

    ink: (height, width) float32 in [0, 1]. Each pixel becomes the mean of itself and its neighbors, weighted
    1, 2, 1 along both axes. This is nearly a Gaussian with a standard deviation of 0.7 pixels.
    """
    for _ in range(2):
        padded = np.pad(ink.T, ((2, 2), (0, 0)))
        ink = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return ink
