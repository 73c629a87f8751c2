"""Readings of a picture whose first ones were refused: what else may be on it.

    refused -> a cut-out on which lines are ruled -----> as any other picture
            -> a panel with a digit on it -------------> cut out, read again
            -> a line drawn across the digit ----------> erased (lines.py)
            -> only the outlines of the strokes -------> filled

These are rare, and each would harm an ordinary digit. They are therefore tried only where nothing is lost,
and what they make of a picture must look very much like a digit (service/model/answering.py).
"""

import contextlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageFilter

from service.preprocessing.components import Components
from service.preprocessing.errors import BlankImageError
from service.preprocessing.ink import Levels, digit_ink, extract_ink
from service.preprocessing.normalization import MNIST_GEOMETRY, Geometry
from service.preprocessing.pipeline import frame
from service.preprocessing.readings.first import Reading, framed, read_grey
from service.preprocessing.readings.lines import without_lines

# Of ink in [0, 1] that has been cleaned before.
CLEANED = Levels(faint=0, solid=0.5, full=1)
# A panel covers at least this share of the picture, and this much of the outline of its box.
PANEL_SHARE = 0.15
PANEL_FILLED = 0.5
PANEL_EDGE = 0.6
# The outermost part of a panel that is left out with its edge.
PANEL_INSET = 0.03


def look_again(grey: np.ndarray, geometry: Geometry) -> list[Reading]:
    """Return further readings of a decoded picture, (height, width) in [0, 255], possibly none."""
    grey = np.asarray(grey, np.float32)
    steps: list[str] = []
    try:
        ink = extract_ink(grey, steps.append)
    except BlankImageError:
        return []
    readings = [framed(ink, geometry, steps)]
    inside = panel(ink, grey)
    if inside is not None:
        with contextlib.suppress(BlankImageError):
            readings += [
                Reading(one.pixels, ("a panel cut out and read alone", *one.steps))
                for one in read_grey(inside, geometry)
            ]
    for what, changed in (*without_lines(ink), *_filled(ink)):
        steps = [what]
        with contextlib.suppress(BlankImageError):
            readings.append(framed(digit_ink(np.pad(changed, 1), CLEANED, steps.append), geometry, steps))
    return readings


def panel(ink: np.ndarray, grey: np.ndarray) -> np.ndarray | None:
    """Return the part of a picture, (height, width), that lies on its largest filled piece, or None."""
    mask = ink > 0.5
    pieces = Components(mask, ink)
    if not len(pieces.mass):
        return None
    piece = pieces.labels == int(pieces.mass.argmax()) + 1
    rows, columns = (_extent(np.count_nonzero(piece, axis=axis)) for axis in (1, 0))
    box = piece[rows, columns]
    if box.size < PANEL_SHARE * ink.size or np.count_nonzero(box) < PANEL_FILLED * box.size:
        return None
    inset = [max(1, round(PANEL_INSET * length)) for length in box.shape]
    inside = grey[rows, columns][inset[0] : -inset[0], inset[1] : -inset[1]]
    return inside if min(inside.shape, default=0) > 4 else None


def _extent(counts: np.ndarray) -> slice:
    """Return the rows from the first to the last that a panel fills, given its pixels in each row."""
    filled = np.flatnonzero(counts >= PANEL_EDGE * counts.max())
    return slice(int(filled[0]), int(filled[-1]) + 1)


# Outlines this far apart, in pixels of MNIST's frame, belong to one stroke.
STROKES = (3, 5)


def _filled(ink: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield ink whose outlines have been filled, for narrower and wider strokes.

    What lies between two lines close together becomes ink (a gray-scale closing: Serra 1982).
    """
    side = MNIST_GEOMETRY.side
    small = Image.fromarray(np.rint(255 * frame(ink, MNIST_GEOMETRY)).astype(np.uint8).reshape(side, side))
    for width in STROKES:
        closed = small.filter(ImageFilter.MaxFilter(width)).filter(ImageFilter.MinFilter(width))
        yield "outlines filled", np.asarray(closed, np.float32) / np.float32(255)
