"""A glyph of several touching digits -> the parts into which cuts could divide it.

    ink -> 40 rows high -> the cheapest path down near each column -> seams -> parts between two seams

A seam (Avidan and Shamir 2007, "Seam carving") goes from top to bottom through as little ink as it can, so it
follows a slanted gap and cuts a joint where it is thin. The network decides which seams are right.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from PIL import Image

from service.preprocessing.components import Components
from service.reading.glyphs import Glyph

ROWS = 40  # height of the picture in which seams are sought
REACH = 9  # columns of that picture: how far to either side a seam may stray from where it is sought
ASIDE = 0.04  # cost of a step to the side, in ink
PAPER = 0.01  # cost of a step through paper, in ink
# As shares of the glyph's height:
LEAST_WIDTH, MOST_WIDTH = 0.1, 1.25  # of a part
LEAST_HEIGHT = 0.55  # of a part
STEP = 0.075  # between the columns near which seams are sought
REMNANT = 0.1  # of a part's ink: a separate piece with less is left over from the neighbor
MOST_SEAMS = 24


class Part(NamedTuple):
    """What lies between two seams.

    first, last: the numbers of the seams; 0 and the number of seams + 1 are the glyph's ends. cut: half of
    the ink that the two seams cross, in rows of ROWS.
    """

    first: int
    last: int
    glyph: Glyph
    cut: float


def parts_of(glyph: Glyph) -> tuple[int, list[Part]]:
    """Return the number of seams, and the parts between any two of them that have the width of a digit."""
    seams, inks = find_seams(glyph.ink)
    height, width = glyph.ink.shape
    edges = np.vstack((np.zeros(height, int), *seams, np.full(height, width)))  # (seams + 2, height)
    edges = np.maximum.accumulate(edges, axis=0)
    inks = [0.0, *inks, 0.0]
    middle = edges.mean(axis=1)
    parts = []
    for first, last in combinations(range(len(edges)), 2):
        if not LEAST_WIDTH * height <= middle[last] - middle[first] <= MOST_WIDTH * height:
            continue
        part = _between(glyph, edges[first], edges[last])
        if part is not None:
            parts.append(Part(first, last, part, (inks[first] + inks[last]) / 2))
    return len(seams), parts


def find_seams(ink: np.ndarray) -> tuple[list[np.ndarray], list[float]]:
    """Return seams from left to right, and the ink that each crosses, in rows of ROWS.

    ink: (height, width) float32 in [0, 1]. A seam is, for each row, the column before which to cut.
    """
    height, width = ink.shape
    columns = max(1, round(width * ROWS / height))
    if columns < 8:
        return [], []
    small = np.asarray(Image.fromarray(ink).resize((columns, ROWS), Image.Resampling.BOX))
    step = max(STEP * ROWS, columns / (MOST_SEAMS + 2))
    sought = np.arange(LEAST_WIDTH * ROWS, columns - LEAST_WIDTH * ROWS + 0.5, step).round().astype(int)
    paths, costs = _cheapest_paths(small, sought)
    seams: list[np.ndarray] = []
    inks: list[float] = []
    rows = (np.arange(height) + 0.5) * ROWS / height - 0.5
    for path, cost in sorted(zip(paths, costs, strict=True), key=lambda each: float(each[0].mean())):
        place = (np.interp(rows, np.arange(ROWS), path + 0.5) * width / columns).round().astype(int)
        if seams and np.abs(place - seams[-1]).mean() < 0.03 * height:
            if cost < inks[-1]:
                seams[-1], inks[-1] = place, cost
            continue
        seams.append(place)
        inks.append(cost)
    return seams, inks


def _cheapest_paths(ink: np.ndarray, sought: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the cheapest path down near each column of `sought`, (n, rows), and its ink, (n,).

    ink: (rows, columns). All are found at once, row by row (dynamic programming).
    """
    rows, columns = ink.shape
    band = np.arange(-REACH, REACH + 1)
    places = np.clip(sought[:, None] + band, 0, columns - 1)  # (n, band)
    outside = (sought[:, None] + band != places) * 9.0
    costs = (ink[:, places] + PAPER + outside).astype(np.float32)  # (rows, n, band)
    total = np.full((len(sought), len(band) + 2), np.inf, np.float32)  # with a column that is never best
    total[:, 1:-1] = costs[0]
    steps = np.zeros(costs.shape, np.int8)  # to the column in the row above
    for row in range(1, rows):
        straight = total[:, 1:-1]
        aside = np.minimum(total[:, :-2], total[:, 2:]) + ASIDE
        turns = aside < straight
        steps[row] = np.where(turns, np.where(total[:, :-2] <= total[:, 2:], -1, 1), 0)
        total[:, 1:-1] = np.where(turns, aside, straight) + costs[row]
    total = total[:, 1:-1]
    count = np.arange(len(sought))
    at = total.argmin(axis=1)
    paths = np.empty((len(sought), rows), int)
    for row in range(rows - 1, -1, -1):
        paths[:, row] = places[count, at]
        at = at + steps[row, count, at]
    return paths, ink[np.arange(rows), paths].sum(axis=1)


def _between(glyph: Glyph, start: np.ndarray, end: np.ndarray) -> Glyph | None:
    """Return the part of a glyph from column start[y] to end[y] of each row y, None if it is too low."""
    left, right = int(start.min()), int(end.max())
    column = np.arange(left, right)
    inside = (column >= start[:, None]) & (column < end[:, None])
    ink = glyph.ink[:, left:right] * inside
    pieces = Components(ink > 0, ink)
    if not len(pieces.mass):
        return None
    large = pieces.mass >= REMNANT * pieces.mass.sum()
    if not large.all():
        ink = ink * np.concatenate(([False], large))[pieces.labels]
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if not len(rows) or rows[-1] + 1 - rows[0] < LEAST_HEIGHT * glyph.height:
        return None
    cut = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return Glyph(glyph.top + int(rows[0]), glyph.left + left + int(columns[0]), cut)
