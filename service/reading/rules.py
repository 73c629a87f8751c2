"""Ruled lines: found because they run from side to side, even if they climb, are pale or cross ink.

    mask -> thin runs -> each votes for an offset, at every slope -> offsets with ink all along -> erased

This is a Hough transform. `service.preprocessing.cleaning` erases unbroken lines, but on a page the writing
breaks many lines.
"""

import numpy as np

from service.preprocessing.cleaning import MIN_RULED_SIDE
from service.preprocessing.components import find_runs

SLOPES = np.linspace(-0.03, 0.03, 25)  # rows per column
THIN = 3  # a line is at most this many pixels thick, or THIN_SHARE of the page's longer side
THIN_SHARE = 0.008
LEAST_VOTES = 0.25  # as a share of the page's length; with fewer, an offset has no line
COVERED = 0.88  # of the length of the page that a line must cover


def erase_rules(darkness: np.ndarray, faint: float) -> np.ndarray:
    """Return darkness, (height, width) float32, without ruled lines; faint: where ink begins."""
    if min(darkness.shape) < MIN_RULED_SIDE:
        return darkness
    mask = darkness > faint / 2
    thin = round(max(THIN, THIN_SHARE * max(mask.shape)))
    lines = _ruled(mask, thin)
    crossing = _ruled(np.ascontiguousarray(mask.T), thin)
    if crossing is not None:
        lines = crossing.T if lines is None else lines | crossing.T
    return darkness if lines is None else np.where(lines, np.float32(0), darkness)


def _ruled(mask: np.ndarray, thin: int) -> np.ndarray | None:
    """Return the pixels of lines from left to right, or None if there are none.

    mask: (height, width) bool. thin: the greatest height of a line in pixels. Where writing crosses a line,
    the ink is higher and stays.
    """
    height, width = mask.shape
    starts, ends = find_runs(np.ascontiguousarray(mask.T))  # downward, column by column
    few = ends - starts <= thin
    columns, rows = np.divmod(starts[few], height + 1)
    lengths = (ends - starts)[few]
    if len(rows) < LEAST_VOTES * width:
        return None
    middle = rows + (lengths - 1) / 2
    room = int(np.ceil(SLOPES[-1] * width)) + 2
    votes = np.stack(
        [
            np.bincount((middle - slope * columns + room).round().astype(int), minlength=height + 2 * room)
            for slope in SLOPES
        ]
    )
    best = int((votes.astype(float) ** 2).sum(axis=1).argmax())
    slope = SLOPES[best]
    near = np.convolve(votes[best], np.ones(3), "same")
    offsets = [
        offset - room
        for offset in np.flatnonzero(near >= LEAST_VOTES * width).tolist()
        if _coverage(mask, offset - room, slope) >= COVERED
    ]
    if not offsets:
        return None
    place = (middle - slope * columns).round()
    ruled = np.isin(place, np.add.outer(offsets, (-1, 0, 1)))
    lines = np.zeros(mask.shape, bool)
    for step in range(thin):
        longer = ruled & (lengths > step)
        lines[rows[longer] + step, columns[longer]] = True
    return lines


def _coverage(mask: np.ndarray, offset: int, slope: float) -> float:
    """Return the share of columns in which a line, or the row beside it, is dark."""
    columns = np.arange(mask.shape[1])
    rows = (offset + slope * columns).round().astype(int)
    dark = np.zeros(len(columns), bool)
    for aside in (-1, 0, 1):
        inside = (rows + aside >= 0) & (rows + aside < len(mask))
        dark[inside] |= mask[(rows + aside)[inside], columns[inside]]
    within = (rows >= 0) & (rows < len(mask))
    return float(dark[within].mean()) if within.sum() > len(columns) / 2 else 0.0
