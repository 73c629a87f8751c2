"""Cleaning: removing what is dark but not part of the digit.

darkness -> ruled lines erased
pieces -> those of the digit: no specks, frames, neighbors, or things cut off by the picture's edge
"""

import functools

import numpy as np

from service.preprocessing.components import Boxes, Components, find_runs
from service.preprocessing.trace import LeftOut, Trace, counted, no_trace

# In smaller pictures a line is as thick as a stroke.
MIN_RULED_SIDE = 48
# Ruled lines are thinner than this share of the picture.
LINE_SHARE = 0.04
# They span at least this share of the picture, are inked along this share of it, and have shorter gaps than
# this share.
LINE_SPAN, LINE_INKED, LINE_GAP = 0.95, 0.75, 0.125
# A line that fades is made of runs at least as long as this share of the picture.
LINE_RUN = 0.0625
# A frame's ink lies near its outline: within this share of its length.
FRAME_BAND = 0.08
# Pieces with less than this share of the digit's ink are specks.
SPECK_SHARE = 0.03
# Pieces further from the digit than this share of its length do not belong to it.
NEAR_SHARE = 0.25


def erase_lines(darkness: np.ndarray, faint: float, trace: Trace = no_trace) -> np.ndarray:
    """Return darkness without ruled lines that cross the picture from side to side.

    darkness: (height, width) float32. faint: where ink begins. trace: gets what was done.
    """
    if min(darkness.shape) < MIN_RULED_SIDE:
        return darkness
    mask = darkness > faint / 2  # lines are printed paler than people write
    if not (crosses(mask) or crosses(mask.T)):  # as in most pictures
        return darkness
    lines = ruled_lines(mask) | ruled_lines(mask.T).T
    if not lines.any():
        return darkness
    trace("ruled lines erased")
    return np.where(lines, np.float32(0), darkness)


def ruled_lines(mask: np.ndarray) -> np.ndarray:
    """Return the pixels, (height, width) bool, of thin lines from the left edge to the right one.

    mask: (height, width) bool. A line is made of long horizontal runs, with gaps where it climbs from one
    row to the next or fades. Where a stroke crosses it, the ink is thicker and stays.
    """
    height, width = mask.shape
    if not crosses(mask):
        return np.zeros_like(mask)
    long = long_runs(mask, max(3, round(LINE_RUN * width)))
    pieces = Components(_gaps_closed(long), long)
    lines = np.zeros_like(mask)
    upright = functools.cache(lambda length: long_runs(mask.T, length).T)
    for index in np.flatnonzero(pieces.boxes.right - pieces.boxes.left > LINE_SPAN * width):
        rows = slice(pieces.boxes.top[index], pieces.boxes.bottom[index])
        line = (pieces.labels[rows] == index + 1) & mask[rows]
        inked = np.flatnonzero(line.any(axis=0))
        if inked[-1] - inked[0] < LINE_SPAN * width or len(inked) < LINE_INKED * width:
            continue
        thick = np.count_nonzero(line & long[rows], axis=0)
        thickness = np.median(thick[thick > 0])
        if thickness <= max(2, LINE_SHARE * height):
            lines[rows] |= line & ~upright(round(1.5 * thickness) + 2)[rows]
    return lines


def _gaps_closed(long: np.ndarray) -> np.ndarray:
    """Return long runs, (height, width) bool, grown by a row on either side, without gaps along the rows."""
    grown = long.copy()
    grown[1:] |= long[:-1]
    grown[:-1] |= long[1:]
    return ~long_runs(~grown, max(2, round(LINE_GAP * long.shape[1])))


def crosses(mask: np.ndarray) -> bool:
    """Return whether a mask, (height, width) bool, is set somewhere on its left and on its right edge."""
    return bool(mask[:, 0].any() and mask[:, -1].any())


def long_runs(mask: np.ndarray, length: int) -> np.ndarray:
    """Return the pixels of `mask` that lie in horizontal runs of at least `length`."""
    starts, ends = find_runs(mask)
    lengths = ends - starts
    result = np.zeros_like(mask)
    result[mask] = np.repeat(lengths >= length, lengths)
    return result


def digit_pieces(pieces: Components, trace: Trace = no_trace) -> np.ndarray:
    """Return which pieces belong to the digit, (count,) bool: the largest, and those near it.

    trace: gets what was dropped.
    """
    mass = pieces.mass
    if len(mass) <= 1 or mass.max() <= 0:
        return mass > 0
    height, width = pieces.labels.shape
    top, bottom, left, right = pieces.boxes
    cut = (top == 0) | (left == 0) | (bottom == height) | (right == width)
    # A piece that the picture's edge cuts is more often a shadow, a finger or the next digit than the digit.
    likely = np.where(cut, mass / 4, mass)
    main = int(likely.argmax())
    if is_frame(pieces, main):
        likely[main] = 0
        main = int(likely.argmax())
    length = max(bottom[main] - top[main], right[main] - left[main])
    gap_rows = np.maximum(top - bottom[main], top[main] - bottom)
    gap_columns = np.maximum(left - right[main], left[main] - right)
    near = np.maximum(gap_rows, gap_columns) < NEAR_SHARE * length
    keep = near & (likely >= SPECK_SHARE * likely[main])
    if not cut[main]:
        keep &= ~cut
    keep &= ~surrounding(pieces.boxes, main)
    if not keep.all():
        _trace_dropped(pieces, keep, main, trace)
    return keep


def _trace_dropped(pieces: Components, keep: np.ndarray, main: int, trace: Trace) -> None:
    """Trace how many pieces of each kind were dropped; `main` is the largest piece of the digit."""
    around = surrounding(pieces.boxes, main)
    speck = pieces.mass < SPECK_SHARE * pieces.mass[main]
    others = ~speck & ~around
    for kind, name in ((around, "frame"), (speck & ~around, "speck"), (others, "other piece")):
        if count := int(np.count_nonzero(kind & ~keep)):
            step = f"{counted(count, name)} dropped"
            trace(LeftOut(step) if kind is others else step)


def surrounding(boxes: Boxes, index: int) -> np.ndarray:
    """Return which boxes extend beyond box `index` on all four sides, (count,) bool."""
    top, bottom, left, right = boxes
    return (top < top[index]) & (bottom > bottom[index]) & (left < left[index]) & (right > right[index])


def is_frame(pieces: Components, index: int) -> bool:
    """Return whether a piece is a box drawn around others, with its ink along its own outline."""
    top, bottom, left, right = pieces.boxes
    inside = (
        (top > top[index])
        & (bottom < bottom[index])
        & (left > left[index])
        & (right < right[index])
        & (pieces.mass > SPECK_SHARE * pieces.mass[index])
    )
    if not inside.any():
        return False
    rows, columns = slice(top[index], bottom[index]), slice(left[index], right[index])
    piece = pieces.labels[rows, columns] == index + 1
    band_rows, band_columns = (max(2, round(FRAME_BAND * length)) for length in piece.shape)
    within = piece[band_rows:-band_rows, band_columns:-band_columns].sum()
    return bool(within < 0.1 * piece.sum())
