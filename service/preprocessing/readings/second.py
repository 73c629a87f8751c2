"""Further readings of a picture whose first ones were refused or doubtful: what else may be on it.

    picture -> a cut-out on which lines are ruled -----> as any other picture
            -> a panel with a digit on it -------------> cut out, read again
            -> a line drawn across the digit ----------> erased (lines.py)
            -> only the outlines of the strokes -------> filled (outlines.py)

Such pictures are rare, and each of these readings would harm an ordinary digit. They are therefore tried only
on pictures that the rejector doubts (service/model/answering.py). Erasing lines or filling outlines makes
almost anything look like a digit: such a reading gives a better guess, but the picture is not accepted.
"""

import contextlib
from collections.abc import Iterable

import numpy as np

from service.preprocessing.components import Components
from service.preprocessing.errors import BlankImageError
from service.preprocessing.ink import Levels, digit_ink, extract_ink
from service.preprocessing.normalization import Geometry
from service.preprocessing.pipeline import already_normal
from service.preprocessing.readings.first import Reading, framed, read_grey
from service.preprocessing.readings.lines import without_lines
from service.preprocessing.readings.outlines import filled

# The level of ink, in [0, 1], in a picture that has been cleaned before.
CLEANED = Levels(faint=0, solid=0.5, full=1)
# A panel covers at least this share of the picture. It reaches from the first to the last row (and column)
# with PANEL_ROW of the pixels of the fullest one. Its edges are filled to PANEL_EDGE.
PANEL_SHARE = 0.15
PANEL_ROW, PANEL_EDGE = 0.6, 0.9
# The outermost part of a panel, which is left out.
PANEL_INSET = 0.04


def look_again(grey: np.ndarray, geometry: Geometry) -> list[Reading]:
    """Return further readings of a decoded picture, (height, width) in [0, 255], possibly none.

    A ready-made picture has been cleaned before. Of it, only outlines are filled.
    """
    grey = np.asarray(grey, np.float32)
    ready = already_normal(grey, geometry)
    if ready is not None:
        return _guesses(filled(ready.reshape(grey.shape)), geometry)
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
                one._replace(steps=("a panel cut out and read on its own", *one.steps))
                for one in read_grey(inside, geometry)
            ]
    return readings + _guesses((*without_lines(ink), *filled(ink)), geometry)


def _guesses(changes: Iterable[tuple[str, np.ndarray]], geometry: Geometry) -> list[Reading]:
    """Return the readings of changed inks, each with a word on what was done.

    changes: (what was done, ink), (height, width) float32 in [0, 1].
    """
    readings = []
    for what, changed in changes:
        steps = [what]
        with contextlib.suppress(BlankImageError):
            guess = framed(digit_ink(np.pad(changed, 1), CLEANED, steps.append), geometry, steps)
            readings.append(guess._replace(is_guess=True))
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
    if box.size < PANEL_SHARE * ink.size:
        return None
    down, across = (max(1, round(PANEL_INSET * length)) for length in box.shape)
    edges = (box[:down], box[-down:], box[:, :across], box[:, -across:])
    if min(float(edge.mean()) for edge in edges) < PANEL_EDGE:
        return None
    inside = grey[rows, columns][down:-down, across:-across]
    return inside if min(inside.shape, default=0) > 4 else None


def _extent(counts: np.ndarray) -> slice:
    """Return the rows from the first to the last that a panel fills, given its pixels in each row."""
    filled = np.flatnonzero(counts >= PANEL_ROW * counts.max())
    return slice(int(filled[0]), int(filled[-1]) + 1)
