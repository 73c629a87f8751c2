"""What is written on a page -> glyphs: what may be one digit each, or several that touch.

pieces -> no specks, no frames -> how high is writing here? -> broken strokes joined -> glyphs
       -> no dots, dashes and lines, nothing that the picture's edge cuts
"""

from typing import NamedTuple

import numpy as np

from service.preprocessing.cleaning import SPECK_SHARE, is_frame
from service.preprocessing.components import Components
from service.reading.writing import Writing

MOST_PIECES = 1024  # only the largest are considered
FRAMES_TRIED = 8
# Pieces that share this much of the narrower one's width are parts of one digit, such as the hat of a 5.
SHARED_WIDTH = 0.5
# As shares of the typical height:
JOINED_GAP = 0.35  # the most between two parts of a digit, one above the other
JOINED_HEIGHT = 1.4  # of both together
LEAST_HEIGHT = 0.35  # anything lower is a dot, a dash or a line
CLEAR_MARGIN = 0.15  # a row with this much paper above and below is not cut tightly


class Glyph(NamedTuple):
    """What may be a digit: where it is on the page, and its ink, (height, width) float32 in [0, 1]."""

    top: int
    left: int
    ink: np.ndarray

    @property
    def height(self) -> int:
        """Height in pixels."""
        return self.ink.shape[0]

    @property
    def width(self) -> int:
        """Width in pixels."""
        return self.ink.shape[1]

    @property
    def bottom(self) -> int:
        """The row below it."""
        return self.top + self.height

    @property
    def right(self) -> int:
        """The column right of it."""
        return self.left + self.width


def find_glyphs(writing: Writing, most: int) -> list[Glyph]:
    """Return what may be digits, in no order; if there are more than `most`, the largest."""
    pieces = writing.pieces
    kept = _without_specks_and_frames(pieces)
    if not len(kept):
        return []
    typical = typical_height(pieces, kept, writing.shape)
    groups = _joined(pieces, kept, typical)
    return _cut_out(writing, groups, typical, most)


def _without_specks_and_frames(pieces: Components) -> np.ndarray:
    """Return the indices, (n,), of the pieces that may be writing."""
    mass = pieces.mass
    kept = np.flatnonzero(mass > 0)
    kept = kept[np.argsort(-mass[kept], kind="stable")][:MOST_PIECES]
    if len(kept) > 1:
        top, bottom, left, right = pieces.boxes
        area = (bottom - top) * (right - left)
        largest = kept[np.argsort(-area[kept], kind="stable")][:FRAMES_TRIED]
        frames = [index for index in largest if is_frame(pieces, index)]
        kept = kept[~np.isin(kept, frames)]
    return kept


def typical_height(pieces: Components, kept: np.ndarray, shape: tuple[int, int]) -> float:
    """Return the height of most of the ink of the pieces `kept`, (n,); shape: the page's.

    High pieces count more, so that specks count little. Lines, and pieces that the edge cuts, count only if
    there is nothing else.
    """
    top, bottom, left, right = (side[kept] for side in pieces.boxes)
    height = bottom - top
    cut = (top == 0) | (left == 0) | (bottom == shape[0]) | (right == shape[1])
    plain = ~cut & (right - left < 8 * height)
    if plain.any() and height[plain].max() >= 0.3 * height.max():
        height = height[plain]
    height = np.sort(height)
    weight = np.cumsum(height.astype(float) ** 2)
    return float(height[np.searchsorted(weight, weight[-1] / 2)])


def _joined(pieces: Components, kept: np.ndarray, typical: float) -> list[np.ndarray]:
    """Return the pieces `kept`, (n,), grouped by the digit that they are parts of."""
    top, bottom, left, right = (side[kept] for side in pieces.boxes)
    large = pieces.mass[kept][bottom - top >= 0.6 * typical]
    speck = SPECK_SHARE * (np.median(large) if len(large) else pieces.mass[kept].max())
    written = pieces.mass[kept] >= speck
    kept, top, bottom, left, right = (side[written] for side in (kept, top, bottom, left, right))
    shared = np.minimum.outer(right, right) - np.maximum.outer(left, left)
    narrower = np.minimum.outer(right - left, right - left)
    gap = np.maximum.outer(top, top) - np.minimum.outer(bottom, bottom)
    height = np.maximum.outer(bottom, bottom) - np.minimum.outer(top, top)
    join = (shared >= SHARED_WIDTH * narrower) & (gap <= JOINED_GAP * typical)
    join &= height <= JOINED_HEIGHT * typical
    group = np.arange(len(kept))
    for one, other in np.argwhere(np.triu(join, 1)):
        if group[one] != group[other]:
            group[group == group[other]] = group[one]
    return [kept[group == number] for number in np.unique(group)]


def _cut_out(writing: Writing, groups: list[np.ndarray], typical: float, most: int) -> list[Glyph]:
    """Return the glyphs of groups of pieces, without what is too low or cut by the page's edge."""
    pieces, (height, width) = writing.pieces, writing.shape
    boxes = [
        (
            int(pieces.boxes.top[group].min()),
            int(pieces.boxes.bottom[group].max()),
            int(pieces.boxes.left[group].min()),
            int(pieces.boxes.right[group].max()),
        )
        for group in groups
    ]
    high = [k for k, (top, bottom, *_) in enumerate(boxes) if bottom - top >= LEAST_HEIGHT * typical]
    first = min((boxes[k][0] for k in high), default=0)
    last = max((boxes[k][1] for k in high), default=height)
    # With paper above and below, a glyph that touches the left or right edge is one that the edge cuts.
    if min(first, height - last) >= CLEAR_MARGIN * typical:
        high = [k for k in high if boxes[k][2] > 0 and boxes[k][3] < width] or high
    high.sort(key=lambda k: -pieces.mass[groups[k]].sum())
    number = np.full(len(pieces.mass) + 1, -1)
    for k in high[:most]:
        number[groups[k] + 1] = k
    glyphs = []
    ink, labels = writing.ink, pieces.labels
    for k in high[:most]:
        top, bottom, left, right = boxes[k]
        own = number[labels[top:bottom, left:right]] == k
        glyphs.append(Glyph(top, left, ink[top:bottom, left:right] * own))
    return glyphs
