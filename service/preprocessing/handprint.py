"""Ink -> a box that the digit fills, made the way the 8x8 digits of scikit-learn were made.

    ink -> upright -> 20 x 32 of 32 x 32 cells -> strokes of even width -> means of 4 x 4 cells -> box

The forms behind those digits went through NIST's programs (Garris et al. 1994, "NIST Form-Based Handprint
Recognition System", NISTIR 5469): each digit was stretched to 20 x 32 cells, made bolder or thinner where it
held little or much ink, and sheared upright. Then the ink in blocks of four by four cells was counted.
Uploads have other widths, pens and slants, which a network trained on those digits has never seen.
"""

import numpy as np

CELLS = 4  # side of the block that becomes one pixel
WIDTH = 5 / 8  # of the frame
STRETCH = 2  # the most that a narrow digit is widened beyond its proportions, so that a 1 stays a stroke
STEEPEST = 1.0  # columns per row: handwriting leans less
# Ink as a share of the frame: the mean of scikit-learn's digits is 0.30, and of nine in ten it is less
# than 0.35.
LEAST_INK, MOST_INK = 0.31, 0.375
INKED = 0.1  # share of the darkest ink that a column must reach to count as part of the digit
GROWTHS = 6  # cells: enough for the finest pen


def stand(ink: np.ndarray, side: int) -> np.ndarray:
    """Return a box, (side, side) float32 in [0, 1], that ink, (height, width), fills from top to bottom.

    The digit is in the middle of the box. The ink must have no empty margins.
    """
    frame = CELLS * side
    rows = area_weights(0, len(ink), len(ink), frame) @ ink  # (frame, width)
    upright = shear_upright(rows, len(ink) / frame)
    highest = upright.max(axis=0)
    inked = np.flatnonzero(highest > INKED * highest.max())
    upright = upright[:, inked[0] : inked[-1] + 1]
    width = upright.shape[1]
    across = max(width / WIDTH, len(ink) / STRETCH)  # pixels of ink that the frame is wide
    cells = upright @ area_weights((across - width) / 2, width, across, frame).T
    return even_strokes(cells / cells.max()).reshape(side, CELLS, side, CELLS).mean(axis=(1, 3))


def area_weights(start: float, length: int, extent: float, cells: int) -> np.ndarray:
    """Return the matrix, (cells, length), that averages `extent` pixels into cells.

    Of these pixels, the `length` from `start` on hold the picture; the others are empty. Entry (i, j) is the
    share of cell i that pixel j covers.
    """
    scale = extent / cells
    edges = np.arange(cells + 1)[:, None] * scale
    pixel = start + np.arange(length)
    overlap = np.minimum(edges[1:], pixel + 1) - np.maximum(edges[:-1], pixel)
    return (np.maximum(overlap, 0) / scale).astype(np.float32)


def shear_upright(ink: np.ndarray, row_height: float) -> np.ndarray:
    """Return ink with its rows moved sideways so that, on average, it does not lean.

    row_height: in columns. The picture grows wider by as much as its rows move.
    """
    height, width = ink.shape
    y, x = np.arange(height) - height / 2, np.arange(width)
    mass = ink.sum(axis=1)
    y = y - y @ mass / mass.sum()
    along = ink @ x  # sums of x by row
    lean = (y @ along) / max((y * y) @ mass, 1e-9)
    steepest = STEEPEST * row_height
    moves = np.clip(lean, -steepest, steepest) * y  # columns to the left, by row
    room = int(np.ceil(np.abs(moves).max())) + 1
    places = np.arange(2 - room, width + room + 2) + moves[:, None]  # with two columns of paper before
    before = places.astype(int)  # rounds down, except left of the paper, where there is no ink
    share = (places - before).astype(np.float32)
    padded = np.zeros((height, width + 4), np.float32)
    padded[:, 2:-2] = ink
    np.minimum(np.maximum(before, 0, out=before), width + 2, out=before)
    row = np.arange(height)[:, None]
    picked = padded[row, before]
    return picked + share * (padded[row, before + 1] - picked)


def even_strokes(cells: np.ndarray) -> np.ndarray:
    """Return cells, (n, n) in [0, 1], made bolder or thinner until their mean is in the usual range."""
    for _ in range(GROWTHS):
        mean = float(cells.mean())
        if LEAST_INK <= mean <= MOST_INK:
            break
        wanted = LEAST_INK if mean < LEAST_INK else MOST_INK
        changed = grow(cells) if mean < LEAST_INK else 1 - grow(1 - cells)
        reached = float(changed.mean())
        share = min((wanted - mean) / (reached - mean), 1) if reached != mean else 1
        cells = cells + np.float32(share) * (changed - cells)
    return cells


def grow(cells: np.ndarray) -> np.ndarray:
    """Return for each cell the largest of itself and the four beside it."""
    grown = cells.copy()
    np.maximum(grown[1:], cells[:-1], out=grown[1:])
    np.maximum(grown[:-1], cells[1:], out=grown[:-1])
    np.maximum(grown[:, 1:], cells[:, :-1], out=grown[:, 1:])
    np.maximum(grown[:, :-1], cells[:, 1:], out=grown[:, :-1])
    return grown
