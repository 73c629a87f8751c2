"""Glyphs in any order -> rows, from top to bottom, each from left to right.

glyphs by their left side -> each to the row whose last glyphs it stands beside -> rows
"""

import numpy as np

from service.reading.glyphs import Glyph

# A glyph belongs to a row if it shares this much of the lower one's height with the row's last glyphs.
SHARED_HEIGHT = 0.4
LAST = 3  # glyphs at the end of a row that say how high it is there: the row may climb, and one may be low
LEAST_HEIGHT = 0.45  # of the row's median height: anything lower is punctuation


def in_rows(glyphs: list[Glyph]) -> list[list[Glyph]]:
    """Return glyphs in reading order, without those that are not high enough to be digits of their row."""
    rows: list[list[Glyph]] = []
    for glyph in sorted(glyphs, key=lambda each: each.left + each.width / 2):
        shares = [_shared_height(glyph, row) for row in rows]
        best = int(np.argmax(shares)) if shares else -1
        if best >= 0 and shares[best] >= SHARED_HEIGHT:
            rows[best].append(glyph)
        else:
            rows.append([glyph])
    rows.sort(key=lambda row: np.mean([(glyph.top + glyph.bottom) / 2 for glyph in row]))
    return [_high_enough(row) for row in rows]


def _shared_height(glyph: Glyph, row: list[Glyph]) -> float:
    """Return how much of the lower one's height a glyph shares with the last glyphs of a row."""
    last = row[-LAST:]
    top = sum(each.top for each in last) / len(last)
    bottom = sum(each.bottom for each in last) / len(last)
    shared = min(bottom, glyph.bottom) - max(top, glyph.top)
    return float(shared / min(glyph.height, bottom - top))


def _high_enough(row: list[Glyph]) -> list[Glyph]:
    median = np.median([glyph.height for glyph in row])
    return [glyph for glyph in row if glyph.height >= LEAST_HEIGHT * median]
