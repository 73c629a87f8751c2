"""A picture that is cropped to its digit: ink touches the border, so the border does not show the paper.

    grey -> dark ink | light ink, in even | uneven light -> ink
         -> paper with stripes --------------------------> ink

Each function assumes one answer.
"""

import numpy as np

from service.preprocessing.ink import MIN_CONTRAST, MIN_SIGNAL_TO_NOISE, Levels, digit_ink, ink_levels
from service.preprocessing.levels import ascending, otsu_threshold
from service.preprocessing.paper import border, evened_darkness
from service.preprocessing.trace import Trace, no_trace

# Clean paper has exactly one color. A pixel that is darker by more than this many gray values is ink.
CLEAN_STEP = 4
CLEAN_SHARE = 0.25  # of the paper that must be of that color; the rest is soft edges
# Ends of a column that differ by more than this share of the contrast are not the same paper.
SAME_PAPER = 0.2


def is_clean(grey: np.ndarray) -> bool:
    """Return whether a picture is a drawing on paper of exactly one color, so that its light is even."""
    return bool(_clean_levels(grey.max() - grey) or _clean_levels(grey - grey.min()))


def dark_ink(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray:
    """Return the ink of a picture, (height, width), whose ink is dark and whose paper is evenly lit.

    trace: gets what was done. Raises BlankImageError.
    """
    trace("ink touches the border: read as dark ink on light paper")
    return _whole_ink(grey.max() - grey, trace)


def light_ink(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray:
    """Return the ink of a picture, (height, width), whose ink is light and whose paper is evenly dark.

    trace: gets what was done. Raises BlankImageError.
    """
    trace("ink touches the border: read as light ink on dark paper")
    return _whole_ink(grey - grey.min(), trace)


def dark_ink_in_uneven_light(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray | None:
    """Return the ink as `dark_ink` does after evening out the light, or None if it is even."""
    trace("ink touches the border: read as dark ink on light paper")
    darkness = evened_darkness(grey, trace)
    return None if darkness is None else _whole_ink(darkness, trace)


def light_ink_in_uneven_light(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray | None:
    """Return the ink as `light_ink` does after evening out the light, or None if it is even."""
    trace("ink touches the border: read as light ink on dark paper")
    darkness = evened_darkness(255 - grey, trace)
    return None if darkness is None else _whole_ink(darkness, trace)


def striped_paper(grey: np.ndarray, trace: Trace = no_trace) -> np.ndarray | None:
    """Return the ink of a picture, (height, width), on paper with stripes that run through it, or None.

    The paper of a column, or of a row, is what its two ends show. None if the two ends differ, if the paper
    is the same everywhere, or if the ink is at the border, where a frame would be. trace: gets what was done.
    Raises BlankImageError.
    """
    contrast = float(np.ptp(grey))
    for columns in (grey, grey.T):
        first, last = columns[0], columns[-1]
        if np.abs(first - last).max() > SAME_PAPER * contrast or np.ptp(first) <= SAME_PAPER * contrast:
            continue
        trace("paper with stripes: ink is what differs from the ends of its row or column")
        darkness = np.abs(columns - (first + last) / 2)
        ink = _whole_ink(darkness if columns is grey else np.ascontiguousarray(darkness.T), trace)
        return None if border(ink[1:-1, 1:-1]).any() else ink
    return None


def _whole_ink(darkness: np.ndarray, trace: Trace) -> np.ndarray:
    """Return the ink of a digit that may touch the border, (height, width) float32 in [0, 1].

    A margin of paper is added, so that no piece counts as cut off.
    """
    levels = _clean_levels(darkness) or ink_levels(darkness, MIN_SIGNAL_TO_NOISE)
    return digit_ink(np.pad(darkness, 1), levels, trace)


def _clean_levels(darkness: np.ndarray) -> Levels | None:
    """Return the levels of a drawing on paper of exactly one color, or None.

    Everything that differs from the paper is ink, soft edges included.
    """
    ordered = ascending(darkness)
    solid = otsu_threshold(ordered)
    bare = int(ordered.searchsorted(np.float32(solid), "right"))
    full = float(ordered[-1])
    if full < MIN_CONTRAST or ordered[int(CLEAN_SHARE * bare)] > CLEAN_STEP:
        return None
    return Levels(CLEAN_STEP, solid, full)
