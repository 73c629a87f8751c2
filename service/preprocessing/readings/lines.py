"""A line drawn across a digit, straight or not: found by its path through the ink, and erased.

ink -> the most inked path from left to right, and from top to bottom -> erased where it is thin -> ink
"""

from collections.abc import Iterator

import numpy as np

from service.preprocessing.trace import LeftOut

# A line across the digit climbs at most this many pixels per column.
STEEPEST = 2
# A line is inked along at least this share of its path.
LINE_INKED = 0.85
# A line is at most as thick as this share of the ink's length.
LINE_THICKNESS = 0.16
# Where the ink is this many times as thick as the line, a stroke crosses it.
CROSSED = 1.5


def without_lines(ink: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the ink without a line, straight or not, that runs through it from left to right or down."""
    for turned in (False, True):
        picture = ink.T if turned else ink
        rows, columns = (np.flatnonzero(picture.any(axis=axis)) for axis in (1, 0))
        if not len(rows):
            return
        part = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        line = line_across(part)
        if line is None:
            continue
        changed = np.where(line, np.float32(0), part)
        yield (
            LeftOut("a line across the digit erased"),
            np.ascontiguousarray(changed.T) if turned else changed,
        )


def line_across(ink: np.ndarray) -> np.ndarray | None:
    """Return the pixels, bool, of a line that runs through ink, (height, width), from left to right, or None.

    Its path is the one with the most ink, one column per step (dynamic programming, as in seam carving:
    Avidan and Shamir 2007). Where the ink is thicker than the line, a stroke crosses it and stays.
    """
    height, width = ink.shape
    if min(height, width) < 8:
        return None
    best = np.zeros_like(ink)
    best[:, 0] = ink[:, 0]
    moves = np.zeros(ink.shape, np.intp)
    for column in range(1, width):
        padded = np.pad(best[:, column - 1], STEEPEST, constant_values=-1)
        reached = np.stack([padded[step : step + height] for step in range(2 * STEEPEST + 1)])
        reached -= 1e-3 * np.abs(np.arange(-STEEPEST, STEEPEST + 1))[:, None]
        moves[:, column] = reached.argmax(axis=0)
        best[:, column] = ink[:, column] + reached.max(axis=0)
    row = int(best[:, -1].argmax())
    if best[row, -1] < LINE_INKED * width:
        return None
    mask = ink > 0
    tops, bottoms = np.empty((2, width), np.intp)
    for column in range(width - 1, -1, -1):
        below = np.flatnonzero(~mask[row:, column])
        above = np.flatnonzero(~mask[: row + 1, column])
        tops[column] = above[-1] + 1 if len(above) else 0
        bottoms[column] = row + (below[0] if len(below) else height - row)
        row += int(moves[row, column]) - STEEPEST if column else 0
    thickness = bottoms - tops
    usual = float(np.median(thickness))
    if usual > LINE_THICKNESS * max(height, width):
        return None
    thin = thickness <= CROSSED * usual
    y = np.arange(height)[:, None]
    return (y >= tops) & (y < bottoms) & thin
